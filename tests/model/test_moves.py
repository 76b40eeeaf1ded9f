"""Lines of a log where units are sold at the door: read(write(x)) = x, and nothing else is read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.moves import line_of, parse_line
from model.vocabulary import Entry, Granted, Line, Refused, Stocked, Taken
from tests.model.test_units import some_units

NAMES = st.from_regex(r"[A-Za-z0-9._~-]{1,20}", fullmatch=True)
NUMBERS = st.integers(1, 10**12)
ENTRIES = st.builds(
    Entry, NUMBERS, NAMES, NAMES, st.integers(0, 10**18), st.integers(0, 10**9), NAMES.map("{}/7".format),
    st.integers(0, 10**18), st.none() | st.integers(0, 10**7),
)  # fmt: skip
LINES: st.SearchStrategy[Line] = st.one_of(
    ENTRIES,
    st.builds(Stocked, NUMBERS, some_units()),
    st.builds(Granted, NUMBERS, NUMBERS, NAMES, some_units()),
    st.builds(Taken, NUMBERS, st.just("") | NAMES, NUMBERS, some_units()),
    st.builds(
        Refused, NUMBERS, st.just("") | NAMES, NUMBERS, some_units(), st.sampled_from(["altered", "fenced", "foreign"])
    ),
)


@given(LINES)
def test_a_line_that_is_written_is_read_back(record: Line) -> None:
    assert parse_line(line_of(record)) == record


@given(LINES, st.data())
def test_a_line_with_one_byte_changed_is_another_line_or_none(record: Line, data: st.DataObject) -> None:
    line = line_of(record)
    at = data.draw(st.integers(0, len(line) - 1))
    other = line[:at] + bytes([line[at] ^ 1 << data.draw(st.integers(0, 7))]) + line[at + 1 :]
    try:
        read = parse_line(other)
    except ValueError:
        return
    assert read != record
    assert line_of(read) == other


TAKEN = {"donor": "virginia", "number": 1, "seq": 3, "type": "taken", "units": "40-49"}
REFUSED = TAKEN | {"type": "refused", "reason": "altered"}


@pytest.mark.parametrize(
    "fields",
    [
        TAKEN | {"number": 0},
        TAKEN | {"number": True},
        TAKEN | {"number": "1"},
        TAKEN | {"seq": 0},
        TAKEN | {"seq": True},
        TAKEN | {"donor": 5},
        TAKEN | {"donor": "two words"},
        TAKEN | {"units": "49-40"},
        TAKEN | {"units": 40},
        TAKEN | {"units": None},
        TAKEN | {"vip": True},
        TAKEN | {"type": "found"},
        {name: value for name, value in TAKEN.items() if name != "donor"},
        REFUSED | {"reason": "mood"},
        {"number": 1, "seq": 2, "to": "", "type": "granted", "units": "0-1"},
        {"seq": 1, "type": "stocked", "units": "0-1", "free": 2},
        ["seq"],
        7,
    ],
)
def test_lines_of_another_form_are_refused(fields: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_line(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())


def test_the_lines_are_those_that_the_bundle_s_document_shows() -> None:
    assert line_of(Stocked(1, ((0, 49),))) == b'{"seq":1,"type":"stocked","units":"0-49"}'
    granted = b'{"number":1,"seq":7,"to":"shanghai","type":"granted","units":"40-49"}'
    assert line_of(Granted(7, 1, "shanghai", ((40, 49),))) == granted
    assert line_of(Taken(3, "virginia", 1, ((40, 49),))) == json.dumps(TAKEN, separators=(",", ":")).encode()
    assert parse_line(b'{"seq":1,"type":"stocked","units":""}') == Stocked(1, ())
