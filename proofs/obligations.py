"""What has to be proved, and the register of it.

An obligation is one function: its name and the first paragraph of its docstring are the sentence, its value is the
argument. The argument is made of z3 terms, and every comparison in it that the service makes too is made by *calling
the shipped function* on terms: `guards` and `clock` here are those modules of `model/`, and write down which of their
functions were asked. Nothing is transcribed, so whoever breaks a guard breaks the sentences that rest on it.

A sentence can be true because nothing ever happens. So every argument also gives a situation in which it matters (its
witness), and, where the sentence has a bound, a counterexample one step past it (`beyond`).

Builders run anew for every proof: the terms are those of the guards as they are now.
Next: `order.py`, `admission.py`, `protocol.py`, `induction.py`, `promises.py` state them; `prove.py` asks the solvers.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, TypeAlias

from z3 import Not, Solver

import model.clock
import model.guards

Term: TypeAlias = Any
"""A z3 term. The package carries no types."""


@dataclass(frozen=True, slots=True)
class Case:
    """Under these assumptions, the claim. Proved when the assumptions and its negation contradict each other."""

    name: str
    assumptions: tuple[Term, ...]
    claim: Term

    def question(self) -> str:
        """SMT-LIB text that must be unsat."""
        return smt2((*self.assumptions, Not(self.claim)))


@dataclass(frozen=True, slots=True)
class Argument:
    """What a sentence rests on.

    Attributes:
        cases: all must be proved.
        witness: a situation in which the sentence matters; it must be possible.
        beyond: a counterexample one step past the bound; it must be possible. Empty where there is no bound.
        small: what makes the world finite while witnesses are sought, and only then.
    """

    cases: tuple[Case, ...]
    witness: tuple[Term, ...]
    beyond: tuple[Term, ...] = ()
    small: tuple[Term, ...] = ()

    def premises(self) -> tuple[Case, ...]:
        """The cases whose assumptions must be shown to be possible: those that the witness does not contain."""
        possible = set(self.witness)
        return tuple(case for case in self.cases if not possible.issuperset(case.assumptions))


@dataclass(frozen=True, slots=True)
class Obligation:
    """A sentence, its argument, and the functions of the model that it read, as `guards.in_pot`."""

    name: str
    sentence: str
    argument: Argument
    reads: frozenset[str]


class Reading:
    """A module of the model, to be called on terms, and a note of what was asked of it."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._room = module.__name__.removeprefix("model.")

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._module, name)
        if inspect.isroutine(asked):
            _asked.add(f"{self._room}.{name}")
        return asked


_asked: Final[set[str]] = set()

guards: Final = Reading(model.guards)
clock: Final = Reading(model.clock)

Builder: TypeAlias = Callable[[], Argument]

REGISTER: Final[dict[str, tuple[str, Builder]]] = {}
"""By name: the sentence and who builds its argument."""


def register(name: str, sentence: str, build: Builder) -> None:
    """One more sentence to be proved. A name is taken once."""
    if name in REGISTER:
        raise ValueError(f"{name} is registered twice")
    REGISTER[name] = sentence, build


def obligation(build: Builder) -> Builder:
    """Register a function as the sentence in its docstring."""
    register(build.__name__, sentence_of(build), build)
    return build


def sentence_of(statement: Callable[..., object]) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(statement) or "").partition("\n\n")[0].split())


def build(name: str) -> Obligation:
    """The obligation as the guards are now."""
    sentence, builder = REGISTER[name]
    _asked.clear()
    argument = builder()
    return Obligation(name, sentence, argument, frozenset(_asked))


def to_be_read() -> frozenset[str]:
    """The functions that some obligation must read: every guard."""
    return frozenset(f"guards.{name}" for name, guard in vars(model.guards).items() if inspect.isfunction(guard))


def smt2(terms: Sequence[Term]) -> str:
    """The conjunction as SMT-LIB text. Solvers are asked this text, never live terms: repeatable, and alike for all.

    (`Solver.to_smt2` would name parts by where they lie in memory: another text each time.)
    """
    solver = Solver()
    solver.add(*terms)
    return f"(set-logic ALL)\n{solver.sexpr()}(check-sat)\n"
