"""The journal: enough to compute every bound again, bounded, and never in the way of the time."""

import json
from pathlib import Path

import pytest
import structlog

from clockd.journal import FILES, Journal
from clockd.keeper import Keeper
from clockd.ntp.exchange import Exchange
from clockd.states import Why
from model import track
from model.track import Oscillator
from tests.clockd.test_tracking import OSCILLATOR, SECOND, exchange_at


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_bound_follows_from_the_journal_alone(tmp_path: Path) -> None:
    keeper, journal = Keeper(["s"], OSCILLATOR, (1, 1), 7, 0), Journal(tmp_path / "deep" / "clock.jsonl", 10**6)
    for number in range(20):
        keeper.take("s", exchange_at(number * 16 * SECOND, number * 5000, 1000 + 100 * number))
        keeper.believe(number * 16 * SECOND)
        journal.append(keeper.records)
        keeper.records.clear()
    keeper.notice_suspend(SECOND, 320 * SECOND)
    journal.append(keeper.records)
    *updates, broke = lines_of(tmp_path / "deep" / "clock.jsonl")
    assert (broke["type"], broke["why"], broke["update"]) == ("broke", "suspend", 28)
    again: track.Track | None = None
    for number, update in enumerate(updates):
        assert (update["update"], update["why"]) == (8 + number, Why.NOTHING)
        [heard] = update["heard"]  # type: ignore[misc]
        times = [int(heard[name]) for name in ("t1_raw_ns", "t2_ns", "t3_ns", "t4_raw_ns", "distance_ns")]
        exchange = Exchange((heard["address"], 0), *times, heard["stratum"], int(heard["reference_id"], 16))
        offset, at = exchange.offset(times[3], OSCILLATOR.drift_ppb), int(str(update["raw_ns"]))
        assert offset is not None
        before = track.later(again, at, OSCILLATOR) if again else track.begin(at, offset, OSCILLATOR)
        said = track.narrowed(before, offset)
        assert isinstance(said, track.Track)
        again = said
        line = track.straight(again)
        assert (line.offset_ns, line.bound_ns) == (int(str(update["utc_minus_raw_ns"])), int(str(update["bound_ns"])))


def test_files_turn_over_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "clock.jsonl"
    journal = Journal(path, 100)
    for number in range(50):
        journal.append([{"number": number, "text": "x" * 60}])
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["clock.jsonl", *(f"clock.jsonl.{n}" for n in range(1, FILES))]
    assert [line["number"] for n in names for line in lines_of(tmp_path / n)] == [49, 48, 47, 46]


def test_a_full_disk_stops_the_journal_with_one_warning_and_it_goes_on_later(tmp_path: Path) -> None:
    path = tmp_path / "clock.jsonl"
    path.symlink_to("/dev/full")
    journal = Journal(path, 10**6)
    with structlog.testing.capture_logs() as told:
        journal.append([{"a": 1}])
        journal.append([{"a": 2}])
        path.unlink()
        journal.append([{"a": 3}])
    assert [each["event"] for each in told] == ["journal_stopped", "journal_goes_on"]
    assert lines_of(path) == [{"a": 3}]


@pytest.mark.parametrize("wander_ppt_s", [0, 10_000])
def test_a_daemon_journals_what_it_began_with(wander_ppt_s: int) -> None:
    from clockd.journal import start_record  # noqa: PLC0415

    record = start_record("h", b"\x01", ["a"], Oscillator(5, wander_ppt_s), 7, 3)
    assert json.loads(json.dumps(record))["wander_ppt_s"] == wander_ppt_s
