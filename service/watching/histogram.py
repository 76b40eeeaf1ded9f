"""A histogram that costs two additions a value: buckets are powers of two, so a value's bucket is its bit length.

A purchase is counted in two of these, and may pay a fiftieth of its time for all that is counted. A quantile that is
read from it is right to a factor of two at worst, which is what alerts and dashboards need; exact figures are the
benchmarks'.
"""

from collections.abc import Sequence
from typing import Final

BUCKETS: Final = 64
"""Values have fewer bits than this."""
_BILLION: Final = 10**9


class Histogram:
    """Counts of integers from 0. Whoever is in a hurry does the two additions of `add` itself."""

    __slots__ = ("buckets", "total")

    def __init__(self) -> None:
        self.buckets = [0] * BUCKETS
        """By bit length: bucket n counts what was at least 2ⁿ⁻¹ and below 2ⁿ."""
        self.total = 0
        """The sum of all values."""

    def add(self, value: int) -> None:
        """Count a value; below 0 it counts as 0, which is what a difference of two clock readings means then."""
        value = max(value, 0)
        self.buckets[value.bit_length()] += 1
        self.total += value

    @property
    def values(self) -> list[int]:
        """As integers that may be added up with another's."""
        return [self.total, *self.buckets]


def cumulated(
    values: Sequence[int], first: int, last: int, unit: int = _BILLION
) -> tuple[list[tuple[str, float]], float]:
    """The buckets as monitoring wants them (each with all below it, by its upper bound as text), and the sum.

    Args:
        values: of a `Histogram`, or several added up.
        first, last: the powers of two that the least and the greatest bound are, before "+Inf".
        unit: what a value is divided by; nanoseconds become seconds.
    """
    total, buckets = values[0], values[1:]
    told = [(str(2**power / unit), float(sum(buckets[: power + 1]))) for power in range(first, last + 1)]
    return [*told, ("+Inf", float(sum(buckets)))], total / unit
