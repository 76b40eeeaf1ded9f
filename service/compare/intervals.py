"""How far a figure can be believed: 95 % intervals of parts, and of what has no formula.

A part of so many is given Wilson's score interval (Wilson, *Probable inference*, 1927), which holds also where the
part is 0 or 1 and the number small. Units of one sale go to different buyers, so winners pooled over sales are no more
alike than coins are; where a sale fixes a region's part, as a split stock does, the interval is wider than it need be.
What is a ratio or a mean over pairs is given the bootstrap's percentiles, whole sales drawn again (Efron and
Tibshirani, *An Introduction to the Bootstrap*, 1993): pairs within a sale are anything but independent.
"""

from collections.abc import Callable, Sequence
from math import ceil, sqrt
from random import Random
from typing import Final, NamedTuple

Z_95: Final = 1.959964
RESAMPLES: Final = 1_000


class Estimate(NamedTuple):
    """A figure and its 95 % interval, where it has one."""

    value: float
    low: float | None
    high: float | None


def wilson(part: int, whole: int, z: float = Z_95) -> Estimate | None:
    """The part of a whole; None of nothing.

    Args:
        z: how many standard deviations to either side.
    """
    if not whole:
        return None
    share = part / whole
    middle = (share + z * z / (2 * whole)) / (1 + z * z / whole)
    half = z * sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole)) / (1 + z * z / whole)
    return Estimate(share, min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share))


def bootstrap(columns: Sequence[Sequence[int]], figure: Callable[..., float | None], seed: str) -> Estimate | None:
    """A figure of sums over sales, with the 2.5th and 97.5th percentile of it over sales drawn again.

    Args:
        columns: for each of the sums, what each sale adds to it.
        figure: the figure from the sums; None where it is not defined.

    Returns: None where the figure is not defined. One sale alone has no interval.
    """
    value = figure(*map(sum, columns))
    if value is None:
        return None
    sales = range(len(columns[0]))
    if len(sales) < 2:
        return Estimate(value, None, None)
    chance = Random(seed)
    found = []
    for _ in range(RESAMPLES):
        drawn = chance.choices(sales, k=len(sales))
        again = figure(*(sum(map(column.__getitem__, drawn)) for column in columns))
        if again is not None:
            found.append(again)
    found.sort()
    return Estimate(value, percentile(found, 0.025), percentile(found, 0.975))


def percentile(ordered: Sequence[float], part: float) -> float:
    """The least value that `part` of all do not exceed.

    Raises:
        IndexError: there is none.
    """
    return ordered[max(ceil(part * len(ordered)) - 1, 0)]
