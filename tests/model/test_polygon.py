"""Laws of `model/polygon.py`: whatever is done to a polygon, no point that belongs into the result is lost."""

from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from model.polygon import (
    Point,
    Polygon,
    around,
    clip,
    contains,
    hull,
    in_enough,
    inflated,
    intersection,
    nearest,
    simplified,
    sum_of,
)

small = st.integers(-40, 40)
large = st.integers(-(10**22), 10**22)
points = st.tuples(small, small)
clouds = st.lists(points, min_size=1, max_size=14)
polygons = clouds.map(hull)


@given(clouds)
def test_a_hull_contains_its_points_turns_left_and_has_an_inside(cloud: list[Point]) -> None:
    polygon = hull(cloud)
    assert len(polygon) >= 3
    assert all(contains(polygon, point) for point in cloud)
    for i, q in enumerate(polygon):
        p, r = polygon[i - 1], polygon[(i + 1) % len(polygon)]
        assert (q[0] - p[0]) * (r[1] - p[1]) > (q[1] - p[1]) * (r[0] - p[0])


@given(large, large, st.integers(1, 10**12))
def test_the_corners_around_a_point_are_next_to_it(x: int, y: int, denominator: int) -> None:
    corners = around(x, y, denominator)
    exact = (Fraction(x, denominator), Fraction(y, denominator))
    assert all(abs(cx - exact[0]) < 1 and abs(cy - exact[1]) < 1 for cx, cy in corners)
    assert min(c[0] for c in corners) <= exact[0] <= max(c[0] for c in corners)
    assert abs(nearest(x, denominator) - exact[0]) <= Fraction(1, 2)


@given(polygons, points, small, small, st.integers(-2000, 2000))
def test_clipping_keeps_every_point_that_satisfies_it(polygon: Polygon, point: Point, a: int, b: int, c: int) -> None:
    clipped = clip(polygon, a, b, c)
    if contains(polygon, point) and a * point[0] + b * point[1] <= c:
        assert clipped is not None
        assert contains(clipped, point)
    if clipped is not None:
        assert all(contains(inflated(polygon, 2), corner) for corner in clipped)


@given(polygons, polygons, points)
def test_an_intersection_and_a_sum_lose_nothing(one: Polygon, other: Polygon, point: Point) -> None:
    common = intersection(one, other)
    if contains(one, point) and contains(other, point):
        assert common is not None
        assert contains(common, point)
    both = sum_of(one, other)
    assert all(contains(both, (x + u, y + v)) for x, y in one for u, v in other)


@given(clouds, st.integers(3, 8))
def test_a_simplified_polygon_contains_the_original_and_is_simple(cloud: list[Point], corners: int) -> None:
    scaled = hull((x * 1000 + y, y * 1000 - x) for x, y in cloud)
    simple = simplified(scaled, corners)
    assert all(contains(simple, corner) for corner in scaled)
    assert len(simple) <= max(corners + 4, 8)


@given(st.lists(polygons, min_size=1, max_size=5), st.integers(1, 5), points)
def test_a_point_in_enough_polygons_is_in_the_hull(said: list[Polygon], agreeing: int, point: Point) -> None:
    assume(agreeing <= len(said))
    found = in_enough(said, agreeing)
    if sum(contains(each, point) for each in said) >= agreeing:
        assert found is not None
        assert contains(found, point)


def test_far_apart_is_none() -> None:
    here = hull([(0, 0), (9, 0), (0, 9)])
    there = hull([(100, 100), (109, 100), (100, 109)])
    assert intersection(here, there) is None
    assert in_enough([here, there], 2) is None
    assert in_enough([here, there], 1) == hull([*here, *there])
    assert clip(here, 1, 0, -1) is None
