"""One region, as the arbiter reaches it: what is new goes there, marks and then logs come back, in one round trip.

The order inside a round is the promise: stops before marks, marks before logs. A mark says that no stamp below it will
follow, so a log that is read after it holds everything below it. A log that was not read to its end in this round
counts for nothing until it was.

A region that cannot be reached costs the others nothing: its link tries again with growing pauses, and what it missed
is pushed by number when it is back. A store that was restarted is checked: its log must still be the one that was
read, number by number and head by head.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import structlog
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from model.vocabulary import Contradiction, RegionName, SaleId
from model.wire import FIRST_HEAD, extend
from service.arbiter.ledger import DecidedLine, Ledger
from service.arbiter.run import SaleRun
from service.store import keys
from service.store.opening import Store
from service.store.scripts import source
from service.store.streams import entries, read_all

_log = structlog.get_logger()

_PUSH: Final = source("push")
LINES_AT_ONCE: Final = 5_000
PUSHED_AT_ONCE: Final = 1_000
_LONGEST_PAUSE_SECONDS: Final = 1.0


class Arbiter(Protocol):
    """What a link needs of the process that holds it."""

    @property
    def runs(self) -> Mapping[SaleId, SaleRun]: ...

    @property
    def terms_lines(self) -> list[bytes]: ...

    def raw_ns(self) -> int: ...

    def pulse(self, region: RegionName) -> bytes | None: ...

    async def progress(self, run: SaleRun) -> None: ...

    async def pause(self, region: RegionName) -> None: ...


class RegionLink:
    """The arbiter's side of one region."""

    def __init__(self, region: RegionName, store: Store, ledger: Ledger, arbiter: Arbiter) -> None:
        self.region = region
        self.sales_pushed = 0
        self.reachable = False
        self._store = store
        self._ledger = ledger
        self._arbiter = arbiter
        self._pushed: dict[SaleId, int] = {}
        self._server_run = ""

    async def run(self) -> None:
        """Rounds without end."""
        pause_seconds = 0.05
        while True:
            try:
                if not self.reachable:
                    await self._meet()
                    self.reachable = True
                    _log.info("region reached", region=self.region)
                await self._round()
                pause_seconds = 0.05
            except (RedisError, OSError) as error:
                if self.reachable:
                    _log.warning("region lost; trying again", region=self.region, error=str(error))
                self.reachable = False
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
                continue
            await self._arbiter.pause(self.region)

    async def _meet(self) -> None:
        """After a lost connection: learn what the region has, and check what it had if its server is another."""
        server_run = (await self._store.info("server"))["run_id"]
        self.sales_pushed = int(await self._store.xlen(keys.SALES))
        self._pushed.clear()
        if self._server_run not in ("", server_run):
            for run in self._open_runs():
                await self._check_log(run)
        self._server_run = server_run

    async def _check_log(self, run: SaleRun) -> None:
        known = run.fold.delivered(self.region)
        head = FIRST_HEAD
        logged = await read_all(self._store, keys.log(run.sale), known.seq)
        for entry in logged:
            head = extend(head, entry.line)
        if (len(logged), head) != (known.seq, known.head):
            await run.halt(Contradiction(self.region, f"its log is still the one that was read ({known.seq} entries)"))

    def _open_runs(self) -> list[SaleRun]:
        return [run for run in self._arbiter.runs.values() if not run.fold.over and self.region in run.fold.regions]

    async def _round(self) -> None:
        reading = self._open_runs()
        stopped = {run.sale for run in reading if run.stop_reason is not None}
        positions = {run.sale: run.fold.delivered(self.region).seq for run in reading}
        async with self._store.pipeline(transaction=False) as batch:
            pushes = self._tell(batch)
            if reading:
                batch.mget([keys.mark(run.sale) for run in reading])
            for run in reading:
                batch.xlen(keys.log(run.sale))
                batch.xrange(keys.log(run.sale), min=f"{positions[run.sale] + 1}-0", count=LINES_AT_ONCE)
            if not len(batch):
                return
            answers = await batch.execute()
        self._heard(pushes, answers)
        if reading:
            marks, *logs = answers[-(2 * len(reading) + 1) :]
            await asyncio.gather(
                *(
                    self._read(run, positions[run.sale], int(mark or 0), length, found, run.sale in stopped)
                    for run, mark, length, found in zip(reading, marks, logs[::2], logs[1::2], strict=True)
                )
            )

    def _tell(self, batch: Pipeline) -> list[SaleId | None]:
        """Everything that the region has not got yet. Returns whose push each of the first commands is."""
        pushes: list[SaleId | None] = []
        new_sales = self._arbiter.terms_lines[self.sales_pushed :]
        if new_sales:
            self._queue_push(batch, keys.SALES, self.sales_pushed, [(line, b"") for line in new_sales])
            pushes.append(None)
        for sale, run in self._arbiter.runs.items():
            if self.region not in run.terms.regions:
                continue
            known = self._pushed.get(sale)
            if known is None or known < len(run.recorded):
                since = known or 0
                self._queue_push(batch, keys.decisions(sale), since, run.recorded[since : since + PUSHED_AT_ONCE])
                pushes.append(sale)
        for sale, run in self._arbiter.runs.items():
            reason = self._stop_reason(run)
            if reason is not None and not run.is_over:
                batch.set(keys.stop(sale), reason, nx=True)
        pulse = self._arbiter.pulse(self.region)
        if pulse is not None:
            batch.xadd(keys.PULSE, {keys.LINE: pulse}, maxlen=keys.PULSES_KEPT, approximate=False)
        return pushes

    def _stop_reason(self, run: SaleRun) -> str | None:
        if self.region not in run.terms.regions:
            return None
        return run.stop_reason or ("cut_off" if self.region not in run.fold.regions else None)

    def _queue_push(self, batch: Pipeline, key: str, since: int, lines: Iterable[DecidedLine]) -> None:
        words = [word for line in lines for word in line]
        batch.eval(_PUSH, 1, key, str(since + 1), *words)

    def _heard(self, pushes: list[SaleId | None], answers: list[Any]) -> None:
        for sale, length in zip(pushes, answers, strict=False):
            if sale is None:
                self.sales_pushed = int(length)
            else:
                self._pushed[sale] = int(length)

    async def _read(
        self, run: SaleRun, position: int, mark_ns: int, length: int, found: list[Any], was_stopped: bool
    ) -> None:
        if run.fold.over or self.region not in run.fold.regions:
            return
        try:
            if length < position:
                raise Contradiction(self.region, f"entries that were read are still there ({position}, now {length})")
            at_end = len(found) < LINES_AT_ONCE
            now_raw_ns = self._arbiter.raw_ns()
            lines = [entry.line for entry in entries(found)]
            if lines:
                await self._ledger.copy(run.sale, self.region, position + 1, lines)
            known_ns = run.marks_ns.get(self.region, 0)
            run.deliver(self.region, lines, mark_ns if at_end else known_ns, now_raw_ns)
            if was_stopped and at_end:
                run.log_ended(self.region)
            await self._arbiter.progress(run)
        except Contradiction as finding:
            await run.halt(finding)
