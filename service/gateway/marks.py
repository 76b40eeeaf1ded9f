"""The region's promise that no stamp below its mark will follow, raised by every gateway's heartbeat.

A mark is *now − intake grace*, forward only. The store's script refuses whatever is below it, so a gateway that dies,
sleeps or wakes up late can only refuse; there is nothing to register and nothing to expire. While the arbiter's pulse
says that somebody waits for a decision, heartbeats come every few milliseconds, else once a second.

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
from service.store.lane import Lane
from service.store.opening import Store

BUSY_SECONDS: Final = 0.005
IDLE_SECONDS: Final = 1.0
EARLY_NS: Final = 2_000_000_000
"""How long before entries are taken heartbeats begin."""


class Marks:
    """The heartbeats of one gateway process."""

    def __init__(self, store: Store, book: Book, stamper: Stamper) -> None:
        self._lane = Lane(store)
        self._book = book
        self._stamper = stamper
        self._idle_beat_due = 0.0

    async def close(self) -> None:
        """End the connection."""
        await self._lane.close()

    async def beat(self) -> None:
        """Heartbeats without end. Errors are the tail's to tell: both use one store."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._stamper.receive_times.sample()
            idle_too = began >= self._idle_beat_due
            if idle_too:
                self._idle_beat_due = began + IDLE_SECONDS
            due = [
                (sale, now_ns)
                for sale in self._book.sales.values()
                if (idle_too or self._book.waits(sale.id)) and (now_ns := self._now_ns(sale)) is not None
            ]
            if due:
                with contextlib.suppress(RedisError, OSError):
                    await self._raise(due)
            await self._pause(began)

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

    async def _raise(self, due: list[tuple[Sale, int]]) -> None:
        await self._lane.call(
            [
                ("raise_mark", [keys.mark(sale.id)], [str(mark_after_grace_ns(now_ns, sale.terms.intake_grace_ns))])
                for sale, now_ns in due
            ]
        )

    async def _pause(self, began: float) -> None:
        """Until the next heartbeat is due; a pulse that says somebody waits ends it."""
        if any(self._book.waits(sale) for sale in self._book.sales):
            await asyncio.sleep(began + BUSY_SECONDS - asyncio.get_running_loop().time())
            return
        self._book.pulsed.clear()
        due_in_seconds = self._idle_beat_due - asyncio.get_running_loop().time()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(due_in_seconds, BUSY_SECONDS)):
                await self._book.pulsed.wait()
