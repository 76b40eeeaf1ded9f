"""Induction over the steps of a system, whatever it is: a sale, one region's log, the decision log.

A system is states and steps in relations. An invariant holds at the start, and each step keeps it in any state in which
all invariants hold; so it holds always, for any number of requests, regions or processes, in whatever order the steps
come. A process that dies or sleeps is one that takes no step, so nothing needs to be said about it.

Next: `protocol.py` and `induction.py` (the sale), `region.py` (one region's log and mark), `fence.py` (two arbiters).
"""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from proofs.notes import remembered, said
from proofs.obligations import Argument, Case, Term, register, sentence_of

S = TypeVar("S")

Terms = tuple[Term, ...]


class System(Generic[S]):
    """States of a kind, where they begin, what can happen, and what holds in all of them.

    Args:
        state: makes a state whose symbols carry a tag: "" before a step, "+" after it.
        world: what is so before anything happens.
        start: the first state.
        steps: by name, what each needs and what it changes.
        small: what makes the world finite while witnesses are sought, and only then.
    """

    def __init__(
        self,
        state: Callable[[str], S],
        world: Callable[[], Terms],
        start: Callable[[S], Terms],
        steps: Mapping[str, Callable[[S, S], Terms]],
        small: Callable[[], Terms],
    ) -> None:
        self.before, self.after = state(""), state("+")
        self.steps = steps
        self.small = small
        self._world = world
        self._start = start
        self.invariants: list[Callable[[S], Term]] = []

    @remembered
    def holding(self, also: S | None = None) -> Terms:
        """The world as it is, and every invariant; of a second state, too, where one is given."""
        states = (self.before,) if also is None else (self.before, also)
        holds = (said(invariant.__name__, invariant(state)) for state in states for invariant in self.invariants)
        return (*self._world(), *holds)

    @remembered
    def taken(self, step: str) -> Terms:
        """What a step needs before it, and how it leaves the state."""
        return self.steps[step](self.before, self.after)

    def invariant(self, matters: Callable[[S], Term]) -> Callable[[Callable[[S], Term]], Callable[[S], Term]]:
        """Register a function of a state; `matters` is a state in which its sentence says something."""

        def registered(statement: Callable[[S], Term]) -> Callable[[S], Term]:
            self.invariants.append(statement)
            room = statement.__module__
            register(statement.__name__, sentence_of(statement), lambda: self._kept(statement, matters), room)
            return statement

        return registered

    def always(self, given: Terms, claim: Term, matters: Term) -> Argument:
        """One case, in any state in which all invariants hold; `matters` is added for the witness."""
        given = (*self.holding(), *given)
        return Argument((Case("always", given, claim),), (*given, matters), small=self.small())

    def each_step(self, given: Terms, claim: Term, matters: Term) -> Argument:
        """One case for each step from any state in which all invariants hold: what it does to what is given."""
        given = (*self.holding(), *given)
        cases = (Case(step, (*given, *self.taken(step)), claim) for step in self.steps)
        return Argument(tuple(cases), (*given, matters), small=self.small())

    def _kept(self, statement: Callable[[S], Term], matters: Callable[[S], Term]) -> Argument:
        given = self.holding()
        start = (*self._world(), *self._start(self.before))
        steps = (Case(step, (*given, *self.taken(step)), statement(self.after)) for step in self.steps)
        return Argument(
            (Case("start", start, statement(self.before)), *steps),
            witness=(*given, matters(self.before)),
            small=self.small(),
        )
