"""The region's promise that no stamp below its mark will follow, raised by every gateway's heartbeat.

A mark is *now − intake grace*, forward only. The store's script refuses whatever is below it, so a gateway that dies,
sleeps or wakes up late can only refuse; there is nothing to register and nothing to expire. While the arbiter's pulse
says that somebody waits for a decision, heartbeats come every few milliseconds, else once a second.

Where purchases go to the store anyway, marks go along with them and heartbeats of their own are left out.

A gateway without a safe clock admits nothing, and raises the mark to the arbiter's last heartbeat − intake grace, so
that nobody waits for it and its neighbours are unharmed.
"""

import asyncio
import contextlib
from typing import Final

from redis.exceptions import RedisError

from model.guards import bound_holds, mark_after_grace_ns
from service.gateway.book import Book, Sale
from service.gateway.stamping import Stamper
from service.store import keys
from service.store.lane import Call, Lane
from service.store.opening import Store

BUSY_SECONDS: Final = 0.005
IDLE_SECONDS: Final = 1.0
_LEAST_SECONDS: Final = 0.001
"""The event loop counts in these; a shorter sleep is none."""
EARLY_NS: Final = 2_000_000_000
"""How long before entries are taken heartbeats begin."""


class Marks:
    """The heartbeats of one gateway process."""

    def __init__(self, store: Store, book: Book, stamper: Stamper) -> None:
        self._lane = Lane(store)
        self._book = book
        self._stamper = stamper
        self._idle_beat_due = 0.0
        self._busy_beat_due = 0.0

    async def close(self) -> None:
        """End the connection."""
        await self._lane.close()

    async def beat(self) -> None:
        """Heartbeats without end. Errors are the tail's to tell: both use one store."""
        loop = asyncio.get_running_loop()
        while True:
            self._stamper.receive_times.sample()
            idle_too = loop.time() >= self._idle_beat_due
            if idle_too:
                self._idle_beat_due = loop.time() + IDLE_SECONDS
            is_due = idle_too or loop.time() >= self._busy_beat_due
            if is_due and (due := self._due(idle_too)):
                with contextlib.suppress(RedisError, OSError):
                    await self._lane.call(due)
            await self._pause()

    def alongside(self) -> list[Call]:
        """Marks that a call to the store may take along, so that no heartbeat of its own is needed for a while."""
        now = asyncio.get_running_loop().time()
        if now < self._busy_beat_due - BUSY_SECONDS / 2:
            return []
        return self._due(idle_too=False)

    def _due(self, idle_too: bool) -> list[Call]:
        """The marks of sales in which somebody waits, or of all, as they may be now."""
        self._busy_beat_due = asyncio.get_running_loop().time() + BUSY_SECONDS
        due: list[Call] = []
        for sale in self._book.sales.values():
            if (idle_too or self._book.waits(sale.id)) and (now_ns := self._now_ns(sale)) is not None:
                mark_ns = mark_after_grace_ns(now_ns, sale.terms.intake_grace_ns)
                due.append(("raise_mark", [keys.mark(sale.id)], [str(mark_ns)]))
        return due

    def _now_ns(self, sale: Sale) -> int | None:
        """Now by this host's clock where that is good enough for the sale, else by the arbiter's last heartbeat.

        None where the sale needs no mark, or there is neither.
        """
        if sale.standing.over:
            return None
        now = self._stamper.now()
        if now is not None and bound_holds(now.bound_ns, sale.terms.skew_bound_ns):
            now_ns = now.utc_ns
        elif (latest := self._book.heard.latest()) is not None:
            now_ns = latest[1]
        else:
            return None
        return now_ns if now_ns > sale.terms.entries_from_ns - EARLY_NS else None

    async def _pause(self) -> None:
        """Until the next heartbeat is due; a pulse that says somebody waits ends it."""
        loop = asyncio.get_running_loop()
        if any(self._book.waits(sale) for sale in self._book.sales):
            await asyncio.sleep(max(self._busy_beat_due - loop.time(), _LEAST_SECONDS))
            return
        self._book.pulsed.clear()
        due_in_seconds = self._idle_beat_due - loop.time()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(due_in_seconds, BUSY_SECONDS)):
                await self._book.pulsed.wait()
