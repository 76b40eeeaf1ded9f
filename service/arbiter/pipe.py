"""One connection to a region's store, on which batches of commands follow each other without waiting for replies.

The client library answers one pipeline before it sends the next, so a far region would be looked at once in a round
trip. Here as many batches as the caller likes are on their way at once. One connection, so the server takes them in
the order of sending, and replies come back in that order: what was asked later was read later.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import hiredis
from redis import exceptions

from service.store.opening import REPLY_TIMEOUT_SECONDS, Store

_pack: Final[Any] = hiredis.pack_command

Command = tuple[str | bytes | int, ...]
"""A command's words."""


class Pipe:
    """Open it, then one task sends and one takes the replies."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.is_open = True
        """Whether replies may still come."""

    @classmethod
    async def open(cls, store: Store) -> "Pipe":
        """A connection of its own, as the store's pool would make one.

        Raises:
            redis.exceptions.RedisError: the store cannot be reached.
        """
        pool: Any = store.connection_pool
        connection = pool.make_connection()
        await connection.connect()
        connection.socket_timeout = None  # the library would make a task of each sending, and a timer of each reply
        return cls(connection)

    async def send(self, commands: Sequence[Command]) -> None:
        """Send a batch, behind those that were sent before.

        Raises:
            redis.exceptions.RedisError: the connection is lost.
        """
        words = b"".join([_pack(command) for command in commands])
        await self._connection.send_packed_command(words, check_health=False)

    async def replies(self, count: int) -> list[Any]:
        """The next replies, in the order of the commands; an error that the server answers is a reply too.

        Raises:
            redis.exceptions.RedisError: the connection is lost, or the server is silent for too long.
        """
        answers: list[Any] = []
        if not self.is_open:
            raise exceptions.ConnectionError("the connection was ended")
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_SECONDS):
                for _ in range(count):
                    try:
                        answers.append(await self._connection.read_response())
                    except exceptions.ResponseError as error:
                        answers.append(error)
        except TimeoutError as error:
            raise exceptions.TimeoutError("the server is silent") from error
        return answers

    async def hang_up(self) -> None:
        """End the connection; whoever waits for replies hears that it is lost."""
        self.is_open = False
        await self._connection.disconnect()
