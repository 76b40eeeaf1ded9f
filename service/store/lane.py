"""A connection of its own for one script: one call at a time, with as little as possible between caller and store.

A pooled call of redis-py costs about as much as twenty purchases: it takes a connection from the pool, asks whether
that is healthy, packs word by word in Python, and makes a task for each way's time limit. Here the library connects,
authenticates and parses; the words are packed by hiredis in one go, and one time limit covers the whole call.
"""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from typing import Any, Final

import hiredis
from redis.exceptions import NoScriptError

from service.store.opening import REPLY_TIMEOUT_SECONDS, Store
from service.store.scripts import source

_pack: Final[Any] = hiredis.pack_command
_IDLE_SECONDS: Final = 0.005
"""A connection that was unused for longer may have been closed by the store meanwhile, and is looked at first."""


class Lane:
    """One script on one connection, which is opened on first use and again after whatever went wrong."""

    def __init__(self, store: Store, name: str) -> None:
        self._source = source(name)
        self._hash = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()
        pool: Any = store.connection_pool
        self._connection: Any = pool.make_connection()
        self._connection.socket_timeout = None
        self._used_seconds = 0.0

    async def call(self, names: Sequence[str], words: Sequence[str]) -> Any:
        """What the script returns.

        Raises:
            redis.exceptions.RedisError, OSError: the store cannot be reached, refused, or did not answer in time.
        """
        connection = self._connection
        whole = False
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_SECONDS):
                if time.monotonic() - self._used_seconds > _IDLE_SECONDS:
                    await self._connect()
                reply = await self._ask("EVALSHA", self._hash, names, words)
                if isinstance(reply, NoScriptError):
                    reply = await self._ask("EVAL", self._source, names, words)
                whole = True
        finally:
            if not whole:
                await connection.disconnect(nowait=True)
        self._used_seconds = time.monotonic()
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def close(self) -> None:
        """End the connection."""
        await self._connection.disconnect(nowait=True)

    async def _connect(self) -> None:
        """Have a connection on which nothing is pending: one that was closed has its end pending."""
        await self._connection.connect()
        if await self._connection.can_read():
            await self._connection.disconnect(nowait=True)
            await self._connection.connect()

    async def _ask(self, command: str, script: str, names: Sequence[str], words: Sequence[str]) -> Any:
        packed = _pack((command, script, len(names), *names, *words))
        await self._connection.send_packed_command(packed, check_health=False)
        try:
            return await self._connection.read_response()
        except NoScriptError as error:
            return error
