"""The arbiter's own store: decision logs, appended under a fencing token and only onto the head that was seen.

Every append carries the token that this process took when it started. A newer arbiter takes a higher one, and from
then on the store refuses ours: two arbiters at once never fork a log. An append whose reply was lost is repeated until
the store answers; the script knows a repeat when it sees one.

Lines of the regions' logs are copied here before anything is decided by them. So an arbiter that starts again needs
no region to be there, and a region that was cut off and never comes back is still in the bundle, as far as it counts.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import structlog
from redis.exceptions import RedisError

from model.terms import Terms
from model.vocabulary import RegionName, SaleId
from service.arbiter.counts import Counts
from service.store import keys
from service.store.chunks import ChunkedLines
from service.store.lane import Call, Lane
from service.store.opening import Store
from service.store.scripts import script
from service.store.streams import entries, read_all

_log = structlog.get_logger()

SLOW_SECONDS: Final = 0.5
_PAUSE_SECONDS: Final = 0.1

DecidedLine = tuple[bytes, bytes]
"""A record's line, and the winner's buyer id beside a `won` record (b"" beside others)."""


class CopiedLines(NamedTuple):
    """Lines of a region's log, from number `first` on."""

    sale: SaleId
    region: RegionName
    first: int
    lines: Sequence[bytes]


class FencedError(Exception):
    """Another arbiter has taken over. The message says so."""


class Ledger:
    """The arbiter's store, under one fencing token."""

    def __init__(self, store: Store, token: int) -> None:
        self.store = store
        self.token = token
        self.counts = Counts()
        """What was decided under this token."""
        self._asked: dict[object, float] = {}
        """When each call that is under way began."""
        self._free_lanes: list[Lane] = []
        """Connections that nobody uses now. Each call has one of its own, so the store syncs once for all of a turn."""
        self._open_sale = script(store, "open_sale")

    @classmethod
    async def take_over(cls, store: Store) -> "Ledger":
        """Take the next token; every older arbiter is fenced off from now on."""
        return cls(store, int(await store.incr(keys.FENCE)))

    async def still_ours(self) -> None:
        """Make sure that nobody has taken over, for an arbiter that has nothing to append.

        Raises:
            FencedError: another arbiter has taken over.
            redis.exceptions.RedisError: the store does not answer.
        """
        token: Any = await self.store.get(keys.FENCE)
        if token != str(self.token).encode():
            raise FencedError(f"another arbiter decides now (token {(token or b'none').decode()})")

    @property
    def is_slow(self) -> bool:
        """Whether a call has waited for longer than a healthy store takes, so that everything here waits for it."""
        oldest = min(self._asked.values(), default=None)
        return oldest is not None and time.monotonic() - oldest > SLOW_SECONDS

    async def append(self, sale: SaleId, index: int, lines: Sequence[DecidedLine]) -> None:
        """Append records from `index` on; returns when they are on disk.

        A batch goes in one script call, so that a `seen` record is never there without what follows from it; the
        store being away is waited out.

        Raises:
            FencedError: another arbiter has taken over, or has written there.
        """
        words = [word for line in lines for word in line]
        names = [keys.FENCE, keys.ledger(sale)]
        await self._until_done([("append", names, [str(self.token), str(index), *words])], b"appended")

    async def copy(self, copied: Sequence[CopiedLines]) -> None:
        """Keep lines of regions' logs before anything is decided by them; returns when all are on disk.

        Raises:
            FencedError: another arbiter has taken over.
        """
        calls: list[Call] = []
        for sale, region, first, lines in copied:
            last = first + len(lines) - 1
            names = [keys.FENCE, keys.copied_log(sale, region)]
            calls.append(("copy", names, [str(self.token), str(first), str(last), b"\n".join(lines)]))
        await self._until_done(calls, b"copied")

    def kept(self, sale: SaleId, region: RegionName) -> ChunkedLines:
        """The lines of a region's log that were kept."""
        return ChunkedLines(self.store, keys.copied_log(sale, region))

    async def _until_done(self, calls: list[Call], done: bytes) -> None:
        """Call scripts that may be repeated until the store answers."""
        asked = object()
        self._asked[asked] = time.monotonic()
        lane = self._free_lanes.pop() if self._free_lanes else Lane(self.store)
        try:
            while True:
                try:
                    answers = await lane.call(calls)
                    for answer in answers:
                        if isinstance(answer, RedisError):
                            raise answer
                    break
                except (RedisError, OSError) as error:
                    key = calls[0][1][1]
                    _log.warning("the arbiter's store does not answer; trying again", key=key, error=str(error))
                    await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            del self._asked[asked]
            self._free_lanes.append(lane)
        for answer in answers:
            if answer[0] != done:
                raise FencedError(f"another arbiter decides now ({answer[0].decode()} {answer[1].decode()})")

    async def close(self) -> None:
        """Let go of the connections."""
        for lane in self._free_lanes:
            await lane.close()

    async def open_sale(self, proposal: str, terms: Terms, seed: bytes, owner: str = "") -> SaleId:
        """Record a new sale for a proposal, or find the one that it became before.

        Args:
            owner: whose webhooks are told of it; "" where nobody's are.

        Raises:
            FencedError: another arbiter has taken over.
        """
        answer = await self._open_sale(
            keys=[keys.FENCE, keys.ARBITER_SALES, keys.SEEDS, keys.OPENED, *([keys.OWNERS] if owner else [])],
            args=[str(self.token), proposal, terms.sale(), terms.line(), seed.hex(), *([owner] if owner else [])],
        )
        if answer[0] != b"opened":
            raise FencedError(f"another arbiter decides now (token {answer[1].decode()})")
        return str(answer[1].decode())

    async def sales(self) -> list[bytes]:
        """The terms of all sales, in the order of their publication."""
        return [entry.line for entry in await read_all(self.store, keys.ARBITER_SALES)]

    async def seed(self, sale: SaleId) -> bytes:
        """A sale's seed. Secret until the sale is over."""
        seed: Any = await self.store.hget(keys.SEEDS, sale)
        return bytes.fromhex(seed.decode())

    async def decisions(self, sale: SaleId) -> list[DecidedLine]:
        """The whole decision log of a sale, in order."""
        return [(entry.line, entry.winner) for entry in await read_all(self.store, keys.ledger(sale))]

    async def last_decision(self, sale: SaleId) -> tuple[int, bytes] | None:
        """The index and the line of a sale's last record; None where it has none."""
        newest = entries(await self.store.xrevrange(keys.ledger(sale), count=1))
        return (newest[0].number - 1, newest[0].line) if newest else None
