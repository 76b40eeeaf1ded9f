"""Polygons only ever err outward: the steps of which `model/polygon.py` is made, each for all integers.

Corners are pairs of integers that can be any, so the questions are polynomial: of triangles, of four points, of one
edge. What solvers are not asked is how these steps add up for any number of corners; that is textbook, and this is all
of it that is used: the part of a convex polygon in a half-plane is the convex hull of its corners there and of the
crossings of its edges with the border; a convex set that holds the integer corners around a point holds the point; the
sum of two hulls is the hull of the sums. `tests/model/test_polygon.py` tries the whole on random polygons.
Next: `tracks.py`, what the polygons mean.
"""

from functools import partial
from itertools import pairwise, product
from typing import Any, Final

from z3 import And, BoolVal, Implies, Not, Or

import model.polygon
from proofs.lift import lift, unforked
from proofs.obligations import Argument, Case, Reading, Term, obligation
from proofs.symbolic import Number, numbers, term

polygon: Final = Reading(model.polygon)
numerator, other_numerator, denominator, by = numbers("numerator other_numerator denominator by")
a, b, c, below, above = numbers("a b c below above")
p, q, r, s, z = (numbers(f"{name}x {name}y") for name in "pqrsz")
Pair = tuple[Number, ...]


def flat(point: Any) -> tuple[Term, Term]:
    return term(point[0]), term(point[1])


def same(one: Any, other: Any) -> Term:
    return And(*(x == y for x, y in zip(flat(one), flat(other), strict=True)))


AT: Final = (same(p, (1, 2)), same(q, (4, 3)), same(r, (2, 6)))
"""A triangle, where a mutant may be seen."""


@obligation
def the_nearest_integer_is_within_a_half() -> Argument:
    """A quotient and the nearest integer to it differ by a half at most."""
    rounded = lift(lambda: polygon.nearest(numerator, denominator), (term(denominator) > 0,))

    def off(found: Number) -> Term:
        return 2 * (term(found) * term(denominator) - term(numerator))

    def claim(found: Number) -> Term:
        return And(-term(denominator) < off(found), off(found) <= term(denominator))

    three = term(denominator) == 2
    return Argument(
        rounded.cases("always", claim),
        witness=(three, rounded.possible(lambda found: term(found) == 7)),
        beyond=(three, rounded.possible(lambda found: off(found) > term(denominator) - 1)),
        small=(three,),
    )


@obligation
def the_corners_around_a_point_hold_it() -> Argument:
    """The four integer corners around a rational point are the box of the integers next to it, down and up."""
    found = lift(lambda: polygon.around(numerator, other_numerator, denominator), (term(denominator) > 0,))

    def claim(corners: list[Pair]) -> Term:
        (left, low), (right, lower), (righter, high), (lefter, higher) = (flat(corner) for corner in corners)
        box = And(left == lefter, right == righter, low == lower, high == higher)
        parts, x, y = term(denominator), term(numerator), term(other_numerator)
        holds = And(left * parts <= x, x <= right * parts, low * parts <= y, y <= high * parts)
        next_to = And(
            x - left * parts < parts, right * parts - x < parts, y - low * parts < parts, high * parts - y < parts
        )
        return And(box, holds, next_to)

    three = term(denominator) == 3
    return Argument(
        found.cases("always", claim),
        witness=(three, found.possible(lambda corners: flat(corners[0])[0] < flat(corners[1])[0])),
        beyond=(three, found.possible(lambda corners: 3 * (flat(corners[1])[0] - 1) < term(numerator))),
        small=(three,),
    )


def excess_of(point: Any) -> Term:
    """How far a point is beyond the border a·x + b·y = c."""
    return term(a) * term(point[0]) + term(b) * term(point[1]) - term(c)


@obligation
def an_edge_leaves_a_half_plane_where_it_crosses_its_border() -> Argument:
    """The point where an edge is cut is on the edge, between its ends, and on the border."""
    x, y, parts = (term(each) for each in polygon.crossing(p, q, below, above))
    out, back = term(above), -term(below)
    weighted = And(x == out * term(p[0]) + back * term(q[0]), y == out * term(p[1]) + back * term(q[1]))
    signs = (term(below) < 0, term(above) > 0)
    # So x and y are linear in the corners, and a·x + b·y is what this gives of corners (a·x, b·y), each one unknown.
    ax, by, ax2, by2 = numbers("a_times_px b_times_py a_times_qx b_times_qy")
    inside, outside = ax + by - c, ax2 + by2 - c
    scaled_at = [term(each) == at for each, at in ((ax, 4), (by, 3), (ax2, 12), (by2, 27), (c, 13))]
    scaled = tuple(term(each) for each in polygon.crossing((ax, by), (ax2, by2), inside, outside))
    return Argument(
        (
            Case("on the edge", (), weighted),
            Case("between the ends", signs, And(parts == out + back, out > 0, back > 0)),
            Case("on the border", (), scaled[0] + scaled[1] == term(c) * scaled[2]),
        ),
        witness=(*signs, term(inside) == -1, term(outside) == 2, scaled[2] == 3),
        points=((same(p, (2, 1)), same(q, (6, 9)), term(below) == -1, term(above) == 3, *scaled_at),),
    )


@obligation
def clipping_keeps_what_is_inside_and_every_crossing() -> Argument:
    """Of a triangle or quadrangle every corner in the half-plane is kept, and around the crossing of every edge cut."""
    cases: list[Case] = []
    for corners in (p, q, r), (p, q, r, s):
        excess = [numbers(f"excess{i}")[0] for i in range(len(corners))]
        parts = unforked(polygon.inside, around=lambda *piece: [piece], crossing=lambda *piece: piece)
        ways = lift(partial(parts, corners, excess))
        cases += ways.grouped(f"{len(corners)} corners", partial(all_are_kept, corners, excess))
    cut = And(excess_of(p) < 0, excess_of(q) > 0)
    return Argument(tuple(cases), witness=(cut, term(a) == 3, term(b) == -2))


def all_are_kept(corners: tuple[Pair, ...], excess: list[Number], kept: list[tuple[Any, ...]]) -> Term:
    """That each corner not beyond is there, and each crossing of an edge, made of its own ends' numbers."""
    beyond = {id(corner): each for corner, each in zip(corners, excess, strict=True)}
    there = {id(each) for each in kept if len(each) == 2}
    cut = {tuple(id(part) for part in each) for each in kept if len(each) == 4}
    inside = [(term(each) <= 0) == BoolVal(id(corner) in there) for corner, each in zip(corners, excess, strict=True)]
    crossed = [
        Implies(
            And(term(beyond[id(one)]) < 0, term(beyond[id(other)]) > 0),
            (id(one), id(other), id(beyond[id(one)]), id(beyond[id(other)])) in cut,
        )
        for here, after in pairwise((*corners, corners[0]))
        for one, other in ((here, after), (after, here))
    ]
    signs = [And(term(each[2]) < 0, term(each[3]) > 0) for each in kept if len(each) == 4]
    return And(*inside, *crossed, *signs)


@obligation
def a_clipped_polygon_is_whole_or_none_only_if_it_must() -> Argument:
    """A polygon is left alone exactly if no corner is beyond the border, and is none exactly if all are."""
    corners = (p, q, r)
    clipped = lift(partial(unforked(polygon.clip, hull=tuple, inside=lambda *parts: parts), corners, a, b, c))
    beyond = [excess_of(corner) for corner in corners]

    def claim(found: Any) -> Term:
        if found is None:
            return And(*(each > 0 for each in beyond))
        if found is corners:
            return And(*(each <= 0 for each in beyond))
        told = [term(said) == each for said, each in zip(found[1], beyond, strict=True)]
        return And(found[0] is corners, *told, Or(*(each > 0 for each in beyond)), Or(*(each <= 0 for each in beyond)))

    return Argument(
        clipped.grouped("always", claim),
        witness=(beyond[0] > 0, beyond[1] == 0, beyond[2] < 0, term(a) == 3, term(b) == -2),
        points=tuple((*AT, term(a) == 3, term(b) == -2, term(c) == most) for most in (-20, -11, 2, 5, 11, 20)),
    )


def left_of(one: Pair, other: Pair, point: Pair) -> Term:
    return term(polygon.turn(one, other, point)) >= 0


@obligation
def a_turn_is_the_same_from_each_corner_and_wherever_it_lies() -> Argument:
    """Three points turn the same way from each of them, the other way in the other order, and wherever they lie."""
    turned = term(polygon.turn(p, q, r))
    moved = [(x + z[0], y + z[1]) for x, y in (p, q, r)]
    return Argument(
        (
            Case("from the next", (), term(polygon.turn(q, r, p)) == turned),
            Case("backwards", (), term(polygon.turn(r, q, p)) == -turned),
            Case("wherever", (), term(polygon.turn(*moved)) == turned),
            Case("left is left", (same(p, (0, 0)), same(q, (1, 0))), turned == term(r[1])),
            Case("twice an area", (same(p, (0, 0)), same(r, (0, 1))), turned == term(q[0])),
        ),
        witness=(same(p, (0, 0)), same(q, (1, 0)), turned > 0),
        points=((*AT, same(z, (11, 13))),),
    )


def in_order(*points: Pair) -> tuple[Term, ...]:
    """That points are sorted and all different."""
    pairs = [(flat(one), flat(other)) for one, other in pairwise(points)]
    return tuple(Or(one[0] < other[0], And(one[0] == other[0], one[1] < other[1])) for one, other in pairs)


@obligation
def a_chain_holds_the_points_that_it_is_made_of() -> Argument:
    """The hull of three points holds all of them and turns left at every corner; so do the hulls of two and of one."""
    given = in_order(p, q, r)
    made = lift(lambda: polygon.chain((p, q, r)), given)

    def claim(corners: tuple[Pair, ...]) -> Term:
        edges = list(pairwise((*corners, corners[0])))
        holds = [left_of(one, other, point) for one, other in edges for point in (p, q, r)]
        return And(*holds, *(Or(*(same(corner, point) for point in (p, q, r))) for corner in corners))

    return Argument(
        (
            *made.cases("three", claim),
            *lift(lambda: polygon.chain((p, q)), given[:1]).cases(
                "two", lambda corners: And(same(corners[0], p), same(corners[1], q))
            ),
            *lift(lambda: polygon.chain((p,))).cases("one", lambda corners: same(corners[0], p)),
        ),
        witness=(*given, term(polygon.turn(p, q, r)) > 0, same(p, (0, 0))),
    )


@obligation
def a_point_is_in_a_polygon_that_it_is_left_of() -> Argument:
    """A triangle contains a point exactly if the point is on the left of each of its edges, or on it."""
    found = lift(lambda: polygon.contains((p, q, r), z), prune=False)
    left = And(left_of(p, q, z), left_of(q, r, z), left_of(r, p, z))
    corner = (same(p, (0, 0)), same(q, (9, 0)), same(r, (0, 9)))
    return Argument(
        found.grouped("always", lambda held: term(bool(held)) == left),
        witness=(*corner, left, term(z[0]) == 0),
        beyond=(*corner, Not(left), term(z[0]) == -1),
        points=tuple((*corner, same(z, at)) for at in ((3, 3), (4, 5), (0, 3), (3, 0), (-1, 3), (3, -1), (6, 7))),
    )


@obligation
def an_intersection_is_cut_along_every_edge() -> Argument:
    """To intersect with a triangle is to clip the one along the other's edges: what is left of it is what is inside."""
    cuts: list[tuple[Any, ...]] = []
    clipped: list[object] = []
    one = tuple(numbers(f"one_x{i} one_y{i}") for i in (1, 2, 3))

    def clip(common: object, *line: Any) -> object:
        clipped.append(common)
        cuts.append(line)
        return common

    left = unforked(polygon.intersection, clip=clip)(one, (p, q, r))
    of_the_one = left is one and all(each is one for each in clipped)
    kept = [term(x * z[0] + y * z[1]) <= term(most) for x, y, most in cuts]
    lefts = [left_of(p, q, z), left_of(q, r, z), left_of(r, p, z)]
    each = (Case(f"edge {i}", (), cut == side) for i, (cut, side) in enumerate(zip(kept, lefts, strict=True), 1))
    corner = (same(p, (0, 0)), same(q, (9, 0)), same(r, (0, 9)))
    whole = Case("of the one", (), And(of_the_one, len(cuts) == 3))
    beyond = (*corner, term(z[0]) == -1, *kept[:2], Not(kept[2]))
    points = tuple((*AT, same(z, at)) for at in ((2, 3), (-1, 5), (9, 9)))
    return Argument((*each, whole), witness=(*corner, *kept), beyond=beyond, points=points)


@obligation
def a_sum_and_an_inflated_polygon_have_all_corners() -> Argument:
    """A sum has every corner of one moved by every corner of the other; an inflated one a box around each corner."""
    summed = unforked(polygon.sum_of, hull=list)((p, q, r), (s, z))
    boxed = unforked(polygon.inflated, hull=list)((p, q, r), by)
    around = [(term(i), term(j)) for i, j in product((-by, by), repeat=2)]

    def there(points: list[Pair], x: Term, y: Term) -> Term:
        return Or(*(And(term(point[0]) == x, term(point[1]) == y) for point in points))

    sums = [there(summed, flat(u)[0] + flat(v)[0], flat(u)[1] + flat(v)[1]) for u in (p, q, r) for v in (s, z)]
    boxes = [there(boxed, flat(u)[0] + i, flat(u)[1] + j) for u in (p, q, r) for i, j in around]
    near = And(term(z[0]) - term(p[0]) <= term(by), term(p[0]) - term(z[0]) <= term(by), term(z[1]) == term(p[1]))
    return Argument(
        (Case("sum", (), And(*sums)), Case("inflated", (), And(*boxes))),
        witness=(near, term(by) == 2),
        beyond=(near, term(by) == 2, term(z[0]) > term(p[0]) + 1),
    )


@obligation
def two_lines_meet_on_both() -> Argument:
    """Where an edge is left out, its neighbours are led on to the point that is on both their lines."""
    e = numbers("ex ey")
    end = (r[0] + e[0], r[1] + e[1])
    x, y, parts = (term(each) for each in polygon.meeting((0, 0), q, r, end))
    moved = [(u + z[0], v + z[1]) for u, v in ((0, 0), q, r, end)]
    moved_x, moved_y, moved_parts = (term(each) for each in polygon.meeting(*moved))
    along = And(moved_x == x + term(z[0]) * parts, moved_y == y + term(z[1]) * parts, moved_parts == parts)
    (qx, qy), (rx, ry), (ex, ey) = flat(q), flat(r), flat(e)
    square = (same(q, (1, 0)), same(r, (2, 1)), same(e, (0, 4)))
    return Argument(
        (
            Case("on the first", (), x * qy == y * qx),
            Case("on the second", (), x * ey - y * ex == (rx * ey - ry * ex) * parts),
            Case("in parts of how far they turn", (), parts == qx * ey - qy * ex),
            Case("wherever they lie", (), along),
        ),
        witness=(*square, x == 2 * parts, y == 0, parts > 0),
        points=((same(q, (2, 1)), same(r, (5, 0)), same(e, (2, 4)), same(z, (11, 13))),),
    )
