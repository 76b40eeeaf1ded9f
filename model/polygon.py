"""Convex polygons with integer corners that only ever err outward: the sets in which `track.py` keeps the truth. Pure.

A point is a pair of integers (x, y). A polygon is its corners, counter-clockwise, none of them between its neighbours,
always with an inside. What is computed exactly is a rational point; it is replaced by the integer corners around it and
the convex hull of all is taken: a convex set that contains the corners around each point contains the points. Or it is
rounded to the nearest integers, and as much is added all around. So every operation returns a superset of the exact
answer, larger by a unit or a few. Nothing here knows what x and y mean.

An intersection that is empty is None, and that is certain: no rounding makes a set smaller.

Sources: A. Andrew, *Another efficient algorithm for convex hulls in two dimensions*, 1979; I. Sutherland, G. Hodgman,
*Reentrant polygon clipping*, 1974.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

Point = tuple[int, int]
Polygon = tuple[Point, ...]


def around(numerator_x: int, numerator_y: int, denominator: int) -> list[Point]:
    """The integer corners around a rational point; `denominator` > 0."""
    xs = {numerator_x // denominator, -(-numerator_x // denominator)}
    ys = {numerator_y // denominator, -(-numerator_y // denominator)}
    return [(x, y) for x in xs for y in ys]


def hull(points: Iterable[Point]) -> Polygon:
    """The convex polygon around at least one point; a single point or a line is given an inside, one unit wide."""
    unique = sorted(set(points))
    corners = _chain(unique)
    if len(corners) < 3:
        corners = _chain(sorted({(x + i, y + j) for x, y in corners for i in (-1, 1) for j in (-1, 1)}))
    return corners


def clip(polygon: Polygon, a: int, b: int, c: int) -> Polygon | None:
    """The part of a polygon where a·x + b·y ≤ c; None when there is none."""
    excess = [a * x + b * y - c for x, y in polygon]
    if max(excess) <= 0:
        return polygon
    if min(excess) > 0:
        return None
    kept: list[Point] = []
    for i, (x, y) in enumerate(polygon):
        here, before = excess[i], excess[i - 1]
        if here * before < 0:
            x0, y0 = polygon[i - 1]
            span = abs(here - before)
            kept += around(x0 * span + (x - x0) * abs(before), y0 * span + (y - y0) * abs(before), span)
        if here <= 0:
            kept.append((x, y))
    return hull(kept)


def intersection(one: Polygon, other: Polygon) -> Polygon | None:
    """What both contain; None when they have no point in common."""
    common: Polygon | None = one
    for (x0, y0), (x1, y1) in pairwise((*other, other[0])):
        if common is None:
            return None
        a, b = y1 - y0, x0 - x1
        common = clip(common, a, b, a * x0 + b * y0)
    return common


def sum_of(one: Polygon, other: Polygon) -> Polygon:
    """All sums of a point of one and a point of the other (Minkowski)."""
    return hull((x + u, y + v) for x, y in one for u, v in other)


def inflated(polygon: Polygon, by: int) -> Polygon:
    """All points no further than `by` ≥ 0 from a point of the polygon, in x and in y."""
    return hull((x + i, y + j) for x, y in polygon for i in (-by, by) for j in (-by, by))


def nearest(numerator: int, denominator: int) -> int:
    """The integer nearest to a quotient, within a half; `denominator` > 0."""
    return (2 * numerator + denominator) // (2 * denominator)


def simplified(polygon: Polygon, corners: int) -> Polygon:
    """A polygon around this one with hardly more than `corners` corners, as little larger as one edge at a time can do.

    An edge is left out by letting its neighbours run on until they meet. The meeting point is rounded to the nearest
    integers, which loses less than one unit a round, so as many units are added all around at the end.
    """
    rounds = 0
    while len(polygon) > corners:
        size = len(polygon)
        costs = [(cost, i) for i in range(size) if (cost := _cost_without_edge(polygon, i)) is not None]
        if not costs:
            break
        i = min(costs)[1]
        met = _meeting(polygon, i)
        gone = (polygon[i], polygon[(i + 1) % size])
        polygon = hull([met, *(corner for corner in polygon if corner not in gone)])
        rounds += 1
    return inflated(polygon, rounds) if rounds else polygon


def in_enough(polygons: Sequence[Polygon], agreeing: int) -> Polygon | None:
    """The hull of all points that lie in at least `agreeing` ≥ 1 of the polygons; None when no point does.

    Tries every choice of that many, leaving a choice as soon as it is empty: for a handful of polygons.
    """
    corners: list[Point] = []

    def choose(first: int, missing: int, common: Polygon | None) -> None:
        if missing == 0:
            corners.extend(common or ())
            return
        for i in range(first, len(polygons) - missing + 1):
            chosen = polygons[i] if common is None else intersection(common, polygons[i])
            if chosen is not None:
                choose(i + 1, missing - 1, chosen)

    choose(0, agreeing, None)
    return hull(corners) if corners else None


def contains(polygon: Polygon, point: Point) -> bool:
    """Whether a point is in a polygon, its edge included."""
    return all(_turn(p, q, point) >= 0 for p, q in pairwise((*polygon, polygon[0])))


def _turn(p: Point, q: Point, r: Point) -> int:
    """Positive when p, q, r turn left: twice the area of their triangle."""
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])


def _chain(ordered: Sequence[Point]) -> Polygon:
    def half(points: Iterable[Point]) -> list[Point]:
        side: list[Point] = []
        for point in points:
            while len(side) > 1 and _turn(side[-2], side[-1], point) <= 0:
                side.pop()
            side.append(point)
        return side

    if len(ordered) < 3:
        return tuple(ordered)
    return (*half(ordered)[:-1], *half(reversed(ordered))[:-1])


def _edges_beside(polygon: Polygon, i: int) -> tuple[Point, Point, Point, Point]:
    """The corners p, q, r, s of which q to r is edge i."""
    size = len(polygon)
    return polygon[i - 1], polygon[i], polygon[(i + 1) % size], polygon[(i + 2) % size]


def _cost_without_edge(polygon: Polygon, i: int) -> int | None:
    """Twice the area that leaving out edge i adds; None when its neighbours run apart, so that nothing would end it."""
    (px, py), (qx, qy), (rx, ry), (sx, sy) = _edges_beside(polygon, i)
    dx, dy, ex, ey = qx - px, qy - py, sx - rx, sy - ry
    cross = dx * ey - dy * ex
    if cross <= 0:
        return None
    overshoot = (rx - px) * ey - (ry - py) * ex - cross  # how far beyond q they meet, in parts of p to q, times cross
    return (dx * (ry - py) - dy * (rx - px)) * overshoot // cross


def _meeting(polygon: Polygon, i: int) -> Point:
    """Where the neighbours of edge i meet, to the nearest integers."""
    (px, py), (qx, qy), (rx, ry), (sx, sy) = _edges_beside(polygon, i)
    dx, dy, ex, ey = qx - px, qy - py, sx - rx, sy - ry
    cross = dx * ey - dy * ex
    along = (rx - px) * ey - (ry - py) * ex
    return nearest(px * cross + dx * along, cross), nearest(py * cross + dy * along, cross)
