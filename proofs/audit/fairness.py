"""The fairness statement: who could have been first, who was, and whether chance explains the difference.

For every unit sold the pot it was drawn from is known again: all who waited, counted, and had a place at most W after
the earliest. Their regions are counted, not their tickets, so this is a reading of its own of the rule: contenders by
place, and who was served.

*Provable order*: the pot held one, so nobody else could have been first. *Rank only*: several, and in the end all of
them won, so the lot said only who went first. *Lots*: at least one of the pot went without.

In an auction only those who bid the same are in a pot together, and who got a unit is by price wherever all who bid so
much got one: order and lots decide at the lowest price that won, at most. In a reservation the draw is for places on
the list; what is stated is who was the first to hold a unit, and of a list that was full also who got a place.

*What chance allows.* While nobody joins a pot, draws from it are draws without putting back, and how many fall to a
region is hypergeometric. Draws in a row from a pot that nobody joined make a *run*; the number of a region's winners is
the sum over runs, and its distribution their convolution: in whole numbers for up to 400 winners, else in double
precision, with an error below 10⁻⁶. It is exact given each run's pot as it was; who is left for the next run depends on
the draws before it, and that is taken as it came out.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from model import guards
from model.terms import Terms
from model.vocabulary import RegionName, RequestId, Won
from proofs.audit.case import Case, Decided, Log, Told
from proofs.audit.chance import Run, as_far, central, exactly, nearly

EXACT_WINNERS: Final = 400
"""Numerators and denominators have thousands of digits by then."""
REGION_BITS: Final = 8


@dataclass(frozen=True, slots=True)
class Share:
    """One region's demand and winners, against what chance allows."""

    region: RegionName
    buyers: int
    """Buyers whose entry that counts is of this region."""
    winners: int
    expected_winners: float
    """The sum over all draws of its share in the pot."""
    likely_least: int
    likely_most: int
    """Chance gives a number below or above these in at most 2.5 % of sales each."""
    probability: float
    """Of a number of winners at least as far from what is expected as this one."""


@dataclass(frozen=True, slots=True)
class Fairness:
    """The statement about one sale."""

    buyers: int
    winners: int
    by_order: int
    by_lot_for_rank_only: int
    by_lot: int
    by_price: int
    """In an auction: at prices at which everybody got one."""
    largest_pot: int
    is_exact: bool
    """Whether the probabilities are computed in whole numbers; else their error is below 10⁻⁶."""
    shares: tuple[Share, ...]
    pots: "array[int]"
    """How many were in the pot, by rank."""
    earliest_ns: "array[int]"
    """The earliest place that waited, by rank."""


class Queue(NamedTuple):
    """Who waited for one thing, and who was served of them: in an auction, those who bid the same."""

    slots: Sequence[int]
    """Place and region of each buyer who waited, in one number, in order; who was beyond every pot may be left out."""
    served: Sequence[tuple[int, int]]
    """Place and region of those who were served, in order."""
    earliest_left_ns: int | None
    """The least place of those who were not."""
    is_by_price: bool = False
    """Everybody who waited was served, because of the price."""


def state(case: Case) -> Fairness | None:
    """Make the statement about a flash sale: who got the units."""
    if case.terms is None or case.logs is None or case.decided is None or case.told is None:
        return None
    won = [record.request for record in case.decided.decisions if isinstance(record, Won)]
    queue, buyers = _queue(case.terms, case.logs, case.decided, case.told, won)
    return _stated(list(case.logs), buyers, [queue], case.terms.tie_window_ns)


def state_first_units(case: Case) -> Fairness | None:
    """Make the statement about a reservation: who was the first to hold the units."""
    return None if case.terms is None else _stated_list(case, case.terms, case.terms.stock)


def state_list(case: Case) -> Fairness | None:
    """Make the statement about a reservation's list: who got its places."""
    return None if case.terms is None else _stated_list(case, case.terms, case.terms.places)


def _stated_list(case: Case, terms: Terms, most: int) -> Fairness | None:
    if case.logs is None or case.decided is None or case.told is None:
        return None
    drawn = list(case.decided.standing.holds.turns)
    queue, buyers = _queue(terms, case.logs, case.decided, case.told, drawn)
    first = queue.served[:most]
    queue = Queue(queue.slots, first, _earliest_left(queue.slots, first))
    return _stated(list(case.logs), buyers, [queue], terms.tie_window_ns)


def state_bids(case: Case) -> Fairness | None:
    """Make the statement about an auction: by price who got the units, and by order and lot at the lowest that won."""
    terms, decided = case.terms, case.decided
    if terms is None or case.logs is None or decided is None or case.told is None:
        return None
    names, best, places = list(case.logs), best_bids(case.logs, decided), _places(terms, case.told)
    served: dict[int, list[tuple[int, int]]] = {}
    for record in decided.decisions:
        if isinstance(record, Won):
            entry = places[record.request]
            served.setdefault(entry.price or 0, []).append((entry.place_ns, names.index(record.region)))
    slots: dict[int, list[int]] = {price: [] for price in served}
    for bid in best.values():
        if bid.price in slots:
            slots[bid.price].append(guards.place_ns(bid.stamp_ns, terms.opens_ns) << REGION_BITS | bid.region)
    queues = []
    for price, winners in served.items():
        waited = sorted(slots[price])
        left_ns = _earliest_left(waited, winners)
        queues.append(Queue(waited, winners, left_ns, left_ns is None))
    return _stated(names, Counter(bid.region for bid in best.values()), queues, terms.tie_window_ns)


def _stated(names: list[RegionName], buyers: Counter[int], queues: Sequence[Queue], tie_window_ns: int) -> Fairness:
    pots, earliest_ns, runs, kinds = array("q"), array("q"), list[Run](), Counter[str]()
    for queue in queues:
        drawn = _draws(queue.slots, queue.served, len(names), tie_window_ns)
        pots.extend(drawn.pots)
        earliest_ns.extend(drawn.earliest_ns)
        if queue.is_by_price:
            here = Counter(at for _, at in queue.served)
            runs.append(Run(len(queue.served), tuple(here[at] for at in range(len(names)))))
            kinds["price"] += len(queue.served)
        else:
            runs += drawn.runs
            kinds += _kinds(drawn.pots, drawn.earliest_ns, queue.earliest_left_ns, tie_window_ns)
    won = Counter(at for queue in queues for _, at in queue.served)
    winners = won.total()
    is_exact = winners <= EXACT_WINNERS
    shares = []
    for at, region in enumerate(names):
        likely = (exactly if is_exact else nearly)(runs, at)
        mean = sum(x * weight for x, weight in enumerate(likely.weights, likely.first)) / likely.total
        low, high = central(likely)
        probability = as_far(likely, won[at])
        shares.append(Share(region, buyers[at], won[at], float(mean), low, high, probability))
    return Fairness(
        sum(buyers.values()), winners, kinds["order"], kinds["rank"], kinds["lot"], kinds["price"],
        max(pots, default=0), is_exact, tuple(shares), pots, earliest_ns,
    )  # fmt: skip


class _Placed(NamedTuple):
    place_ns: int
    price: int | None


def _places(terms: Terms, told: Told) -> dict[RequestId, _Placed]:
    """Of every notable entry the place, and what it bids."""
    return {
        entry.request: _Placed(guards.place_ns(entry.stamp_ns, terms.opens_ns), entry.price)
        for notable in told.notable.values()
        for entry in notable
    }


def _queue(
    terms: Terms, logs: dict[RegionName, Log], decided: Decided, told: Told, drawn: Sequence[RequestId]
) -> tuple[Queue, Counter[int]]:
    """Everybody in one queue, of whom these were drawn, in order; and how many buyers each region has."""
    names, places = list(logs), _places(terms, told)
    served = [(places[request].place_ns, names.index(request.rpartition(".")[0])) for request in drawn]
    horizon_ns = max((place_ns for place_ns, _ in served), default=0) + terms.tie_window_ns
    slots, buyers = _contenders(terms, logs, decided, horizon_ns)
    return Queue(slots, served, _earliest_left(slots, served)), buyers


def _earliest_left(slots: Sequence[int], served: Sequence[tuple[int, int]]) -> int | None:
    """The least place of those who were not served."""
    left = Counter(place_ns << REGION_BITS | at for place_ns, at in served)
    for slot in slots:
        if left[slot] == 0:
            return slot >> REGION_BITS
        left[slot] -= 1
    return None


class BestBid(NamedTuple):
    """A buyer's best bid; the region by its place among the terms'."""

    price: int
    stamp_ns: int
    region: int


def best_bids(logs: dict[RegionName, Log], decided: Decided) -> dict[int, BestBid]:
    """By a hash of the buyer, of the bids that count the highest, and of equal ones the earliest."""
    best: dict[int, BestBid] = {}
    for at, (region, log) in enumerate(logs.items()):
        last = decided.standing.cut_offs.get(region, log.lines)
        for buyer, price, stamp_ns in zip(log.buyers[:last], log.prices, log.stamps_ns, strict=False):
            known = best.get(buyer)
            if known is None or (-price, stamp_ns) < (-known.price, known.stamp_ns):
                best[buyer] = BestBid(price, stamp_ns, at)
    return best


def _contenders(
    terms: Terms, logs: dict[RegionName, Log], decided: Decided, horizon_ns: int
) -> tuple[list[int], Counter[int]]:
    """Each buyer's least entry that counts: those not beyond the horizon by place, as place and region in one number,
    in order; and how many buyers each region has."""
    every = sorted(buyer for log in logs.values() for buyer in log.buyers)
    repeated = {one for one, other in pairwise(every) if one == other}
    del every
    slots, least, buyers = list[int](), dict[int, tuple[int, int]](), Counter[int]()
    for at, (region, log) in enumerate(logs.items()):
        last = log.entries_up_to(decided.standing.cut_offs.get(region, log.lines))
        stamps_ns = log.stamps_ns[:last]
        if repeated:
            rows = zip(stamps_ns, log.buyers[:last], strict=True)
            again = [(buyer, stamp_ns) for stamp_ns, buyer in rows if buyer in repeated]
            for buyer, stamp_ns in again:
                least[buyer] = min(least.get(buyer, (stamp_ns, at)), (stamp_ns, at))
            rows = zip(stamps_ns, log.buyers[:last], strict=True)
            stamps_ns = array("q", (stamp_ns for stamp_ns, buyer in rows if buyer not in repeated))
        buyers[at] += len(stamps_ns)
        slots.extend(
            guards.place_ns(stamp_ns, terms.opens_ns) << REGION_BITS | at
            for stamp_ns in stamps_ns
            if stamp_ns <= horizon_ns
        )
    for stamp_ns, at in least.values():
        buyers[at] += 1
        slots.append(guards.place_ns(stamp_ns, terms.opens_ns) << REGION_BITS | at)
    slots.sort()
    return slots, buyers


class _Drawn(NamedTuple):
    pots: "array[int]"
    """By rank how many were in the pot."""
    runs: list[Run]
    earliest_ns: "array[int]"
    """By rank the earliest place that waited."""


def _draws(slots: Sequence[int], winners: Sequence[tuple[int, int]], regions: int, tie_window_ns: int) -> _Drawn:
    """Every draw's pot again, from places alone: who waits is in it up to the earliest's place + W."""
    pots, earliest = array("q"), array("q")
    runs: list[Run] = []
    in_pot, served = [0] * regions, Counter[int]()
    low = joined = 0
    for place_ns, at in winners:
        while low < len(slots) and served[slots[low]]:
            served[slots[low]] -= 1
            low += 1
        earliest_ns = slots[low] >> REGION_BITS if low < len(slots) else place_ns
        before = joined
        while joined < len(slots) and guards.in_pot(slots[joined] >> REGION_BITS, earliest_ns, tie_window_ns):
            in_pot[slots[joined] & (1 << REGION_BITS) - 1] += 1
            joined += 1
        if joined > before or not runs:
            runs.append(Run(0, tuple(in_pot)))
        runs[-1] = Run(runs[-1].draws + 1, runs[-1].pot)
        pots.append(sum(in_pot))
        earliest.append(earliest_ns)
        in_pot[at] -= 1
        served[place_ns << REGION_BITS | at] += 1
    return _Drawn(pots, runs, earliest)


def _kinds(
    pots: Sequence[int], earliest_ns: Sequence[int], earliest_loser_ns: int | None, tie_window_ns: int
) -> Counter[str]:
    """By rank: a pot of one is order; one that a loser was in is a lot; the others say only who went first."""
    kinds = Counter[str]()
    for pot, first_ns in zip(pots, earliest_ns, strict=True):
        had_loser = earliest_loser_ns is not None and guards.in_pot(earliest_loser_ns, first_ns, tie_window_ns)
        kinds["order" if pot == 1 else "lot" if had_loser else "rank"] += 1
    return kinds
