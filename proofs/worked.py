"""Examples worked out by hand: what `clock.py`, `polygon.py` and `track.py` give for plain integers, to the last unit.

A sentence about all integers says what a result is good for; an example says what it is. Both are asked of the shipped
functions, and they fail in different ways. Where code is read path by path, a mistake may leave nothing to read: an
example still says what went wrong, in numbers that anybody can check with a pencil. Mutants are looked at here first
where a sentence takes long to ask (`mutants.py`).

The figures come from a drawing or from a sum on paper, never from a run. An example that comes out is no proof of
anything else; how many mutants examples alone see is told by the report (`kills alone`).
Next: `clocks.py`, `polygons.py`, `tracks.py`, for all integers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Final

from z3 import And, BoolVal, Int, IntVal

import model.polygon
import model.track
from model.clock import Interval, Line
from model.polygon import Polygon
from model.track import Broken, Oscillator, Track
from proofs.limited import limited
from proofs.obligations import Argument, Case, Reading, Term, clock, obligation

polygon: Final = Reading(model.polygon)
track: Final = Reading(model.track)

EXAMPLE_LIMIT_S: Final = 0.1
"""An example takes less than a thousandth of a second; one that does not end is wrong."""

Example = tuple[str, tuple[Any, ...] | dict[str, Any], Any]
"""A function, what it is given (by position or by name), and what it must give."""


def argument(module: Reading, examples: Sequence[Example]) -> Argument:
    """One case for each example. Its name says what was worked out, and what came instead if something else did."""
    cases = []
    for function, given, wanted in examples:
        by_name = given if isinstance(given, dict) else {}
        by_position = () if isinstance(given, dict) else given
        told = [*map(shown, by_position), *(f"{name}={shown(value)}" for name, value in by_name.items())]
        try:
            with limited(EXAMPLE_LIMIT_S):
                found = getattr(module, function)(*by_position, **by_name)
        except Exception as error:  # noqa: BLE001  (a wrong function may raise whatever it likes)
            found = error
        said = f"{function}({', '.join(told)}) = {shown(wanted)}"
        cases.append(
            Case(said if found == wanted else f"{said}, but Python gives {shown(found)}", (), same(found, wanted))
        )
    function, _, first = examples[0]
    return Argument(tuple(cases), witness=(Int(function) == next(numbers_in(first)),))


def same(found: object, wanted: object) -> Term:
    """That two results are alike, number for number."""
    if type(found) is not type(wanted) or shape(found) != shape(wanted):
        return BoolVal(False)
    pairs = zip(numbers_in(found), numbers_in(wanted), strict=True)
    return And(BoolVal(True), *(equal(one, other) for one, other in pairs))


@cache
def equal(one: int, other: int) -> Term:
    return IntVal(one) == IntVal(other)


def numbers_in(value: Any) -> Iterator[int]:
    """The numbers in a result, in order."""
    if isinstance(value, int):
        yield int(value)
    for part in parts_of(value):
        yield from numbers_in(part)


def shape(value: Any) -> object:
    """A result without its numbers."""
    return "number" if isinstance(value, int) else [shape(part) for part in parts_of(value)] or str(value)


def parts_of(value: Any) -> Sequence[Any]:
    """What a result is made of."""
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in fields(value)]
    return value if isinstance(value, tuple | list) else ()


def shown(value: object) -> str:
    """A value as it is written on paper."""
    if isinstance(value, Exception):
        return f"{type(value).__name__}: {value}"
    parts = ", ".join(map(shown, parts_of(value)))
    if (is_dataclass(value) and not isinstance(value, type)) or hasattr(value, "_fields"):
        return f"{type(value).__name__}({parts})"
    return f"[{parts}]" if isinstance(value, list) else f"({parts})" if isinstance(value, tuple) else str(value)


SECOND: Final = 1_000_000_000
A, B, C = Interval(1, 4), Interval(3, 9), Interval(5, 8)
LINE = Line(5 * SECOND, 1000, 20, 1_000_000, 500_000)
UNSURE = Line(5 * SECOND, 1000, 20, 1_000_000, 500_000_000_000)

CLOCKS: Final[tuple[Example, ...]] = (
    ("growth_ns", (SECOND + 1, 50_000), 50_001),  # 50 000.00005, rounded up
    ("growth_ns", (-2, 500_000_000), 1),
    ("extrapolated_ns", (-3, 500_000_000_000), -2),  # −1.5, rounded down
    ("rate_growth_ns", (-2 * SECOND, 500_000, 1000), 1003),  # 1000 by the rate, 2 by wandering, 1 for the line
    ("interval", (3, 3), Interval(3, 3)),
    ("interval", (4, 3), None),
    ("line", (7, Interval(-3, 6), -5, 8), Line(7, 1, 5, 1, 7)),
    ("stamp", (LINE, 7 * SECOND, 30, 50_000, 1000), (7 * SECOND + 3000, 20 + 1003 + 31)),
    ("stamp", (UNSURE, 7 * SECOND, 30, 50_000, 1000), (7 * SECOND + 1000, 20 + 100_000 + 31)),
    ("realtime_lead_ns", (100, 907, 105), (805, 4)),
    ("lead_change_ns", (3, 8, 2), 7),
    ("receive_moment", (1000, 800, 4, 7), (200, 11)),
    ("grow", (Interval(-3, 5), SECOND, 2), Interval(-5, 7)),
    ("intersect", (A, B), Interval(3, 4)),
    ("intersect", (A, C), None),
    ("contains", (A, 4), True),
    ("contains", (A, 5), False),
    ("tolerated_liars", (4,), 1),
    ("lies_in_enough", ([A, B, C], 4, 2), True),
    ("lies_in_enough", ([A, B, C], 4, 3), False),
    ("earliest_agreed_ns", ([A, B, C], 2), 3),
    ("earliest_agreed_ns", ([C, B, A], 1), 1),
    ("earliest_agreed_ns", ([A, B, C], 3), None),
    ("latest_agreed_ns", ([A, B, C], 2), 8),
    ("latest_agreed_ns", ([C, B, A], 1), 9),
    ("latest_agreed_ns", ([A, B, C], 3), None),
    ("hull", ([A, B, C], 2), Interval(3, 8)),
    ("hull", ([A, B, C], 3), None),
)
"""In ns, drift in ppb, rates in ppt."""


@obligation
def readings_worked_out_by_hand_come_out() -> Argument:
    """Lines, stamps and what sources agree on are those worked out by hand, in examples with plain integers."""
    return argument(clock, CLOCKS)


def exchange(t1: int, t2: int, t3: int, t4: int, distance: int, reading: int, drift: int) -> dict[str, int]:
    return {
        "sent_raw_ns": t1,
        "server_received_ns": t2,
        "server_sent_ns": t3,
        "received_raw_ns": t4,
        "distance_ns": distance,
        "reading_raw_ns": reading,
        "drift_ppb": drift,
    }


A_SECOND_AGO = exchange(1000, 9100, 9130, 1090, 7, SECOND + 1000, 50_000)
HELD_TOO_LONG = exchange(0, 100, 300, 50, 10, 50, 0)
"""The server says that it held the request for 200 of the 50 that we waited."""

EXCHANGES: Final[tuple[Example, ...]] = (
    ("exchange_offset", A_SECOND_AGO, Interval(8040 - 7 - 50_000, 8100 + 7 + 50_000)),
    ("exchange_offset", HELD_TOO_LONG, None),
)


@obligation
def exchanges_worked_out_by_hand_come_out() -> Argument:
    """An exchange leaves the interval worked out by hand, and none where the server held it longer than we waited."""
    return argument(clock, EXCHANGES)


def box(low: int, high: int) -> Polygon:
    return (low, low), (high, low), (high, high), (low, high)


SQUARE, TRIANGLE = box(0, 8), ((0, 0), (4, 0), (0, 4))
CUT = ((0, 0), (8, 0), (8, 7), (7, 8), (0, 8))
"""The square with a corner of one unit cut off."""
CUT_TWICE = ((0, 0), (8, 0), (8, 7), (7, 8), (2, 8), (0, 6))
LEANING = ((0, 0), (4, 0), (5, 3), (3, 8), (0, 8))
"""Without the edge from (4, 0) to (5, 3), its neighbours meet at (6.2, 0): (6, 0), and (5, 3) must not stay."""

POLYGONS: Final[tuple[Example, ...]] = (
    ("around", (7, -7, 2), [(3, -4), (4, -4), (4, -3), (3, -3)]),
    ("around", (6, 9, 3), [(2, 3)] * 4),
    ("nearest", (7, 2), 4),
    ("nearest", (-7, 2), -3),
    ("nearest", (4, 3), 1),
    ("crossing", ((2, 1), (6, 9), -1, 3), (12, 12, 4)),  # (3, 3): a quarter of the way
    ("turn", ((1, 2), (4, 3), (2, 6)), 11),
    ("turn", ((1, 2), (2, 6), (4, 3)), -11),
    ("chain", (((0, 0),),), ((0, 0),)),
    ("chain", (((0, 0), (1, 5)),), ((0, 0), (1, 5))),
    ("chain", (((0, 0), (1, 0), (2, 0), (2, 3)),), ((0, 0), (2, 0), (2, 3))),
    ("chain", (((0, 0), (0, 4), (2, 1), (4, 0), (4, 4)),), box(0, 4)),
    ("chain", (((0, 2), (1, 0), (1, 3), (3, 0), (3, 3), (4, 1)),), ((0, 2), (1, 0), (3, 0), (4, 1), (3, 3), (1, 3))),
    ("hull", ([(2, 2), (4, 4), (0, 0), (4, 0), (2, 1), (0, 4), (0, 0)],), box(0, 4)),
    ("hull", ([(5, 7)],), ((4, 6), (6, 6), (6, 8), (4, 8))),
    ("hull", ([(0, 0), (1, 1), (2, 2)],), ((-1, -1), (1, -1), (3, 1), (3, 3), (1, 3), (-1, 1))),
    ("inside", (((0, 0), (8, 0), (0, 8)), (-2, 6, -2)), [(0, 0), *[(2, 0)] * 4, *[(2, 6)] * 4, (0, 8)]),
    ("inside", (((0, 0), (4, 0), (4, 4)), (-1, 0, 1)), [*[(2, 2)] * 4, (0, 0), (4, 0)]),
    ("inside", (((0, 0), (4, 0), (4, 4)), (1, 0, -1)), [*[(2, 2)] * 4, (4, 0), (4, 4)]),
    ("clip", (SQUARE, 1, 0, 3), ((0, 0), (3, 0), (3, 8), (0, 8))),
    ("clip", (SQUARE, 0, 1, 3), ((0, 0), (8, 0), (8, 3), (0, 3))),
    ("clip", (SQUARE, 1, 1, 4), TRIANGLE),
    ("clip", (SQUARE, 1, 0, 8), SQUARE),
    ("clip", (SQUARE, 1, 0, 0), ((-1, -1), (1, -1), (1, 9), (-1, 9))),
    ("clip", (SQUARE, 1, 0, -1), None),
    ("intersection", (SQUARE, ((4, 4), (10, 4), (4, 10))), ((4, 4), (8, 4), (8, 6), (6, 8), (4, 8))),
    ("intersection", (SQUARE, ((20, 20), (24, 20), (20, 24))), None),
    ("intersection", (SQUARE, ((-9, -9), (-5, -9), (-9, -5))), None),
    ("sum_of", (((0, 0), (2, 0), (0, 2)), ((1, 1), (3, 1), (1, 4))), ((1, 1), (5, 1), (3, 4), (1, 6))),
    ("inflated", (TRIANGLE, 1), ((-1, -1), (5, -1), (5, 1), (1, 5), (-1, 5))),
    ("contains", (TRIANGLE, (2, 2)), True),
    ("contains", (TRIANGLE, (0, 0)), True),
    ("contains", (TRIANGLE, (3, 2)), False),
    ("contains", (TRIANGLE, (-1, 1)), False),
    ("contains", (TRIANGLE, (1, -1)), False),
    ("meeting", ((1, 1), (3, 1), (6, 4), (6, 8)), (48, 8, 8)),  # (6, 1)
    ("meeting", ((0, 0), (2, 1), (5, 0), (7, 4)), (40, 20, 6)),  # (20/3, 10/3): y = x/2 and y = 2·(x − 5)
    ("_edges_beside", (CUT, 2), ((8, 0), (8, 7), (7, 8), (0, 8))),
    ("_edges_beside", (CUT, 0), ((0, 8), (0, 0), (8, 0), (8, 7))),
    ("_edges_beside", (CUT, 4), ((7, 8), (0, 8), (0, 0), (8, 0))),
    ("_cost_without_edge", (CUT, 2), 1),
    ("_cost_without_edge", (CUT, 1), 49),  # up to (15, 0): a triangle 7 wide and 7 high
    ("_cost_without_edge", (CUT, 0), None),  # parallel
    ("_cost_without_edge", (TRIANGLE, 0), None),  # run apart
    ("_cost_without_edge", (CUT_TWICE, 4), 4),
    ("_cost_without_edge", (((0, 0), (1, 0), (1, 1), (0, 2)), 1), 1),  # up to (2, 0)
    ("simplified", (SQUARE[1:] + SQUARE[:1], 4), SQUARE[1:] + SQUARE[:1]),
    ("simplified", (CUT, 6), CUT),
    ("simplified", (CUT[3:] + CUT[:3], 4), box(-1, 9)),
    ("simplified", (LEANING, 4), ((-1, -1), (7, -1), (7, 1), (4, 9), (-1, 9))),
    ("simplified", (CUT, 4), box(-1, 9)),
    ("simplified", (CUT_TWICE, 5), ((-1, -1), (9, -1), (9, 9), (1, 9), (-1, 7))),
    ("simplified", (TRIANGLE, 2), TRIANGLE),  # no edge can go
    ("in_enough", ([SQUARE, box(4, 12), box(6, 14)], 3), box(6, 8)),
    ("in_enough", ([SQUARE, box(4, 12), box(20, 24)], 2), box(4, 8)),
    ("in_enough", ([SQUARE, box(20, 24)], 2), None),
    ("in_enough", ([SQUARE, TRIANGLE], 1), SQUARE),
)


@obligation
def polygons_worked_out_by_hand_come_out() -> Argument:
    """Hulls, cuts, sums and simpler polygons are those drawn by hand, corner by corner, in examples."""
    return argument(polygon, POLYGONS)


def pairs(left: int, right: int, slowest: int, fastest: int) -> Polygon:
    return (left, slowest), (right, slowest), (right, fastest), (left, fastest)


OSCILLATOR = Oscillator(drift_ppb=2, wander_ppt_s=0)
BEFORE = Track(7, pairs(-3000, 5000, -2000, 2000), Interval(-3, 5))
OTHER = Track(7, pairs(0, 9000, -5000, 1000), Interval(0, 9))
FAR = Track(7, pairs(100_000, 200_000, 0, 10), Interval(100, 200))
WIDE = Track(7, BEFORE.pairs, Interval(-30, 30))
TORN = Track(7, FAR.pairs, BEFORE.loose)
SHARED = Track(7, pairs(0, 5000, -2000, 1000), Interval(0, 5))
A_SECOND_LATER = (
    *((-5003, -2000), (3006, -2000), (7003, 1997)),  # sheared by 1 ps for each ppt, a box of ±3 added, cut at ±2000
    *((7003, 2000), (-1006, 2000), (-5003, -1997)),
)

TRACKS: Final[tuple[Example, ...]] = (
    ("begin", (7, Interval(-3, 5), OSCILLATOR), BEFORE),
    ("later", (BEFORE, 7, OSCILLATOR), BEFORE),
    ("later", (BEFORE, SECOND + 7, OSCILLATOR), Track(SECOND + 7, A_SECOND_LATER, Interval(-5, 7))),
    ("sheared", (1000, 3000, 2 * SECOND), (7000, 3000)),
    ("narrowed", (BEFORE, Interval(0, 4)), Track(7, pairs(0, 4000, -2000, 2000), Interval(0, 4))),
    ("narrowed", (BEFORE, Interval(6, 9)), Broken.STEP),
    ("narrowed", (WIDE, Interval(6, 9)), Broken.WANDER),
    ("narrowed", (WIDE, Interval(-9, -6)), Broken.WANDER),
    ("both", (BEFORE, OTHER), SHARED),
    ("both", (BEFORE, FAR), Broken.STEP),
    ("both", (BEFORE, TORN), Broken.WANDER),
    ("agreed", ((BEFORE, OTHER, FAR), 2), SHARED),
    ("agreed", ((BEFORE, FAR), 2), None),
    ("agreed", ((BEFORE, TORN), 2), None),
    ("agreed", ((BEFORE, Track(7, BEFORE.pairs, FAR.loose)), 2), None),
    ("touches", (BEFORE, OTHER), True),
    ("touches", (BEFORE, TORN), False),
    ("extent", (Track(7, BEFORE.pairs, Interval(-2, 9)),), Interval(-2, 5)),
    ("extent", (Track(7, ((-1, 0), (1, 0), (1, 1)), Interval(5, 6)),), Interval(-1, 1)),  # rounded outward
    ("straight", (BEFORE,), Line(7, 1, 4, 0, 2000)),
    ("within_drift", (pairs(0, 10, -9000, 9000), OSCILLATOR), pairs(0, 10, -2000, 2000)),
    ("within_drift", (pairs(0, 10, 5000, 6000), OSCILLATOR), pairs(0, 10, 5000, 6000)),
    ("within_drift", (pairs(0, 10, -6000, -5000), OSCILLATOR), pairs(0, 10, -6000, -5000)),
    ("wandered", (SECOND, 0), box(-3, 3)),
    ("wandered", (SECOND, 1), ((-2, -3), (2, -3), (3, -1), (3, 3), (-2, 3))),  # halves are rounded up
    ("reach", (3 * SECOND, 5), (90 * SECOND**2, 60 * SECOND**2)),
    ("hexagon", (4, 6), ((4, 3), (4, 6), (2, 6), (-4, -3), (-4, -6), (-2, -6))),
)
"""Offsets of pairs in ps, their rates in ppt; loose intervals in ns."""


@obligation
def tracks_worked_out_by_hand_come_out() -> Argument:
    """What a track becomes, by time, by exchanges and by other tracks, is what was drawn by hand, in examples."""
    return argument(track, TRACKS)
