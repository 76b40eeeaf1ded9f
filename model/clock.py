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
Next: `track.py` (what is possible after many exchanges), `clockd/reader.py` (stamps).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

PPB = 1_000_000_000  # parts per billion in one
PPT = 1_000_000_000_000  # parts per trillion in one


class Interval(NamedTuple):
    """All integers from `earliest_ns` to `latest_ns`, both included; of UTC − RAW, or of UTC. Never empty."""

    earliest_ns: int
    latest_ns: int


@dataclass(frozen=True, slots=True)
class Line:
    """What is known at RAW `as_of_raw_ns`: UTC − RAW is within `bound_ns` of `offset_ns`, its rate of change within
    `rate_bound_ppt` of `rate_ppt`."""

    as_of_raw_ns: int
    offset_ns: int
    bound_ns: int
    rate_ppt: int
    rate_bound_ppt: int


def growth_ns(elapsed_ns: int, drift_ppb: int) -> int:
    """How far UTC − RAW can have moved over `elapsed_ns` of RAW, either way in time; ≥ 0, rounded up."""
    return -(-abs(elapsed_ns) * drift_ppb // PPB)


def earliest_offset_ns(server_sent_ns: int, received_raw_ns: int, distance_ns: int, growth: int) -> int:
    """The least UTC − RAW that an exchange leaves possible: t3 − t4, widened by server's distance and growth."""
    return server_sent_ns - received_raw_ns - distance_ns - growth


def latest_offset_ns(server_received_ns: int, sent_raw_ns: int, distance_ns: int, growth: int) -> int:
    """The greatest UTC − RAW that an exchange leaves possible: t2 − t1, widened by the same."""
    return server_received_ns - sent_raw_ns + distance_ns + growth


def extrapolated_ns(elapsed_ns: int, rate_ppt: int) -> int:
    """How far a rate leads in a while, before or after; rounded down by less than one."""
    return rate_ppt * elapsed_ns // PPT


def rate_growth_ns(elapsed_ns: int, rate_bound_ppt: int, wander_ppt_s: int) -> int:
    """How far UTC − RAW can have left a straight line over `elapsed_ns`, either way in time; rounded up, and one more
    for the rounding of the line itself.

    The rate was off by `rate_bound_ppt` at most at the beginning, and by `wander_ppt_s` more for every second since.
    """
    by_rate = 2 * PPB * rate_bound_ppt * abs(elapsed_ns)
    by_wander = wander_ppt_s * elapsed_ns * elapsed_ns
    return 1 - (-(by_rate + by_wander) // (2 * PPB * PPT))


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


def line(as_of_raw_ns: int, offset: Interval, slowest_ppt: int, fastest_ppt: int) -> Line:
    """The middle of all that is possible and how far from it the truth can be, rounded up."""
    offset_ns, bound_ns = centre(offset)
    rate_ppt, rate_bound_ppt = centre(Interval(slowest_ppt, fastest_ppt))
    return Line(as_of_raw_ns, offset_ns, bound_ns, rate_ppt, rate_bound_ppt)


def stamp(known: Line, raw_ns: int, uncertainty_ns: int, drift_ppb: int, wander_ppt_s: int) -> tuple[int, int]:
    """A moment in UTC, and how far from it true time can be. Both ways of counting hold; the better one is taken.

    Args:
        raw_ns: the stamped moment, before or after `as_of_raw_ns`.
        uncertainty_ns: that moment is known to ± this only; counts itself, and as time to drift in.
    """
    elapsed_ns = raw_ns - known.as_of_raw_ns
    by_rate_ns = rate_growth_ns(elapsed_ns, known.rate_bound_ppt, wander_ppt_s)
    by_drift_ns = growth_ns(elapsed_ns, drift_ppb)
    offset_ns = known.offset_ns + (by_rate_ns < by_drift_ns) * extrapolated_ns(elapsed_ns, known.rate_ppt)
    moment_ns = uncertainty_ns + growth_ns(uncertainty_ns, drift_ppb)
    return raw_ns + offset_ns, known.bound_ns + min(by_rate_ns, by_drift_ns) + moment_ns


def realtime_lead_ns(before_raw_ns: int, realtime_ns: int, after_raw_ns: int) -> tuple[int, int]:
    """REALTIME − RAW by a reading of REALTIME between two of RAW, and how far the true difference can be from it.

    A reading is the time rounded down to its nanosecond; the bound covers that, too.
    """
    middle_raw_ns = (before_raw_ns + after_raw_ns) // 2
    return realtime_ns - middle_raw_ns, after_raw_ns - middle_raw_ns + 1


def lead_change_ns(lead_now_ns: int, lead_then_ns: int, plus_minus_then_ns: int) -> int:
    """How far the true lead was, at most, from what it is taken for now."""
    return abs(lead_now_ns - lead_then_ns) + plus_minus_then_ns


def receive_moment(
    received_realtime_ns: int, lead_now_ns: int, plus_minus_now_ns: int, change_ns: int
) -> tuple[int, int]:
    """The RAW moment of a receive time in REALTIME, and how far the true moment can be from it.

    Args:
        lead_now_ns, plus_minus_now_ns: `realtime_lead_ns` now.
        change_ns: the greatest `lead_change_ns` since before the packet came; it did not come in the middle of a change
            that is larger than that and undone since.
    """
    return received_realtime_ns - lead_now_ns, change_ns + plus_minus_now_ns


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


def lies_in_enough(intervals: Sequence[Interval], point_ns: int, agreeing: int) -> bool:
    """Whether a point lies in at least `agreeing` of the intervals."""
    return sum(contains(each, point_ns) for each in intervals) >= agreeing


def earliest_agreed_ns(intervals: Sequence[Interval], agreeing: int) -> int | None:
    """The first point that lies in at least `agreeing` ≥ 1 of the intervals: where that many begin to overlap, one of
    them begins."""
    starts = [each.earliest_ns for each in intervals if lies_in_enough(intervals, each.earliest_ns, agreeing)]
    return min(starts) if starts else None


def latest_agreed_ns(intervals: Sequence[Interval], agreeing: int) -> int | None:
    """The last point that lies in at least `agreeing` ≥ 1 of the intervals: where their overlap ends, one ends."""
    ends = [each.latest_ns for each in intervals if lies_in_enough(intervals, each.latest_ns, agreeing)]
    return max(ends) if ends else None


def hull(intervals: Sequence[Interval], agreeing: int) -> Interval | None:
    """From the first to the last point that lies in at least `agreeing` ≥ 1 of the intervals; None when no point does.

    Only ends need a look. Quadratic in the number of sources, of which a host has a handful.
    """
    earliest_ns, latest_ns = earliest_agreed_ns(intervals, agreeing), latest_agreed_ns(intervals, agreeing)
    return None if earliest_ns is None or latest_ns is None else Interval(earliest_ns, latest_ns)
