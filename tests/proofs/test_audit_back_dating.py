"""Show 4: a region that holds its mark and back-dates a friend leaves room that is seen; an honest sale leaves none."""

from pathlib import Path

import pytest

from proofs.audit import Report, Wishes, audit
from tests.proofs.sales import GRACE_NS, MS, TRAVEL_NS, Lie, a_sale

TRAVEL = Wishes(travel_ns=max(TRAVEL_NS.values()) + 5 * MS)


def report_of(folder: Path, lie: Lie | None) -> Report:
    report = audit(a_sale(lie=lie).write(folder), TRAVEL)
    assert report.findings == ()
    assert report.back_dating is not None
    return report


def test_an_honest_sale_raises_no_alarm(tmp_path: Path) -> None:
    report = report_of(tmp_path, None)
    assert report.alarms == ()
    assert report.back_dating is not None
    for room in report.back_dating.regions:
        assert room.mark_lag_most_ns is not None
        assert room.mark_lag_most_ns >= GRACE_NS + TRAVEL_NS[room.region]


def test_a_region_whose_mark_lags_all_the_time_is_named(tmp_path: Path) -> None:
    """It goes on holding its mark after the friend came: that shows in every look."""
    report = report_of(tmp_path, Lie("south", 150 * MS, 120 * MS, 2 * MS, lets_go=False))
    assert any(alarm.startswith("south could have back-dated") for alarm in report.alarms)
    assert not any(alarm.startswith(("north", "west")) for alarm in report.alarms)


def test_a_region_that_lets_go_after_its_friend_came_leaves_room_that_nothing_explains(tmp_path: Path) -> None:
    report = report_of(tmp_path, Lie("south", 150 * MS, 120 * MS, 1 * MS))
    assert any("first counted later than tie window, intake grace and travel explain" in each for each in report.alarms)
    assert report.back_dating is not None
    south = next(room for room in report.back_dating.regions if room.region == "south")
    assert south.room_most_ns is not None
    assert south.room_most_ns > report.back_dating.room_allowed_ns


@pytest.mark.parametrize("silent", ["west", "south"])
def test_a_region_that_fell_silent_looks_like_one_that_holds_its_mark(tmp_path: Path, silent: str) -> None:
    report = audit(a_sale(silent=silent).write(tmp_path), TRAVEL)
    assert report.ok
    assert any(alarm.startswith(f"{silent} could have back-dated") for alarm in report.alarms)
