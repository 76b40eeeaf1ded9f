"""A purchase's id leads to its line, and no other id does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.vocabulary import Entry
from model.wire import log_line, parse_log_line
from service.store.attempts import around, number_in, purchase_id, read_purchase, words
from service.store.chunks import CHUNK_LINES

ids = st.from_regex(r"[A-Za-z0-9._~-]{1,60}", fullmatch=True)
numbers = st.integers(1, 999_999_999_999_999)


@given(ids, numbers)
def test_an_id_says_its_number_whatever_is_before_it(request: str, seq: int) -> None:
    assert number_in(purchase_id(request, seq)) == seq


@given(st.text(max_size=40))
def test_any_text_has_a_number_or_none(text: str) -> None:
    number = number_in(text)
    assert number is None or number >= 0


@pytest.mark.parametrize(
    "text", ["", "-", "north.a", "north.a-", "north.a-x", "north.a-1x", "north.a-²", "a-" + "9" * 16]
)
def test_what_ends_in_no_number_has_none(text: str) -> None:
    assert number_in(text) is None


@given(ids, numbers)
def test_a_line_with_its_number_put_in_is_the_entrys_and_found_by_its_id_alone(request: str, seq: int) -> None:
    entry = Entry(seq, purchase_id(request, seq), "ada", 5, 6, "h/1", 7)
    line = around(5, 6, "h/1", 7).line(request, "ada").replace("\1", str(seq)).replace("\2", str(seq)).encode()
    assert line == log_line(entry)
    assert read_purchase(line, entry.request) == (line, parse_log_line(line))
    others = (f"{request}-0{seq}", f"x{request}-{seq}", request, purchase_id(request, seq + 1))
    assert [read_purchase(line, other) for other in others] == [None] * len(others)


def test_another_record_or_no_line_is_no_purchase() -> None:
    assert read_purchase(None, "north.a-1") is None
    assert read_purchase(b'{"seq":1,"type":"stocked","units":"0-9"}', "north.a-1") is None


@given(st.integers(0, 3 * CHUNK_LINES), st.integers(0, 3))
def test_lines_come_in_pieces_of_a_chunk_and_buyers_one_by_one(lines: int, looked_up: int) -> None:
    buyers = [f"b{number}" for number in range(lines + looked_up)]
    least, count, *rest = words(9, [f"line {number}" for number in range(lines)], buyers)
    assert (least, count, rest[: len(buyers)]) == ("9", str(lines), buyers)
    pieces = [piece.split("\n") for piece in rest[len(buyers) :]]
    assert [line for piece in pieces for line in piece] == [f"line {number}" for number in range(lines)]
    assert all(len(piece) == CHUNK_LINES for piece in pieces[:-1])
