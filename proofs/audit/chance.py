"""How many of a pot's draws fall to one region, by chance alone: hypergeometric, and the sum over runs.

While nobody joins a pot, draws from it are draws without putting back. Draws in a row from a pot that nobody joined
make a *run*; the number of a region's winners is the sum over runs, and its distribution their convolution: in whole
numbers for a few hundred winners (`exactly`), else in double precision, with an error below 10⁻⁶ (`nearly`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, exp, lgamma
from typing import Final, NamedTuple, TypeVar

NEGLIGIBLE: Final = 1e-16
"""Tails below this are left out in double precision; there are at most some ten thousand runs."""

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Run:
    """Draws in a row from one pot that nobody joined meanwhile: how many, and who was in it by region before."""

    draws: int
    pot: tuple[int, ...]


class Likely(NamedTuple):
    """How likely each number of winners is: `weights[i]` of `total` for `first + i`."""

    first: int
    weights: Sequence[int] | Sequence[float]
    total: int | float


def exactly(runs: Sequence[Run], at: int) -> Likely:
    """A region's winners: how likely each number is, in whole numbers."""
    weights, total, first = [1], 1, 0
    for run in runs:
        size, mine = sum(run.pot), run.pot[at]
        least, most = max(0, run.draws - (size - mine)), min(mine, run.draws)
        ways = [comb(mine, x) * comb(size - mine, run.draws - x) for x in range(least, most + 1)]
        weights, total, first = _convolved(weights, ways), total * comb(size, run.draws), first + least
    return Likely(first, weights, total)


def nearly(runs: Sequence[Run], at: int) -> Likely:
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


def as_far(likely: Likely, won: int) -> float:
    """The probability of a number at least as far from the mean."""
    mean = sum(Fraction(x) * Fraction(weight) for x, weight in enumerate(likely.weights, likely.first))
    mean /= Fraction(likely.total)
    distance = abs(won - mean) - Fraction(1, 10**9)
    far = sum(weight for x, weight in enumerate(likely.weights, likely.first) if abs(x - mean) >= distance)
    return min(1.0, float(Fraction(far) / Fraction(likely.total)))


def central(likely: Likely) -> tuple[int, int]:
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
