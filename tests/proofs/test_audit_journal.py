"""Clock journals: what the daemon wrote is computed again to the nanosecond, and what somebody else wrote is found."""

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from proofs.audit.journal import Said, read_journal
from proofs.findings import FindingError
from tests.proofs.journals import CalmHost, JournalledWorld, line_of

UTC_NS = 1_795_809_600_000_000_000


@pytest.mark.parametrize("seed", range(30))
def test_whatever_befell_a_host_its_journal_comes_out_again(tmp_path: Path, seed: int) -> None:
    world = JournalledWorld(seed, tmp_path / "page", wander_times=1 + 20 * (seed % 3 == 0))
    world.run(60)
    said = list(read_journal("clocks/h.jsonl", "h", map(line_of, world.journal)))
    assert all(each.is_recomputed for each in said)
    assert len(said) == sum(record["type"] not in {"start", "state"} for record in world.journal)


@pytest.mark.parametrize("seed", range(0, 30, 5))
def test_an_excerpt_that_begins_with_a_state_comes_out_the_same(tmp_path: Path, seed: int) -> None:
    """From any state on, to the nanosecond, whatever befalls the host; every later state follows, too."""
    world = JournalledWorld(seed, tmp_path / "page", wander_times=1 + 20 * (seed % 3 == 0))
    world.run(60)
    lines = list(map(line_of, world.journal))
    whole = {each.at: each for each in read_journal("clocks/h.jsonl", "h", lines)}
    began = 0
    for at, record in enumerate(world.journal):
        if record["type"] == "start":
            began = at
        elif record["type"] == "state":
            excerpt = list(read_journal("clocks/h.jsonl", "h", [lines[began], *lines[at:]]))
            stated, *later = excerpt
            assert (stated.number, stated.is_recomputed, stated.rests_on_state) == (record["update"], False, True)
            assert all(said.is_recomputed for said in later)
            assert [said.line for said in later] == [whole[said.at + at - 1].line for said in later]
    assert not any(said.rests_on_state for said in whole.values())


SECOND = 1_000_000_000
HOST = CalmHost("h", 21_000, random.Random(5), 10**12).run(UTC_NS, UTC_NS + 600 * SECOND, 5 * SECOND)


def read(lines: list[bytes]) -> list[Said]:
    return list(read_journal("clocks/h.jsonl", "h", lines))


OLD = [line for line in HOST.lines() if b'"type":"state"' not in line]
"""What a daemon wrote that told no states."""
STATE = next(at for at, line in enumerate(HOST.lines()) if b'"type":"state"' in line)


def test_an_excerpt_without_a_state_is_read_as_far_as_it_can_be() -> None:
    """The `start` and the time around a sale: what came between is missing, so nothing can be computed anew."""
    assert all(said.is_recomputed for said in read(OLD))
    excerpt = read([OLD[0], *OLD[60:]])
    assert not any(said.is_recomputed for said in excerpt)
    assert [said.line for said in excerpt] == [said.line for said in read(OLD)[59:]]
    assert not any(said.is_recomputed for said in read(OLD[60:]))


def test_a_state_in_the_middle_makes_the_rest_computable() -> None:
    lines = HOST.lines()
    said = read([lines[0], *lines[STATE - 5 :]])
    assert [each.is_recomputed for each in said] == [False] * 5 + [True] * (len(lines) - STATE - 1)
    assert [each.line for each in said] == [each.line for each in read(lines)][STATE - 6 :]


def state_with(change: Callable[[dict], object]) -> bytes:
    record = json.loads(HOST.lines()[STATE])
    change(record)
    return line_of(record)


STATE_LIES: list[tuple[Callable[[dict], object], bool]] = [
    (lambda r: r.update(update=r["update"] + 1), False),
    (lambda r: r.update(wander_ppt_s=5), False),
    (lambda r: r.update(belief=None), False),
    (lambda r: r["voices"].pop(), False),
    (lambda r: r["voices"][0]["newest"].update(source="mallory"), True),
    (lambda r: r["voices"][0]["newest"].update(t2_ns="5", t3_ns="6"), True),
    (lambda r: r["voices"].append(r["voices"][0]), True),
    (lambda r: r["voices"][0]["track"].update(loose=["5", "4"]), True),
    (lambda r: r["voices"][0]["track"].update(loose=["5", "6"]), True),
    (lambda r: r["belief"].update(pairs=[]), True),
    (lambda r: r["belief"].update(pairs=r["belief"]["pairs"][::-1]), True),
    (lambda r: r["belief"].update(pairs=r["belief"]["pairs"][:2]), True),
    (lambda r: r["belief"].update(pairs=r["belief"]["pairs"] * 2), True),
    (lambda r: r["belief"].update(pairs=[["1", "2"]]), True),
    (lambda r: r["belief"].update(raw_ns=7), True),
    (lambda r: r.update(voices=7), True),
    (lambda r: r.update(more=1), True),
    (lambda r: r.pop("belief"), True),
]


@pytest.mark.parametrize(("change", "is_absurd"), STATE_LIES)
def test_a_state_that_is_not_what_follows_is_found(change: Callable[[dict], object], is_absurd: bool) -> None:
    """In a whole journal any lie; at the beginning of an excerpt what cannot be."""
    lines, lie = HOST.lines(), state_with(change)
    with pytest.raises(FindingError) as found:
        read([*lines[:STATE], lie, *lines[STATE + 1 :]])
    assert found.value.finding.line == STATE + 1
    with pytest.raises(FindingError) if is_absurd else contextlib.nullcontext():
        read([lines[0], lie])


def test_a_state_that_nothing_follows_from_is_found_by_the_next_line() -> None:
    """A belief moved a little, within what its exchanges allow: the update after it does not come out."""

    def moved(record: dict) -> None:
        record["belief"]["pairs"] = [[str(int(o) + 1_000), f] for o, f in record["belief"]["pairs"]]

    lines = HOST.lines()
    with pytest.raises(FindingError, match="what follows from the exchanges") as found:
        read([lines[0], state_with(moved), *lines[STATE + 1 :]])
    assert found.value.finding.line == 3


def test_a_state_without_a_start_is_found() -> None:
    with pytest.raises(FindingError, match="a state comes after a start"):
        read(HOST.lines()[STATE:])


def test_an_excerpt_that_does_not_agree_with_its_own_exchanges_is_found() -> None:
    lines = OLD
    record = json.loads(lines[90])
    record["utc_minus_raw_ns"] = str(int(record["utc_minus_raw_ns"]) + 60_000_000)
    with pytest.raises(FindingError) as found:
        read([lines[0], *lines[60:90], line_of(record), *lines[91:]])
    assert found.value.finding.line == 32
    assert found.value.finding.rule == "an update's line agrees with enough of the exchanges that were heard last"


def first_timed(change: Callable[[dict], object]) -> list[bytes]:
    lines = HOST.lines()
    at = next(at for at, line in enumerate(lines) if b"utc_minus_raw_ns" in line) + 5
    record = json.loads(lines[at])
    change(record)
    return [*lines[:at], line_of(record), *lines[at + 1 :]]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda r: r.update(bound_ns=str(int(r["bound_ns"]) - 1)), "what follows from the exchanges"),
        (lambda r: r.update(bound_ns=str(int(r["bound_ns"]) + 1)), "what follows from the exchanges"),
        (lambda r: r.update(rate_ppt=r["rate_ppt"] + 1), "what follows from the exchanges"),
        (lambda r: r.update(wander_ppt_s=1), "wander that is believed"),
        (lambda r: r.update(update=r["update"] + 1), "numbered without gaps"),
        (lambda r: r.update(update=r["update"] - 1), "keeps its number only"),
        (lambda r: r.update(raw_ns="5"), "in order of time"),
        (lambda r: r["heard"].clear(), "what follows from the exchanges"),
        (lambda r: r["heard"][0].update(source="mallory"), "nobody is heard but the stated sources"),
        (lambda r: r["heard"][0].update(t4_raw_ns="1"), "does not contradict itself"),
        (lambda r: r["heard"][0].update(t3_ns="9" * 30), "record of a clock journal"),
        (lambda r: r["heard"][0].update(t3_ns=5), "record of a clock journal"),
        (lambda r: r["heard"][0].update(address="1.2.x.4"), "record of a clock journal"),
        (lambda r: r["heard"][0].update(reference_id="zz"), "record of a clock journal"),
        (lambda r: r.update(heard=7), "record of a clock journal"),
        (lambda r: r.update(type=[]), "record of a clock journal"),
        (lambda r: r.update(more=1), "record of a clock journal"),
        (lambda r: r.update(rate_ppt=2**60), "record of a clock journal"),
    ],
)
def test_an_edited_record_is_found(change: Callable[[dict], object], rule: str) -> None:
    with pytest.raises(FindingError, match=rule):
        read(first_timed(change))


@pytest.mark.parametrize("line", [b"", b"[]", b"7", b"{", b"\xff", b"[" * 100_000, b'{"type":"start"}', b"1" * 5_000])
def test_what_is_no_record_is_found(line: bytes) -> None:
    with pytest.raises(FindingError, match="record of a clock journal"):
        read([HOST.lines()[0], line])


def test_journals_of_two_hosts_of_one_name_follow_each_other() -> None:
    other = CalmHost("h", -9_000, random.Random(6), 10**13).run(UTC_NS, UTC_NS + 60 * SECOND, 5 * SECOND)
    said = read([*HOST.lines(), *other.lines()])
    assert all(each.is_recomputed for each in said)
    assert len(said) == len(read(HOST.lines())) + len(read(other.lines()))


def test_a_journal_of_another_host_is_found() -> None:
    with pytest.raises(FindingError, match="host that its file is named after"):
        list(read_journal("clocks/x.jsonl", "x", HOST.lines()))
