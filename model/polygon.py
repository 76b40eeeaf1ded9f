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
    """The integer corners around a rational point, alike where it is an integer itself; `denominator` > 0."""
    left, right = numerator_x // denominator, -(-numerator_x // denominator)
    below, above = numerator_y // denominator, -(-numerator_y // denominator)
    return [(left, below), (right, below), (right, above), (left, above)]


def hull(points: Iterable[Point]) -> Polygon:
    """The convex polygon around at least one point; a single point or a line is given an inside, one unit wide."""
    unique = sorted(set(points))
    corners = chain(unique)
    if len(corners) < 3:
        corners = chain(sorted({(x + i, y + j) for x, y in corners for i in (-1, 1) for j in (-1, 1)}))
    return corners


def clip(polygon: Polygon, a: int, b: int, c: int) -> Polygon | None:
    """The part of a polygon where a·x + b·y ≤ c; None when there is none."""
    excess = [a * x + b * y - c for x, y in polygon]
    if max(excess) <= 0:
        return polygon
    if min(excess) > 0:
        return None
    return hull(inside(polygon, excess))


def inside(polygon: Polygon, excess: Sequence[int]) -> list[Point]:
    """The corners that are not beyond a border, and those around the crossings of edges with it; `excess` is by how
    much each corner is beyond."""
    kept: list[Point] = []
    for i, corner in enumerate(polygon):
        here, before = excess[i], excess[i - 1]
        if here < 0 < before:
            kept += around(*crossing(corner, polygon[i - 1], here, before))
        if before < 0 < here:
            kept += around(*crossing(polygon[i - 1], corner, before, here))
        if here <= 0:
            kept.append(corner)
    return kept


def crossing(kept: Point, cut: Point, below: int, above: int) -> tuple[int, int, int]:
    """Where an edge leaves a half-plane, as numerators and denominator: its ends are by `below` < 0 < `above` beyond
    the border."""
    return kept[0] * above - cut[0] * below, kept[1] * above - cut[1] * below, above - below


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
        x, y, denominator = meeting(*_edges_beside(polygon, i))
        met = nearest(x, denominator), nearest(y, denominator)
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
    return all(turn(p, q, point) >= 0 for p, q in pairwise((*polygon, polygon[0])))


def turn(p: Point, q: Point, r: Point) -> int:
    """Positive when p, q, r turn left: twice the area of their triangle."""
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])


def chain(ordered: Sequence[Point]) -> Polygon:
    """The corners of the hull of points that are in order and all different (Andrew's monotone chain)."""

    def half(points: Iterable[Point]) -> list[Point]:
        side: list[Point] = []
        for point in points:
            while len(side) > 1 and turn(side[-2], side[-1], point) <= 0:
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


def meeting(p: Point, q: Point, r: Point, s: Point) -> tuple[int, int, int]:
    """Where the lines p to q and r to s meet, as numerators and denominator; it is positive where the second line turns
    left of the first."""
    (px, py), (qx, qy), (rx, ry), (sx, sy) = p, q, r, s
    dx, dy, ex, ey = qx - px, qy - py, sx - rx, sy - ry
    cross = dx * ey - dy * ex
    along = (rx - px) * ey - (ry - py) * ex
    return px * cross + dx * along, py * cross + dy * along, cross
