"""Counting and intervals, against counting by hand and against what is published."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.compare.intervals import bootstrap, percentile, wilson
from service.compare.recording import Buyer, Recording
from service.compare.scene import EQUAL, OPENS_NS
from service.compare.sold import Sold
from service.compare.tally import figures, tally

MOMENTS = st.integers(0, 6).map(lambda steps: OPENS_NS + steps * EQUAL.certainly_apart_ns // 2)


def recording(regions: list[int], bots: list[bool]) -> Recording:
    buyers = [
        Buyer(f"buyer-{at}", region, OPENS_NS, OPENS_NS, 0, is_bot)
        for at, (region, is_bot) in enumerate(zip(regions, bots, strict=True))
    ]
    return Recording(EQUAL, buyers, bytes(32))


@given(st.lists(st.tuples(MOMENTS, st.booleans()), max_size=12))
def test_pairs_are_counted_as_by_hand(came: list[tuple[int, bool]]) -> None:
    moments = [moment for moment, _ in came]
    winners = [at for at, (_, has_won) in enumerate(came) if has_won]
    losers = [at for at, (_, has_won) in enumerate(came) if not has_won]
    found = tally(recording([0] * len(came), [False] * len(came)), Sold(moments, winners, moments, 0))
    pairs = [(moments[loser], moments[winner]) for loser, winner in product(losers, winners)]
    assert found.inverted == sum(lost < won for lost, won in pairs)
    assert found.apart == sum(lost != won for lost, won in pairs)
    apart_ns = EQUAL.certainly_apart_ns
    assert found.certainly_inverted == sum(lost + apart_ns < won for lost, won in pairs)
    assert found.certainly_apart == sum(abs(lost - won) > apart_ns for lost, won in pairs)


def test_one_sale_in_figures() -> None:
    one = tally(
        recording([0, 0, 1, 1], [True, False, False, False]),
        Sold([OPENS_NS] * 4, [0, 2], [OPENS_NS + wait * 1_000_000 for wait in (1, 2, 3, 4)], unsold=48),
    )
    found = figures([one], "seed")
    assert found.far_of_buyers == 0.5
    assert found.far_of_winners is not None
    assert found.far_of_winners.value == 0.5
    assert found.winners_wait == (1.0, 3.0)
    assert found.everybody_waits == (2.0, 4.0)
    assert found.unsold == 48 / 50
    assert found.inverted is None
    assert found.bots_gain is not None
    assert found.bots_gain == (2.0, None, None)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilsons_interval_is_the_published_one(part: int, whole: int, low: float, high: float) -> None:
    """The last: Newcombe, *Two-sided confidence intervals for the single proportion*, 1998, table I."""
    found = wilson(part, whole)
    assert found is not None
    assert found == pytest.approx((part / whole, low, high), abs=5e-5)


def test_nothing_of_nothing_is_no_part() -> None:
    assert wilson(0, 0) is None
    assert bootstrap([[0, 0], [0, 0]], lambda part, whole: part / whole if whole else None, "seed") is None


def test_a_bootstrap_is_about_as_wide_as_the_formula_where_there_is_one() -> None:
    parts = [at % 2 for at in range(400)]
    found = bootstrap([parts, [1] * 400], lambda part, whole: part / whole, "seed")
    formula = wilson(200, 400)
    assert found is not None
    assert formula is not None
    assert found == pytest.approx(formula, abs=0.01)
    assert found == bootstrap([parts, [1] * 400], lambda part, whole: part / whole, "seed")


def test_a_percentile_is_a_value_that_was_there() -> None:
    assert [percentile([1.0, 2.0, 3.0, 4.0], part) for part in (0.0, 0.25, 0.5, 0.51, 0.99, 1.0)] == [1, 1, 2, 3, 4, 4]
