"""Scripts on one connection: whatever happens to the connection or the server, the next call works or says why."""

import asyncio
import time
from typing import Any

import pytest
import redis
from redis.exceptions import RedisError, ResponseError

from service.store import keys
from service.store.attempts import words
from service.store.lane import Lane
from service.store.opening import connect

SALE = "ef" * 16
NAMES = [keys.log(SALE), keys.buyers(SALE), keys.mark(SALE), keys.stop(SALE)]

OTHERS = [name.replace(SALE, "cd" * 16) for name in NAMES]


def lookup(buyer: str) -> list[str]:
    return words(0, [], [buyer])


def test_a_call_finds_its_way_back(client: "redis.Redis[bytes]", url: str) -> None:
    """After the script was forgotten, after the connection was cut while idle, after an error in the script."""

    async def run() -> None:
        store = connect(url)
        lane = Lane(store)
        assert await lane.call([("admit", NAMES, lookup("ada"))]) == [[[b"unknown"]]]
        client.script_flush()
        assert await lane.call([("admit", NAMES, lookup("ada"))]) == [[[b"unknown"]]]
        client.client_kill_filter(_type="normal", skipme=True)
        await asyncio.sleep(0.01)  # longer than a lane trusts its connection: it is looked at before it is used
        assert await lane.call([("admit", NAMES, lookup("ada"))]) == [[[b"unknown"]]]
        client.set(keys.log(SALE), "no stream")
        failed, found = await lane.call([("admit", NAMES, lookup("ada")), ("admit", OTHERS, lookup("ada"))])
        assert isinstance(failed, ResponseError)
        assert found == [[b"unknown"]]
        client.delete(keys.log(SALE))
        assert await lane.call([("admit", NAMES, lookup("ada"))]) == [[[b"unknown"]]]
        await lane.close()
        await store.aclose()

    asyncio.run(run())


def test_a_connection_that_is_cut_during_a_call_is_an_error_and_then_made_anew(
    client: "redis.Redis[bytes]", url: str
) -> None:
    async def run() -> None:
        store = connect(url)
        lane = Lane(store)
        await lane.call([("admit", NAMES, lookup("ada"))])
        client.client_pause(10_000, all=False)
        under_way: asyncio.Task[Any] = asyncio.create_task(lane.call([("admit", NAMES, lookup("ada"))]))
        deadline = time.monotonic() + 10
        while not any("b" in one["flags"] for one in client.client_list()):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        client.client_kill_filter(_type="normal", skipme=True)
        client.client_unpause()
        with pytest.raises((RedisError, OSError)):
            await under_way
        assert await lane.call([("admit", NAMES, lookup("ada"))]) == [[[b"unknown"]]]
        await lane.close()
        await store.aclose()

    asyncio.run(run())


def test_a_server_that_is_not_there_is_an_error() -> None:
    async def run() -> None:
        store = connect("unix:///nowhere/store.sock")
        lane = Lane(store)
        for _ in range(2):
            with pytest.raises((RedisError, OSError)):
                await lane.call([("admit", NAMES, lookup("ada"))])
        await lane.close()
        await store.aclose()

    asyncio.run(run())
