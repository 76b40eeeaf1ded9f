"""Leap seconds: announced by enough, at the end of a month, and no time while one may be under way."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from clockd import leap
from clockd.keeper import Keeper
from clockd.states import State, Why
from model.clock import Interval
from tests.clockd.test_tracking import OSCILLATOR, SECOND, exchange_at


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("now", "then"),
    [("2026-12-31T23:59:59", "2027-01-01"), ("2026-06-01", "2026-07-01"), ("2028-02-29T12:00", "2028-03-01")],
)
def test_a_leap_ends_a_month(now: str, then: str) -> None:
    assert leap.next_leap_ns(at(now)) == at(then)


def test_a_minority_announces_nothing() -> None:
    assert leap.announced([1, 1, 0], 2)
    assert not leap.announced([1, 2, 0], 2)
    assert not leap.announced([3, 3, 3], 2)
    assert not leap.announced([1], 0)


def test_who_is_silent_before_a_leap_and_disagrees_smears() -> None:
    soon, known = at("2026-12-31T12:00"), Interval(0, 1)
    assert leap.smears(0, True, known, soon)
    assert not leap.smears(1, True, known, soon)
    assert not leap.smears(0, False, known, soon)
    assert not leap.smears(0, True, known, at("2026-12-15"))


def test_the_time_ends_before_the_leap_and_begins_anew_after_it() -> None:
    """One source, at RAW 0 it is ten seconds to midnight."""
    midnight = at("2027-01-01")
    keeper = Keeper(["s"], OSCILLATOR, (1, 1), 0, 0)

    def hear(raw_ns: int, offset_ns: int, kind: int) -> None:
        keeper.take("s", replace(exchange_at(raw_ns, offset_ns), leap=kind))
        keeper.believe(raw_ns)

    hear(0, midnight - 10 * SECOND, leap.INSERTED)
    assert keeper.leap_from_raw_ns is not None
    assert 8 * SECOND <= keeper.leap_from_raw_ns < 9 * SECOND
    assert not keeper.notice_leap(8 * SECOND)
    assert keeper.notice_leap(9 * SECOND)
    assert (keeper.belief.state, keeper.belief.why) == (State.DISRUPTED, Why.LEAP)
    hear(10 * SECOND + SECOND // 2, midnight - 10 * SECOND, leap.INSERTED)
    assert keeper.belief.track is None  # 23:59:60: what it says now is of no count
    hear(13 * SECOND, midnight - 11 * SECOND, 0)
    assert keeper.belief.state is State.SYNCHRONIZED
    assert keeper.leap_from_raw_ns is None


def test_what_was_announced_before_midnight_is_not_put_off_by_a_month_after_it() -> None:
    midnight = at("2027-01-01")
    keeper = Keeper(["s"], OSCILLATOR, (1, 1), 0, 0)
    keeper.take("s", replace(exchange_at(0, midnight - 2 * SECOND), leap=leap.DELETED))
    keeper.believe(3 * SECOND)
    assert keeper.leap_from_raw_ns is not None
    assert keeper.leap_from_raw_ns <= SECOND
    assert keeper.notice_leap(3 * SECOND)


def test_a_wide_bound_across_midnight_does_not_put_a_leap_off_either() -> None:
    midnight, hour = at("2027-01-01"), 3600 * SECOND
    assert leap.void_from_raw_ns(Interval(midnight - hour, midnight + hour), 0) <= 0


def test_sources_that_disagree_before_a_leap_and_do_not_announce_it_are_told_apart() -> None:
    keeper = Keeper(["a", "b", "smearing", "wrong"], OSCILLATOR, (1, 1), 0, 0)
    noon = at("2026-12-31T12:00")
    for name, offset, kind in (("a", 0, 1), ("b", 10, 1), ("smearing", -(10**8), 0), ("wrong", 10**8, 1)):
        keeper.take(name, replace(exchange_at(0, noon + offset), leap=kind))
    keeper.sources.pop("wrong")
    keeper.believe(0)
    assert {name: source.verdict for name, source in keeper.sources.items()} == {
        "a": "agrees",
        "b": "agrees",
        "smearing": "smears",
    }
