"""What `proofs/` states, ready to be asked of finite worlds: the steps, what is due, what is kept, what is told.

`BEFORE` is the state asked about; a step is asked of `BEFORE` and `AFTER`. The terms are built once, from the guards
as they are.
"""

from functools import cache
from typing import Final

from z3 import Not

from proofs import protocol
from proofs.induction import AFTER, BEFORE, INVARIANTS, one
from proofs.obligations import Term, guards
from proofs.promises import outcome
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
    return world | {statement.__name__: Formula(statement(BEFORE)) for statement in INVARIANTS}


@cache
def beginning() -> tuple[Formula, ...]:
    return tuple(Formula(term) for term in protocol.start(BEFORE))


@cache
def is_good() -> Formula:
    return Formula(protocol.may_deliver(BEFORE, protocol.x))


@cache
def told() -> Formula:
    return Formula(outcome(BEFORE, one))
