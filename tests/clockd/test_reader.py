"""The reader: a time while all that it rests on holds, and none, with a reason, when anything of it does not."""

import struct
import timeit
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clockd.host import RealClock
from clockd.page import VALID_FOR_NS, Page, Public, State, Writer, boot_hash, unpack
from clockd.reader import Reader, Reading, Stamp
from clockd.states import Why
from tests.clockd.test_host_clock import MILLISECOND, SECOND, Steered

PUBLIC = Public(1, 2, 3, 4, State.SYNCHRONIZED)
LATER = 101 * MILLISECOND


def page_of(host: Steered | RealClock) -> Page:
    raw_ns = host.raw_ns()
    return Page(
        utc_minus_raw_ns=host.realtime_ns() - raw_ns,
        as_of_raw_ns=raw_ns,
        bound_ns=1000,
        rate_ppt=0,
        rate_bound_ppt=1_000_000,
        void_after_raw_ns=raw_ns + VALID_FOR_NS,
        published_raw_ns=raw_ns,
        suspended_ns=host.boottime_ns() - host.monotonic_ns(),
        marker=0,
        update=3,
        drift_ppb=50_000,
        wander_ppt_s=10_000,
        state=State.SYNCHRONIZED,
        why=Why.NOTHING,
        local_reference=False,
        sources=3,
        agreeing=3,
        stratum=2,
        boot=boot_hash(host.boot_id),
        host="beijing-1",
    )


class Desk:
    """One host with a writer and a reader of its page."""

    def __init__(self, path: Path) -> None:
        self.path, self.host = path, Steered()
        self.writer = Writer(path)
        self.page = page_of(self.host)
        self.reader = Reader(path, self.host)

    def publish(self, **changes: object) -> Reading:
        self.page = replace(self.page, **changes)  # type: ignore[arg-type]  # a test's own names
        self.writer.write(PUBLIC, self.page)
        return self.reader.read()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "page")
    yield desk
    desk.reader.close()
    desk.writer.close()


def test_a_stamp_grows_with_what_the_rate_can_be_and_never_by_more_than_the_drift(desk: Desk) -> None:
    reading = desk.publish()
    as_of = desk.page.as_of_raw_ns
    assert reading.reason == ""
    assert (reading.host, reading.update, reading.state) == ("beijing-1", 3, State.SYNCHRONIZED)
    assert reading.stamp(as_of) == Stamp(as_of + desk.page.utc_minus_raw_ns, 1000)
    assert reading.stamp(as_of + SECOND) == Stamp(as_of + SECOND + desk.page.utc_minus_raw_ns, 1000 + 1000 + 5 + 1)
    assert reading.stamp(as_of - SECOND, 7) == Stamp(as_of - SECOND + desk.page.utc_minus_raw_ns, 2006 + 7 + 1)
    unsure = desk.publish(rate_ppt=20_000_000, rate_bound_ppt=60_000_000)
    assert unsure.stamp(as_of + SECOND) == Stamp(as_of + SECOND + desk.page.utc_minus_raw_ns, 51_000)
    fast = desk.publish(rate_ppt=20_000_000, rate_bound_ppt=0)
    assert fast.stamp(as_of + SECOND) == Stamp(as_of + SECOND + desk.page.utc_minus_raw_ns + 20_000, 1006)


def test_now_is_an_interval_around_the_truth(desk: Desk) -> None:
    desk.publish()
    now = desk.reader.now()
    assert now is not None
    assert now.earliest_ns <= desk.host.realtime_ns() - 200
    assert desk.host.realtime_ns() <= now.latest_ns


@pytest.mark.parametrize("state", [State.UNKNOWN, State.DISRUPTED])
def test_a_daemon_without_time_gives_none(desk: Desk, state: State) -> None:
    assert desk.publish().stamp(desk.host.raw_ns())
    reading = desk.publish(state=state)
    assert (reading.state, reading.reason) == (state, state)
    assert reading.stamp(desk.host.raw_ns()) is None
    assert reading.interval(desk.host.raw_ns()) is None
    assert desk.publish(state=State.FREE_RUNNING).stamp(desk.host.raw_ns())


def test_a_page_of_another_boot_gives_no_time(desk: Desk) -> None:
    reading = desk.publish(boot=boot_hash("before the crash"))
    assert (reading.reason, reading.stamp(desk.host.raw_ns())) == ("boot", None)


def test_a_suspended_host_has_no_time_until_the_daemon_has_measured_again(desk: Desk) -> None:
    reading = desk.publish()
    assert reading.stamp(desk.host.raw_ns())
    desk.host.slept = 5 * MILLISECOND
    assert desk.reader.read().reason == "suspended"
    desk.host.pass_ns(LATER)
    assert desk.reader.read().reason == "suspended"
    assert desk.publish(suspended_ns=5 * MILLISECOND).reason == ""


def test_a_dead_daemons_page_is_void_after_a_while(desk: Desk) -> None:
    reading = desk.publish()
    end = desk.page.void_after_raw_ns
    assert reading.stamp(end)
    assert reading.stamp(end + 1) is None
    desk.host.pass_ns(VALID_FOR_NS + SECOND)
    assert desk.reader.read().reason == "void"
    assert desk.reader.now() is None


def test_a_torn_page_gives_no_time(desk: Desk) -> None:
    desk.publish()
    with desk.path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff")
    desk.host.pass_ns(LATER)
    assert desk.reader.read().reason == "torn"
    assert desk.publish().reason == ""


def test_a_writer_that_died_half_way_leaves_no_time_to_a_new_reader_and_the_old_one_to_others(desk: Desk) -> None:
    desk.publish()
    with desk.path.open("r+b") as file:
        file.seek(14)
        file.write(struct.pack("=H", 7))
    desk.host.pass_ns(LATER)
    assert desk.reader.read().reason == ""
    newcomer = Reader(desk.path, desk.host)
    assert newcomer.read().reason == "torn"
    newcomer.close()


def test_a_page_that_comes_later_goes_or_is_replaced_is_followed(tmp_path: Path) -> None:
    path, host = tmp_path / "page", Steered()
    reader = Reader(path, host)
    assert reader.read().reason == "missing"
    first = Writer(path)
    host.pass_ns(LATER)
    assert reader.read().reason == "unwritten"
    first.write(PUBLIC, page_of(host))
    assert reader.read().update == 3
    second = Writer(tmp_path / "other")
    second.write(PUBLIC, replace(page_of(host), update=9))
    (tmp_path / "other").replace(path)
    host.pass_ns(LATER)
    assert reader.read().update == 9
    path.unlink()
    host.pass_ns(LATER)
    assert (reader.read().reason, reader.read().state) == ("missing", State.UNKNOWN)
    path.write_bytes(b"short")
    host.pass_ns(LATER)
    assert reader.read().reason == "foreign"
    reader.close()
    first.close()
    second.close()


def test_every_update_is_seen_at_once(desk: Desk) -> None:
    assert [desk.publish(update=number).update for number in range(4, 9)] == [4, 5, 6, 7, 8]
    assert unpack(desk.path.read_bytes()) == desk.page


def test_reading_an_unchanged_page_is_cheap(tmp_path: Path) -> None:
    host = RealClock()
    writer = Writer(tmp_path / "page")
    writer.write(PUBLIC, page_of(host))
    reader = Reader(tmp_path / "page", host)
    read: Callable[[], Reading] = reader.read
    nanoseconds = min(timeit.repeat(read, number=5000, repeat=7)) / 5000 * 1e9
    print(f"a page read takes {nanoseconds:.0f} ns")
    assert nanoseconds < 20_000  # the number to reach is 2 µs, on a machine that does nothing else
    assert not reader.read().reason
    reader.close()
    writer.close()
