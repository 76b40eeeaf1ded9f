"""Logs in a real store: signed as they grow, the same by whomever, never again once they are not what was signed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from model.merkle import BLOCK
from model.note import path_texts, region_key_name
from service.evidence.logs import LogChangedError, SignedLog
from service.evidence.office import ForeignKeyError, Turn, claim
from service.evidence.receipts import DecisionTree, _path
from service.evidence.signing import SigningKey, load_or_make_key
from service.store import keys
from service.store.embedded import EmbeddedStore
from service.store.opening import Store, connect
from tests.service.evidence.verifier import check_checkpoint, check_log, root_by_path, tree_head

SALE = "5a" * 16
ORIGIN = f"firstcome/{SALE}/regions/north"
LOG = keys.log(SALE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("l") / "s") as store:
        yield store


@pytest.fixture
def client(server: EmbeddedStore) -> Iterator["redis.Redis[bytes]"]:
    with redis.Redis.from_url(server.url, protocol=2) as opened:
        opened.flushall()
        yield opened


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return load_or_make_key(tmp_path_factory.mktemp("k") / "north.key", region_key_name("north"))


@asynccontextmanager
async def opened(server: EmbeddedStore) -> AsyncIterator[Store]:
    store = connect(server.url)
    try:
        yield store
    finally:
        await store.aclose()


def lines(first: int, last: int) -> list[bytes]:
    return [f'{{"seq":{number}}}'.encode() for number in range(first, last + 1)]


def log_lines(client: "redis.Redis[bytes]", first: int, last: int) -> None:
    with client.pipeline() as batch:
        for number, line in enumerate(lines(first, last), start=first):
            batch.xadd(LOG, {"l": line}, id=f"{number}-0")
        batch.execute()


def a_log(store: Store, key: SigningKey) -> SignedLog:
    return SignedLog(store, LOG, keys.checkpoint(SALE), keys.blocks(SALE), ORIGIN, key)


def with_store(server: EmbeddedStore, work: Callable[[Store], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with opened(server) as store:
            return await work(store)

    return asyncio.run(run())


def test_a_log_is_signed_empty_and_whenever_it_has_grown(
    server: EmbeddedStore, client: "redis.Redis[bytes]", key: SigningKey
) -> None:
    async def work(store: Store) -> None:
        log = a_log(store, key)
        size = 0
        for grown in (0, 1, 2, 7, BLOCK, BLOCK + 1, 3 * BLOCK + 5):
            log_lines(client, size + 1, grown)
            size = grown
            assert await log.catch_up(size)
            assert not await log.catch_up(size)
            kept = client.hgetall(keys.checkpoint(SALE))
            assert kept[b"size"] == str(size).encode()
            check_log(kept[b"note"].decode(), str(key.verifier), ORIGIN, lines(1, size))
            roots = client.get(keys.blocks(SALE)) or b""
            for number in range(size // BLOCK):
                block = lines(number * BLOCK + 1, (number + 1) * BLOCK)
                assert roots[32 * number : 32 * number + 32] == tree_head(block)

    with_store(server, work)


def test_whoever_signs_and_in_whatever_steps_it_is_the_same(
    server: EmbeddedStore, client: "redis.Redis[bytes]", key: SigningKey
) -> None:
    async def work(store: Store) -> None:
        one, other = a_log(store, key), a_log(store, key)
        log_lines(client, 1, 1500)
        await asyncio.gather(one.catch_up(1500), other.catch_up(900))
        log_lines(client, 1501, 2500)
        await other.catch_up(2500)
        await one.catch_up(2000)
        assert not await a_log(store, key).catch_up(10), "what came since the caller looked is no contradiction"
        kept = client.hgetall(keys.checkpoint(SALE))
        assert kept[b"size"] == b"2500"
        check_log(kept[b"note"].decode(), str(key.verifier), ORIGIN, lines(1, 2500))
        heir = a_log(store, key)
        assert not await heir.catch_up(2500)
        assert heir.note == kept[b"note"].decode()
        client.delete(keys.checkpoint(SALE), keys.blocks(SALE))
        await a_log(store, key).catch_up(2500)
        assert client.hgetall(keys.checkpoint(SALE)) == kept

    with_store(server, work)


@pytest.mark.parametrize("how", ["shorter", "another line", "another key", "no note", "a gap"])
def test_a_log_that_is_not_what_was_signed_is_signed_no_more(
    server: EmbeddedStore, client: "redis.Redis[bytes]", key: SigningKey, tmp_path: Path, how: str
) -> None:
    async def work(store: Store) -> None:
        log_lines(client, 1, 50)
        signer = load_or_make_key(tmp_path / "key", region_key_name("north")) if how == "another key" else key
        await a_log(store, signer).catch_up(50)
        signed = client.hgetall(keys.checkpoint(SALE))
        length = 60
        if how in {"shorter", "another line"}:
            client.delete(LOG)
            log_lines(client, 1, 40)
            length = 40
            if how == "another line":
                client.xadd(LOG, {"l": b"forged"}, id="41-0")
                log_lines(client, 42, 60)
                length = 60
        elif how == "no note":
            client.hset(keys.checkpoint(SALE), "note", "gibberish")
            signed = client.hgetall(keys.checkpoint(SALE))
        elif how == "a gap":
            log_lines(client, 52, 60)
        heir = a_log(store, key)
        for _ in range(2):
            with pytest.raises(LogChangedError):
                await heir.catch_up(length)
        assert client.hgetall(keys.checkpoint(SALE)) == signed

    with_store(server, work)


def test_a_log_that_shrinks_under_its_notary_is_noticed(
    server: EmbeddedStore, client: "redis.Redis[bytes]", key: SigningKey
) -> None:
    async def work(store: Store) -> None:
        log_lines(client, 1, 20)
        log = a_log(store, key)
        await log.catch_up(20)
        client.delete(LOG)
        log_lines(client, 1, 5)
        with pytest.raises(LogChangedError, match="5 lines, and 20 were signed"):
            await log.catch_up(5)

    with_store(server, work)


@pytest.mark.parametrize("size", [1, 5, BLOCK, BLOCK + 1, 2 * BLOCK, 4 * BLOCK + 77])
def test_paths_out_of_the_store_lead_to_the_signed_root(
    server: EmbeddedStore, client: "redis.Redis[bytes]", key: SigningKey, size: int
) -> None:
    async def work(store: Store) -> None:
        log_lines(client, 1, size)
        log = a_log(store, key)
        await log.catch_up(size)
        log_lines(client, size + 1, size + 3)
        _, root, _ = check_checkpoint(log.note, str(key.verifier), ORIGIN)
        tree, all_lines = DecisionTree(), lines(1, size + 3)
        for index in {0, size // 2, size - 1}:
            path = await _path(store, SALE, index, size)
            assert tree.path(all_lines, index, size) == path
            assert tree.path(all_lines, index, size + 3) is not None
            shown = path_texts(path)
            assert root_by_path(all_lines[index], index, size, shown) == root

    with_store(server, work)


def test_a_store_knows_one_key(
    server: EmbeddedStore, client: "redis.Redis[bytes]", key: SigningKey, tmp_path: Path
) -> None:
    other = load_or_make_key(tmp_path / "key", region_key_name("north"))

    async def work(store: Store) -> None:
        await claim(store, keys.REGION_KEY, key, replace=False)
        await claim(store, keys.REGION_KEY, key, replace=False)
        with pytest.raises(ForeignKeyError, match="bring the old key file back"):
            await claim(store, keys.REGION_KEY, other, replace=False)
        assert client.get(keys.REGION_KEY) == str(key.verifier).encode()
        await claim(store, keys.REGION_KEY, other, replace=True)
        assert client.get(keys.REGION_KEY) == str(other.verifier).encode()

    with_store(server, work)


def test_one_notary_at_a_time_has_its_turn(server: EmbeddedStore, client: "redis.Redis[bytes]") -> None:
    async def work(store: Store) -> None:
        one, other = Turn(store, "turn"), Turn(store, "turn")
        assert [await one.is_ours(), await other.is_ours(), await one.is_ours()] == [True, False, True]
        client.delete("turn")
        assert [await other.is_ours(), await one.is_ours()] == [True, False]
        assert 0 < client.pttl("turn") <= 3_000

    with_store(server, work)
