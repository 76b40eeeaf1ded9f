"""A ClockBound segment as a source: ours, and ones written from the byte table."""

import asyncio
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clockd.clockbound import TICK_NS, ClockBound, Segment, bound_at, parse
from clockd.ntp.exchange import Exchange, Reason, Rejected
from clockd.page import Public, State, Writer
from tests.clockd.test_host_clock import SECOND, Steered
from tests.clockd.test_page import PAGE

MAGIC = struct.pack("=2I", 0x414D5A4E, 0x43420200)


def v1(bound: int = 5000, status: int = 1, generation: int = 4, as_of: int = 100, void: int = 1100) -> bytes:
    return MAGIC + struct.pack("=IHHqqqqqIi8x", 72, 1, generation, as_of, 7, void, 0, bound, 1000, status)


def v2(marker: int = 0, status: int = 1) -> bytes:
    return MAGIC + struct.pack("=IHHqqqqqQIiB7x", 80, 2, 4, 100, 7, 1100, 0, 5000, marker, 1000, status, 1)


def ask(path: Path, host: Steered) -> Exchange | Rejected | None:
    return asyncio.run(ClockBound(path, host).ask(1))


@pytest.mark.parametrize("data", [v1(), v2(), v1() + bytes(100)])
def test_versions_one_and_two_are_read(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "shm").write_bytes(data)
    host = Steered()
    host.raw = 101 * SECOND
    said = ask(tmp_path / "shm", host)
    assert isinstance(said, Exchange)
    assert 0 <= said.distance_ns - (5000 + 1000 + 10) <= 1  # a second and a tick at 1 ppm, rounded up
    assert said.server_received_ns == said.server_sent_ns


@pytest.mark.parametrize("data", [b"", v1(generation=0), v1(generation=5), v1()[:63], bytes(100)])
def test_what_is_no_whole_segment_says_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "shm").write_bytes(data)
    assert ask(tmp_path / "shm", Steered()) is None
    assert ask(tmp_path / "missing", Steered()) is None


@pytest.mark.parametrize(("status", "reason"), [(0, Reason.LEAP), (3, Reason.DISRUPTED)])
def test_a_segment_without_time_gives_none(tmp_path: Path, status: int, reason: Reason) -> None:
    (tmp_path / "shm").write_bytes(v2(status=status))
    assert ask(tmp_path / "shm", Steered()) == Rejected(reason)


def test_bounds_grow_end_and_do_not_come_from_the_future() -> None:
    segment = Segment(10 * SECOND, 1000 * SECOND, 7, 0, 1000, State.FREE_RUNNING)
    assert bound_at(segment, 11 * SECOND) == 7 + 1000 + TICK_NS // 10**6
    assert bound_at(segment, 1000 * SECOND) is None
    assert bound_at(segment, 10 * SECOND - 2000) is None
    assert bound_at(segment, 10 * SECOND - 500) is not None


def test_a_moved_machine_is_noticed(tmp_path: Path) -> None:
    path, host = tmp_path / "shm", Steered()
    host.raw = 101 * SECOND
    source = ClockBound(path, host)
    path.write_bytes(v2(marker=1))
    assert isinstance(asyncio.run(source.ask(1)), Exchange)
    path.write_bytes(v2(marker=2))
    assert asyncio.run(source.ask(1)) == Rejected(Reason.DISRUPTED)
    assert isinstance(asyncio.run(source.ask(1)), Exchange)


def test_our_own_page_is_a_segment_like_any_other(tmp_path: Path) -> None:
    host = Steered()
    writer = Writer(tmp_path / "page")
    public = Public(host.raw, host.raw + 100 * SECOND, 1234, 50_000, State.SYNCHRONIZED)
    writer.write(public, replace(PAGE))
    said = ask(tmp_path / "page", host)
    assert isinstance(said, Exchange)
    assert said.distance_ns >= 1234
    writer.close()


@given(st.binary(max_size=120))
def test_noise_crashes_nothing(data: bytes) -> None:
    parse(data)
    parse(v2()[:16] + data.ljust(64, b"\0"))
