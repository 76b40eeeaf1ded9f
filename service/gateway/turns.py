"""How a purchase of a reservation is told: its place on the list, until when a unit is held, what became of it. Pure.

    pending ─▶ waiting ─▶ held ─▶ confirming ─▶ won
                            ├───▶ releasing ──▶ lost (released)
                            └───────────────▶ lost (expired)

`pending` is whoever has not been drawn yet. What is told of a place on the list never gets worse (`model/holds.py`):
how many wait ahead, and by when it is known at the latest. A reply that is logged and not decided yet, `confirming` or
`releasing`, promises nothing: only the decision does.

A buyer who entered in two regions has one place on the list; the other entry stays pending, and names it with `of`.
"""

from typing import Any, Final

from model.vocabulary import Entry, ReplyKind
from service.gateway.answers import encode
from service.gateway.book import Sale
from service.gateway.times import utc

_SAID: Final[dict[ReplyKind, str]] = {"confirm": "confirming", "release": "releasing"}
MOVES_BY_ITSELF: Final = frozenset({"pending", "waiting", "confirming", "releasing"})
"""States in which the buyer has nothing to do but wait."""


def is_drawn(sale: Sale, entry: Entry) -> bool:
    """Whether there is more to tell of an entry than that it was logged."""
    return entry.buyer in sale.standing.holds.request_of or sale.outcome(entry) is not None


def state_of(sale: Sale, entry: Entry, says: ReplyKind | None = None) -> dict[str, Any]:
    """An entry's `state`, and what belongs to it.

    Args:
        says: what its holder has said of the unit, where that is logged.
    """
    outcome = sale.outcome(entry)
    if outcome is not None:
        told = {"reason": outcome.reason, "rank": outcome.rank, "unit": outcome.unit, "of": outcome.of}
        return {"state": outcome.state, **{name: value for name, value in told.items() if value is not None}}
    holds = sale.standing.holds
    turn = holds.turns.get(entry.request)
    if turn is None:
        listed = holds.request_of.get(entry.buyer)
        return {"state": "pending", **({} if listed is None else {"of": listed})}
    if turn.state == "waiting":
        known_by_ns = holds.known_by_ns(turn)
        known_by = {} if known_by_ns is None else {"known_by": utc(known_by_ns)}
        return {"state": "waiting", "rank": turn.rank, "ahead": holds.ahead(turn), **known_by}
    assert turn.unit is not None
    until = {"until": utc(turn.until_ns), "until_ns": str(turn.until_ns)}
    return {"state": "held" if says is None else _SAID[says], "rank": turn.rank, "unit": turn.unit, **until}


def body_of(sale: Sale, entry: Entry, state: dict[str, Any]) -> bytes:
    """An entry and its state, as JSON."""
    return encode(
        {
            "id": entry.request,
            "sale": sale.id,
            "buyer": entry.buyer,
            "region": sale.region,
            "seq": entry.seq,
            "stamp_ns": str(entry.stamp_ns),
            "bound_ns": str(entry.bound_ns),
            **state,
        }
    )
