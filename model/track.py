"""What is possible for a clock: every (offset, frequency) that agrees with all that was heard, and nothing else. Pure.

Why. A bound that only knows "at most 50 ppm off" grows by 0.8 ms in the 16 s between two questions, and an exchange is
good to a few µs. But an oscillator that is 31 ppm fast now is not 30 ppm slow a minute later. So two things are stated
about it, and both are used: its rate is off by at most `drift_ppb`, and this rate changes by at most `wander_ppt_s`
parts in 10¹² a second (heat does it; nothing does it suddenly).

The idea. Let o be UTC − RAW in picoseconds and f its rate of change in parts per trillion. What is possible at a
reading of RAW is a convex polygon of pairs (o, f). Time passes: o moves by f·t, f by at most w·t, o by another w·t²/2
at most, and these two not independently; that shears the polygon and adds a small hexagon to it. An exchange cuts it: o
is at most this, at least that. The pairs that remain agree with *every* exchange since the beginning, each at its own
moment. The bound at any later moment is the extent of the set there. No averages, no σ; only wander makes it forget.

The hexagon. With |f'| ≤ w over a time t, f changes by δ and o by ε beyond f·t, where |δ| ≤ b = w·t, |ε| ≤ a = w·t²/2
and |ε − δ·t/2| ≤ a/2 (integrate |t/2 − s|). Its corners are ±(a, b), ±(a, b/2), ±(a/2, b).

When it is wrong. Beside the polygon goes the interval that follows from the drift alone. If the polygon is emptied and
this one is not, the stated wander is broken, the stated drift is not: `wander`. If both are: `step`, either this clock
or the other one has jumped. Outward only: see `polygon.py`. Limits of the method: the rate must not jump, so an
oscillator that is re-steered (a RAW that is not raw: some virtual machines when they migrate) breaks the statement, and
that is noticed by emptiness only.

Sources: S. Moon, P. Skelly, D. Towsley, *Estimation and removal of clock skew*, 1999 (hulls of delays); K. Marzullo,
S. Owicki 1983; the reachable set of a double integrator is textbook. Next: `clock.py` (ends), `clockd/tracking.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from model import polygon
from model.clock import PPB, Interval, Line, grow, hull, intersect, line
from model.polygon import Polygon

PS: Final = 1000  # picoseconds in a nanosecond; parts per trillion in a part per billion
SCALE: Final = 4 * PPB * PPB  # so many parts of a picosecond, or of a part per trillion, make `hexagon` integers
CORNERS: Final = 12  # of a polygon that is kept; more say hardly more


@dataclass(frozen=True, slots=True)
class Oscillator:
    """What is stated about the oscillator behind RAW: how far its rate may be off, and how fast that may change."""

    drift_ppb: int
    wander_ppt_s: int


class Broken(StrEnum):
    """Why nothing is possible any more."""

    WANDER = "wander"  # the rate changed faster than stated, within the stated drift
    STEP = "step"  # one of the two clocks jumped, or drifts more than stated, or lies


@dataclass(frozen=True, slots=True)
class Track:
    """What is possible at RAW `as_of_raw_ns`: `pairs` (ps, ppt) by drift and wander, `loose` by the drift alone."""

    as_of_raw_ns: int
    pairs: Polygon
    loose: Interval


def begin(as_of_raw_ns: int, offset: Interval, oscillator: Oscillator) -> Track:
    """All that is possible when only the offset is known."""
    most = oscillator.drift_ppb * PS
    low, high = offset.earliest_ns * PS, offset.latest_ns * PS
    return Track(as_of_raw_ns, polygon.hull((o, f) for o in (low, high) for f in (-most, most)), offset)


def later(track: Track, raw_ns: int, oscillator: Oscillator) -> Track:
    """What is possible at a reading of RAW not before `as_of_raw_ns`."""
    elapsed_ns = raw_ns - track.as_of_raw_ns
    if elapsed_ns == 0:
        return track
    moved = polygon.hull(sheared(o, f, elapsed_ns) for o, f in track.pairs)
    spread = polygon.sum_of(moved, wandered(elapsed_ns, oscillator.wander_ppt_s))
    pairs = polygon.simplified(within_drift(spread, oscillator), CORNERS)
    return Track(raw_ns, pairs, grow(track.loose, elapsed_ns, oscillator.drift_ppb))


def sheared(o: int, f: int, elapsed_ns: int) -> tuple[int, int]:
    """Where a pair (ps, ppt) leads in a while by itself, to the nearest picosecond."""
    return o + polygon.nearest(f * elapsed_ns, PPB), f


def narrowed(track: Track, offset: Interval) -> Track | Broken:
    """What is possible when UTC − RAW at `as_of_raw_ns` is in an interval, too."""
    loose = intersect(track.loose, offset)
    if loose is None:
        return Broken.STEP
    pairs = polygon.clip(track.pairs, 1, 0, offset.latest_ns * PS)
    pairs = pairs and polygon.clip(pairs, -1, 0, -offset.earliest_ns * PS)
    return Track(track.as_of_raw_ns, pairs, loose) if pairs else Broken.WANDER


def both(one: Track, other: Track) -> Track | Broken:
    """What two tracks of one moment leave possible together."""
    loose = intersect(one.loose, other.loose)
    if loose is None:
        return Broken.STEP
    pairs = polygon.intersection(one.pairs, other.pairs)
    return Track(one.as_of_raw_ns, polygon.simplified(pairs, CORNERS), loose) if pairs else Broken.WANDER


def agreed(tracks: Sequence[Track], agreeing: int) -> Track | None:
    """The hull of what at least `agreeing` ≥ 1 tracks of one moment leave possible; None when they leave nothing."""
    loose = hull([track.loose for track in tracks], agreeing)
    pairs = polygon.in_enough([track.pairs for track in tracks], agreeing)
    if loose is None or pairs is None:
        return None
    return Track(tracks[0].as_of_raw_ns, polygon.simplified(pairs, CORNERS), loose)


def touches(one: Track, other: Track) -> bool:
    """Whether two tracks of one moment can both be true."""
    return polygon.intersection(one.pairs, other.pairs) is not None


def extent(track: Track) -> Interval:
    """UTC − RAW at `as_of_raw_ns`."""
    offsets = [o for o, _ in track.pairs]
    tight = Interval(min(offsets) // PS, -(-max(offsets) // PS))
    return intersect(tight, track.loose) or tight


def straight(track: Track) -> Line:
    """The ends of what is possible, for whoever cannot carry a polygon; `clock.stamp` extrapolates them."""
    rates = [f for _, f in track.pairs]
    return line(track.as_of_raw_ns, extent(track), min(rates), max(rates))


def within_drift(pairs: Polygon, oscillator: Oscillator) -> Polygon:
    """A rate beyond the stated drift is none; what is true is within it, so something always remains."""
    most = oscillator.drift_ppb * PS
    below = polygon.clip(pairs, 0, 1, most) or pairs
    return polygon.clip(below, 0, -1, most) or below


def wandered(elapsed_ns: int, wander_ppt_s: int) -> Polygon:
    """By how much (offset, rate) can differ from a straight line after a while, and what rounding takes: one unit here,
    one where the straight line ends."""
    corners = hexagon(*reach(elapsed_ns, wander_ppt_s))
    rounded = [(polygon.nearest(x, SCALE), polygon.nearest(y, SCALE)) for x, y in corners]
    return polygon.inflated(polygon.hull(rounded), 2)


def reach(elapsed_ns: int, wander_ppt_s: int) -> tuple[int, int]:
    """How far offset (w·t²/2) and rate (w·t) can have wandered, in parts of `SCALE`; both are even."""
    return 2 * wander_ppt_s * elapsed_ns * elapsed_ns, 4 * wander_ppt_s * elapsed_ns * PPB


def hexagon(a: int, b: int) -> Polygon:
    """All pairs with |x| ≤ a, |y| ≤ b and |x·b − y·a| ≤ a·b/2, counter-clockwise from its lower right corner; both are
    even."""
    right = ((a, b // 2), (a, b), (a // 2, b))
    return (*right, *((-x, -y) for x, y in right))
