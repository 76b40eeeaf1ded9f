"""The report's tables as rows of text, and the sentences beside them: a terminal and a page tell the same.

Prices are in minor units, as everywhere: how many of them make a unit of the currency, nothing here knows.
"""

from bisect import bisect_left
from typing import Final

from proofs.audit.back_dating import BackDating
from proofs.audit.bidding import Bidding
from proofs.audit.case import Whereabouts
from proofs.audit.demand import Demand
from proofs.audit.fairness import Fairness
from proofs.audit.turns import HeldTurn, Turns

PLACE_COLUMNS: Final = ("where", "region", "units", "which")
DEMAND_COLUMNS: Final = ("region", "began with", "sold", "of all", "given", "taken", "left", "grants refused")
PRICE_COLUMNS: Final = ("price", "bids", "buyers' best bids", "got a unit")
TURN_COLUMNS: Final = ("place", "region", "unit", "held from", "until", "what became of it", "settled", "by line")
REPLY_COLUMNS: Final = ("region", "replies", "room: median", "most", "read after the hold was over", "by at most")


def milliseconds(nanoseconds: int | None) -> str:
    """A time for people."""
    return "–" if nanoseconds is None else f"{nanoseconds / 1e6:,.1f} ms"


def decided_by(fairness: Fairness) -> str:
    """How the units were decided, in a sentence."""
    return f"Of {fairness.winners:,} units " + _drawn(fairness, "one")


def decided_by_bids(fairness: Fairness) -> str:
    """The same of an auction."""
    return (
        f"Of {fairness.winners:,} units {fairness.by_price:,} went by price alone (everybody who bid as much got one). "
        "At the lowest price that won, where not everybody did, " + _drawn(fairness, "one")
    )


def decided_by_list(first: Fairness, places: Fairness, is_full: bool) -> str:
    """The same of a reservation."""
    told = f"Of the {first.winners:,} units that were held first " + _drawn(first, "one at once")
    if not is_full:
        return f"{told} The list was never full: everybody who asked got a place."
    return f"{told} Of the list's {places.winners:,} places " + _drawn(places, "one")


def _drawn(fairness: Fairness, what: str) -> str:
    return (
        f"{fairness.by_order:,} went by provable order (nobody else could have been first), {fairness.by_lot:,} by "
        f"lot between some who got {what} and some who did not, and in {fairness.by_lot_for_rank_only:,} draws the lot "
        "said only who of the winners went first."
    )


def sold_at_the_door(demand: Demand) -> str:
    """How the units were sold, in a sentence."""
    told = (
        f"Of {demand.stock:,} units {demand.sold:,} were sold, each by its region to whoever came next there. Nobody "
        "decided an order between regions, no lot was drawn, and no figure here says that anybody was served in turn."
    )
    several = demand.buyers_in_several_regions
    return told + (f" {several:,} buyers got a unit in more than one region." if several else "")


def demand_rows(demand: Demand) -> list[tuple[str, ...]]:
    """Region by region, by `DEMAND_COLUMNS`."""
    return [
        (
            each.region,
            f"{each.began_with:,}",
            f"{each.sold:,}",
            f"{each.sold / max(1, demand.sold):.1%}",
            *(f"{number:,}" for number in (each.given, each.taken, each.left, each.refused)),
        )
        for each in demand.regions
    ]


def place_rows(places: tuple[Whereabouts, ...]) -> list[tuple[str, ...]]:
    """Place by place, by `PLACE_COLUMNS`, and what they add up to."""
    rows = [(each.place, each.region, f"{each.units:,}", each.which) for each in places]
    return [*rows, ("together", "", f"{sum(each.units for each in places):,}", "")]


def sold_by_bids(bidding: Bidding) -> str:
    """What was bid and what is paid, in a sentence or three."""
    told = (
        f"{bidding.bids:,} bids of {bidding.buyers:,} buyers for {bidding.stock:,} units, in minor units of "
        f"{bidding.currency}; none below the reserve of {bidding.reserve_price:,}."
    )
    if bidding.lowest_winning is None:
        return f"{told} No unit was sold."
    losing = bidding.highest_losing
    told += f" The lowest bid that got a unit was {bidding.lowest_winning:,}"
    told += "; everybody got one." if losing is None else f", the highest that did not {losing:,}."
    if bidding.pricing == "first_price":
        return f"{told} Each of {bidding.winners:,} winners pays its own bid, together {bidding.paid:,}."
    why = "the reserve" if losing is None or losing < bidding.reserve_price else "the highest losing bid"
    return f"{told} Each of {bidding.winners:,} winners pays {bidding.lowest_paid or 0:,}, {why}."


def price_rows(bidding: Bidding, most: int) -> list[tuple[str, ...]]:
    """The prices around the lowest that won, by `PRICE_COLUMNS`, the highest first; how many are above and below."""
    prices, margin = bidding.prices, bidding.lowest_winning or 0
    first = max(0, min(bisect_left(prices, margin) - most // 2, len(prices) - most))
    last = min(len(prices), first + most)
    rows = [
        (f"{prices[at]:,}", *(f"{of[at]:,}" for of in (bidding.bids_at, bidding.buyers_at, bidding.winners_at)))
        for at in range(last - 1, first - 1, -1)
    ]
    for name, begin, end, where in (("above", last, len(prices), 0), ("below", 0, first, len(rows) + 1)):
        if begin < end:
            sums = (sum(of[begin:end]) for of in (bidding.bids_at, bidding.buyers_at, bidding.winners_at))
            rows.insert(where, (f"{end - begin:,} prices {name}", *(f"{each:,}" for each in sums)))
    return rows


def held_down_the_list(turns: Turns) -> str:
    """What became of the units, in a sentence or three."""
    ends = turns.ends
    drawn, full = len(turns.turns), "full" if turns.is_full else "not full"
    told = (
        f"{drawn:,} got one of {turns.places:,} places on the list ({full}); units were held for "
        f"{milliseconds(turns.hold_ns)}. Of {turns.stock:,} units {ends.get('confirmed', 0):,} were confirmed. "
        f"{ends.get('released', 0):,} holds were given back and {ends.get('expired', 0):,} ran out, and "
        f"{turns.went_on:,} times a unit went to the next who waited."
    )
    waiting, held = ends.get("waiting", 0), ends.get("held", 0)
    told += f" {waiting:,} waited in vain." if waiting else ""
    return told + (f" {held:,} still held one when the sale ended." if held else "")


def turn_rows(turns: Turns, opens_ns: int, most: int) -> list[tuple[str, ...]]:
    """Place by place, by `TURN_COLUMNS`; times from the opening."""
    return [
        (
            f"{turn.rank:,}",
            turn.region,
            "–" if turn.unit is None else f"{turn.unit:,}",
            _after(turn.held_ns, opens_ns),
            _after(turn.until_ns, opens_ns),
            ENDS[turn.end],
            _after(turn.ended_ns, opens_ns),
            "" if turn.reply_line is None else f"{turn.reply_line:,}",
        )
        for turn in turns.turns[:most]
    ]


ENDS: Final = {
    "confirmed": "confirmed",
    "released": "given back",
    "expired": "ran out",
    "held": "still held",
    "waiting": "waited in vain",
}


def span_of(turn: HeldTurn, over_ns: int) -> tuple[int, int]:
    """From when until when a unit was out; until `over_ns` where nothing settled it."""
    return turn.held_ns or 0, over_ns if turn.ended_ns is None else turn.ended_ns


def _after(moment_ns: int | None, opens_ns: int) -> str:
    return "–" if moment_ns is None else f"{(moment_ns - opens_ns) / 1e9:+,.3f} s"


def reply_rows(told: BackDating) -> list[tuple[str, ...]]:
    """Region by region, by `REPLY_COLUMNS`."""
    return [
        (
            room.region,
            f"{room.replies:,}",
            milliseconds(room.reply_room_median_ns),
            milliseconds(room.reply_room_most_ns),
            f"{room.late_confirmations:,}",
            milliseconds(room.late_by_most_ns),
        )
        for room in told.regions
    ]
