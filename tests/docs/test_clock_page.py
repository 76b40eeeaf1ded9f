"""`docs/clock-page.md` is enough: a reader written from its tables alone takes the page as ours does."""

import re
import struct
import zlib
from pathlib import Path

from clockd.page import PAGE_BYTES, Public, State, Writer
from clockd.states import STATES, WHYS
from model.clock import Line, stamp
from tests.clockd.test_page import PAGE

DOCUMENT = (Path(__file__).parents[2] / "docs" / "clock-page.md").read_text()
PUBLIC = Public(5_000_000_007, 1_005_000_000_007, 1234, 50_000, State.SYNCHRONIZED)


def test_the_tables_say_where_everything_is(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "page")
    writer.write(PUBLIC, PAGE)
    data = (tmp_path / "page").read_bytes()
    writer.close()
    ours = DOCUMENT.split("## Our part")[1].split("### Reading it")[0]
    formats = {"i64": "q", "u64": "Q", "u32": "I"}
    read = {
        name: struct.unpack_from("=" + formats[kind], data, int(at))[0]
        for at, kind, name in re.findall(r"^\| (\d+) \| (\w+) \| `(\w+)`", ours, re.MULTILINE)
    }
    assert len(read) == 11
    assert read == {name: getattr(PAGE, name) for name in read}
    assert struct.unpack_from("=I", data, 92)[0] == zlib.crc32(data[80:92] + data[96:336])
    assert (len(data), struct.unpack_from("=I", data, 8)[0]) == (PAGE_BYTES, 336)
    assert STATES[data[184]] is PAGE.state
    assert WHYS[data[185]] is PAGE.why
    whys = ours.split("why: ")[1].split(" |")[0].split(", ")
    assert [why.split(" ")[1] for why in whys] == ["nothing", *map(str, WHYS[1:])]
    assert data[190:206] == PAGE.boot
    assert data[208 : 208 + struct.unpack_from("=H", data, 206)[0]].decode() == PAGE.host


def test_the_formula_for_other_readers_is_never_tighter_than_ours() -> None:
    line = Line(PAGE.as_of_raw_ns, PAGE.utc_minus_raw_ns, PAGE.bound_ns, PAGE.rate_ppt, PAGE.rate_bound_ppt)
    for t in (0, 1, -1, 10**6, -(10**9), 10**9, 77 * 10**9, 999 * 10**9):
        grown = (PAGE.rate_bound_ppt * abs(t) + PAGE.wander_ppt_s * t * t / (2 * 10**9)) / 10**12
        _, bound = stamp(line, PAGE.as_of_raw_ns + t, 0, PAGE.drift_ppb, PAGE.wander_ppt_s)
        assert bound <= PAGE.bound_ns + grown + 3
