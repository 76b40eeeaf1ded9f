"""Laws of `model/clock.py`: an interval that is said to contain the truth does, in worlds where the truth is known."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from model.clock import (
    PPB,
    PPT,
    Interval,
    centre,
    contains,
    exchange_offset,
    growth_ns,
    hull,
    intersect,
    interval,
    line,
    stamp,
    tolerated_liars,
    widen,
)

durations = st.integers(0, 10**12)
drifts = st.integers(0, 500_000)
ends = st.integers(-12, 12)
intervals = st.builds(lambda a, b: Interval(min(a, b), max(a, b)), ends, ends)


@given(durations, drifts)
def test_growth_is_rounded_up_and_by_less_than_one(elapsed_ns: int, drift_ppb: int) -> None:
    exact = Fraction(elapsed_ns * drift_ppb, PPB)
    assert exact <= growth_ns(elapsed_ns, drift_ppb) < exact + 1
    assert growth_ns(-elapsed_ns, drift_ppb) == growth_ns(elapsed_ns, drift_ppb)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[int, list[int], list[Fraction], int]:
    """A stated drift, RAW readings in order, the true offset UTC − RAW at each, and the server's distance."""
    drift_ppb = draw(drifts)
    raw, offset = draw(st.integers(0, 10**15)), Fraction(draw(st.integers(-(10**15), 10**18)))
    raws, offsets = [raw], [offset]
    for _ in range(5):
        elapsed_ns = draw(durations)
        raw += elapsed_ns
        offset += Fraction(elapsed_ns * draw(st.integers(-drift_ppb, drift_ppb)), PPB)
        raws.append(raw)
        offsets.append(offset)
    return drift_ppb, raws, offsets, draw(st.integers(1, 10**9))


@given(worlds(), st.data())
def test_an_honest_exchange_contains_the_truth_at_every_later_reading(
    world: tuple[int, list[int], list[Fraction], int], data: st.DataObject
) -> None:
    drift_ppb, raws, offsets, distance_ns = world
    errors = st.integers(1 - distance_ns, distance_ns - 1)
    server_received, server_sent = (int(raws[i] + offsets[i]) + data.draw(errors) for i in (1, 2))
    for later in (3, 4, 5):
        known = exchange_offset(
            sent_raw_ns=raws[0],
            server_received_ns=server_received,
            server_sent_ns=server_sent,
            received_raw_ns=raws[3],
            distance_ns=distance_ns,
            reading_raw_ns=raws[later],
            drift_ppb=drift_ppb,
        )
        assert known is not None
        assert known.earliest_ns <= offsets[later] <= known.latest_ns


def test_widened_from_the_reply_only_an_exchange_can_exclude_the_truth() -> None:
    drift_ppb, waited_ns = 100_000, 1_000_000_000
    moved_ns = waited_ns * drift_ppb // PPB  # the clock loses as much as it may while the reply is on its way
    t2 = t3 = 0  # a request that took no time, a reply that took a second
    assert t2 - 0 + growth_ns(0, drift_ppb) < moved_ns
    known = exchange_offset(
        sent_raw_ns=0,
        server_received_ns=t2,
        server_sent_ns=t3,
        received_raw_ns=waited_ns,
        distance_ns=0,
        reading_raw_ns=waited_ns,
        drift_ppb=drift_ppb,
    )
    assert known is not None
    assert contains(known, moved_ns)


def test_a_server_that_held_the_request_longer_than_we_waited_contradicts_itself() -> None:
    times = {"sent_raw_ns": 0, "server_received_ns": 10, "server_sent_ns": 31, "received_raw_ns": 20}
    assert exchange_offset(**times, distance_ns=0, reading_raw_ns=20, drift_ppb=0) is None
    assert exchange_offset(**times, distance_ns=1, reading_raw_ns=20, drift_ppb=0) == Interval(10, 11)


@given(st.lists(intervals, min_size=1, max_size=6), st.integers(1, 6))
def test_the_hull_spans_all_points_that_enough_intervals_contain(known: list[Interval], agreeing: int) -> None:
    points = [p for p in range(-13, 14) if len([1 for i in known if i.earliest_ns <= p <= i.latest_ns]) >= agreeing]
    assert hull(known, agreeing) == (Interval(points[0], points[-1]) if points else None)


@given(st.lists(intervals, min_size=1, max_size=7), st.data())
def test_the_hull_contains_the_truth_whatever_a_minority_says(said: list[Interval], data: st.DataObject) -> None:
    truth = data.draw(ends)
    liars = tolerated_liars(len(said))
    said = [
        each if i < liars else Interval(min(each.earliest_ns, truth), max(each.latest_ns, truth))
        for i, each in enumerate(said)
    ]
    found = hull(data.draw(st.permutations(said)), len(said) - liars)
    assert found is not None
    assert contains(found, truth)


def test_the_largest_overlap_may_be_the_lie_and_the_hull_is_not() -> None:
    said = [Interval(-2, 0), Interval(-3, 2), Interval(-2, -1)]
    assert hull(said, 3) == Interval(-2, -1)
    assert hull(said, 2) == Interval(-2, 0)


def test_liars_are_always_a_minority() -> None:
    assert [tolerated_liars(n) for n in range(1, 8)] == [0, 0, 1, 1, 2, 2, 3]


@given(intervals, intervals, ends)
def test_an_intersection_contains_what_both_contain(one: Interval, other: Interval, point: int) -> None:
    both = intersect(one, other)
    assert (both is not None and contains(both, point)) == (contains(one, point) and contains(other, point))


@given(st.integers(), st.integers())
def test_a_centre_loses_nothing(a: int, b: int) -> None:
    known = Interval(min(a, b), max(a, b))
    middle_ns, bound_ns = centre(known)
    assert middle_ns - bound_ns <= known.earliest_ns
    assert known.latest_ns <= middle_ns + bound_ns
    assert 2 * bound_ns <= known.latest_ns - known.earliest_ns + 1


rates = st.integers(-50_000_000, 50_000_000)


@given(rates, rates, durations, durations, st.integers(0, 10**6), st.integers(-1, 1), st.integers(-1, 1), st.data())
def test_a_stamp_is_true_before_and_after_the_line_and_for_a_moment_not_quite_known(
    a: int, b: int, elapsed_ns: int, uncertainty_ns: int, wander_ppt_s: int, way: int, side: int, data: st.DataObject
) -> None:
    drift_ppb, as_of, known = 50_000, 10**15, Interval(10**18 - 50, 10**18 + 51)
    said = line(as_of, known, min(a, b), max(a, b))
    elapsed = way * elapsed_ns
    received = as_of + elapsed
    utc_ns, bound_ns = stamp(said, received, uncertainty_ns, drift_ppb, wander_ppt_s)
    rate = Fraction(data.draw(st.sampled_from([a, b, (a + b) // 2])), PPT)
    bend = Fraction(side * wander_ppt_s * elapsed * elapsed, 2 * PPT * PPB)
    drift = Fraction(drift_ppb * abs(elapsed), PPB)
    moved = max(-drift, min(drift, rate * elapsed + bend))
    off = Fraction(uncertainty_ns) * side * (1 + Fraction(drift_ppb, PPB))
    for end in (known.earliest_ns, known.latest_ns):
        assert abs(received + off + end + moved - utc_ns) <= bound_ns
    assert bound_ns <= 52 + drift + 2 + uncertainty_ns + Fraction(uncertainty_ns * drift_ppb, PPB)


def test_nothing_lies_between_ends_in_the_wrong_order() -> None:
    assert interval(1, 0) is None
    assert widen(Interval(0, 0), 2) == Interval(-2, 2)
