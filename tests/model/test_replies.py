"""Lines of what holders say: read(write(x)) = x, and nothing else is read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.replies import parse_line, reply_line
from model.vocabulary import Reply
from model.wire import canonical, log_line
from tests.model.test_moves import NAMES, NUMBERS
from tests.stories import entry

REPLIES = st.builds(
    Reply, NUMBERS, st.sampled_from(["confirm", "release"]), NAMES, st.integers(0, 10**18), st.integers(0, 10**9),
    NAMES.map("{}/7".format), st.integers(0, 10**18),
)  # fmt: skip
LINE = reply_line(Reply(8, "confirm", "eu.a", 1790000000000000000, 9000, "h/7", 0))


@given(REPLIES)
def test_a_reply_that_is_written_is_read_back_and_its_line_is_canonical(reply: Reply) -> None:
    line = reply_line(reply)
    assert parse_line(line) == reply
    assert canonical(json.loads(line)) == line


@given(REPLIES, st.data())
def test_a_line_with_one_byte_changed_is_another_line_or_none(reply: Reply, data: st.DataObject) -> None:
    line = reply_line(reply)
    at = data.draw(st.integers(0, len(line) - 1))
    other = line[:at] + bytes([line[at] ^ 1 << data.draw(st.integers(0, 7))]) + line[at + 1 :]
    try:
        found = parse_line(other)
    except ValueError:
        return
    assert isinstance(found, Reply)
    assert found != reply
    assert reply_line(found) == other


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"confirm"', b'"confirmed"'),
        (b'"seq":8', b'"seq":08'),
        (b'"seq":8', b'"seq":0'),
        (b'"bound_ns":"9000"', b'"bound_ns":9000'),
        (b'"purchase":"eu.a"', b'"purchase":"eu a"'),
        (b'"heard_ns":"0",', b""),
        (b'{"bound_ns"', b'{ "bound_ns"'),
        (b'"confirm"}', b'"confirm","unit":1}'),
        (b'"confirm"}', b'"confirm"}\n'),
        (b"eu.a", "eü.a".encode()),
    ],
)
def test_another_form_is_no_reply(before: bytes, after: bytes) -> None:
    assert before in LINE
    with pytest.raises(ValueError, match=r"."):
        parse_line(LINE.replace(before, after))


def test_entries_are_read_as_entries() -> None:
    logged = entry("north", 1, 3, "ann")
    assert parse_line(log_line(logged)) == logged
