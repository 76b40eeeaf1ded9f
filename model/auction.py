"""An auction of sealed bids: N units to the N highest, once every bid is in. Pure.

A buyer may bid as often as it likes; the highest of its bids counts, and of equal ones the earliest (least stamp, then
request id). Nothing is decided while anybody can still bid: only when the frontier is past closing + ε. Then bids go by
price, the highest first, and those of one price by the window lottery among them, as far as clocks can tell and no
further. The first N win.

What they pay. *First price*: each its own bid. *Uniform*: all the same, the highest losing bid, and at least the
reserve: the least price at which nobody who lost would have wanted to win. No bid is below the reserve, or it is not
taken (`guards.reaches_reserve`). Vickrey, *Counterspeculation, Auctions, and Competitive Sealed Tenders*, 1961; with
one unit for each buyer, bidding what it is worth is then the best that a buyer can do.

Raising a bid never hurts: it only passes others.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from model import guards
from model.arbiter import Fold
from model.deliveries import Delivered
from model.lottery import order
from model.terms import Pricing, Terms
from model.vocabulary import BuyerId, Contradiction, Decision, Entry, RegionName, RequestId, Won


@dataclass(frozen=True, slots=True)
class Bid:
    """What counts of a buyer: its best bid. `place_ns` is its place in time, `ticket` its lot."""

    request: RequestId
    price: int
    place_ns: int
    ticket: int

    @property
    def stamp_ns(self) -> int:
        """The place, as the lottery asks for it."""
        return self.place_ns


def ranked(bids: Sequence[Bid], tie_window_ns: int) -> Iterator[Bid]:
    """Bids in serving order, one for each buyer: by price, and those of one price by the window lottery."""
    by_price = sorted(bids, key=lambda bid: (-bid.price, bid.request))
    for _, equals in groupby(by_price, key=lambda bid: bid.price):
        yield from order(list(equals), tie_window_ns)


def payments(serving: Iterable[Bid], stock: int, pricing: Pricing, reserve_price: int) -> list[tuple[Bid, int]]:
    """Who wins, in serving order, and what each pays, in minor units.

    Args:
        serving: every bid that counts, as `ranked` gives them; no more than `stock` + 1 are looked at.
    """
    winning, highest_losing_price = list[Bid](), 0
    for bid in serving:
        if not guards.in_stock(len(winning), stock):
            highest_losing_price = bid.price
            break
        winning.append(bid)
    if pricing == "uniform":
        price = guards.uniform_price(highest_losing_price, reserve_price)
        return [(bid, price) for bid in winning]
    return [(bid, bid.price) for bid in winning]


@dataclass(frozen=True, slots=True)
class _Best:
    """The best bid of a buyer so far."""

    request: RequestId
    price: int
    stamp_ns: int


class AuctionFold(Fold):
    """One auction, from its first bid to its last decision."""

    def __init__(self, terms: Terms, seed: bytes) -> None:
        super().__init__(terms, seed)
        self._best: dict[BuyerId, _Best] = {}

    @property
    def waiting(self) -> int:
        return 0 if self.is_decided else len(self._best)

    def wanted_ns(self) -> int:
        return self.terms.last_stamp_ns

    def deliver_all(self, region: RegionName, lines: Sequence[bytes]) -> None:
        for line in lines:
            self.deliver(region, line)

    def _check(self, region: RegionName, state: Delivered, entry: Entry) -> None:
        super()._check(region, state, entry)
        if entry.price is None or not guards.reaches_reserve(entry.price, self.terms.reserve_price):
            raise Contradiction(region, f"no bid is below the reserve (entry {entry.seq})")

    def _let_in(self, entry: Entry) -> None:
        price, best = entry.price, self._best.get(entry.buyer)
        assert price is not None
        if best is not None:
            better = guards.is_better_bid(price, entry.stamp_ns, entry.request, best.price, best.stamp_ns, best.request)
            if not better:
                return
            del self._buyers[best.request]
        self._buyers[entry.request] = entry.buyer
        self._best[entry.buyer] = _Best(entry.request, price, entry.stamp_ns)

    def _forget_who_waits(self) -> None:
        super()._forget_who_waits()
        self._best = {}

    def _consequences(self) -> Iterator[Decision]:
        if self.is_decided:
            return
        if self.awaits_beacon:
            yield from self._completes()
        elif guards.everyone_is_heard(self.frontier_ns, self.terms.last_stamp_ns):
            yield from self._award()
            yield self._end("time")

    def _award(self) -> Iterator[Decision]:
        terms, ticket_of = self.terms, self._ticket_of_buyer
        prices = sorted((best.price for best in self._best.values()), reverse=True)
        # Whoever bids less than the first that must lose neither wins nor sets a price: most need no ticket.
        least = prices[: terms.stock + 1][-1] if prices else 0
        hopeful = [(buyer, best) for buyer, best in self._best.items() if not guards.outbids(least, best.price)]
        bids = [_bid(buyer, best, terms, ticket_of) for buyer, best in hopeful]
        serving = ranked(bids, terms.tie_window_ns)
        for rank, (bid, price) in enumerate(payments(serving, terms.stock, terms.pricing, terms.reserve_price)):
            request = bid.request
            self.winners[self._buyers[request]] = request
            yield Won(request, request.rpartition(".")[0], rank, rank, price)


def _bid(buyer: BuyerId, best: _Best, terms: Terms, ticket_of: Callable[[BuyerId], int]) -> Bid:
    return Bid(best.request, best.price, guards.place_ns(best.stamp_ns, terms.opens_ns), ticket_of(buyer))
