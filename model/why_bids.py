"""Why a bid came out as it did: how many bid more, how many the same, and how it was drawn among those. Pure; derived.

As `why.py`: it follows from the logs and the decision log alone. Bids are counted by their price, a buyer once, at its
best. Where several bid the same and not all of them got a unit, the draws among them were window lotteries, each as
`why.draws` tells it; where all did, they say who went first.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model import guards
from model.terms import Terms
from model.vocabulary import BuyerId, Entry, RequestId
from model.why import Draw, draws


@dataclass(frozen=True, slots=True)
class BestBid:
    """A buyer's best bid."""

    request: RequestId
    price: int
    stamp_ns: int


@dataclass(frozen=True, slots=True)
class Market:
    """All best bids together, in minor units: how many there are, how many got a unit, and where the two part."""

    buyers: int
    sold: int
    lowest_winning: int | None
    highest_losing: int | None


class Bids:
    """Every buyer's best bid, as far as they were offered."""

    def __init__(self) -> None:
        self.best: dict[BuyerId, BestBid] = {}
        self.prices: set[int] = set()
        """Every price that was bid."""

    def offer(self, entry: Entry) -> None:
        """A bid that counts."""
        price, best = entry.price, self.best.get(entry.buyer)
        assert price is not None
        self.prices.add(price)
        if best is None or guards.is_better_bid(
            price, entry.stamp_ns, entry.request, best.price, best.stamp_ns, best.request
        ):
            self.best[entry.buyer] = BestBid(entry.request, price, entry.stamp_ns)

    def standings(self) -> dict[int, tuple[int, int]]:
        """By every price that was bid, how many buyers' best bids are higher, and how many are the same."""
        ordered = sorted(bid.price for bid in self.best.values())
        same = Counter(ordered)
        return {price: (len(ordered) - bisect_left(ordered, price + 1), same[price]) for price in self.prices}

    def market(self, winners: Iterable[RequestId]) -> Market:
        """What became of all of them."""
        won = set(winners)
        winning = [bid.price for bid in self.best.values() if bid.request in won]
        losing = [bid.price for bid in self.best.values() if bid.request not in won]
        return Market(len(self.best), len(winning), min(winning, default=None), max(losing, default=None))

    def draws(self, terms: Terms, frontiers_ns: Mapping[RequestId, int]) -> dict[RequestId, Draw]:
        """Every draw, by its winner, each among those who bid the same.

        Args:
            frontiers_ns: as `why.frontiers` gives them, in serving order.
        """
        bid_of = {bid.request: bid for bid in self.best.values()}
        places_ns: dict[int, list[int]] = {bid_of[request].price: [] for request in frontiers_ns}
        for bid in self.best.values():
            if bid.price in places_ns:
                places_ns[bid.price].append(guards.place_ns(bid.stamp_ns, terms.opens_ns))
        found: dict[RequestId, Draw] = {}
        for price, places in places_ns.items():
            here = {request: at for request, at in frontiers_ns.items() if bid_of[request].price == price}
            winners_ns = {request: guards.place_ns(bid_of[request].stamp_ns, terms.opens_ns) for request in here}
            found |= draws(terms, here, sorted(places), winners_ns)
        return {request: found[request] for request in frontiers_ns}
