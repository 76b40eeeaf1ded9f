"""What a region's store knows of why purchases came out as they did, and how a receipt tells it. docs/bundle.md.

The arbiter's notary works it out once a sale is over (`drawing.py`) and hands it to each region, as fields of one hash:
the draw key as `key`; each draw by the request that was drawn; the last one as "". In an auction, besides, how the bids
stand by price, as `=<price>`, and all of them together as `=`. No request has such a name: each has a dot in it, and a
price has none. Nanoseconds are kept as decimal strings.
"""

from typing import Any, Final

import msgspec

from model import guards
from model.lottery import ticket
from model.terms import Terms
from model.vocabulary import Entry, Outcome
from service.store import keys
from service.store.opening import Store

KEY: Final = "key"
LAST: Final = ""
MARKET: Final = "="


def at_price(price: int) -> str:
    """The field that says how a price stands."""
    return f"={price}"


class KeptTurn(msgspec.Struct, frozen=True):
    """What became of a place on a reservation's list. `end` is a type of record, or what the sale's end made of it."""

    rank: int
    unit: int | None
    held_ns: str | None
    until_ns: str | None
    end: str
    ended_ns: str | None
    ended_frontier_ns: str | None


class KeptDraw(msgspec.Struct, frozen=True, omit_defaults=True):
    """A draw, and in a reservation what came of it."""

    earliest_ns: str
    pot: int
    frontier_ns: str
    turn: KeptTurn | None = None


class KeptPrice(msgspec.Struct, frozen=True):
    """How many buyers' best bids are above a price, and how many at it."""

    higher: int
    same: int


class KeptMarket(msgspec.Struct, frozen=True):
    """All bids together; `frontier_ns` is how far every region had been heard."""

    buyers: int
    sold: int
    lowest_winning: int | None
    highest_losing: int | None
    frontier_ns: str


_encode: Final = msgspec.json.Encoder().encode
_read_draw: Final = msgspec.json.Decoder(KeptDraw).decode
_read_price: Final = msgspec.json.Decoder(KeptPrice).decode
_read_market: Final = msgspec.json.Decoder(KeptMarket).decode


def packed(kept: KeptDraw | KeptPrice | KeptMarket) -> str:
    """As a store keeps it."""
    return _encode(kept).decode()


async def why(store: Store, terms: Terms, entry: Entry, outcome: Outcome) -> dict[str, Any] | None:
    """How an outcome came about; None before the sale is over, and where nothing is drawn.

    Raises:
        redis.exceptions.RedisError: the store does not answer.
    """
    if terms.kind == "auction":
        return await _why_of_bid(store, terms, entry, outcome)
    return await _why_of_draw(store, terms, entry, outcome)


async def _why_of_draw(store: Store, terms: Terms, entry: Entry, outcome: Outcome) -> dict[str, Any] | None:
    """How a winner was drawn; for who went away with nothing, how the last was who got something. In a reservation
    that is a place on the list."""
    kept: Any = store
    own, last, key = await kept.hmget(keys.whys(terms.sale()), entry.request, LAST, KEY)
    chosen = own or (last if outcome.reason in {"sold_out", "list_full"} else None)
    if chosen is None or key is None:
        return None
    draw = _read_draw(chosen)
    told = _drawn(terms, entry, draw, key)
    if terms.kind == "reservation":
        told["turn"] = None if own is None else msgspec.to_builtins(draw.turn)
    return told


async def _why_of_bid(store: Store, terms: Terms, entry: Entry, outcome: Outcome) -> dict[str, Any] | None:
    """Where a bid stood; how it was drawn among equal ones, or how the last unit was, where others who bid as much got
    one."""
    if entry.price is None or (outcome.state == "lost" and outcome.reason != "outbid"):
        return None
    kept: Any = store
    fields = [entry.request, LAST, KEY, at_price(entry.price), MARKET]
    own, last, key, price, market = await kept.hmget(keys.whys(terms.sale()), fields)
    if key is None or price is None or market is None:
        return None
    stands, all_bids = _read_price(price), _read_market(market)
    drawn = own or (last if entry.price == all_bids.lowest_winning else None)
    told = _drawn(terms, entry, None if drawn is None else _read_draw(drawn), key)
    return told | {
        "frontier_ns": all_bids.frontier_ns,
        "higher": stands.higher,
        "same": stands.same,
        "buyers": all_bids.buyers,
        "sold": all_bids.sold,
        "lowest_winning": all_bids.lowest_winning,
        "highest_losing": all_bids.highest_losing,
    }


def _drawn(terms: Terms, entry: Entry, draw: KeptDraw | None, key: bytes) -> dict[str, Any]:
    """The numbers of a draw, from a buyer's side."""
    return {
        "place_ns": str(guards.place_ns(entry.stamp_ns, terms.opens_ns)),
        "tie_window_ns": str(terms.tie_window_ns),
        "earliest_ns": None if draw is None else draw.earliest_ns,
        "pot": None if draw is None else draw.pot,
        "frontier_ns": None if draw is None else draw.frontier_ns,
        "ticket": f"{ticket(bytes.fromhex(key.decode()), terms.sale(), entry.buyer):064x}",
    }
