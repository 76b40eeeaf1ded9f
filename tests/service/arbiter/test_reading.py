"""What a round says about a log: new lines once, whatever other rounds have brought, and every loss noticed."""

import pytest
from redis.exceptions import ResponseError

from model.vocabulary import Contradiction
from model.wire import log_line
from service.arbiter.ledger import Ledger
from service.arbiter.reading import LogReading, is_no_log, mark_ns
from service.arbiter.run import SaleRun
from service.store.embedded import EmbeddedStore
from service.store.opening import connect
from tests import stories

LINES = [log_line(stories.entry("north", seq, seq, f"b{seq}")) for seq in range(1, 10)]


@pytest.fixture
def run(arbiter_store: EmbeddedStore) -> SaleRun:
    return SaleRun(stories.terms(), stories.SEED, Ledger(connect(arbiter_store.url), 0), [])


def chunk(first: int, last: int) -> list[object]:
    return [f"{last}-0".encode(), [b"l", b"\n".join(LINES[first - 1 : last])]]


def reply(first: int, last: int) -> list[list[object]]:
    """Chunks of one line each."""
    return [chunk(number, number) for number in range(first, last + 1)]


def known(number: int) -> tuple[int, bytes]:
    return number, LINES[number - 1] if number else b""


@pytest.mark.parametrize("asked_at", [0, 1, 4])
@pytest.mark.parametrize("brought_meanwhile", [0, 1, 3])
def test_a_round_brings_what_no_earlier_one_has_brought(run: SaleRun, asked_at: int, brought_meanwhile: int) -> None:
    reading = LogReading(run, known(asked_at), 20)
    now = asked_at + brought_meanwhile
    lines, at_end = reading.lines("north", known(now), reply(max(asked_at, 1), 9))
    assert (lines, at_end) == (LINES[now:], True)


def test_chunks_are_taken_apart_whatever_an_earlier_round_has_brought(run: SaleRun) -> None:
    found = [chunk(1, 3), chunk(4, 4), chunk(5, 9)]
    assert LogReading(run, known(0), 20).lines("north", known(4), found) == (LINES[4:], True)
    assert LogReading(run, known(3), 20).lines("north", known(4), found) == (LINES[4:], True)
    assert LogReading(run, known(0), 2).lines("north", known(0), found[:2]) == (LINES[:4], True)
    assert LogReading(run, known(0), 2).lines("north", known(0), found) == (LINES, False)


@pytest.mark.parametrize("asked_at", [0, 3])
def test_a_log_that_has_more_than_a_round_brings_was_not_read_to_its_end(run: SaleRun, asked_at: int) -> None:
    reading = LogReading(run, known(asked_at), 4)
    first = max(asked_at, 1)
    assert f"{first}-0" in reading.command()
    lines, at_end = reading.lines("north", known(asked_at), reply(first, first + 4))
    assert lines == LINES[asked_at : first + 4]
    assert not at_end
    assert reading.lines("north", known(9), reply(first, first + 4)) == ([], False)


@pytest.mark.parametrize(
    ("asked_at", "now", "found", "rule"),
    [
        (3, 3, [], "still there"),
        (3, 3, reply(4, 9), "still the same"),
        (3, 3, [chunk(1, 5)], "still the same"),
        (3, 3, [[b"3-0", [b"l", b"other"]], *reply(4, 9)], "still the same"),
        (3, 5, reply(3, 4), "still there"),
        (3, 5, [*reply(3, 4), [b"5-0", [b"l", b"other"]]], "still the same"),
        (0, 2, [[b"1-0", [b"l", LINES[0]]], [b"2-0", [b"l", b"other"]]], "still the same"),
        (0, 0, reply(2, 3), "have no gap"),
        (0, 0, [chunk(1, 2), chunk(4, 5)], "have no gap"),
        (0, 0, [[b"1-0", [b"other", b"thing"]]], "entries and nothing else"),
        (0, 0, [[b"1-0", [b"l", b"line", b"b", b""]]], "entries and nothing else"),
        (0, 0, [[b"1-0", []]], "entries and nothing else"),
        (0, 0, ResponseError("WRONGTYPE of key"), "is a log"),
    ],
)
def test_a_log_that_lost_or_changed_something_is_a_contradiction(
    run: SaleRun, asked_at: int, now: int, found: object, rule: str
) -> None:
    with pytest.raises(Contradiction, match=rule):
        LogReading(run, known(asked_at), 20).lines("north", known(now), found)


def test_other_errors_are_the_servers_and_say_nothing_about_the_log() -> None:
    assert is_no_log(ResponseError("WRONGTYPE Operation against a key"))
    assert not is_no_log(ResponseError("LOADING the dataset"))
    assert not is_no_log(3)


@pytest.mark.parametrize("mark", [b"", b"12x", b"-1", b"1" * 20])
def test_what_is_no_mark_is_a_contradiction(mark: bytes) -> None:
    assert mark_ns("north", None) == 0
    assert mark_ns("north", b"17") == 17
    with pytest.raises(Contradiction, match="its mark is nanoseconds"):
        mark_ns("north", mark)
