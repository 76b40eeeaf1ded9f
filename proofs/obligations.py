"""What has to be proved, and the register of it.

An obligation is one function: its name and the first paragraph of its docstring are the sentence, its value is the
argument. The argument is made of z3 terms, and every comparison in it that the service makes too is made by *calling
the shipped function* on terms: `guards` and `clock` here are those modules of `model/`, and take notes of what they
were asked (`notes.py`). Nothing is transcribed, so whoever breaks a guard breaks the sentences that rest on it.

A sentence can be true because nothing ever happens. So every argument also gives a situation in which it matters (its
witness), and, where the sentence has a bound, a counterexample one step past it (`beyond`).

Builders run anew for every proof: the terms are those of the guards as they are now.
Next: the rooms that `rooms.py` lists state them; `prove.py` asks the solvers.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Final, TypeAlias

from z3 import Not

import model.clock
import model.guards
import model.polygon
import model.track
from proofs.notes import Call, Reading, Term, printed, said, take_notes, within
from proofs.texts import smt2, smt2_of_named

__all__ = ["Reading", "Term", "said"]  # what authors of obligations need besides


@dataclass(frozen=True, slots=True)
class Case:
    """Under these assumptions, the claim. Proved when the assumptions and its negation contradict each other."""

    name: str
    assumptions: tuple[Term, ...]
    claim: Term

    def question(self) -> str:
        """SMT-LIB text that must be unsat. Each assumption has a name, so that solvers can say what they used."""
        terms = (*self.assumptions, Not(self.claim))
        return smt2_of_named(_names(len(terms)), terms)


def _names(count: int) -> list[str]:
    """What the terms of a case are called in its question; the last is the negated claim."""
    return [*(f"assumption-{number}" for number in range(count - 1)), "negated-claim"]


@dataclass(frozen=True, slots=True)
class Argument:
    """What a sentence rests on.

    Attributes:
        cases: all must be proved.
        witness: a situation in which the sentence matters; it must be possible.
        beyond: a counterexample one step past the bound; it must be possible. Empty where there is no bound.
        small: what makes the world finite while witnesses are sought, and only then.
        points: plain values of what is unknown, each so many terms: where a counterexample is looked for first. Where
            unknowns are multiplied a solver finds one slowly or never; at a point it reckons. No proof knows of them.
    """

    cases: tuple[Case, ...]
    witness: tuple[Term, ...]
    beyond: tuple[Term, ...] = ()
    small: tuple[Term, ...] = ()
    points: tuple[tuple[Term, ...], ...] = ()

    def premises(self) -> tuple[Case, ...]:
        """The cases whose assumptions must be shown to be possible: those that the witness does not contain."""
        possible = set(self.witness)
        return tuple(case for case in self.cases if not possible.issuperset(case.assumptions))


@dataclass(frozen=True, slots=True)
class Question:
    """One text for the solvers.

    Attributes:
        about: which part of its obligation it is: a case's name, "assumptions of" one, "witness", "past the bound".
        expected: `unsat` where something is proved, `sat` where something is possible.
        terms: what the text says, in this order; of a case, the last is the negated claim.
        case: the case it proves, if it proves one.
    """

    about: str
    expected: str
    terms: tuple[Term, ...]
    case: Case | None = None

    @property
    def text(self) -> str:
        """In SMT-LIB."""
        return self.case.question() if self.case else smt2(self.terms)

    def named(self, core: Sequence[str]) -> list[Term]:
        """The terms that an unsat core names."""
        return [term for name, term in zip(_names(len(self.terms)), self.terms, strict=True) if name in core]


@dataclass(frozen=True, slots=True)
class Obligation:
    """A sentence, its argument, and what its builder asked of the model.

    Attributes:
        room: the file that states it.
        reads: the functions that it called, as `guards.in_pot`.
        rests_on: these, and the functions that these call in turn.
        calls: every call with its arguments and its result, in order.
        labels: what assumptions are called, for people.
    """

    name: str
    room: str
    sentence: str
    argument: Argument
    reads: frozenset[str]
    rests_on: frozenset[str]
    calls: tuple[Call, ...]
    labels: dict[Term, str]

    def label(self, term: Term) -> str:
        """An assumption in a few words: as its author named it, or as it is written."""
        return self.labels.get(term) or printed(term)

    def questions(self) -> list[Question]:
        """All that must be asked, the proofs first."""
        argument = self.argument
        asked = [Question(case.name, "unsat", (*case.assumptions, Not(case.claim)), case) for case in argument.cases]
        possible = {f"assumptions of {case.name}": case.assumptions for case in argument.premises()}
        possible["witness"] = argument.witness
        if argument.beyond:
            possible["past the bound"] = argument.beyond
        asked += [Question(about, "sat", (*terms, *argument.small)) for about, terms in possible.items()]
        return asked


guards: Final = Reading(model.guards)
clock: Final = Reading(model.clock)

Builder: TypeAlias = Callable[[], Argument]

REGISTER: Final[dict[str, tuple[str, Builder]]] = {}
"""By name: the sentence and who builds its argument."""

_ROOM_OF: Final[dict[str, str]] = {}


def register(name: str, sentence: str, build: Builder, module: str) -> None:
    """One more sentence to be proved, stated in a module of this folder. A name is taken once."""
    if name in REGISTER:
        raise ValueError(f"{name} is registered twice")
    REGISTER[name] = sentence, build
    _ROOM_OF[name] = module.rpartition(".")[2]


def obligation(build: Builder) -> Builder:
    """Register a function as the sentence in its docstring."""
    register(build.__name__, sentence_of(build), build, build.__module__)
    return build


def sentence_of(statement: Callable[..., object]) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(statement) or "").partition("\n\n")[0].split())


def build(name: str) -> Obligation:
    """The obligation as the guards are now."""
    sentence, builder = REGISTER[name]
    with take_notes() as notes:
        argument = builder()
    reads = frozenset(notes.reads)
    return Obligation(
        name, _ROOM_OF[name], sentence, argument, reads, within(reads), tuple(notes.calls), dict(notes.labels)
    )


UNREAD: Final[dict[str, str]] = {}
"""Functions that decide about time and that no obligation reads, with the reason. The shorter the better."""


def to_be_read() -> frozenset[str]:
    """The functions that obligations must rest on: every guard, and whatever makes intervals, tracks and stamps."""
    guarding = {f"guards.{name}" for name, guard in vars(model.guards).items() if inspect.isfunction(guard)}
    timing = functions_of(model.clock) | functions_of(model.polygon) | functions_of(model.track)
    return frozenset(guarding | timing) - UNREAD.keys()


def functions_of(module: ModuleType) -> set[str]:
    """The functions that a module of the model defines itself."""
    room = module.__name__.removeprefix("model.")
    return {
        f"{room}.{name}"
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__
    }
