"""A connection of its own for scripts: a few calls in one go, with as little as possible between caller and store.

A pooled call of redis-py costs about as much as twenty purchases: it takes a connection from the pool, asks whether
that is healthy, packs word by word in Python, and makes a task for each way's time limit. Here the library connects,
authenticates and parses; the words are packed by hiredis in one go, and one time limit covers the whole call.
"""

import asyncio
import functools
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import hiredis
from redis.exceptions import NoScriptError, ResponseError

from service.store.opening import REPLY_TIMEOUT_SECONDS, Store
from service.store.scripts import source

Call: TypeAlias = tuple[str, Sequence[str], Sequence[str | bytes]]
"""A script's name, keys and arguments."""

_pack: Final[Any] = hiredis.pack_command
_IDLE_SECONDS: Final = 0.005
"""A connection that was unused for longer may have been closed by the store meanwhile, and is looked at first."""


@functools.cache
def _digest(script: str) -> str:
    return hashlib.sha1(source(script).encode(), usedforsecurity=False).hexdigest()


class Lane:
    """Scripts on one connection, which is opened on first use and again after whatever went wrong."""

    def __init__(self, store: Store) -> None:
        pool: Any = store.connection_pool
        self._connection: Any = pool.make_connection()
        self._connection.socket_timeout = None
        self._used_seconds = 0.0

    async def call(self, calls: Sequence[Call]) -> list[Any]:
        """What its script returns for each call, or the error that the store answered instead. They travel together,
        and the store syncs once for all of them.

        Raises:
            redis.exceptions.RedisError, OSError: the store cannot be reached, or did not answer in time.
        """
        whole = False
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_SECONDS):
                if time.monotonic() - self._used_seconds > _IDLE_SECONDS:
                    await self._connect()
                replies = await self._ask("EVALSHA", _digest, calls)
                unknown = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
                if unknown:
                    again = await self._ask("EVAL", source, [calls[index] for index in unknown])
                    for index, reply in zip(unknown, again, strict=True):
                        replies[index] = reply
                whole = True
        finally:
            if not whole:
                await self._connection.disconnect(nowait=True)
        self._used_seconds = time.monotonic()
        return replies

    async def close(self) -> None:
        """End the connection."""
        await self._connection.disconnect(nowait=True)

    async def _connect(self) -> None:
        """Have a connection on which nothing is pending: one that was closed has its end pending."""
        await self._connection.connect()
        if await self._connection.can_read():
            await self._connection.disconnect(nowait=True)
            await self._connection.connect()

    async def _ask(self, command: str, text: Callable[[str], str], calls: Sequence[Call]) -> list[Any]:
        packed = [_pack((command, text(script), len(names), *names, *words)) for script, names, words in calls]
        await self._connection.send_packed_command(packed, check_health=False)
        replies: list[Any] = []
        for _ in calls:
            try:
                replies.append(await self._connection.read_response())
            except ResponseError as error:
                replies.append(error)
        return replies
