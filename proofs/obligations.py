"""What has to be proved, and the register of it.

An obligation is one function: its name and the first paragraph of its docstring are the sentence, its value is the
argument. The argument is made of z3 terms, and every comparison in it that the service makes too is made by *calling
the function of `model/guards.py`* on terms: `guards` here is that module, and writes down which of its functions were
asked. Nothing is transcribed, so whoever breaks a guard breaks the sentences that rest on it.

A sentence can be true because nothing ever happens. So every argument also gives a situation in which it matters (its
witness), and, where the sentence has a bound, a counterexample one step past it (`beyond`).

Builders run anew for every proof: the terms are those of the guards as they are now.
Next: `order.py`, `admission.py`, `protocol.py`, `induction.py`, `promises.py` state them; `prove.py` asks the solvers.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from z3 import Not, Solver

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
    """A sentence, its argument, and the guards that it read."""

    name: str
    sentence: str
    argument: Argument
    guards: frozenset[str]


class _Reading:
    """`model.guards`, and a note of what was asked of it."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        guard = getattr(model.guards, name)
        self.asked.add(name)
        return guard


guards: Final = _Reading()
"""The shipped guards, to be called on terms."""

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
    guards.asked.clear()
    argument = builder()
    return Obligation(name, sentence, argument, frozenset(guards.asked))


def guards_of_the_model() -> frozenset[str]:
    """The names of all guards."""
    return frozenset(
        name for name, guard in vars(model.guards).items() if inspect.isroutine(guard) and not name.startswith("_")
    )


def smt2(terms: Sequence[Term]) -> str:
    """The conjunction as SMT-LIB text. Solvers are asked this text, never live terms: repeatable, and alike for all.

    (`Solver.to_smt2` would name parts by where they lie in memory: another text each time.)
    """
    solver = Solver()
    solver.add(*terms)
    return f"(set-logic ALL)\n{solver.sexpr()}(check-sat)\n"
