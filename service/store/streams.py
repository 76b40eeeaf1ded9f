"""Numbered streams: reading entries by number, and waiting for the next ones.

The client library types its replies as unions of everything a server might say; they are narrowed here and nowhere
else.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, NamedTuple

from service.store import keys
from service.store.opening import Store

LINES_AT_ONCE: Final = 2_048
"""Lines of a log in one piece: so many are read, kept and delivered together."""
FEWEST_CHUNKS: Final = 4
MOST_CHUNKS: Final = 64
"""Chunks that are read together: they may hold some thousands of lines, or, while a sale is slow, one."""


class StreamEntry(NamedTuple):
    """Entry `number` of a stream: a record's line, and the winner beside a `won` record (b"" elsewhere)."""

    number: int
    line: bytes
    winner: bytes


def entries(found: Any) -> list[StreamEntry]:
    """The entries of a range reply."""
    return [
        StreamEntry(int(entry_id.partition(b"-")[0]), fields[keys.LINE], fields.get(keys.BUYER, b""))
        for entry_id, fields in found or ()
    ]


def raw_entries(found: Any) -> tuple[int, list[bytes]]:
    """The first number and the lines of a range reply as the server sent it.

    Raises:
        IndexError, TypeError, ValueError: it holds something else than lines.
    """
    first = int(found[0][0].partition(b"-")[0]) if found else 0
    lines = [line for _, (field, line, *_) in found if field == keys.LINE]
    if len(lines) < len(found):
        raise ValueError("an entry is a line")
    return first, lines


async def read_range(store: Store, key: str, first: int, last: int | None, at_most: int) -> list[StreamEntry]:
    """Entries from number `first` to `last` (None: to the end), not more than `at_most`.

    Raises:
        redis.exceptions.RedisError: the store does not answer.
    """
    return entries(await store.xrange(key, min=f"{first}-0", max="+" if last is None else f"{last}-0", count=at_most))


async def read_all(store: Store, key: str, last: int | None = None, at_once: int = 5_000) -> list[StreamEntry]:
    """All entries from the first to number `last`, in pieces that do not hold the store up."""
    read: list[StreamEntry] = []
    while last is None or len(read) < last:
        found = await read_range(store, key, len(read) + 1, last, at_once)
        read.extend(found)
        if not found:
            break
    return read


class KeptLines:
    """The lines of a stream whose entries are chunks of lines, each numbered like its last; from the first on, in
    pieces, so that they need not fit in memory.
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._read = 0
        """The number of the last line that was read from the store."""
        self._ahead: list[bytes] = []
        """Lines that were read and not given out yet."""
        self._chunks_at_once = FEWEST_CHUNKS

    async def up_to(self, last: int | None) -> AsyncIterator[list[bytes]]:
        """Pieces of what was not given out yet, up to a number (None: to the end).

        Raises:
            redis.exceptions.RedisError: the store does not answer.
        """
        given = self._read - len(self._ahead)
        while last is None or given < last:
            if not self._ahead and not await self._read_on():
                return
            piece = self._ahead if last is None else self._ahead[: last - given]
            self._ahead = self._ahead[len(piece) :]
            given += len(piece)
            yield piece

    async def _read_on(self) -> bool:
        """Read the next chunks; more at once where they are small. Returns whether there were any."""
        found = await read_range(self._store, self._key, self._read + 1, None, self._chunks_at_once)
        for entry in found:
            self._ahead.extend(entry.line.split(b"\n"))
            self._read = entry.number
        many = len(self._ahead) > LINES_AT_ONCE
        self._chunks_at_once = FEWEST_CHUNKS if many else min(2 * self._chunks_at_once, MOST_CHUNKS)
        return bool(found)


async def wait_for_more(
    store: Store, after: Mapping[str, str], wait_ms: int
) -> dict[str, list[tuple[str, bytes, bytes]]]:
    """Entries behind a position in each of several streams; waits for the first to come.

    Args:
        after: by key, the id of the last entry known ("0-0": none).

    Returns: by key, (id, line, winner) in order; {} when nothing came in time.
    """
    positions: dict[Any, Any] = dict(after)
    found: Any = await store.xread(positions, block=wait_ms)
    return {
        key.decode(): [(entry_id.decode(), fields[keys.LINE], fields.get(keys.BUYER, b"")) for entry_id, fields in some]
        for key, some in found or ()
    }
