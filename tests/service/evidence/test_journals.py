"""Clock journals on their way: whole lines through every rotation, once each, whoever hands them in."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from clockd.journal import Journal
from service.evidence.journals import (
    LINES_BEFORE,
    JournalDelivery,
    JournalFile,
    from_a_beginning,
    hand_in,
    handed_in,
)
from service.store import keys
from service.store.embedded import EmbeddedStore
from service.store.lane import Lane
from service.store.opening import Store, connect

SALE = "5a" * 16


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("j") / "s") as store:
        yield store


@pytest.fixture
def client(server: EmbeddedStore) -> Iterator["redis.Redis[bytes]"]:
    with redis.Redis.from_url(server.url, protocol=2) as opened:
        opened.flushall()
        yield opened


def with_store(server: EmbeddedStore, work: Callable[[Store], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        store = connect(server.url)
        try:
            return await work(store)
        finally:
            await store.aclose()

    return asyncio.run(run())


def start(host: str = "host-1") -> dict[str, object]:
    return {"type": "start", "host": host, "boot": "00"}


def updates(first: int, last: int) -> list[dict[str, object]]:
    return [{"type": "update", "update": number, "heard": []} for number in range(first, last + 1)]


def kept(client: "redis.Redis[bytes]", host: str = "host-1") -> list[Any]:
    return [json.loads(fields[b"l"]) for _, fields in client.xrange(keys.journal(SALE, host))]


def test_a_journal_is_followed_through_its_rotations(tmp_path: Path) -> None:
    path = tmp_path / "clock.jsonl"
    follower = JournalFile(path)
    follower.read_on()
    assert (follower.host, follower.count) == ("", 0)
    journal = Journal(path, most_bytes=10_000)
    journal.append([start()])
    seen: list[int] = []
    last = LINES_BEFORE + 100 - (LINES_BEFORE + 100) % 7
    for number in range(1, last, 7):
        journal.append(updates(number, number + 6))
        before = follower.count
        follower.read_on()
        seen += [json.loads(line).get("update", 0) for _, line in follower.after(before)]
    assert path.with_name("clock.jsonl.3").exists()
    assert seen == list(range(last + 1))
    assert follower.host == "host-1"
    assert len(follower.recent) == LINES_BEFORE
    follower.close()


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    path = tmp_path / "clock.jsonl"
    follower = JournalFile(path)
    for part in (b'{"type":"start","ho', b'st":"host-1"}\n{"type"', b"}"):
        with path.open("ab") as file:
            file.write(part)
        follower.read_on()
    assert [line for _, line in follower.recent] == [b'{"type":"start","host":"host-1"}']
    assert follower.host == "host-1"
    follower.close()


async def give(store: Store, *deliveries: JournalDelivery) -> None:
    """Hand in what there is, as a notary does for all of its sales."""
    lane = Lane(store)
    await hand_in(lane, deliveries)
    await lane.close()


@pytest.mark.parametrize("name", ["a b", "", 7, None])
def test_a_journal_without_a_name_is_nobodys(
    server: EmbeddedStore, client: "redis.Redis[bytes]", tmp_path: Path, name: Any
) -> None:
    Journal(tmp_path / "j", 10_000).append([start(name), *updates(1, 3)])
    follower = JournalFile(tmp_path / "j")
    follower.read_on()
    with_store(server, lambda store: give(store, JournalDelivery(store, SALE, follower)))
    follower.close()
    assert client.keys() == []


def lines_of(*numbers: int) -> list[bytes]:
    return [b"%d" % number for number in numbers]


START = b'{"type":"start"}'
EARLIER = LINES_BEFORE + 144
"""Updates from before a sale, more than are handed in."""


@pytest.mark.parametrize(
    ("there", "ours", "known"),
    [
        (lines_of(1, 2, 3), lines_of(1, 2, 3, 4, 5), 3),
        (lines_of(1, 2, 3), lines_of(3, 4, 5), 1),
        (lines_of(1, 2, 3), lines_of(1, 2, 3), 3),
        (lines_of(1, 2, 3, 4), lines_of(1, 2), None),
        (lines_of(2, 3, 4), lines_of(1, 2, 3), None),
        (lines_of(1, 2), lines_of(5, 6), 0),
        (lines_of(1, 2), [], 0),
        (lines_of(7, 7, 7), lines_of(1, 7, 7, 7, 2), 4),
        (lines_of(1, 7), lines_of(1, 7, 7), 2),
        ([START, *lines_of(4, 5)], lines_of(2, 3, 4, 5, 6), 4),
        ([START, *lines_of(4, 5)], lines_of(4, 5, 6), 2),
        ([START, *lines_of(4, 5)], [START, *lines_of(4, 5, 6)], 3),
        ([START, *lines_of(4, 5, 6)], lines_of(2, 3, 4, 5), None),
    ],
)
def test_what_a_store_has_is_found_among_what_is_at_hand(
    there: list[bytes], ours: list[bytes], known: int | None
) -> None:
    assert handed_in(there, ours) == known


def test_two_notaries_that_take_turns_in_any_way_hand_each_line_in_once(
    server: EmbeddedStore, client: "redis.Redis[bytes]", tmp_path: Path
) -> None:
    """Each reads on and hands in when it likes, and forgets where it was now and then."""
    path, chance = tmp_path / "clock.jsonl", random.Random(8)
    journal = Journal(path, 1_000_000)
    journal.append([start(), *updates(1, EARLIER)])

    async def work(store: Store) -> None:
        files = [JournalFile(path), JournalFile(path)]
        deliveries = [JournalDelivery(store, SALE, file) for file in files]
        for file in files:
            file.read_on()
        last = EARLIER
        for _ in range(300):
            which, new = chance.randrange(2), chance.randrange(4)
            journal.append(updates(last + 1, last + new))
            last += new
            match chance.randrange(4):
                case 0:
                    files[which].read_on()
                case 1:
                    deliveries[which] = JournalDelivery(store, SALE, files[which])
                case _:
                    await give(store, deliveries[which])
        for file, delivery in zip(files, deliveries, strict=True):
            file.read_on()
            for _ in range(3):
                await give(store, delivery)
            file.close()

    with_store(server, work)
    numbers = [record["update"] for record in kept(client)[1:]]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[0] == EARLIER - LINES_BEFORE + 1


def test_what_a_journal_grows_by_is_handed_in_for_every_sale(
    server: EmbeddedStore, client: "redis.Redis[bytes]", tmp_path: Path
) -> None:
    """Also for one that comes later than the others, and for one that has it from another notary already."""
    journal = Journal(tmp_path / "j", 1_000_000)
    journal.append([start(), *updates(1, EARLIER)])
    sales = [f"{number:032x}" for number in range(5)]

    async def work(store: Store) -> None:
        follower = JournalFile(tmp_path / "j")
        follower.read_on()
        await give(store, JournalDelivery(store, sales[0], follower))
        deliveries = [JournalDelivery(store, sale, follower) for sale in sales]
        await give(store, *deliveries[:4])
        journal.append(updates(EARLIER + 1, EARLIER + 7))
        follower.read_on()
        await give(store, *deliveries)
        follower.close()

    with_store(server, work)
    of_sales = [client.xrange(keys.journal(sale, "host-1")) for sale in sales]
    assert [len(lines) for lines in of_sales] == [1 + LINES_BEFORE + 7] * 4 + [1 + LINES_BEFORE]
    assert all(lines[-1] == of_sales[0][-1] or lines is of_sales[4] for lines in of_sales)


def test_an_excerpt_begins_with_a_state(server: EmbeddedStore, client: "redis.Redis[bytes]", tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", 1_000_000)
    journal.append([start()])
    for first in range(1, 1000, 64):
        journal.append([*updates(first, first + 63), {"type": "state", "update": first + 63}])
    follower = JournalFile(tmp_path / "j")
    follower.read_on()
    with_store(server, lambda store: give(store, JournalDelivery(store, SALE, follower)))
    follower.close()
    found = kept(client)
    assert found[0] == start()
    assert found[1]["type"] == "state"
    assert [record["update"] for record in found[2:] if record["type"] == "update"] == list(
        range(found[1]["update"] + 1, 1025)
    )
    assert len(found) > LINES_BEFORE - 66


def test_lines_are_handed_in_once_with_those_before(
    server: EmbeddedStore, client: "redis.Redis[bytes]", tmp_path: Path
) -> None:
    path = tmp_path / "clock.jsonl"
    journal = Journal(path, 1_000_000)
    journal.append([start(), *updates(1, EARLIER)])

    async def work(store: Store) -> None:
        follower, twin_file = JournalFile(path), JournalFile(path)
        delivery, twin = JournalDelivery(store, SALE, follower), JournalDelivery(store, SALE, twin_file)
        for first, last in ((1, 0), (1, 1), (2, 1), (900, 900)):
            journal.append(updates(EARLIER + first, EARLIER + last))
            for file in (follower, twin_file):
                file.read_on()
            await give(store, delivery)
            await give(store, twin)
            await give(store, delivery)
        later = JournalFile(path)
        later.read_on()
        journal.append(updates(EARLIER + 901, EARLIER + 905))
        later.read_on()
        await give(store, JournalDelivery(store, SALE, later))
        for file in (follower, twin_file, later):
            file.close()

    with_store(server, work)
    found = kept(client)
    assert found[0] == start()
    numbers = [record["update"] for record in found[1:]]
    began = EARLIER - LINES_BEFORE + 1
    assert numbers == [*range(began, EARLIER + 2), *range(EARLIER + 900, EARLIER + 906)]
    assert client.smembers(keys.journals(SALE)) == {b"host-1"}


@pytest.mark.parametrize(
    ("begun", "recent", "expected"),
    [
        ("", "Auus", "Auus"),
        ("", "usuBus", "Bus"),
        ("A", "uusu", "Asu"),
        ("A", "uuuu", "Auuuu"),
        ("A", "uusuBuus", "AsuBuus"),
        ("A", "uuBuus", "AuuBuus"),
        ("A", "Buus", "Buus"),
    ],
)
def test_an_excerpt_begins_where_an_auditor_can_begin(begun: str, recent: str, expected: str) -> None:
    """A, B: the start of a daemon; s: a state; u: an update. A state is nothing without its daemon's start."""
    kinds = {"A": "start", "B": "start", "s": "state", "u": "update"}

    def line(letter: str) -> bytes:
        return f'{{"by":"{letter}","type":"{kinds[letter]}"}}'.encode()

    lines = [(number, line(letter)) for number, letter in enumerate(recent, start=7)]
    excerpt = from_a_beginning(line(begun) if begun else b"", lines)
    assert [text for _, text in excerpt] == [line(letter) for letter in expected]
    assert excerpt[-1] == lines[-1]


def test_the_start_of_a_daemon_is_known_when_it_is_no_recent_line_any_more(tmp_path: Path) -> None:
    path = tmp_path / "clock.jsonl"
    start, update = b'{"host":"h","type":"start"}\n', b'{"type":"update"}\n'
    path.write_bytes(start + update * LINES_BEFORE)
    journal = JournalFile(path)
    journal.read_on()
    assert journal.begun + b"\n" == start
    assert len(journal.recent) == LINES_BEFORE
    journal.close()
