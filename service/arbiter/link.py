"""One region, as the arbiter reaches it: what is new goes there, marks and then logs come back, in one round trip.

The order inside a round is the promise: stops before marks, marks before logs. A mark says that no stamp below it will
follow, so a log that is read after it holds everything below it. A log that was not read to its end in this round
counts for nothing until it was.

A region that cannot be reached costs the others nothing: its link tries again with growing pauses, and what it missed
is pushed by number when it is back. Every round reads the last known entry of a log again, so one that lost entries
and grew others in their place is seen at once; after a restart of its server it is checked number by number and head
by head. A contradiction halts that sale; the others go on.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import structlog
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError, ResponseError

from model.clock import Interval
from model.vocabulary import Contradiction, RegionName, SaleId
from model.wire import FIRST_HEAD, extend
from service.arbiter.ledger import DecidedLine, Ledger
from service.arbiter.run import SaleRun
from service.store import keys
from service.store.opening import Store
from service.store.scripts import source
from service.store.streams import StreamEntry, entries, read_all

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

    def now(self) -> Interval | None: ...

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
        self._stopped: set[SaleId] = set()
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
        self._stopped.clear()
        if self._server_run not in ("", server_run):
            for run in self._open_runs():
                await self._check_log(run)
        self._server_run = server_run
        for run in self._open_runs():
            if run.stop_reason is None and await self._store.get(keys.stop(run.sale)) == b"halted":
                run.halt(
                    Contradiction("", f"region {self.region} was stopped by an arbiter that found a contradiction")
                )

    async def _check_log(self, run: SaleRun) -> None:
        known = run.fold.delivered(self.region)
        head = FIRST_HEAD
        logged = await read_all(self._store, keys.log(run.sale), known.seq)
        for entry in logged:
            head = extend(head, entry.line)
        if (len(logged), head) != (known.seq, known.head):
            rule = f"its log is still the one that was read ({known.seq} entries)"
            run.halt(Contradiction(self.region, rule))

    def _open_runs(self) -> list[SaleRun]:
        return [run for run in self._arbiter.runs.values() if run.counts(self.region)]

    async def _round(self) -> None:
        reading = self._open_runs()
        positions = {run.sale: run.fold.delivered(self.region).seq for run in reading}
        async with self._store.pipeline(transaction=False) as batch:
            pushes, stops = self._tell(batch)
            if reading:
                batch.mget([keys.mark(run.sale) for run in reading])
            for run in reading:
                batch.xlen(keys.log(run.sale))
                batch.xrange(keys.log(run.sale), min=f"{max(positions[run.sale], 1)}-0", count=LINES_AT_ONCE)
            if not len(batch):
                return
            answers = await batch.execute(raise_on_error=False)
        told = answers[: -(2 * len(reading) + 1)] if reading else answers
        for answer in told:
            if isinstance(answer, RedisError):
                raise answer
        await self._heard(pushes, told)
        self._stopped.update(stops)
        if reading:
            marks, *logs = answers[len(told) :]
            if isinstance(marks, RedisError):
                raise marks
            done = await asyncio.gather(
                *(
                    self._read(run, positions[run.sale], mark, length, found)
                    for run, mark, length, found in zip(reading, marks, logs[::2], logs[1::2], strict=True)
                ),
                return_exceptions=True,
            )
            for error in done:
                if error is not None:
                    raise error

    def _tell(self, batch: Pipeline) -> tuple[list[SaleId | None], list[SaleId]]:
        """Everything that the region has not got yet.

        Returns: whose push each of the first commands is, and which sales are stopped here.
        """
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
        stops = []
        for sale, run in self._arbiter.runs.items():
            reason = self._stop_reason(run)
            if reason is not None and sale not in self._stopped:
                batch.set(keys.stop(sale), reason, nx=True)
                stops.append(sale)
        pulse = self._arbiter.pulse(self.region)
        if pulse is not None:
            batch.xadd(keys.PULSE, {keys.LINE: pulse}, maxlen=keys.PULSES_KEPT, approximate=False)
        return pushes, stops

    def _stop_reason(self, run: SaleRun) -> str | None:
        if self.region not in run.terms.regions:
            return None
        return "cut_off" if self.region in run.cut_off else run.stop_reason

    def _queue_push(self, batch: Pipeline, key: str, since: int, lines: Iterable[DecidedLine]) -> None:
        words = [word for line in lines for word in line]
        batch.eval(_PUSH, 1, key, str(since + 1), *words)

    async def _heard(self, pushes: list[SaleId | None], answers: list[Any]) -> None:
        """Note how far the region has got. One that was told more, or otherwise, contradicts us, unless it was told so
        by an arbiter that has taken over.
        """
        for sale, answer in zip(pushes, answers, strict=False):
            length = int(answer)
            if sale is None:
                if length < 0:
                    _log.error("the region knows another sale under that number", region=self.region, number=-length)
                self.sales_pushed = abs(length)
                continue
            run = self._arbiter.runs[sale]
            if length < 0 or length > len(run.recorded):
                await self._ledger.still_ours()
                rule = f"its copy of the decision log is the arbiter's (record {abs(length) - 1} is another)"
                _log.error("the region was told other decisions", sale=sale, region=self.region, rule=rule)
                run.halt(Contradiction(self.region, rule))
            self._pushed[sale] = max(abs(length), len(run.recorded)) if length < 0 else length

    def is_behind(self) -> bool:
        """Whether the region has not got every decision yet."""
        return any(
            self._pushed.get(sale, 0) < len(run.recorded)
            for sale, run in self._arbiter.runs.items()
            if self.region in run.terms.regions
        )

    async def _read(self, run: SaleRun, position: int, mark: bytes | None, length: Any, found: Any) -> None:
        if not run.counts(self.region):
            return
        try:
            new = self._new_entries(run, position, length, found)
            mark_ns = self._mark_ns(mark)
            now_raw_ns = self._arbiter.raw_ns()
            at_end = len(found) < LINES_AT_ONCE
            lines = [entry.line for entry in new]
            if lines and run.counts(self.region):
                await self._ledger.copy(run.sale, self.region, position + 1, lines)
            if not run.counts(self.region):
                return
            known_ns = run.marks_ns.get(self.region, 0)
            run.deliver(self.region, lines, mark_ns if at_end else known_ns, now_raw_ns)
            if at_end and run.sale in self._stopped:
                run.log_ended(self.region)
            await self._arbiter.progress(run)
        except Contradiction as finding:
            run.halt(finding)
            await self._arbiter.progress(run)

    def _new_entries(self, run: SaleRun, position: int, length: Any, found: Any) -> list[StreamEntry]:
        """What is behind the last known entry, which must still be there and the same.

        Raises:
            Contradiction: it is not, or what is there is no log.
            redis.exceptions.RedisError: the store could not answer this now.
        """
        for answer in (length, found):
            if isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE"):
                raise Contradiction(self.region, "its log is a log")
            if isinstance(answer, RedisError):
                raise answer
        if length < position:
            raise Contradiction(self.region, f"entries that were read are still there ({position}, now {length})")
        try:
            logged = entries(found)
        except (KeyError, ValueError) as error:
            raise Contradiction(self.region, f"its log holds entries and nothing else ({error!r})") from error
        if position == 0:
            return logged
        if not logged or (logged[0].number, logged[0].line) != (position, run.last_lines[self.region]):
            raise Contradiction(self.region, f"the entry that was read last is still the same ({position})")
        return logged[1:]

    def _mark_ns(self, mark: bytes | None) -> int:
        if mark is None:
            return 0
        if not mark.isdigit() or len(mark) > 19:
            raise Contradiction(self.region, f"its mark is nanoseconds ({mark!r})")
        return int(mark)
