"""Small whole auctions: drawn worlds of bids, delivered in pieces through the model, and read again by brute force.

As `stories.py`, of which a `Bidding` is a `Performance`: `perform(story, delivery)` lives through a story in one of
many ways, `.decisions`, `.outcomes()` and `.finished()` are what came of it, and `write_bundle` writes it out. Prices
are few and bids many, so that equal prices, several bids of a buyer and bids at the reserve are the rule.

`read_again` is an independent reading of the rules (docs/auctions.md), in the most obvious way: it imports nothing of
ours but the entries.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from hypothesis import strategies as st

from model.auction import AuctionFold
from model.terms import Terms, read_terms
from model.vocabulary import Entry
from tests.oracle import serving_order
from tests.stories import OPENS_NS, SEED, Performance, Story, drawn_by, entry, terms


def auction_terms(*, pricing: str = "first_price", reserve_price: int = 1, **tiny: Any) -> Terms:
    """Terms of a tiny auction in EUR; the rest as `stories.terms` has it."""
    stated = {name: value for name, value in terms(**tiny).stated.items() if name != "seed_commitment"}
    kind = {"kind": "auction", "currency": "EUR", "pricing": pricing, "reserve_price": reserve_price}
    return read_terms({**stated, **kind}).committed(SEED)


def bid(region: str, seq: int, after_ns: int, buyer: str, price: int, *, name: str = "", bound: int = 0) -> Entry:
    """A bid stamped `after_ns` after opening."""
    return replace(entry(region, seq, after_ns, buyer, name=name, bound=bound), price=price)


class Bidding(Performance):
    """One way to live through an auction."""

    def __init__(self, story: Story, delivery: int) -> None:
        super().__init__(story, delivery)
        self.fold = AuctionFold(story.terms, SEED)


def perform(story: Story, delivery: int = 7) -> Bidding:
    """An auction from its first bid to its last record."""
    bidding = Bidding(story, delivery)
    bidding.run()
    return bidding


@st.composite
def auctions(draw: st.DrawFn, *, endings: tuple[str, ...] = ("close", "cancel", "halt"), most: int = 14) -> Story:
    """Any small auction: lobby, several bids of a buyer in several regions, equal prices, cut-offs, a beacon."""
    regions = ("north", "south", "west")[: draw(st.integers(1, 3))]
    skew, lasts, lobby = draw(st.integers(0, 4)), draw(st.integers(1, 40)), draw(st.sampled_from([0, 0, 5, 20]))
    reserve_price, span = draw(st.sampled_from([1, 1, 5])), draw(st.sampled_from([0, 1, 3, 30]))
    bids = draw(st.lists(
        st.tuples(
            st.sampled_from(regions), st.integers(-lobby, lasts), st.integers(-skew, skew), st.integers(0, 6),
            st.integers(reserve_price, reserve_price + span),
        ), max_size=most,
    ))  # fmt: skip
    logs: dict[str, list[Entry]] = {region: [] for region in regions}
    arrivals: dict[str, int] = {}
    for position, (region, arrival_ns, error_ns, buyer, price) in enumerate(bids):
        log = logs[region]
        name = sha256(f"{position}".encode()).hexdigest()[:6]
        stamped = bid(
            region, len(log) + 1, arrival_ns + error_ns, f"b{buyer}", price, name=name, bound=abs(error_ns)
        )  # fmt: skip
        if all((stamped.buyer, stamped.price) != (other.buyer, other.price) for other in log):  # else it is a retry
            log.append(stamped)
            arrivals[stamped.request] = OPENS_NS + arrival_ns
    silent = draw(st.sets(st.sampled_from(regions), max_size=len(regions))) if draw(st.booleans()) else set()
    buyers = len({buyer for *_, buyer, _ in bids})
    return Story(
        auction_terms(
            stock=draw(st.sampled_from([1, 2, 3, max(1, buyers), buyers + 1])), regions=regions, skew=skew,
            slack=draw(st.sampled_from([0, 0, 1, 5, 60])), lasts=lasts, lobby=lobby,
            beacon=draw(st.sampled_from([False, False, True])), reserve_price=reserve_price,
            pricing=draw(st.sampled_from(["first_price", "uniform"])),
        ),
        logs,
        {region: draw(st.integers(0, len(logs[region]))) for region in sorted(silent)},
        draw(st.sampled_from(endings)),
        arrivals,
    )  # fmt: skip


@dataclass(frozen=True)
class Result:
    """Who won, in serving order, with what they pay; and what became of every bid, by its request."""

    won: list[tuple[str, int]]
    outcomes: dict[str, dict[str, Any]]


def read_again(story: Story) -> Result:
    """The auction of a story that ends by the clock, decided anew."""
    stated = story.terms
    counting = [
        (region, one)
        for region, log in story.logs.items()
        for one in log
        if one.seq <= story.cut_offs.get(region, len(log))
    ]
    best: dict[str, Entry] = {}
    for _, one in counting:
        best[one.buyer] = min(best.get(one.buyer, one), one, key=_preference)
    serving = _serving(list(best.values()), story)
    winners, losers = serving[: stated.stock], serving[stated.stock :]
    highest_losing = max((_price(one) for one in losers), default=0)
    uniform = max(highest_losing, stated.reserve_price)
    won = [(one.request, uniform if stated.pricing == "uniform" else _price(one)) for one in winners]
    winner_of, pays = {one.buyer: one.request for one in winners}, dict(won)
    outcomes: dict[str, dict[str, Any]] = {}
    for region, log in story.logs.items():
        for one in log:
            request = one.request
            if one.seq > story.cut_offs.get(region, len(log)):
                outcomes[request] = {"state": "lost", "reason": "cut_off"}
            elif request in pays:
                rank = [name for name, _ in won].index(request)
                outcomes[request] = {"state": "won", "rank": rank, "unit": rank, "price": pays[request]}
            elif one.buyer in winner_of:
                outcomes[request] = {"state": "lost", "reason": "duplicate", "of": winner_of[one.buyer]}
            else:
                outcomes[request] = {"state": "lost", "reason": "outbid"}
    return Result(won, outcomes)


def _serving(bids: Sequence[Entry], story: Story) -> list[Entry]:
    """Every buyer's bid: the highest price first, equal ones as the window lottery has it."""
    stated, key = story.terms, drawn_by(story.terms)
    served = list[Entry]()
    for price in sorted({_price(one) for one in bids}, reverse=True):
        equals = sorted((one for one in bids if one.price == price), key=lambda one: one.request)
        places = [max(one.stamp_ns, stated.opens_ns) for one in equals]
        tickets = [
            int.from_bytes(hmac.new(key, f"{stated.sale()}\n{one.buyer}".encode(), hashlib.sha256).digest(), "big")
            for one in equals
        ]
        served += [equals[position] for position in serving_order(places, tickets, stated.tie_window_ns)]
    return served


def _preference(one: Entry) -> tuple[int, int, str]:
    return -_price(one), one.stamp_ns, one.request


def _price(one: Entry) -> int:
    assert one.price is not None
    return one.price


def told(outcomes: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """Outcomes by request, as `Result` has them."""
    names = ("state", "reason", "rank", "unit", "of", "price")
    return {
        outcome.request: {name: getattr(outcome, name) for name in names if getattr(outcome, name) is not None}
        for outcome in outcomes
    }


def an_auction(ending: str = "close", delivery: int = 7, pricing: str = "uniform") -> Bidding:
    """A lobby, equal prices at the edge, a buyer with three bids, a bid at the reserve, a region cut off with a bid
    beyond: something for every check."""
    logs = {
        "north": [bid("north", 1, -4, "ann", 500), bid("north", 2, 20, "bob", 700, bound=1),
                  bid("north", 3, 34, "eve", 300)],
        "south": [bid("south", 1, 1, "joe", 600), bid("south", 2, 22, "ann", 650), bid("south", 3, 25, "ann", 600),
                  bid("south", 4, 40, "zoe", 600)],
        "west": [bid("west", 1, 30, "kim", 600), bid("west", 2, 31, "lee", 900)],
    }  # fmt: skip
    stated = auction_terms(
        stock=3, regions=("north", "south", "west"), lobby=5, pricing=pricing, reserve_price=300, slack=4
    )  # fmt: skip
    return perform(Story(stated, logs, {"west": 1}, ending), delivery)
