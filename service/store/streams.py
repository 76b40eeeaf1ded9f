"""Numbered streams: reading entries by number, and waiting for the next ones.

The client library types its replies as unions of everything a server might say; they are narrowed here and nowhere
else. Streams of nothing but lines are read by `chunks.py`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from service.store import keys
from service.store.opening import Store


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
