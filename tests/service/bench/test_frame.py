"""Rivals take turns, ratios are formed inside a round, and a machine that changes its speed does not change them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bench.frame import Effort, Reading, Rival, Rounds, figure, take_turns


def test_a_figure_is_the_median_with_its_spread() -> None:
    shown = figure("rate", [3.0, 9.0, 5.0], "/s", "≥ 4")
    assert (shown.median, shown.low, shown.high, shown.repeats) == (5.0, 3.0, 9.0, 3)
    assert (shown.name, shown.unit, shown.goal) == ("rate", "/s", "≥ 4")


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=9))
def test_a_ratio_does_not_see_how_fast_the_machine_was(speeds: list[float]) -> None:
    """Ours is three times as fast in every round, whatever the round."""
    rounds = Rounds()
    for speed in speeds:
        rounds.add("ours", [Reading("rate", 3 * speed, "/s")])
        rounds.add("theirs", [Reading("rate", speed, "/s")])
    ratio = rounds.ratio("ours against theirs", ("ours", "rate"), ("theirs", "rate"))
    assert (ratio.median, ratio.low, ratio.high) == pytest.approx((3, 3, 3))
    assert (ratio.unit, ratio.repeats) == ("×", len(speeds))


def test_rivals_take_turns_forth_and_back() -> None:
    turns: list[str] = []

    def rival(name: str) -> Rival:
        def measure() -> list[Reading]:
            turns.append(name)
            return [Reading("rate", float(len(turns)), "/s"), Reading("p99", 1.0, "ms")]

        return Rival(name, measure)

    told: list[str] = []
    rounds = take_turns([rival("a"), rival("b"), rival("c")], Effort(rounds=3, seconds=0, tell=told.append))
    assert turns == ["a", "b", "c", "c", "b", "a", "a", "b", "c"]
    assert rounds.values("a", "rate") == [1.0, 6.0, 7.0]
    assert rounds.measured() == [(name, what) for name in "abc" for what in ("rate", "p99")]
    assert [shown.name for shown in rounds.figures()][:2] == ["a: rate", "a: p99"]
    assert told[0] == "round 1 of 3: a"
    with pytest.raises(KeyError):
        rounds.values("a", "p50")
