"""The histogram against counting by hand."""

from hypothesis import given
from hypothesis import strategies as st

from service.watching.histogram import BUCKETS, Histogram, cumulated


@given(st.lists(st.integers(-5, 2**40)))
def test_every_bucket_counts_what_is_below_its_bound(values: list[int]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    clipped = [max(value, 0) for value in values]
    told, total = cumulated(histogram.values, 0, 30, unit=1)
    assert total == sum(clipped)
    assert told[-1] == ("+Inf", len(values))
    for bound, count in told[:-1]:
        assert count == sum(value < float(bound) for value in clipped)


def test_seconds_come_from_nanoseconds() -> None:
    histogram = Histogram()
    histogram.add(1_500_000)
    told, total = cumulated(histogram.values, 20, 21)
    assert told == [("0.001048576", 0.0), ("0.002097152", 1.0), ("+Inf", 1.0)]
    assert total == 0.0015
    assert len(histogram.values) == BUCKETS + 1
