"""Clock journals: what the daemon wrote is computed again to the nanosecond, and what somebody else wrote is found."""

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
    assert len(said) == sum(record["type"] != "start" for record in world.journal)


SECOND = 1_000_000_000
HOST = CalmHost("h", 21_000, random.Random(5), 10**12).run(UTC_NS, UTC_NS + 600 * SECOND, 5 * SECOND)


def read(lines: list[bytes]) -> list[Said]:
    return list(read_journal("clocks/h.jsonl", "h", lines))


def test_an_excerpt_is_read_as_far_as_it_can_be() -> None:
    """The `start` and the time around a sale: what came between is missing, so nothing can be computed anew."""
    lines = HOST.lines()
    assert all(said.is_recomputed for said in read(lines))
    excerpt = read([lines[0], *lines[60:]])
    assert not any(said.is_recomputed for said in excerpt)
    assert [said.line for said in excerpt] == [said.line for said in read(lines)[59:]]
    assert not any(said.is_recomputed for said in read(lines[60:]))


def test_an_excerpt_that_does_not_agree_with_its_own_exchanges_is_found() -> None:
    lines = HOST.lines()
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


def test_a_journal_of_another_host_is_found() -> None:
    with pytest.raises(FindingError, match="host that its file is named after"):
        list(read_journal("clocks/x.jsonl", "x", HOST.lines()))
