"""The page: a ClockBound V2 reader written from the byte table accepts it, and nothing half written is believed."""

import mmap
import multiprocessing
import os
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clockd.page import PAGE_BYTES, VALID_FOR_NS, Page, PageError, Public, State, Writer, boot_hash, unpack
from clockd.states import Why

I64 = st.integers(-(2**63), 2**63 - 1)
PUBLIC = Public(5_000_000_007, 1_005_000_000_007, 1234, 50_000, State.SYNCHRONIZED)
PAGE = Page(
    utc_minus_raw_ns=10**18,
    as_of_raw_ns=10**12,
    bound_ns=999,
    rate_ppt=-20_000_000,
    rate_bound_ppt=5000,
    void_after_raw_ns=10**12 + VALID_FOR_NS,
    published_raw_ns=10**12,
    suspended_ns=0,
    marker=2**64 - 1,
    update=7,
    drift_ppb=50_000,
    wander_ppt_s=10_000,
    state=State.SYNCHRONIZED,
    why=Why.SILENT,
    local_reference=False,
    sources=3,
    agreeing=2,
    stratum=4,
    boot=boot_hash("this boot"),
    host="shanghai-1",
)


@dataclass(frozen=True)
class ClockBound:
    """What ClockBound's client takes from a V2 segment, by `reference/clocks.md` section 2."""

    as_of: tuple[int, int]
    void_after: tuple[int, int]
    bound_nsec: int
    disruption_marker: int
    max_drift_ppb: int
    clock_status: int
    disruption_support: int


def clockbound_v2(path: Path) -> ClockBound:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as segment:
        assert segment[:8] == bytes.fromhex("4e5a4d4100024243")
        size, version, generation = struct.unpack_from("=IHH", segment, 8)
        assert 80 <= size <= len(segment)
        assert version == 2
        while True:
            generation = struct.unpack_from("=H", segment, 14)[0]
            body = segment[16:80]
            if generation and generation % 2 == 0 and generation == struct.unpack_from("=H", segment, 14)[0]:
                break
    at = struct.unpack_from
    return ClockBound(
        at("=qq", body, 0),
        at("=qq", body, 16),
        *at("=q", body, 32),
        *at("=Q", body, 40),
        *at("=I", body, 48),
        *at("=i", body, 52),
        *at("=B", body, 56),
    )


def test_a_clockbound_client_reads_the_public_part(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "page"
    writer = Writer(path)
    writer.write(PUBLIC, PAGE)
    assert clockbound_v2(path) == ClockBound((5, 7), (1005, 7), 1234, 0, 50_000, 1, 0)
    for status, state in enumerate(State):
        writer.write(replace(PUBLIC, state=state), PAGE)
        assert clockbound_v2(path).clock_status == status
    writer.close()


@given(I64, st.integers(0, 2**63 - 1), st.sampled_from(State), st.booleans(), st.text(max_size=30))
def test_what_is_packed_is_unpacked(utc_minus_raw_ns: int, bound_ns: int, state: State, local: bool, host: str) -> None:
    from clockd.page import pack  # noqa: PLC0415

    page = replace(
        PAGE, utc_minus_raw_ns=utc_minus_raw_ns, bound_ns=bound_ns, state=state, local_reference=local, host=host
    )
    header = struct.pack("=2IIHH", 0x414D5A4E, 0x43420200, PAGE_BYTES, 2, 2)
    data = header + bytes(64) + pack(page)
    assert len(data) == PAGE_BYTES
    assert unpack(data) == page


@given(st.integers(80, PAGE_BYTES - 1), st.integers(1, 255))
def test_any_changed_byte_of_ours_is_torn(at: int, flip: int) -> None:
    from clockd.page import pack  # noqa: PLC0415

    data = bytearray(struct.pack("=2IIHH", 0x414D5A4E, 0x43420200, PAGE_BYTES, 2, 2) + bytes(64) + pack(PAGE))
    data[at] ^= flip
    assert unpack(bytes(data)) == "torn"


@pytest.mark.parametrize(("at", "value"), [(184, 4), (184, 255), (185, 9), (185, 255)])
def test_a_whole_page_by_other_rules_is_not_read_by_ours(at: int, value: int) -> None:
    from clockd.page import pack  # noqa: PLC0415

    data = bytearray(struct.pack("=2IIHH", 0x414D5A4E, 0x43420200, PAGE_BYTES, 2, 2) + bytes(64) + pack(PAGE))
    data[at] = value
    data[92:96] = struct.pack("=I", zlib.crc32(data[80:92] + data[96:]))
    assert unpack(bytes(data)) == "version"


def test_what_is_no_page_is_called_foreign_or_unwritten(tmp_path: Path) -> None:
    assert unpack(b"") == "foreign"
    assert unpack(bytes(PAGE_BYTES)) == "foreign"
    writer = Writer(tmp_path / "page")
    assert unpack((tmp_path / "page").read_bytes()) == "unwritten"
    assert writer.found is None
    writer.close()


def test_a_valid_page_is_kept_and_its_generation_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "page"
    first = Writer(path)
    first.write(PUBLIC, PAGE)
    first.close()
    inode = path.stat().st_ino
    second = Writer(path)
    assert second.found == PAGE
    assert unpack(path.read_bytes()) == PAGE
    second.write(PUBLIC, replace(PAGE, update=8))
    assert path.stat().st_ino == inode
    assert struct.unpack_from("=H", path.read_bytes(), 14) == (4,)
    second.close()


@pytest.mark.parametrize(("before", "after"), [(0xFFFE, 2), (0xFFFF, 2), (5, 6), (4, 6)])
def test_the_generation_skips_zero_and_keeps_an_odd_start(tmp_path: Path, before: int, after: int) -> None:
    path = tmp_path / "page"
    first = Writer(path)
    first.write(PUBLIC, PAGE)
    first.close()
    with path.open("r+b") as file:
        file.seek(14)
        file.write(struct.pack("=H", before))
    second = Writer(path)
    second.write(PUBLIC, PAGE)
    assert struct.unpack_from("=H", path.read_bytes(), 14) == (after,)
    second.close()


def test_two_daemons_cannot_write_one_page(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "page")
    with pytest.raises(PageError, match="another clockd"):
        Writer(tmp_path / "page")
    writer.close()


def test_a_file_that_is_no_page_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_text("dear diary")
    with pytest.raises(PageError, match="left alone"):
        Writer(path)
    assert path.read_text() == "dear diary"


def test_a_page_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PageError, match="cannot write the page"):
        Writer(tmp_path)


def test_a_bare_clockbound_segment_grows_and_never_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "shm0"
    path.write_bytes(struct.pack("=2IIHH", 0x414D5A4E, 0x43420200, 80, 2, 8) + bytes(64) + bytes(10_000))
    writer = Writer(path)
    writer.write(PUBLIC, PAGE)
    assert path.stat().st_size == 10_080
    assert unpack(path.read_bytes()) == PAGE
    writer.close()


def test_a_host_name_has_its_limit(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "page")
    with pytest.raises(PageError, match="at most 128"):
        writer.write(PUBLIC, replace(PAGE, host="x" * 129))
    writer.close()


def write_without_end(path: Path, started: str) -> None:
    writer = Writer(path)
    number = 0
    while True:
        number += 1
        public = Public(number, number, number, 50_000, State.SYNCHRONIZED)
        writer.write(public, replace(PAGE, utc_minus_raw_ns=number, bound_ns=number, update=number))
        if number == 1:
            Path(started).touch()


def test_a_writer_that_never_stops_is_never_caught_half_way(tmp_path: Path) -> None:
    path, started = tmp_path / "page", tmp_path / "started"
    writing = multiprocessing.get_context("spawn").Process(
        target=write_without_end, args=(path, os.fspath(started)), daemon=True
    )
    writing.start()
    while not started.exists():
        assert writing.is_alive()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as segment:
        updates = set()
        for _ in range(20_000):
            before = struct.unpack_from("=H", segment, 14)
            data = segment[:PAGE_BYTES]
            if before[0] % 2 or before != struct.unpack_from("=H", segment, 14):
                continue
            page = unpack(data)
            assert isinstance(page, Page)
            assert page.utc_minus_raw_ns == page.bound_ns == page.update
            assert struct.unpack_from("=q", data, 48) == (page.bound_ns,)
            updates.add(page.update)
    assert len(updates) > 1
    writing.kill()
    writing.join()
