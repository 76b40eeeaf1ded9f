"""What an auction's bids came to: how many bid how much, who got a unit, and how what they pay came about.

A reading of its own of the rules, from the logs and the winners that are on record: prices are counted here, not ranked
as the model ranks them. `Bidding.higher` and `same` are what a bidder's receipt says, of any price.
"""

from array import array
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass

from model.vocabulary import Won
from proofs.audit.case import Case
from proofs.audit.fairness import best_bids


@dataclass(frozen=True, slots=True)
class Bidding:
    """The statement about one auction; prices in minor units of the currency."""

    currency: str
    pricing: str
    reserve_price: int
    stock: int
    bids: int
    """That count."""
    buyers: int
    winners: int
    lowest_winning: int | None
    """The least bid that got a unit; None where none did."""
    highest_losing: int | None
    """The highest of the best bids of those who got none; None where everybody got one."""
    paid: int
    """By all winners together."""
    lowest_paid: int | None
    highest_paid: int | None
    prices: "array[int]"
    """Every price that was bid, the lowest first."""
    bids_at: "array[int]"
    """By price, how many bids that count."""
    buyers_at: "array[int]"
    """By price, how many buyers whose best bid it is."""
    winners_at: "array[int]"
    """By price, how many of them got a unit."""

    def same(self, price: int) -> int:
        """How many buyers' best bid is this price."""
        at = bisect_left(self.prices, price)
        return self.buyers_at[at] if at < len(self.prices) and self.prices[at] == price else 0

    def higher(self, price: int) -> int:
        """How many buyers' best bid is above this price."""
        return sum(self.buyers_at[bisect_left(self.prices, price + 1) :])


def state(case: Case) -> Bidding | None:
    """Make the statement; None where the sale's end was not reached."""
    terms, decided = case.terms, case.decided
    if terms is None or case.logs is None or decided is None or case.told is None:
        return None
    standing = decided.standing
    bids = Counter[int]()
    for region, log in case.logs.items():
        bids.update(log.prices[: standing.cut_offs.get(region, log.lines)])
    buyers = Counter(bid.price for bid in best_bids(case.logs, decided).values())
    bid_of = {entry.request: entry.price or 0 for notable in case.told.notable.values() for entry in notable}
    won = [record for record in decided.decisions if isinstance(record, Won)]
    winners = Counter(bid_of[record.request] for record in won)
    paid = [record.price or 0 for record in won]
    prices = array("q", sorted(bids))
    return Bidding(
        terms.currency,
        terms.pricing,
        terms.reserve_price,
        terms.stock,
        bids.total(),
        buyers.total(),
        len(won),
        min(winners, default=None),
        max((price for price, times in buyers.items() if winners[price] < times), default=None),
        sum(paid),
        min(paid, default=None),
        max(paid, default=None),
        prices,
        array("q", (bids[price] for price in prices)),
        array("q", (buyers[price] for price in prices)),
        array("q", (winners[price] for price in prices)),
    )
