"""The arbiter's store under its fence: repeats do nothing, lost replies are repeated, older arbiters write nothing."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.arbiter.ledger import CopiedLines, FencedError, Ledger
from service.store.embedded import EmbeddedStore
from service.store.opening import connect
from tests.service.arbiter.conftest import CutLine


@asynccontextmanager
async def ledger(url: str) -> AsyncIterator[Ledger]:
    store = connect(url)
    try:
        taken = await Ledger.take_over(store)
        try:
            yield taken
        finally:
            await taken.close()
    finally:
        await store.aclose()


def some_sale() -> str:
    return secrets.token_hex(16)


async def kept(ledger: Ledger, sale: str) -> list[bytes]:
    return [line async for lines in ledger.kept(sale, "north").up_to(None) for line in lines]


def test_an_append_whose_reply_is_lost_is_there_once(line: CutLine) -> None:
    async def run() -> None:
        sale = some_sale()
        async with ledger(line.url) as mine:
            await mine.append(sale, 0, [(b"first", b"")])
            line.lose_reply(b"second")
            await mine.append(sale, 1, [(b"second", b"buyer"), (b"third", b"")])
            assert line.lost == 1
            assert not mine.is_slow
            assert await mine.decisions(sale) == [(b"first", b""), (b"second", b"buyer"), (b"third", b"")]

    asyncio.run(run())


def test_a_copy_whose_reply_is_lost_is_there_once(line: CutLine) -> None:
    async def run() -> None:
        sale = some_sale()
        async with ledger(line.url) as mine:
            line.lose_reply(b"one")
            await mine.copy([CopiedLines(sale, "north", 1, [b"one", b"two"])])
            line.lose_reply(b"three")
            await mine.copy([CopiedLines(sale, "north", 3, [b"three"])])
            assert line.lost == 2
            assert await kept(mine, sale) == [b"one", b"two", b"three"]

    asyncio.run(run())


def test_an_older_arbiter_writes_nothing_more(arbiter_store: EmbeddedStore) -> None:
    async def run() -> None:
        sale = some_sale()
        async with ledger(arbiter_store.url) as older:
            await older.append(sale, 0, [(b"old", b"")])
            await older.still_ours()
            async with ledger(arbiter_store.url) as newer:
                with pytest.raises(FencedError):
                    await older.append(sale, 1, [(b"older", b"")])
                with pytest.raises(FencedError):
                    await older.copy([CopiedLines(sale, "north", 1, [b"line"])])
                with pytest.raises(FencedError):
                    await older.still_ours()
                await newer.append(sale, 1, [(b"new", b"")])
                assert await newer.decisions(sale) == [(b"old", b""), (b"new", b"")]
                assert await kept(newer, sale) == []

    asyncio.run(run())


def test_a_record_in_place_of_another_is_refused(arbiter_store: EmbeddedStore) -> None:
    """Same length, another line: not a repeat, but a fork."""

    async def run() -> None:
        sale = some_sale()
        async with ledger(arbiter_store.url) as mine:
            await mine.append(sale, 0, [(b"one", b""), (b"two", b"")])
            with pytest.raises(FencedError):
                await mine.append(sale, 0, [(b"one", b""), (b"other", b"")])
            with pytest.raises(FencedError):
                await mine.append(sale, 5, [(b"gap", b"")])
            with pytest.raises(FencedError):
                await mine.copy([CopiedLines(sale, "north", 2, [b"gap"])])
            assert await mine.decisions(sale) == [(b"one", b""), (b"two", b"")]

    asyncio.run(run())


def test_what_was_kept_is_given_out_in_pieces_up_to_any_number(arbiter_store: EmbeddedStore) -> None:
    async def run() -> None:
        sale = some_sale()
        async with ledger(arbiter_store.url) as mine:
            sizes = [1] * 30 + [200, 3, 1_000, 1, 1]
            lines = [f"line {number}".encode() for number in range(sum(sizes))]
            first = 1
            for size in sizes:
                await mine.copy([CopiedLines(sale, "north", first, lines[first - 1 : first - 1 + size])])
                first += size
            reading = mine.kept(sale, "north")
            given: list[bytes] = []
            for last in (0, 1, 17, 17, 5, 229, 231, 1_000, None, None):
                async for piece in reading.up_to(last):
                    assert piece
                    given += piece
                assert given == lines[: len(given)]
                assert last is None or len(given) >= last
            assert given == lines
            async for piece in mine.kept(sale, "north").up_to(40):
                given += piece
            assert given == lines + lines[:40]

    asyncio.run(run())


def test_the_last_record_of_a_log(arbiter_store: EmbeddedStore) -> None:
    async def run() -> None:
        sale = some_sale()
        async with ledger(arbiter_store.url) as mine:
            assert await mine.last_decision(sale) is None
            await mine.append(sale, 0, [(b"one", b""), (b"two", b"")])
            assert await mine.last_decision(sale) == (1, b"two")

    asyncio.run(run())
