"""What a clock reading is worth: intervals that contain the truth, in integers of nanoseconds. Pure.

The problem. This host has an oscillator, read as CLOCK_MONOTONIC_RAW, that nobody steers. UTC − RAW is one number that
changes slowly. We cannot know it; we can know an interval that contains it, and this file makes such intervals.

One exchange. We send at RAW t1, a server receives at its t2 and sends at its t3, we receive at RAW t4. The request
cannot arrive before it was sent, nor the reply, whatever the two ways took. So if the server's clock is within
`distance` of UTC, then UTC − RAW was at most t2 − t1 + distance at t1, and at least t3 − t4 − distance at t4. No
division and no average of the two ways: asymmetry is inside the interval, not beside it.

Drift. The oscillator is off by at most ρ: |d true / d clock − 1| ≤ ρ, so UTC − RAW moves by at most ρ·|c' − c| between
the readings c and c'. The upper end was true at t1 and the lower one at t4, so at any c ≥ t4 both are true when widened
by ρ·(c − t1). Widened from t4 only, the upper end is too low; and before t4 the interval may be empty.

Outward only. Every rounding here makes an interval wider: a bound rounded to nearest is wrong half of the time.

Several sources. Of n servers at most f = ⌊(n − 1)/2⌋ lie. Truth then lies in at least n − f of the n intervals, so it
lies in the hull of all points that do. (It need not lie in the largest overlap: honest [−2, 0] and [−3, 2], liar
[−2, −1].) Whether so few lie is a fact of the world: no arithmetic sees a majority that lies alike.

Sources: RFC 5905 §8 and §11.2.1; K. Marzullo, S. Owicki, *Maintaining the Time in a Distributed System*, 1983. The
functions of plain integers are written without branches, so that a solver reads them as they are.
Next: `clockd/tracking.py` carries intervals from update to update, `clockd/reader.py` makes stamps of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

PPB = 1_000_000_000  # parts per billion in one


@dataclass(frozen=True, slots=True)
class Interval:
    """All integers from `earliest_ns` to `latest_ns`, both included; of UTC − RAW, or of UTC. Never empty."""

    earliest_ns: int
    latest_ns: int


def growth_ns(elapsed_ns: int, drift_ppb: int) -> int:
    """How far UTC − RAW can have moved over `elapsed_ns` of RAW, either way in time; ≥ 0, rounded up."""
    return -(-abs(elapsed_ns) * drift_ppb // PPB)


def earliest_offset_ns(server_sent_ns: int, received_raw_ns: int, distance_ns: int, growth: int) -> int:
    """The least UTC − RAW that an exchange leaves possible: t3 − t4, widened by server's distance and growth."""
    return server_sent_ns - received_raw_ns - distance_ns - growth


def latest_offset_ns(server_received_ns: int, sent_raw_ns: int, distance_ns: int, growth: int) -> int:
    """The greatest UTC − RAW that an exchange leaves possible: t2 − t1, widened by the same."""
    return server_received_ns - sent_raw_ns + distance_ns + growth


def stamp_ns(utc_minus_raw_ns: int, received_raw_ns: int) -> int:
    """The moment `received_raw_ns` in UTC, as well as this host knows it."""
    return utc_minus_raw_ns + received_raw_ns


def stamp_bound_ns(as_of_raw_ns: int, bound_ns: int, drift_ppb: int, received_raw_ns: int, uncertainty_ns: int) -> int:
    """How far the stamp can be from true time.

    Args:
        as_of_raw_ns: the reading at which UTC − RAW was within `bound_ns` of the published value.
        received_raw_ns: the stamped moment, before or after `as_of_raw_ns`.
        uncertainty_ns: that moment is known to ± this only; counts itself, and as time to drift in.
    """
    elapsed_ns = abs(received_raw_ns - as_of_raw_ns) + uncertainty_ns
    return bound_ns + growth_ns(elapsed_ns, drift_ppb) + uncertainty_ns


def interval(earliest_ns: int, latest_ns: int) -> Interval | None:
    """The interval between two ends; None when there is nothing between them."""
    return Interval(earliest_ns, latest_ns) if earliest_ns <= latest_ns else None


def exchange_offset(
    *,
    sent_raw_ns: int,
    server_received_ns: int,
    server_sent_ns: int,
    received_raw_ns: int,
    distance_ns: int,
    reading_raw_ns: int,
    drift_ppb: int,
) -> Interval | None:
    """UTC − RAW at `reading_raw_ns` ≥ `received_raw_ns` by one exchange (t1, t2, t3, t4 in this order).

    Args:
        distance_ns: how far the server's clock can be from UTC: root delay/2 + root dispersion + reading precision.

    Returns:
        The interval, or None when the exchange contradicts itself: the server claims to have held the request for
        longer than we waited, beyond what distance and drift explain.
    """
    growth = growth_ns(reading_raw_ns - sent_raw_ns, drift_ppb)
    return interval(
        earliest_offset_ns(server_sent_ns, received_raw_ns, distance_ns, growth),
        latest_offset_ns(server_received_ns, sent_raw_ns, distance_ns, growth),
    )


def widen(known: Interval, by_ns: int) -> Interval:
    """The interval with `by_ns` ≥ 0 added on both sides."""
    return Interval(known.earliest_ns - by_ns, known.latest_ns + by_ns)


def grow(known: Interval, elapsed_ns: int, drift_ppb: int) -> Interval:
    """What an interval of UTC − RAW has become after `elapsed_ns` of RAW."""
    return widen(known, growth_ns(elapsed_ns, drift_ppb))


def intersect(one: Interval, other: Interval) -> Interval | None:
    """What both leave possible; None when they contradict each other."""
    return interval(max(one.earliest_ns, other.earliest_ns), min(one.latest_ns, other.latest_ns))


def contains(known: Interval, point_ns: int) -> bool:
    """Whether the point is in the interval."""
    return (known.earliest_ns <= point_ns) & (point_ns <= known.latest_ns)


def centre(known: Interval) -> tuple[int, int]:
    """The interval as a middle and a bound: |truth − middle| ≤ bound, the bound rounded up."""
    middle_ns = (known.earliest_ns + known.latest_ns) // 2
    return middle_ns, known.latest_ns - middle_ns


def tolerated_liars(sources: int) -> int:
    """How many of `sources` ≥ 1 may lie while truth still has the majority: ⌊(n − 1)/2⌋."""
    return (sources - 1) // 2


def hull(intervals: Sequence[Interval], agreeing: int) -> Interval | None:
    """From the first to the last point that lies in at least `agreeing` ≥ 1 of the intervals; None when no point does.

    Where that many begin to overlap, one of them begins; where they end, one ends. So only ends need a look. Quadratic
    in the number of sources, of which a host has a handful.
    """

    def enough(point_ns: int) -> bool:
        return sum(contains(each, point_ns) for each in intervals) >= agreeing

    starts = [each.earliest_ns for each in intervals if enough(each.earliest_ns)]
    ends = [each.latest_ns for each in intervals if enough(each.latest_ns)]
    return Interval(min(starts), max(ends)) if starts else None
