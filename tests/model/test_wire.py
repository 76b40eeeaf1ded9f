"""Lines: canonical by the book, the same record back, and nothing that is nearly right."""

import contextlib
import hashlib
import json
from dataclasses import replace

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from model import wire
from model.decided import decision_of
from model.vocabulary import (
    BeaconValue,
    Cancelled,
    Closed,
    Complete,
    Contradiction,
    CutOff,
    Decision,
    Entry,
    Halted,
    Outcome,
    RegionSeen,
    Seen,
    SoldOut,
    Won,
)

keys = st.text(st.characters(max_codepoint=127), max_size=8)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
numbers = st.integers(-wire.LARGEST_INTEGER, wire.LARGEST_INTEGER)
values = st.recursive(
    st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
records = st.dictionaries(keys, values, max_size=6)

ids = st.from_regex(r"[A-Za-z0-9._~-]{1,40}", fullmatch=True)
nanoseconds = st.integers(0, 10**19 - 1)
entries = st.builds(
    Entry,
    seq=st.integers(1, 10**15 - 1),
    request=ids,
    buyer=ids,
    stamp_ns=nanoseconds,
    bound_ns=st.integers(0, 10**18 - 1),
    clock=st.builds("{}/{}".format, ids, st.integers(0, 10**15)),
    heard_ns=nanoseconds,
)
heads = st.binary(min_size=32, max_size=32).map(bytes.hex)
seqs = st.integers(0, wire.LARGEST_INTEGER)
decisions = st.one_of(
    st.builds(
        Seen,
        st.dictionaries(ids, st.builds(RegionSeen, seqs, heads, nanoseconds), max_size=4),
        nanoseconds,
        nanoseconds,
    ),
    st.builds(Won, ids, ids, seqs, seqs),
    st.just(SoldOut()),
    st.builds(CutOff, ids, seqs, heads),
    st.builds(Cancelled, texts),
    st.builds(Halted, texts),
    st.just(Complete()),
    st.builds(BeaconValue, seqs, texts, texts),
    st.builds(Closed, st.sampled_from(["sold_out", "time", "cancelled"])),
)

ENTRY = Entry(7, "north.a1", "ann", 1_795_809_600_000_000_003, 20_000, "host-1/42", 1_795_809_599_000_000_000)
LINE = wire.log_line(ENTRY)


@given(records)
def test_canonical_is_rfc_8785(record) -> None:
    assert wire.canonical(record) == rfc8785.dumps(record)
    assert wire.parse_canonical(wire.canonical(record)) == record


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        -(2**53),
        0.5,
        1.0,
        float("nan"),
        None,
        b"bytes",
        {1: 2},
        {"é": 1},
        {None: 1},
        "\ud800",
        ["\udfff"],
        {1, 2},
        {"\ud800": 1},
        [[[None]]],
    ],
    ids=repr,
)
def test_what_has_no_canonical_form_is_refused(value) -> None:
    with pytest.raises(ValueError):
        wire.canonical({"field": value})


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1}\n',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":-0}',
        b'{"a":01}',
        b'{"a":null}',
        b'{"a":NaN}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b'{"a":9007199254740992}',
        b'{"a":' + b"9" * 5000 + b"}",
        '{"a":1}'.encode("utf-16"),
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda line: repr(line[:24]),
)
def test_a_line_that_is_not_canonical_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        wire.parse_canonical(line)


def test_nesting_of_any_depth_is_a_record_or_a_value_error() -> None:
    for depth in range(700, 1001):
        with contextlib.suppress(ValueError):
            wire.parse_canonical(b'{"a":' + b"[" * depth + b"]" * depth + b"}")


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_a_record_or_a_value_error(line: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert wire.canonical(wire.parse_canonical(line)) == line
    with pytest.raises(ValueError):
        wire.parse_log_line(line)
    with pytest.raises(Contradiction):
        wire.parse_decision_line(0, line)


@given(entries)
def test_a_log_line_comes_back_as_its_entry_and_is_canonical(entry: Entry) -> None:
    line = wire.log_line(entry)
    assert wire.parse_log_line(line) == entry
    assert wire.canonical(wire.parse_canonical(line)) == line


def test_a_log_line_is_the_one_of_the_design() -> None:
    assert json.loads(LINE) == {
        "seq": 7, "type": "request", "request": "north.a1", "buyer": "ann", "stamp_ns": "1795809600000000003",
        "bound_ns": "20000", "clock": "host-1/42", "heard_ns": "1795809599000000000",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seq":7', b'"seq": 7'),
        (b'"seq":7', b'"seq":"7"'),
        (b'"seq":7', b'"seq":0'),
        (b'"seq":7', b'"seq":07'),
        (b'"seq":7', b'"seq":-7'),
        (b'"seq":7', b'"seq":7.0'),
        (b'"20000"', b"20000"),
        (b'"20000"', b'"020000"'),
        (b'"20000"', b'"+20000"'),
        (b'"20000"', b'"-1"'),
        (b'"20000"', b'""'),
        (b'"20000"', b'" 20000"'),
        (b'"ann"', b'""'),
        (b'"ann"', b'"a nn"'),
        (b'"ann"', b'"a/n"'),
        (b'"ann"', b'"%s"' % (b"a" * 129)),
        (b'"ann"', '"änn"'.encode()),
        (b'"ann"', '"٣"'.encode()),
        (b'"ann"', b'"a\\u006en"'),
        (b'"host-1/42"', b'"host-1"'),
        (b'"host-1/42"', b'"host-1/42/1"'),
        (b'"host-1/42"', b'"host-1/x"'),
        (b'"request"}', b'"bid"}'),
        (b'"request"}', b'"request","x":1}'),
        (b'"request"}', b'"request"}\n'),
        (b'"request"}', b'"request"}\r'),
        (b'"request"}', b'"request"} '),
        (b'{"bound', b' {"bound'),
        (b'"bound_ns":"20000",', b""),
        (b'003"', b'0030"'),
        (b"1795809600000000003", "１795809600000000003".encode()),
    ],
)
def test_a_log_line_that_is_nearly_right_is_refused(old: bytes, new: bytes) -> None:
    assert LINE.count(old) >= 1
    with pytest.raises(ValueError):
        wire.parse_log_line(LINE.replace(old, new))


@given(st.integers(0, len(LINE) - 1), st.integers(0, 255))
def test_a_log_line_with_one_byte_changed_is_another_entry_or_none(at: int, byte: int) -> None:
    changed = LINE[:at] + bytes([byte]) + LINE[at + 1 :]
    try:
        entry = wire.parse_log_line(changed)
    except ValueError:
        return
    assert wire.log_line(entry) == changed
    assert (entry == ENTRY) == (changed == LINE)


@given(seqs, decisions)
def test_a_decision_comes_back_from_its_line(index: int, decision: Decision) -> None:
    line = wire.decision_line(index, decision)
    assert wire.parse_decision_line(index, line) == decision
    assert line == rfc8785.dumps(json.loads(line))
    with pytest.raises(Contradiction, match=f"decision record {index + 1} is well formed"):
        wire.parse_decision_line(index + 1, line)


WON = wire.decision_line(3, Won("north.a1", "north", 0, 0))
SEEN = wire.decision_line(3, Seen({"north": RegionSeen(2, "ab" * 32, 5)}, 1, 2))


@given(st.integers(0, len(WON) - 1), st.integers(0, 255))
def test_a_decision_line_with_one_byte_changed_is_read_as_its_fields_say_or_refused(at: int, byte: int) -> None:
    changed = WON[:at] + bytes([byte]) + WON[at + 1 :]
    try:
        decision = decision_of(wire.parse_canonical(changed))
        is_sound = wire.decision_line(3, decision) == changed
    except (ValueError, KeyError, TypeError, AttributeError):
        is_sound = False
    if is_sound:
        assert wire.parse_decision_line(3, changed) == decision
    else:
        with pytest.raises(Contradiction):
            wire.parse_decision_line(3, changed)


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        (WON, b'"won"', b'"lost"'),
        (WON, b'"won"', b"3"),
        (WON, b'"won"', b"[]"),
        (WON, b'"won"', b"{}"),
        (WON, b'"unit":0}', b'"unit":0,"x":1}'),
        (WON, b'"rank":0', b'"rank":-1'),
        (WON, b'"rank":0', b'"rank":true'),
        (WON, b'"rank":0', b'"rank":"0"'),
        (WON, b'"rank":0', b'"rank":0.0'),
        (WON, b'"rank":0,', b""),
        (WON, b'"index":3', b'"index":4'),
        (WON, b'"index":3', b'"index":"3"'),
        (WON, b'"north"', b"[]"),
        (WON, b'"north.a1"', b"{}"),
        (WON, b'"rank":0', b'"rank":%d' % 2**53),
        (SEEN, b'"5"', b"5"),
        (SEEN, b'"5"', b'"05"'),
        (SEEN, b'"5"', b'"-5"'),
        (SEEN, b'"5"', '"٥"'.encode()),
        (SEEN, b'"5"', b'"%s"' % (b"9" * 5000)),
        (SEEN, b'{"earliest_ns":"1","latest_ns":"2"}', b"[]"),
        (SEEN, b'{"earliest_ns":"1","latest_ns":"2"}', b"{}"),
        (SEEN, b'"latest_ns":"2"', b'"latest_ns":"2","more":"3"'),
        (SEEN, b'"seq":2', b'"seq":2,"size":1'),
        (SEEN, b'"seq":2', b'"seq":null'),
        (SEEN, b'{"north":', b'["north",'),
    ],
)
def test_a_decision_that_is_nearly_right_is_a_contradiction(line: bytes, old: bytes, new: bytes) -> None:
    assert old in line
    with pytest.raises(Contradiction):
        wire.parse_decision_line(3, line.replace(old, new))


def test_heads_chain_from_zero_bytes_over_lines_without_their_ends() -> None:
    first = hashlib.sha256(bytes(32) + b"one").digest()
    assert wire.extend(wire.FIRST_HEAD, b"one") == first.hex()
    assert wire.extend(first.hex(), b"two") == hashlib.sha256(first + b"two").hexdigest()


def test_an_outcome_says_only_what_applies() -> None:
    assert (
        wire.outcome_line(Outcome("n.1", "won", rank=0, unit=0)) == b'{"rank":0,"request":"n.1","state":"won","unit":0}'
    )
    duplicate = Outcome("n.2", "lost", reason="duplicate", of="n.1")
    assert json.loads(wire.outcome_line(duplicate)) == {
        "request": "n.2", "state": "lost", "reason": "duplicate", "of": "n.1"
    }  # fmt: skip
    assert wire.outcome_line(replace(duplicate, of=None)) != wire.outcome_line(duplicate)


@given(seqs, st.text(max_size=5) | st.just("north.a1"), st.text(max_size=5) | st.just("north"), seqs)
def test_what_is_written_fast_is_canonical(index: int, request: str, region: str, rank: int) -> None:
    """Records that are written without the general encoder are what it would have written."""
    won = {"index": index, "type": "won", "request": request, "region": region, "rank": rank, "unit": rank}
    lost = {"request": request, "state": "lost", "reason": "sold_out"}
    for line, fields in (
        (lambda: wire.decision_line(index, Won(request, region, rank, rank)), won),
        (lambda: wire.outcome_line(Outcome(request, "lost", reason="sold_out")), lost),
    ):
        assert line() == wire.canonical(fields)
