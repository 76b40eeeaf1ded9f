"""Streams whose entries are chunks of lines: a chunk is one entry, numbered like its last line.

A store's work for an entry is the entry's, not the line's, and so is a reader's. What is logged together lies together,
therefore: the region's log has a chunk for what one call brought (`admit.lua`), the arbiter's copy one for what it has
read at once. Where lines come one by one each is a chunk of its own, so every stream of lines can be read here.

Next: `streams.py`, for streams whose entries say more than a line.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from service.store import keys
from service.store.opening import Store

LINES_AT_ONCE: Final = 2_048
"""Lines that are worth reading, keeping and delivering together."""
CHUNK_LINES: Final = 64
"""The most lines in a chunk of a region's log, as `admit.lua` makes them."""
FEWEST_CHUNKS: Final = 4
MOST_CHUNKS: Final = 256
"""Chunks that are read together: they may hold some thousands of lines, or, while a sale is slow, one each."""


class GapError(ValueError):
    """Lines are missing between two chunks, or come twice. The message says where."""


def number_of(entry_id: bytes) -> int:
    """The number in a stream entry's id.

    Raises:
        ValueError: it has none.
    """
    return int(entry_id.partition(b"-")[0])


def lines_in(found: Any) -> tuple[int, list[bytes]]:
    """The number of the first line of a range reply as the server sent it, and the lines; (0, []) of an empty one.

    Raises:
        GapError: lines are missing.
        IndexError, TypeError, ValueError: it holds something else than chunks of lines.
    """
    lines: list[bytes] = []
    first = last = 0
    for entry_id, (field, text) in found:
        if field != keys.LINE:
            raise ValueError("an entry is a chunk of lines")
        chunk = text.split(b"\n")
        number = number_of(entry_id)
        if not lines:
            first = number - len(chunk) + 1
        elif number != last + len(chunk):
            raise GapError(f"behind {last} {len(chunk)} come up to {number}")
        last = number
        lines += chunk
    return first, lines


class ChunkedLines:
    """The lines of a stream of chunks behind a number, in pieces, so that they need not fit in memory.

    Args:
        after: the number of the last line that is not wanted.
    """

    def __init__(self, store: Store, key: str, after: int = 0) -> None:
        self._store = store
        self._key = key
        self._read = after
        """The number of the last line that was read from the store."""
        self._ahead: list[bytes] = []
        """Lines that were read and not given out yet."""
        self._chunks_at_once = FEWEST_CHUNKS

    @property
    def read_to(self) -> int:
        """The number of the last line that was given out."""
        return self._read - len(self._ahead)

    async def up_to(self, last: int | None) -> AsyncIterator[list[bytes]]:
        """Pieces of what was not given out yet, up to a number (None: to the end).

        Raises:
            redis.exceptions.RedisError: the store does not answer.
            KeyError, ValueError: an entry is no chunk of lines.
        """
        given = self.read_to
        while last is None or given < last:
            if not self._ahead and not await self._read_on():
                return
            piece = self._ahead if last is None else self._ahead[: last - given]
            self._ahead = self._ahead[len(piece) :]
            given += len(piece)
            yield piece

    async def _read_on(self) -> bool:
        """Read the next chunks; more at once where they are small. Returns whether there were any."""
        found: Any = await self._store.xrange(self._key, min=f"{self._read + 1}-0", count=self._chunks_at_once)
        for entry_id, fields in found:
            lines = fields[keys.LINE].split(b"\n")
            number = number_of(entry_id)
            known = self._read - (number - len(lines))
            self._ahead += lines[known:] if known > 0 else lines
            self._read = number
        many = len(self._ahead) > LINES_AT_ONCE
        self._chunks_at_once = FEWEST_CHUNKS if many else min(2 * self._chunks_at_once, MOST_CHUNKS)
        return bool(found)


async def lines_between(store: Store, key: str, first: int, last: int) -> list[bytes]:
    """The lines from number `first` to `last`, as far as they are there.

    Raises:
        redis.exceptions.RedisError: the store does not answer.
        KeyError, ValueError: an entry is no chunk of lines.
    """
    pieces = ChunkedLines(store, key, first - 1).up_to(last)
    return [line async for piece in pieces for line in piece]


async def line_at(store: Store, key: str, number: int) -> bytes | None:
    """One line; None where it is not there.

    Raises:
        redis.exceptions.RedisError: the store does not answer.
    """
    return line_in(await store.xrange(key, min=f"{number}-0", count=1), number)


def line_in(found: Any, number: int) -> bytes | None:
    """The same, from the reply to a range that was asked for one entry from a number on."""
    for entry_id, fields in found:
        chunk: list[bytes] = fields[keys.LINE].split(b"\n")
        place = number - number_of(entry_id) - 1
        return chunk[place] if -place <= len(chunk) else None
    return None


async def length(store: Store, key: str) -> int:
    """The number of a stream's last line; 0 of an empty one.

    Raises:
        redis.exceptions.RedisError: the store does not answer.
    """
    return last_number(await store.xrevrange(key, count=1))


def last_number(newest: Any) -> int:
    """The same, from the reply to a range that was asked backwards for one entry."""
    return number_of(newest[0][0]) if newest else 0
