"""What the arbiter's notary has collected of a region: its newest checkpoint, clock journals, and what is beyond a
cut-off. All of it only grows, and each piece is numbered, so to collect it again does nothing.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from model.vocabulary import RegionName, SaleId, is_id
from model.wire import FIRST_HEAD, extend_all
from service.evidence.bundle import counted_lines, lines_of
from service.store import keys
from service.store.chunks import ChunkedLines, length
from service.store.opening import Store
from service.store.scripts import script
from service.store.streams import read_range

LINES_AT_ONCE: Final = 500
MOST_HOSTS: Final = 64
"""Of one region whose journals are taken."""


@dataclass(slots=True)
class Collected:
    """How much of a region is in the arbiter's store."""

    checkpoint: str = ""
    checkpoint_size: int = -1
    journals: dict[str, int] = field(default_factory=dict)
    """Lines by host."""
    updates: dict[str, set[int]] = field(default_factory=dict)
    """The updates that those lines tell of."""
    cut_off_seq: int | None = None
    """Where it was cut off; None while it was not, or that is not known."""
    beyond: int = 0
    """Lines behind the cut-off."""
    length: int = 0
    """How many lines its log had when it was last looked at, once the sale was over."""
    is_stopped: bool = False
    """It logs nothing more, neither entries nor what holders say."""
    is_same: bool | None = None
    """Whether its log begins with what was counted; None while nobody has looked."""
    is_blamed: bool = False
    """Its checkpoint was refused once, and an alarm was raised."""

    @classmethod
    async def load(cls, arbiter: Store, sale: SaleId, region: RegionName) -> "Collected":
        """What an earlier notary has collected.

        Raises:
            redis.exceptions.RedisError: the arbiter's store does not answer.
        """
        store: Any = arbiter
        size, note = await store.hmget(keys.copied_checkpoint(sale, region), "size", "note")
        collected = cls() if size is None else cls(note.decode(), int(size))
        collected.beyond = int(await store.xlen(keys.copied_beyond(sale, region)))
        return collected


async def collect_journals(
    sale: SaleId, name: RegionName, region: Store, arbiter: Store, collected: Collected, hosts: Iterable[str]
) -> None:
    """Bring the clock journals of some hosts of a region up to date.

    Raises:
        redis.exceptions.RedisError: one of the stores does not answer.
    """
    push = script(arbiter, "push")
    for host in hosts:
        if host not in collected.journals:
            collected.journals[host], collected.updates[host] = 0, set()
            async for lines in lines_of(arbiter, keys.copied_journal(sale, name, host), None):
                collected.journals[host] += len(lines)
                collected.updates[host].update(_updates(lines))
        have = collected.journals[host]
        while found := await read_range(region, keys.journal(sale, host), have + 1, None, LINES_AT_ONCE):
            words = [word for entry in found for word in (entry.line, b"")]
            done = int(await push(keys=[keys.copied_journal(sale, name, host)], args=[str(have + 1), *words]))
            if done < found[-1].number:
                break  # the region's store has other lines than it had; what was taken stands
            have = found[-1].number
            collected.updates[host].update(_updates([entry.line for entry in found]))
            collected.journals[host] = have


def journal_hosts(shown: Iterable[bytes]) -> list[str]:
    """Whose journals are taken, of those that a region shows."""
    return [host for host in sorted(each.decode("ascii", "replace") for each in shown)[:MOST_HOSTS] if is_id(host)]


def _updates(lines: list[bytes]) -> set[int]:
    """The updates that lines of a journal tell of."""
    updates = set()
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("update"), int):
            updates.add(record["update"])
    return updates


async def collect_beyond(sale: SaleId, name: RegionName, region: Store, arbiter: Store, collected: Collected) -> None:
    """Of a sale that is over: see how a region's log ended, and keep what a region that was cut off has beyond.

    Raises:
        redis.exceptions.RedisError: one of the stores does not answer.
    """
    remote: Any = region
    stop = await remote.get(keys.stop(sale))
    logged = await length(region, keys.log(sale))
    seq = collected.cut_off_seq
    if seq is not None and logged > seq:
        if collected.is_same is None:
            collected.is_same = await begins_alike(sale, name, region, arbiter, seq)
        if collected.is_same:
            push = script(arbiter, "push")
            async for lines in ChunkedLines(region, keys.log(sale), seq + collected.beyond).up_to(logged):
                words = [word for line in lines for word in (line, b"")]
                await push(keys=[keys.copied_beyond(sale, name)], args=[str(collected.beyond + 1), *words])
                collected.beyond += len(lines)
    collected.length = logged
    collected.is_stopped = stop is not None and not stop.startswith(keys.LIST_FULL.encode())


async def begins_alike(sale: SaleId, name: RegionName, region: Store, arbiter: Store, seq: int) -> bool:
    """Whether a region's log is still the one of which `seq` lines were counted."""
    here = there = FIRST_HEAD
    async for lines in ChunkedLines(region, keys.log(sale)).up_to(seq):
        there = extend_all(there, lines)
    async for lines in counted_lines(arbiter, sale, name, seq):
        here = extend_all(here, lines)
    return here == there
