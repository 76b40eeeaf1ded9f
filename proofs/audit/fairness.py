"""The fairness statement: who could have been first, who was, and whether chance explains the difference.

For every unit sold the pot it was drawn from is known again: all who waited, counted, and had a place at most W after
the earliest. Their regions are counted, not their tickets, so this is a reading of its own of the rule: contenders by
place, and who was served.

*Provable order*: the pot held one, so nobody else could have been first. *Rank only*: several, and in the end all of
them won, so the lot said only who went first. *Lots*: at least one of the pot went without.

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
from fractions import Fraction
from itertools import pairwise
from math import comb, exp, lgamma
from typing import Final, NamedTuple, TypeVar

from model import guards
from model.terms import Terms
from model.vocabulary import RegionName, Won
from proofs.audit.case import Case, Decided, Log, Told

EXACT_WINNERS: Final = 400
"""Numerators and denominators have thousands of digits by then."""
NEGLIGIBLE: Final = 1e-16
"""Tails below this are left out in double precision; there are at most some ten thousand runs."""
REGION_BITS: Final = 8

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Run:
    """Draws in a row from one pot that nobody joined meanwhile: how many, and who was in it by region before."""

    draws: int
    pot: tuple[int, ...]


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
    largest_pot: int
    is_exact: bool
    """Whether the probabilities are computed in whole numbers; else their error is below 10⁻⁶."""
    shares: tuple[Share, ...]
    pots: "array[int]"
    """How many were in the pot, by rank."""
    earliest_ns: "array[int]"
    """The earliest place that waited, by rank."""


class Likely(NamedTuple):
    """How likely each number of winners is: `weights[i]` of `total` for `first + i`."""

    first: int
    weights: Sequence[int] | Sequence[float]
    total: int | float


def state(case: Case) -> Fairness | None:
    """Make the statement."""
    if case.terms is None or case.logs is None or case.decided is None or case.told is None:
        return None
    names = list(case.logs)
    winners = _served(case.terms, case.decided, case.told, names)
    horizon_ns = max((place_ns for place_ns, _ in winners), default=0) + case.terms.tie_window_ns
    slots, buyers, earliest_loser_ns = _contenders(case.terms, case.logs, case.decided, horizon_ns, Counter(winners))
    pots, runs, earliest_ns = _draws(slots, winners, len(names), case.terms.tie_window_ns)
    kinds = _kinds(pots, earliest_ns, earliest_loser_ns, case.terms.tie_window_ns)
    won, is_exact = Counter(at for _, at in winners), len(winners) <= EXACT_WINNERS
    shares = []
    for at, region in enumerate(names):
        likely = (_exactly if is_exact else _nearly)(runs, at)
        mean = sum(x * weight for x, weight in enumerate(likely.weights, likely.first)) / likely.total
        low, high = _central(likely)
        probability = _as_far(likely, won[at])
        shares.append(Share(region, buyers[at], won[at], float(mean), low, high, probability))
    return Fairness(
        sum(buyers.values()), len(winners), kinds["order"], kinds["rank"], kinds["lot"], max(pots, default=0),
        is_exact, tuple(shares), pots, earliest_ns,
    )  # fmt: skip


def _served(terms: Terms, decided: Decided, told: Told, names: list[RegionName]) -> list[tuple[int, int]]:
    """Place and region of every winner, in serving order."""
    entries = {entry.request: entry for notable in told.notable.values() for entry in notable}
    return [
        (guards.place_ns(entries[won.request].stamp_ns, terms.opens_ns), names.index(won.region))
        for won in decided.decisions
        if isinstance(won, Won)
    ]


def _contenders(
    terms: Terms, logs: dict[RegionName, Log], decided: Decided, horizon_ns: int, winners: Counter[tuple[int, int]]
) -> tuple[list[int], Counter[int], int | None]:
    """Each buyer's least entry that counts: those not beyond the horizon by place, as place and region in one number;
    how many buyers each region has; and the least place of anybody who did not win."""
    every = sorted(buyer for log in logs.values() for buyer in log.buyers)
    repeated = {one for one, other in pairwise(every) if one == other}
    del every
    slots, least, buyers = list[int](), dict[int, tuple[int, int]](), Counter[int]()
    for at, (region, log) in enumerate(logs.items()):
        last = decided.standing.cut_offs.get(region, log.lines)
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
    left = Counter({place_ns << REGION_BITS | at: times for (place_ns, at), times in winners.items()})
    loser = None
    for slot in slots:
        if left[slot] == 0:
            loser = slot >> REGION_BITS
            break
        left[slot] -= 1
    return slots, buyers, loser


def _draws(
    slots: list[int], winners: list[tuple[int, int]], regions: int, tie_window_ns: int
) -> tuple["array[int]", list[Run], "array[int]"]:
    """Every draw's pot again, from places alone: who waits is in it up to the earliest's place + W.

    Returns: by rank how many were in the pot, the runs, and by rank the earliest place that waited.
    """
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
    return pots, runs, earliest


def _kinds(
    pots: Sequence[int], earliest_ns: Sequence[int], earliest_loser_ns: int | None, tie_window_ns: int
) -> Counter[str]:
    """By rank: a pot of one is order; one that a loser was in is a lot; the others say only who went first."""
    kinds = Counter[str]()
    for pot, first_ns in zip(pots, earliest_ns, strict=True):
        had_loser = earliest_loser_ns is not None and guards.in_pot(earliest_loser_ns, first_ns, tie_window_ns)
        kinds["order" if pot == 1 else "lot" if had_loser else "rank"] += 1
    return kinds


def _exactly(runs: Sequence[Run], at: int) -> Likely:
    """A region's winners: how likely each number is, in whole numbers."""
    weights, total, first = [1], 1, 0
    for run in runs:
        size, mine = sum(run.pot), run.pot[at]
        least, most = max(0, run.draws - (size - mine)), min(mine, run.draws)
        ways = [comb(mine, x) * comb(size - mine, run.draws - x) for x in range(least, most + 1)]
        weights, total, first = _convolved(weights, ways), total * comb(size, run.draws), first + least
    return Likely(first, weights, total)


def _nearly(runs: Sequence[Run], at: int) -> Likely:
    """The same in double precision, without the negligible tails."""
    weights, first = [1.0], 0
    for run in runs:
        size, mine = sum(run.pot), run.pot[at]
        least, most = max(0, run.draws - (size - mine)), min(mine, run.draws)
        if least == most:
            first += least
            continue
        mean = run.draws * mine / size
        reach = 12 * (mean * (1 - mine / size)) ** 0.5 + 40
        least, most = max(least, int(mean - reach)), min(most, int(mean + reach) + 1)
        log_all = _log_comb(size, run.draws)
        ways = [
            exp(_log_comb(mine, x) + _log_comb(size - mine, run.draws - x) - log_all) for x in range(least, most + 1)
        ]
        weights, first = _convolved(weights, ways), first + least
        while len(weights) > 1 and weights[0] < NEGLIGIBLE:
            del weights[0]
            first += 1
        while len(weights) > 1 and weights[-1] < NEGLIGIBLE:
            del weights[-1]
    return Likely(first, weights, sum(weights))


def _log_comb(size: int, draws: int) -> float:
    return lgamma(size + 1) - lgamma(draws + 1) - lgamma(size - draws + 1)


def _convolved(one: list[Number], other: list[Number]) -> list[Number]:
    """The distribution of a sum."""
    if len(other) > len(one):
        one, other = other, one
    total = [weight * other[0] for weight in one] + [one[0] * 0] * (len(other) - 1)
    for shift in range(1, len(other)):
        factor = other[shift]
        for at, weight in enumerate(one):
            total[at + shift] += weight * factor
    return total


def _as_far(likely: Likely, won: int) -> float:
    """The probability of a number at least as far from the mean."""
    mean = sum(Fraction(x) * Fraction(weight) for x, weight in enumerate(likely.weights, likely.first))
    mean /= Fraction(likely.total)
    distance = abs(won - mean) - Fraction(1, 10**9)
    far = sum(weight for x, weight in enumerate(likely.weights, likely.first) if abs(x - mean) >= distance)
    return min(1.0, float(Fraction(far) / Fraction(likely.total)))


def _central(likely: Likely) -> tuple[int, int]:
    """The least and the greatest number that chance does not undercut, or exceed, in more than 2.5 % of sales."""
    tail = Fraction(likely.total) / 40
    low, high = likely.first, likely.first + len(likely.weights) - 1
    below = Fraction(likely.weights[0])
    while below <= tail and low < high:
        low += 1
        below += Fraction(likely.weights[low - likely.first])
    above = Fraction(likely.weights[-1])
    while above <= tail and high > low:
        high -= 1
        above += Fraction(likely.weights[high - likely.first])
    return low, high
