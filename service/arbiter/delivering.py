"""What a region's rounds have brought, on its way into the folds: kept in the arbiter's own store, then delivered.

Rounds come back every few milliseconds; keeping their lines waits for a disk. So whoever takes replies waits for no
disk (`link.py`): it leaves here what they say, and one task works it through. Whatever has come meanwhile is kept
together next, in one go for all sales, and of several marks the last counts. Otherwise replies would wait for each
other's disks, and a mark would be as many disks late as there are rounds under way. What no decision can follow from
yet is gathered for a moment: a copy costs a sync, however short it is.

The order is the promise: a mark is delivered behind all lines that were read after it, and lines are on disk before
they are delivered. Next: `run.py`, where what was delivered is decided by.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from model.vocabulary import Contradiction, RegionName, SaleId
from service.arbiter.arbiter import Arbiter
from service.arbiter.ledger import CopiedLines, Ledger
from service.arbiter.pace import unhurried_ns
from service.arbiter.run import SaleRun, expect_mark_rises
from service.store.chunks import LINES_AT_ONCE

MOST_WAITING_LINES: Final = LINES_AT_ONCE
"""Beyond it no more replies are taken: a region that has much to tell must not fill the memory."""


@dataclass(slots=True)
class _Brought:
    """What has come of one sale since the last time."""

    run: SaleRun
    lines: list[bytes] = field(default_factory=list)
    mark_ns: int | None = None
    """Of the last round that read the log to its end; None where none did."""
    is_end: bool = False
    """Whether the region was stopped, and the log then read to its end."""
    finding: Contradiction | None = None
    """What was wrong with what came next; nothing behind it counts."""


class Delivering:
    """What one region's link has brought, and the one task that works it through."""

    def __init__(self, region: RegionName, ledger: Ledger, arbiter: Arbiter) -> None:
        self.region = region
        self._ledger = ledger
        self._arbiter = arbiter
        self._brought: dict[SaleId, _Brought] = {}
        self._waiting_lines = 0
        self._has_come = asyncio.Event()
        self._has_room = asyncio.Event()
        self._is_soon = False
        """Whether what is here is worked through in a moment, since nothing of it is urgent."""
        self._is_ending = False

    def bring(self, run: SaleRun, lines: list[bytes], mark_ns: int | None, is_end: bool) -> None:
        """A log's next lines; the mark that was read before them, where they go to the log's end; and whether that
        end is the last."""
        brought = self._brought.setdefault(run.sale, _Brought(run))
        if brought.finding is None:
            brought.lines += lines
            self._mark(brought, mark_ns)
            brought.is_end |= is_end
            self._waiting_lines += len(lines)
        is_much = mark_ns is None or self._waiting_lines >= MOST_WAITING_LINES
        if is_much or is_end or self._matters(run, mark_ns):
            self._has_come.set()
        elif not self._is_soon:
            self._is_soon = True
            asyncio.get_running_loop().call_later(unhurried_ns(run) / 1e9, self._has_come.set)

    def _mark(self, brought: _Brought, mark_ns: int | None) -> None:
        """The newest mark counts, unless it is lower than one that came with it: both would be delivered as one."""
        if mark_ns is None:
            return
        try:
            expect_mark_rises(self.region, brought.mark_ns or 0, mark_ns)
            brought.mark_ns = mark_ns
        except Contradiction as finding:
            brought.finding = finding

    def find(self, run: SaleRun, finding: Contradiction) -> None:
        """What came next contradicts what was read before."""
        brought = self._brought.setdefault(run.sale, _Brought(run))
        brought.finding = brought.finding or finding
        self._has_come.set()

    def _matters(self, run: SaleRun, mark_ns: int | None) -> bool:
        """Whether something may follow from a mark that did not follow from the last one that was delivered."""
        if run.is_ending or run.by_shares is not None or mark_ns is None:
            return True
        return run.marks_ns.get(self.region, 0) <= run.fold.wanted_ns() < mark_ns

    async def room(self) -> None:
        """Wait until more may be brought."""
        while self._waiting_lines >= MOST_WAITING_LINES:
            self._has_room.clear()
            await self._has_room.wait()

    def end(self) -> None:
        """Nothing more will be brought: `work` is to return once all is worked through."""
        self._is_ending = True
        self._has_come.set()

    async def work(self) -> None:
        """Work through what is brought, until ended.

        Raises:
            FencedError: another arbiter has taken over.
        """
        while True:
            await self._has_come.wait()
            if self._is_ending and not self._brought:
                return
            if not self._is_ending:
                self._has_come.clear()
            self._is_soon = False
            brought, self._brought = list(self._brought.values()), {}
            self._waiting_lines = 0
            self._has_room.set()
            await self._keep([each for each in brought if each.lines and each.run.counts(self.region)])
            for each in brought:
                self._deliver(each)
                self._arbiter.progress(each.run)

    async def _keep(self, brought: list[_Brought]) -> None:
        """Have lines on disk before anything is decided by them."""
        copied = []
        for each in brought:
            self._arbiter.cross_check(self.region, each.lines)
            first = each.run.fold.delivered(self.region).seq + 1
            copied.append(CopiedLines(each.run.sale, self.region, first, each.lines))
        if copied:
            await self._ledger.copy(copied)

    def _deliver(self, brought: _Brought) -> None:
        run = brought.run
        if not run.counts(self.region):
            return
        try:
            mark_ns = run.marks_ns.get(self.region, 0) if brought.mark_ns is None else brought.mark_ns
            run.deliver(self.region, brought.lines, mark_ns, self._arbiter.raw_ns())
            if brought.is_end:
                run.log_ended(self.region)
            if brought.finding is not None:
                raise brought.finding
        except Contradiction as finding:
            run.halt(finding)
