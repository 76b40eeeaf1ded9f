"""What many exchanges leave possible holds the true (offset, frequency): each step of `model/track.py`.

The functions of `track.py` are run as they are, on polygons of which only one thing is known: whether they hold the
true pair (`Region`). What `polygon.py` does to polygons is given by its promise alone, that nothing which belongs into
the result is lost: a clipped one holds the truth if it was held and satisfies the inequality, and none is left only if
it does not. `polygons.py` proves the steps of which that promise is made, and says which textbook it rests on.

Time passing is two sentences about exact sets: where a straight line leads, rounded, and the hexagon of what wandering
adds. The integrals in the second are assumptions, as in `stamps.py`: |δ| ≤ w·t, |ε| ≤ w·t²/2, |ε − δ·t/2| ≤ w·t²/4.
Next: `polygons.py`.
"""

from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

from z3 import And, Bool, BoolVal, Int, Not, Or, Real, Reals

import model.track
from model.clock import PPB, Interval
from model.track import PS, SCALE, Broken, Oscillator, Track
from proofs.clocks import magnitude, within
from proofs.lift import lift, unforked
from proofs.obligations import Argument, Case, Reading, Term, obligation
from proofs.symbolic import Number, Truth, numbers, term

track: Final = Reading(model.track)
as_of, now, low, high, other_low, other_high = numbers("as_of now low high other_low other_high")
elapsed, drift, wander, corner_offset, corner_rate = numbers("elapsed drift wander corner_offset corner_rate")
offset_ps, rate_ppt, later_ns = Reals("offset_ps rate_ppt later_ns")
"""The truth: UTC − RAW in picoseconds and its rate; and, in nanoseconds, UTC − RAW a while later."""

LOOSE, SAID = Interval(low, high), Interval(other_low, other_high)  # type: ignore[arg-type]  # numbers that can be any
OSCILLATOR = Oscillator(drift, wander)  # type: ignore[arg-type]  # numbers that can be any


@dataclass(frozen=True, slots=True)
class Region:
    """A polygon of which only this is known: whether it holds the true pair."""

    holds: Term

    def __iter__(self) -> Any:
        return iter(((corner_offset, corner_rate),))


def or_none(region: Region, name: str) -> Region | None:
    """The region, or none: but only if it does not hold the truth."""
    return None if Truth(And(Bool(name), Not(region.holds))) else region


def clip(region: Region, a: int, b: int, most: Any) -> Region | None:
    kept = And(region.holds, a * offset_ps + b * rate_ppt <= term(most))
    return or_none(Region(kept), f"empty_{a}_{b}")


POLYGONS: Final = SimpleNamespace(
    clip=clip,
    simplified=lambda region, _: region,
    intersection=lambda one, other: or_none(Region(And(one.holds, other.holds)), "apart"),
    hull=lambda _: Region(Bool("in_hull")),
    sum_of=lambda _, __: Region(Bool("in_sum")),
    inflated=lambda region, _: region,
    nearest=lambda numerator, _: numerator,
    in_enough=lambda *_: or_none(Region(Bool("in_enough")), "none_in_enough"),
)

BEFORE = Track(as_of, Region(Bool("held")), LOOSE)  # type: ignore[arg-type]  # of which only this is known
ANOTHER = Track(as_of, Region(Bool("held_by_another")), SAID)  # type: ignore[arg-type]  # of which only this is known


def in_loose(interval: Interval) -> Term:
    """That an interval, in nanoseconds, holds the true offset."""
    return And(PS * term(interval.earliest_ns) <= offset_ps, offset_ps <= PS * term(interval.latest_ns))


def holds(found: Any) -> Term:
    """That a result is a track which holds the truth in both ways of counting, at the same moment."""
    if not isinstance(found, Track):
        return BoolVal(False)
    return And(found.pairs.holds, in_loose(found.loose), term(found.as_of_raw_ns) == term(as_of))  # type: ignore[attr-defined]


TRUE_BEFORE: Final = (Bool("held"), in_loose(LOOSE))


@obligation
def an_exchange_narrows_a_track_without_losing_the_truth() -> Argument:
    """What a track and a new interval both hold is held by the narrowed track; it is broken only if one was wrong."""
    run = unforked(track.narrowed, polygon=POLYGONS)
    narrowed = lift(partial(run, BEFORE, SAID))
    world = (*TRUE_BEFORE, in_loose(SAID))

    def claim(found: Any) -> Term:
        if found is Broken.STEP:
            return Not(And(in_loose(LOOSE), in_loose(SAID)))
        if found is Broken.WANDER:
            return Not(And(*world))
        pairs: Term = found.pairs.holds
        cut = And(Bool("held"), in_loose(SAID))
        loose = And(in_loose(LOOSE), in_loose(SAID))
        return And(pairs == cut, in_loose(found.loose) == loose, term(found.as_of_raw_ns) == term(as_of))

    step = narrowed.possible(lambda found: found is Broken.STEP)
    return Argument(narrowed.grouped("always", claim), witness=(*world, narrowed.possible(holds)), beyond=(step,))


@obligation
def two_tracks_together_hold_what_each_of_them_holds() -> Argument:
    """What two tracks of one moment both hold is held by both together; they are broken only if one was wrong."""
    joined = lift(partial(unforked(track.both, polygon=POLYGONS), BEFORE, ANOTHER))
    world = And(*TRUE_BEFORE, Bool("held_by_another"), in_loose(SAID))

    def claim(found: Any) -> Term:
        if found is Broken.STEP:
            return Not(And(in_loose(LOOSE), in_loose(SAID)))
        if found is Broken.WANDER:
            return Not(world)
        loose = in_loose(found.loose) == And(in_loose(LOOSE), in_loose(SAID))
        return And(loose, holds(found) == world)

    return Argument(joined.grouped("both", claim), witness=(world,))


@obligation
def two_tracks_that_do_not_touch_are_not_both_true() -> Argument:
    """Tracks that hold one truth touch; that they do not can be found out whichever of the two is wrong."""
    touching = lift(partial(unforked(track.touches, polygon=POLYGONS), BEFORE, ANOTHER))
    one, other = Bool("held"), Bool("held_by_another")
    told_apart = (Bool("apart"), touching.possible(lambda found: not found))
    return Argument(
        touching.grouped("touch", lambda found: Or(term(found), Not(And(one, other)))),
        witness=(one, Not(other), *told_apart),
        beyond=(Not(one), other, *told_apart),
    )


@obligation
def what_enough_tracks_hold_is_held_by_what_they_agree_on() -> Argument:
    """The tracks agree on what enough of their polygons and enough of their intervals hold, and on nothing else."""
    agreeing = numbers("agreeing")[0]
    asked: list[Any] = []

    def hull(said: Any, count: Any) -> Interval | None:
        asked.append((said, count))
        return SAID if Truth(Bool("some")) else None

    agreed = lift(partial(unforked(track.agreed, polygon=POLYGONS, hull=hull), (BEFORE, ANOTHER), agreeing))
    right = all(said == [LOOSE, SAID] and count is agreeing for said, count in asked)

    def claim(found: Any) -> Term:
        if found is None:
            return Or(Not(Bool("some")), Not(Bool("in_enough")))
        return And(right, holds(found) == And(Bool("in_enough"), in_loose(SAID)))

    return Argument(agreed.grouped("always", claim), witness=(Bool("in_enough"), Bool("some"), in_loose(SAID)))


@obligation
def a_rate_beyond_the_stated_drift_is_none() -> Argument:
    """A pair within the stated drift is kept, one beyond it is cut off, and something always remains."""
    most = PS * term(drift)
    kept = lift(partial(unforked(track.within_drift, polygon=POLYGONS), Region(Bool("held")), OSCILLATOR))
    stated = And(-most <= rate_ppt, rate_ppt <= most)
    emptied = Or(Bool("empty_0_1"), Bool("empty_0_-1"))
    return Argument(
        (
            *kept.grouped("kept", lambda found: Or(Not(And(Bool("held"), stated)), found.holds)),
            *kept.grouped("cut", lambda found: Or(emptied, found.holds == And(Bool("held"), stated))),
        ),
        witness=(Bool("held"), stated, rate_ppt == most, term(drift) > 0),
        beyond=(Bool("held"), Not(emptied), rate_ppt == most + 1, kept.possible(lambda found: Not(found.holds))),
    )


@obligation
def time_moves_a_pair_along_a_straight_line() -> Argument:
    """Where a pair leads by itself is within half a picosecond of where the truth leads, and its rate stays."""
    offset, rate = (term(each) for each in track.sheared(corner_offset, corner_rate, elapsed))
    exact = PPB * term(corner_offset) + term(corner_rate) * term(elapsed)
    off = magnitude(2 * (PPB * offset - exact))
    fixed = term(elapsed) == 1
    return Argument(
        (Case("offset", (), off <= PPB), Case("rate", (), rate == term(corner_rate))),
        witness=(fixed, term(corner_rate) == 500_000_000, off == PPB),
        beyond=(fixed, off == PPB),
    )


@obligation
def wandering_reaches_as_far_as_its_integrals() -> Argument:
    """Offset and rate wander by at most w·t²/2 and w·t, in whole parts: half as far in the middle of both."""
    a, b = (term(each) for each in track.reach(elapsed, wander))
    t, w = term(elapsed), term(wander)
    fixed = (t == 1_000_000_000, w == 1000)
    return Argument(
        (
            Case("offset", (), 2 * PPB * PPB * a == SCALE * w * t * t),
            Case("rate", (), PPB * b == SCALE * w * t),
            Case("how they hang together", (), 2 * PPB * a == b * t),
        ),
        witness=(*fixed, a == 500 * SCALE, b == 1000 * SCALE),
        points=((t == 3_000_000_000, w == 5),),
    )


@obligation
def a_hexagon_is_what_wandering_can_add() -> Argument:
    """A pair within both reaches, and half of one from the line between, is in the hexagon of the six corners, exactly.

    Each of the six inequalities holds at all corners, and with equality at the two of one edge: so they are its edges.
    """
    half_a, half_b, x, y = numbers("half_a half_b x y")
    a, b = 2 * half_a, 2 * half_b
    corners = track.hexagon(a, b)

    def beyond(corner: Any) -> list[Term]:
        """By how much it is beyond each edge, counter-clockwise from the right one."""
        right, top = corner[0] - a, corner[1] - b
        skew, most = corner[0] * b - corner[1] * a, a * half_b
        left, bottom = -corner[0] - a, -corner[1] - b
        return [term(each) for each in (right, top, -skew - most, left, bottom, skew - most)]

    excess = [beyond(corner) for corner in corners]
    product = term(half_a * half_b) >= 0
    positive = (term(half_a) >= 0, term(half_b) >= 0, product)
    return Argument(
        (
            Case("a product of what is not negative", positive[:2], product),
            *(Case(f"edge {i + 1}", positive, And(excess[i][i] == 0, excess[(i + 1) % 6][i] == 0)) for i in range(6)),
            *(
                Case(f"corner {i}", positive, And(*(each <= 0 for each in beyond_each)))
                for i, beyond_each in enumerate(excess, 1)
            ),
        ),
        witness=(*positive, term(half_a) == 3, term(half_b) == 5, *(each <= 0 for each in beyond((x, y))), term(y) > 9),
        beyond=(*positive, term(half_a) == 3, term(half_b) == 5, term(x) == 6, term(y) < 5, beyond((x, y))[5] > 0),
    )


@obligation
def what_rounding_takes_from_a_hexagon_is_added_around_it() -> Argument:
    """Rounding takes half a unit of each corner, and as much of where a straight line leads: two units are added."""
    added: list[Any] = []
    halves = numbers("half_a half_b")
    corners = track.hexagon(*(2 * half for half in halves))
    nearest = [(Int(f"x{i}"), Int(f"y{i}")) for i in range(1, 7)]
    rounded: list[Any] = []
    reached: list[Any] = []

    def near(value: Any, parts: Any) -> Number:
        rounded.append((term(value), term(parts)))
        return Number(nearest[(len(rounded) - 1) // 2][(len(rounded) - 1) % 2])

    def inflated(points: Any, by: int) -> Any:
        added.append((points, by))
        return points

    def reach(*of: Any) -> tuple[Number, ...]:
        reached.append(of)
        return tuple(2 * half for half in halves)

    promise = SimpleNamespace(hull=list, nearest=near, inflated=inflated)
    points = unforked(track.wandered, polygon=promise, reach=reach)(elapsed, wander)
    of_this = len(reached) == 1 and reached[0][0] is elapsed and reached[0][1] is wander
    [(around, by)] = added
    exact = [coordinate for corner in corners for coordinate in corner]
    asked = [And(value == term(each), parts == SCALE) for (value, parts), each in zip(rounded, exact, strict=True)]
    told = [And(term(o) == x, term(f) == y) for (o, f), (x, y) in zip(points, nearest, strict=True)]
    taken, moved = Reals("rounding_of_corners rounding_of_a_line")
    lost = And(magnitude(2 * taken) <= 1, magnitude(2 * moved) <= 1)
    return Argument(
        (
            Case("each corner of its reach is rounded", (), And(of_this, *asked)),
            Case("and kept", (), And(*told, around is points)),
            Case("enough is added", (lost,), magnitude(taken + moved) <= by),
        ),
        witness=(lost, taken + moved == 1),
    )


@obligation
def a_line_from_a_track_holds_its_extent() -> Argument:
    """The extent of a track holds the true offset, and its straight line the true offset and rate, rounded outward."""
    corners = [numbers(f"o{i} f{i}") for i in (1, 2, 3)]
    known = Track(as_of, tuple(corners), LOOSE)  # type: ignore[arg-type]  # numbers that can be any
    between = [
        And(
            Or(*(term(corner[axis]) <= truth for corner in corners)),
            Or(*(truth <= term(corner[axis]) for corner in corners)),
        )
        for axis, truth in ((0, offset_ps), (1, rate_ppt))
    ]
    world = (*between, in_loose(LOOSE))
    extent = lift(partial(unforked(track.extent), known), world)
    line = lift(partial(unforked(track.straight), known), world)

    def straight(found: Any) -> Term:
        offset_off = magnitude(offset_ps - PS * term(found.offset_ns)) <= PS * term(found.bound_ns)
        rate_off = magnitude(rate_ppt - term(found.rate_ppt)) <= term(found.rate_bound_ppt)
        return And(offset_off, rate_off, term(found.as_of_raw_ns) == term(as_of))

    def narrow(found: Interval) -> Term:
        ends = [term(corner[0]) for corner in corners]
        first, last = term(found.earliest_ns), term(found.latest_ns)
        no_wider = And(first >= term(low), last <= term(high))
        return And(
            no_wider, Or(*(PS * (first + 1) > end for end in ends)), Or(*(PS * (last - 1) < end for end in ends))
        )

    one_less = extent.possible(lambda found: Not(offset_ps <= PS * (term(found.latest_ns) - 1)))
    return Argument(
        (
            *extent.grouped("extent", in_loose),
            *extent.grouped("no wider", narrow),
            *line.grouped("line", straight),
        ),
        witness=(*world, offset_ps > PS * term(low), rate_ppt < 0),
        beyond=(*world, one_less),
    )


@obligation
def a_track_begins_with_all_that_is_possible() -> Argument:
    """At first every offset of an interval is possible, with every rate within the stated drift."""
    begun = unforked(track.begin, polygon=SimpleNamespace(hull=list))(as_of, LOOSE, OSCILLATOR)
    most = PS * term(drift)
    corners = [(term(o), term(f)) for o, f in begun.pairs]
    wanted = [(PS * term(end), rate) for end in (low, high) for rate in (-most, most)]
    there = [Or(*(And(o == x, f == y) for o, f in corners)) for x, y in wanted]
    kept = And(in_loose(begun.loose) == in_loose(LOOSE), term(begun.as_of_raw_ns) == term(as_of))
    return Argument((Case("corners", (), And(*there)), Case("loose", (), kept)), witness=(in_loose(LOOSE), most > 0))


@obligation
def a_later_track_grows_by_the_drift() -> Argument:
    """Beside the polygon, an interval grows by the stated drift alone: it holds the truth a while later."""
    moved = lift(partial(unforked(track.later, polygon=POLYGONS), BEFORE, now, OSCILLATOR))
    time = term(now) - term(as_of)
    truth = Real("truth_ns")
    drifted = And(PPB * (later_ns - truth) <= time * term(drift), PPB * (truth - later_ns) <= time * term(drift))
    world = (within(LOOSE, truth), drifted, time >= 0)

    def claim(found: Track) -> Term:
        if found is BEFORE:
            return time == 0
        return And(within(found.loose, later_ns), term(found.as_of_raw_ns) == term(now), time != 0)

    fixed = term(drift) == 50_000
    return Argument(
        tuple(Case(case.name, (*world, *case.assumptions), case.claim) for case in moved.grouped("always", claim)),
        witness=(*world, fixed, time > 0, later_ns > term(high)),
        beyond=(*world, fixed, time > 0, moved.possible(lambda found: later_ns > term(found.loose.latest_ns) - 1)),
    )
