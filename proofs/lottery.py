"""The window lottery in relations: who waits, where in time, with which ticket; who may be served next.

`model/lottery.py` computes it with heaps; this says it for any number of requests. Where the earliest is, and who is in
the pot, is asked of the shipped guards. `protocol.py` runs a live sale on it, `fairness.py` a finished list. Tests tie
the heaps to these relations, step by step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from z3 import And, Const, DeclareSort, ForAll, Function, Implies, IntSort

from proofs.obligations import Term, guards

Request: Final = DeclareSort("Request")
Buyer: Final = DeclareSort("Buyer")
name: Final = Function("name", Request, IntSort())
"""A request id, as a number in the same order."""

rival: Final = Const("rival", Request)


@dataclass(frozen=True, slots=True)
class Lottery:
    """One moment: who waits, each one's place in time and ticket, and the tie window."""

    waits: Callable[[Term], Term]
    place: Callable[[Term], Term]
    ticket: Callable[[Term], Term]
    window: Term

    def is_earliest(self, a: Term) -> Term:
        """Nobody waits with a lesser place."""
        return And(self.waits(a), ForAll(rival, Implies(self.waits(rival), self.place(a) <= self.place(rival))))

    def in_pot_of(self, first: Term, a: Term) -> Term:
        """With `first` the earliest, `a` could still have been first."""
        return And(self.waits(a), guards.in_pot(self.place(a), self.place(first), self.window))

    def is_drawn(self, first: Term, a: Term) -> Term:
        """Of all in the pot of the earliest, `a` is served before the others."""
        before = guards.serves_before(self.ticket(a), name(a), self.ticket(rival), name(rival))
        others = And(self.in_pot_of(first, rival), rival != a)
        return And(self.in_pot_of(first, a), ForAll(rival, Implies(others, before)))

    def serves(self, first: Term, a: Term) -> Term:
        """With `first` the earliest, `a` is the next to be served."""
        return And(self.is_earliest(first), self.is_drawn(first, a))
