"""Batches follow each other on one connection, and replies come in the order of sending."""

import asyncio
import secrets

import pytest
from redis.exceptions import RedisError, ResponseError

from service.arbiter.pipe import Pipe
from service.store.embedded import EmbeddedStore
from service.store.opening import connect


def test_many_batches_are_under_way_and_answered_in_order(arbiter_store: EmbeddedStore) -> None:
    async def run() -> None:
        store, key = connect(arbiter_store.url), secrets.token_hex(8)
        pipe = await Pipe.open(store)
        for _ in range(50):
            await pipe.send([("INCR", key), ("LPUSH", key, "x"), ("GET", key)])
        for number in range(1, 51):
            counted, refused, read = await pipe.replies(3)
            assert (counted, read) == (number, str(number).encode())
            assert isinstance(refused, ResponseError)
        await pipe.hang_up()
        await store.aclose()

    asyncio.run(run())


def test_whoever_waits_for_replies_hears_that_the_connection_was_ended(arbiter_store: EmbeddedStore) -> None:
    async def run() -> None:
        store = connect(arbiter_store.url)
        pipe = await Pipe.open(store)
        waiting = asyncio.ensure_future(pipe.replies(1))
        await asyncio.sleep(0)
        await pipe.hang_up()
        with pytest.raises(RedisError):
            await waiting
        with pytest.raises(RedisError):
            await pipe.replies(1)
        await pipe.hang_up()
        await store.aclose()

    asyncio.run(run())
