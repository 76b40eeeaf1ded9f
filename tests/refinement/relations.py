"""What `proofs/` states, ready to be asked of finite worlds: the steps, what is due, what is kept, what is told.

`BEFORE` is the state asked about; a step is asked of `BEFORE` and `AFTER`. The terms are built once, from the guards
as they are. A `Course` follows a running fold through the protocol's states and asks them of each.
"""

from collections import Counter
from functools import cache
from typing import Final

from z3 import Not

from proofs import protocol
from proofs.beacon import everybody_in_the_sale_is_heard
from proofs.induction import AFTER, BEFORE, SALE, one
from proofs.obligations import Term, guards
from proofs.promises import outcome
from tests.refinement.abstraction import Moment, Sale
from tests.refinement.finite import Claim, Formula

OPEN_CONSTANTS: Final[dict[str, tuple[Term, ...]]] = {
    "deliver": (protocol.x,),
    "raise mark": (protocol.least, protocol.raised),
    "draw": (protocol.frontier, protocol.least, protocol.head, protocol.x),
    "cut off": (protocol.least, protocol.silent),
    "sell out": (),
    "close": (protocol.frontier, protocol.least, protocol.head),
    "stop": (protocol.reason,),
}
"""Of each step, who takes part in it and what it is about."""


@cache
def steps() -> dict[str, Claim]:
    """From one state to the next: each step of the protocol."""
    return {name: Claim(take(BEFORE, AFTER), *OPEN_CONSTANTS[name]) for name, take in protocol.STEPS.items()}


@cache
def due() -> dict[str, Claim]:
    """What an arbiter has to do, now: what each step of its own needs."""
    s = BEFORE
    chosen = protocol.may_draw(s, protocol.frontier, protocol.head, protocol.x)
    drawn = (protocol.is_frontier(s, protocol.frontier, protocol.least), chosen)
    return {
        "draw": Claim(drawn, *OPEN_CONSTANTS["draw"]),
        "close": Claim((protocol.may_close(s),), *OPEN_CONSTANTS["close"]),
        "sell out": Claim((s.ending == protocol.OPEN, Not(guards.in_stock(s.sold, protocol.stock)))),
    }


@cache
def kept() -> dict[str, Formula]:
    """What holds in every state."""
    world = {f"the world, {number}": Formula(term) for number, term in enumerate(protocol.world())}
    return world | {statement.__name__: Formula(statement(BEFORE)) for statement in SALE.invariants}


@cache
def beginning() -> tuple[Formula, ...]:
    return tuple(Formula(term) for term in protocol.start(BEFORE))


@cache
def is_good() -> Formula:
    return Formula(protocol.may_deliver(BEFORE, protocol.x))


@cache
def no_line_can_follow() -> Formula:
    return Formula(everybody_in_the_sale_is_heard(BEFORE))


@cache
def told() -> Formula:
    return Formula(outcome(BEFORE, one))


class Course:
    """A fold's way through the states of the protocol. `moment` is the last of them."""

    def __init__(self, sale: Sale, taken: Counter[str]) -> None:
        self.sale, self.moment = sale, sale.now()
        self._taken = taken
        self._rested: Moment | None = None
        world = sale.world(self.moment)
        assert all(formula(world) for formula in beginning())
        self.holds(self.moment)

    def step(self, expected: str, before: Moment, after: Moment) -> None:
        """From one state to the next is that step of the protocol, and no other; every invariant is kept."""
        assert self.steps_between(before, after) == {expected}
        self._taken[expected] += 1
        self.holds(after)
        self.moment = after

    def steps_between(self, before: Moment, after: Moment) -> set[str]:
        """The steps that lead from one state to the other."""
        world, integers = self.sale.world(before, after), self._integers(before, after)
        return {name for name, step in steps().items() if step.holds(world, integers)}

    def holds(self, moment: Moment) -> None:
        """The world is as assumed, and every invariant holds."""
        world = self.sale.world(moment)
        assert [name for name, formula in kept().items() if not formula(world)] == []

    def due(self) -> list[str]:
        """What the arbiter has left undone; asked once of every state."""
        if self.moment is self._rested:
            return []
        self._rested = self.moment
        world, integers = self.sale.world(self.moment), self._integers(self.moment)
        return [name for name, claim in due().items() if claim.holds(world, integers)]

    def _integers(self, *moments: Moment) -> list[int]:
        """Every integer that a step can be about."""
        stated = self.sale.terms
        marks = {mark for moment in moments for mark in moment.mark.values()}
        some = {stated.last_stamp_ns + 1, stated.cut_off_after_ns + 1, protocol.CANCELLED, protocol.HALTED}
        return sorted(marks | some)
