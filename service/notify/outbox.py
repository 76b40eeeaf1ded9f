"""A sale's outbox: its messages, numbered from 1, in the arbiter's store. What is in it never changes.

A message is a reference: which records of the decision log it tells of, or which lines of the regions' logs. What
these became is for good once it stands here, so the same number says the same whenever and however often it is sent,
and a message of 256 outcomes takes a hundred bytes. With each stands how far the planner had come, so that one that
starts again goes on behind it. Two planners cannot both add: the second is told that the outbox has moved.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from model.vocabulary import RegionName, SaleId
from service.notify.webhooks import Event
from service.store import keys
from service.store.opening import Store
from service.store.scripts import script
from service.store.streams import read_range

Ranges = list[tuple[int, int]]
"""Numbers as ranges, first and last included, ascending."""

MESSAGES_AT_ONCE: Final = 64


class OutboxMovedError(Exception):
    """Somebody else has added messages: what we know of this sale is old."""


class Position(msgspec.Struct, omit_defaults=True):
    """How far a planner has come.

    `decisions` counts the records of the decision log that are applied, `swept` and `beyond` say of each region up to
    which line of its log, and of what it has logged beyond a cut-off, outcomes are told; `swept_again` the same of
    those who had a place on a reservation's list.
    """

    decisions: int = 0
    swept: dict[RegionName, int] = {}
    swept_again: dict[RegionName, int] = {}
    beyond: dict[RegionName, int] = {}
    is_end_told: bool = False
    """Whether the sale's own end is told."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message. `event` is "" in the last one, which is not sent: nothing follows.

    `records` are indices of the decision log; `entries` numbers of the region's log lines, `beyond` those of what it
    has beyond a cut-off.
    """

    number: int
    planned_ns: int
    position: Position
    event: Event | str = ""
    records: Ranges = []
    entries: dict[RegionName, Ranges] = {}
    beyond: dict[RegionName, Ranges] = {}

    @property
    def is_end(self) -> bool:
        """Whether no message follows."""
        return not self.event

    @property
    def purchases(self) -> int:
        """Of how many purchases it tells; 0 where it tells of the sale."""
        if not self.event.startswith("purchase."):
            return 0
        all_ranges = [self.records, *self.entries.values(), *self.beyond.values()]
        return sum(last - first + 1 for ranges in all_ranges for first, last in ranges)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Message).decode


def extend(ranges: Ranges, number: int) -> None:
    """Add a number that is greater than all that are there."""
    if ranges and ranges[-1][1] == number - 1:
        ranges[-1] = (ranges[-1][0], number)
    else:
        ranges.append((number, number))


def each(ranges: Iterable[tuple[int, int]]) -> Iterator[int]:
    """The numbers one by one."""
    return (number for first, last in ranges for number in range(first, last + 1))


async def newest(store: Store, sale: SaleId) -> Message | None:
    """A sale's last message; None where it has none.

    Raises:
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    found: Any = await store.xrevrange(keys.outbox(sale), count=1)
    return _decode(found[0][1][keys.LINE]) if found else None


async def messages(store: Store, sale: SaleId, first: int) -> list[Message]:
    """The next messages from a number on, in order; [] where there are none.

    Raises:
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    found = await read_range(store, keys.outbox(sale), first, None, MESSAGES_AT_ONCE)
    return [_decode(entry.line) for entry in found]


async def message(store: Store, sale: SaleId, number: int) -> Message | None:
    """One message; None where there is no such.

    Raises:
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    found = await read_range(store, keys.outbox(sale), number, number, 1)
    return _decode(found[0].line) if found else None


async def append(store: Store, sale: SaleId, added: Sequence[Message]) -> None:
    """Add messages behind those that are there; returns when they are on disk.

    Raises:
        OutboxMovedError: others are there than was thought.
        redis.exceptions.RedisError: the store does not answer; whether they were added is not known.
    """
    lines = [_encode(message) for message in added]
    answer: Any = await script(store, "outbox")(keys=[keys.outbox(sale)], args=[str(added[0].number - 1), *lines])
    if answer[0] != b"appended":
        raise OutboxMovedError(f"sale {sale}: message {added[0].number} comes behind {answer[1].decode()}")
