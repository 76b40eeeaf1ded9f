"""The arbiter as a process: takes the fence, loads its sales, keeps a link to every region.

One event loop, one process, many sales. Killed at any moment and started again, it takes a higher token, replays what
is recorded over the regions' logs, and goes on with the same decisions: whatever was not recorded was heard by nobody.

A sale that is over is run until every region has been told; then nothing of it is kept but how many records it has.

Next: `link.py` (a region's rounds), `run.py` (a sale's decisions), `publishing.py` (where sales come from).
"""

import asyncio
import contextlib
import gc
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from clockd.host import HostClock
from clockd.reader import Reader
from model.clock import Interval
from model.terms import Terms, read_terms
from model.vocabulary import Closed, Contradiction, Halted, RegionName, SaleId
from model.wire import parse_canonical, parse_decision_line
from service import pulse
from service.arbiter.arbiter import Finished
from service.arbiter.balancing import Balancing
from service.arbiter.beacons import PUBLIC_SERVERS, Beacons
from service.arbiter.counts import Counts
from service.arbiter.ledger import Ledger
from service.arbiter.link import RegionLink
from service.arbiter.pace import is_close
from service.arbiter.publishing import Publishing
from service.arbiter.run import SaleRun
from service.store.opening import Store, connect
from service.tasks import end as end_tasks

_log = structlog.get_logger()

BUSY_PULSE_NS: Final = 250_000_000
IDLE_PULSE_NS: Final = 1_000_000_000
PULSES_TO_CUT_OFF: Final = 8
"""A sale's gateways hear at least so many pulses in the time after which they would be cut off."""
FASTEST_PULSE_NS: Final = 20_000_000
WATCH_SECONDS: Final = 0.1
"""Between two looks for silent regions, and for sales whose time has come, while a sale takes entries."""
IDLE_WATCH_SECONDS: Final = 0.5
GC_THRESHOLDS: Final = (200_000, 20, 20)
"""Pieces of a log are many objects and no cycle among them; by default every few pieces all that waits is looked at."""
FENCE_SECONDS: Final = 1.0
"""How long an arbiter may not know that another has taken over; nothing it appends counts meanwhile."""
_STORE_PAUSE_SECONDS: Final = 0.2
INATTENTIVE_NS: Final = 1_500_000_000
"""The arbiter that has not looked for so long (it was stopped, or its own store was away) blames no region for it."""


@dataclass(frozen=True, slots=True)
class ArbiterSettings:
    """What an arbiter is started with."""

    store_url: str
    regions: Mapping[RegionName, str]
    """Name to store URL."""
    page: Path
    """The clock page of this host."""
    beacons: tuple[str, ...] = PUBLIC_SERVERS
    """URLs of servers that tell a public beacon's rounds."""
    refuses_unsafe_store: bool = True
    """Whether a store that could lose what it took is as good as gone."""


class ArbiterProcess:
    """One arbiter under one token."""

    def __init__(self, settings: ArbiterSettings, ledger: Ledger, host: HostClock) -> None:
        self.runs: dict[SaleId, SaleRun] = {}
        self.finished: dict[SaleId, Finished] = {}
        self.terms_lines: list[bytes] = []
        self._ledger = ledger
        self._host = host
        self._reader = Reader(settings.page, host)
        self._stores = {name: connect(url) for name, url in settings.regions.items()}
        self._links = {name: RegionLink(name, store, ledger, self) for name, store in self._stores.items()}
        self._beacons = Beacons(self, settings.beacons)
        self._beacons_brought: set[SaleId] = set()
        """Sales whose round is on its way."""
        self._balanced: set[SaleId] = set()
        """Sales whose units are sold at the door, and that are tended."""
        self._publishing = Publishing(self, ledger, self._links, self._take_up_new_sales, self._beacons)
        self._pulsed: dict[RegionName, tuple[int, tuple[SaleId, ...]]] = {}
        self._waited_for: set[SaleId] = set()
        """Sales in which somebody waits, as far as links have been told."""
        self._deciding: set[SaleId] = set()
        """Sales for which a task decides just now."""
        self._without_clock = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()

    def raw_ns(self) -> int:
        """Now, on this host's CLOCK_MONOTONIC_RAW."""
        return self._host.raw_ns()

    def now(self) -> Interval | None:
        """Now in UTC; None without a safe clock. Without one nothing is decided: a `seen` record states the time."""
        now = self._reader.now()
        if (now is None) != self._without_clock:
            self._without_clock = now is None
            if now is None:
                _log.error("no safe clock: nothing is decided until there is one", reason=self._reader.read().reason)
            else:
                _log.info("the clock is safe again")
        return now

    @property
    def token(self) -> int:
        """The fencing token."""
        return self._ledger.token

    @property
    def counts(self) -> Counts:
        """What was counted since the start."""
        return self._ledger.counts

    @property
    def store_is_well(self) -> bool:
        """Whether the arbiter's own store answers in time."""
        return not self._ledger.is_slow

    @property
    def clock_host(self) -> str:
        """The name of this host, as its clock page has it."""
        return self._reader.read().host

    def reached(self) -> dict[RegionName, bool]:
        """Which regions are reached."""
        return {name: link.is_reachable for name, link in self._links.items()}

    def readiness(self) -> dict[str, str]:
        """What decisions need, each by name: "ok", or what is wrong."""
        return {
            "clock": "ok" if self.now() is not None else f"no safe clock: {self._reader.read().reason or 'void'}",
            "store": "ok" if self.store_is_well else "does not answer",
            **{f"region {name}": "ok" if is_up else "not reached" for name, is_up in self.reached().items()},
        }

    def cross_check(self, region: RegionName, lines: Sequence[bytes]) -> None:
        """Hold lines that were just read against this host's clock."""
        accused = self.counts.cross_check(region, lines, self._reader.now(), self.raw_ns())
        if accused is not None:
            _log.error(
                "two clocks contradict each other: one of them is outside its bound",
                region=region,
                host=accused.host,
                against=self.clock_host,
            )

    async def run(self) -> None:
        """Everything at once, until another arbiter takes over.

        Raises:
            FencedError: another arbiter has taken over.
        """
        for link in self._links.values():
            self._start(link.run(), f"link {link.region}")
        self._tend_new_sales()
        self._start(self._publishing.serve(), "proposals")
        self._start(self._watch(), "watch")
        self._start(self._yield_to_newer(), "fence")
        try:
            while True:
                await self._ended.wait()
                self._ended.clear()
                for task in [task for task in self._tasks if task.done()]:
                    self._tasks.discard(task)
                    task.result()
        finally:
            await end_tasks(self._tasks)
            await self._ledger.close()
            for store in self._stores.values():
                await store.aclose()

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._ended.set())

    async def load(self) -> None:
        """Every sale as far as it has come.

        Raises:
            redis.exceptions.RedisError: the arbiter's store does not answer.
            FencedError: another arbiter has taken over.
        """
        await self._add_new_sales()
        _log.info(
            "arbiter started",
            token=self._ledger.token,
            sales=len(self.terms_lines),
            unfinished=sum(not run.is_over for run in self.runs.values()),
        )

    async def _add_new_sales(self) -> None:
        """Take up the sales that were recorded since the last time."""
        for line in (await self._ledger.sales())[len(self.terms_lines) :]:
            terms = read_terms(parse_canonical(line))
            last = await self._ledger.last_decision(terms.sale())
            end = None if last is None else parse_decision_line(*last)
            if last is not None and isinstance(end, Closed | Halted):
                ends_by_the_clock = terms.method == "ordered" and terms.kind != "reservation"
                stops = not (isinstance(end, Closed) and end.reason == "time" and ends_by_the_clock)
                self.finished[terms.sale()] = Finished(last[0] + 1, terms.regions, stops)
            else:
                self.runs[terms.sale()] = await self._load(terms)
            self.terms_lines.append(line)
        self.tell_links()

    async def _take_up_new_sales(self) -> None:
        """The same, while the arbiter runs."""
        await self._add_new_sales()
        self._tend_new_sales()

    def _tend_new_sales(self) -> None:
        """Begin to see to the shares of sales whose units are sold at the door."""
        for sale, run in self.runs.items():
            if sale not in self._balanced and run.by_shares is not None and not run.is_over:
                self._balanced.add(sale)
                reads_soon = {name: partial(link.read_soon, sale) for name, link in self._links.items()}
                self._start(Balancing(run, self._stores, self, reads_soon).run(), f"balancing {sale}")

    async def _load(self, terms: Terms) -> SaleRun:
        """A sale, as far as it has come."""
        sale = terms.sale()
        run = SaleRun(terms, await self._ledger.seed(sale), self._ledger, await self._ledger.decisions(sale))
        if not run.is_over:
            try:
                await run.load({region: self._ledger.kept(sale, region) for region in terms.regions})
            except Contradiction as finding:
                await run.halt_at_once(finding)
        return run

    async def take_up(self, sale: SaleId) -> None:
        """Run a finished sale again, because some region has not been told all of it."""
        if sale not in self.runs:
            line = next(line for line in self.terms_lines if read_terms(parse_canonical(line)).sale() == sale)
            self.runs[sale] = await self._load(read_terms(parse_canonical(line)))
            self.tell_links()

    def _forget_told(self) -> None:
        """Sales that are over are finished once every region has been told."""
        for sale, run in list(self.runs.items()):
            links = [self._links[region] for region in run.terms.regions if region in self._links]
            if run.is_over and all(link.telling.has_all(run) for link in links):
                self.finished[sale] = Finished(len(run.recorded), run.terms.regions, run.stop_reason is not None)
                del self.runs[sale]
                self._waited_for.discard(sale)
                self._balanced.discard(sale)
                for link in links:
                    link.forget(sale)

    def progress(self, run: SaleRun) -> None:
        """A link has brought something: what can be decided is decided soon, by one task for each sale.

        A decision waits for the disk. Links do not wait for it: they go on bringing, and all that they have brought
        by then is looked at next, together.
        """
        if run.sale not in self._deciding:
            self._deciding.add(run.sale)
            self._start(self._decide(run), f"decide {run.sale}")

    async def _decide(self, run: SaleRun) -> None:
        """Decide until nothing new was brought."""
        try:
            while run.has_news and (now := self.now()) is not None:
                try:
                    if await run.decide(now):
                        self.tell_links()
                except Contradiction as finding:
                    run.halt(finding)
                    self.tell_links()
            self._tell_who_waits(run, self.now())
        finally:
            self._deciding.discard(run.sale)

    def _tell_who_waits(self, run: SaleRun, now: Interval | None) -> None:
        """Where somebody begins to wait, every region is to be looked at often, at once."""
        wants_marks = run.wants_marks(now)
        if wants_marks and run.sale not in self._waited_for:
            self._waited_for.add(run.sale)
            self.tell_links()
        elif not wants_marks:
            self._waited_for.discard(run.sale)

    async def _watch(self) -> None:
        """Cut off regions that hold everybody up for too long."""
        watched_raw_ns = self.raw_ns()
        while True:
            now = self.now()
            self._forget_told()
            unfinished = [run for run in self.runs.values() if not run.is_over]
            if now is None or self._ledger.is_slow or self.raw_ns() - watched_raw_ns > INATTENTIVE_NS:
                for run in unfinished:
                    run.was_not_watched()
            watched_raw_ns = self.raw_ns()
            for run in unfinished:
                try:
                    if now is not None and await run.cut_off_silent(self.raw_ns(), now):
                        self.tell_links()
                    await self._close_if_alone(run, now)
                except Contradiction as finding:
                    run.halt(finding)
                    self.tell_links()
                self._tell_who_waits(run, now)
                if run.awaits_beacon and run.sale not in self._beacons_brought:
                    self._beacons_brought.add(run.sale)
                    self._start(self._beacons.bring(run), f"beacon {run.sale}")
            is_watched = any(is_close(run, now) for run in self.runs.values())
            await asyncio.sleep(WATCH_SECONDS if is_watched else IDLE_WATCH_SECONDS)

    async def _yield_to_newer(self) -> None:
        """An arbiter that has nothing to append must not go on talking to the regions beside a newer one."""
        while True:
            with contextlib.suppress(RedisError):
                await self._ledger.still_ours()
            await asyncio.sleep(FENCE_SECONDS)

    async def _close_if_alone(self, run: SaleRun, now: Interval | None) -> None:
        """After a cut-off or a cancellation no link may bring news any more."""
        if now is not None and run.is_ending and await run.decide(now):
            self.tell_links()

    def pulse(self, region: RegionName) -> bytes | None:
        """The heartbeat that is due to a region now, or None."""
        now_raw_ns, now = self.raw_ns(), self.now()
        waiting = tuple(sale for sale, run in self.runs.items() if run.wants_marks(now))
        sent_raw_ns, told = self._pulsed.get(region, (0, ()))
        due_ns = self._pulse_every_ns(waiting, now)
        if waiting == told and now_raw_ns - sent_raw_ns < due_ns:
            return None
        if now is None:
            return None
        self._pulsed[region] = (now_raw_ns, waiting)
        counted = {
            sale: run.fold.delivered(region).seq
            for sale, run in self.runs.items()
            if not run.fold.over and region in run.fold.regions
        }
        return pulse.encode(pulse.Pulse(self._ledger.token, now.earliest_ns, now.latest_ns, list(waiting), counted))

    def pulse_due_in_ns(self, region: RegionName) -> int:
        """How long until a region's next heartbeat, if nothing changes."""
        sent_raw_ns, told = self._pulsed.get(region, (0, ()))
        return max(sent_raw_ns + self._pulse_every_ns(told, self.now()) - self.raw_ns(), 1_000_000)

    def _pulse_every_ns(self, waiting: tuple[SaleId, ...], now: Interval | None) -> int:
        """A gateway admits nothing once it has heard no pulse for half of what a sale is cut off after."""
        least_ns = min((run.terms.cut_off_after_ns for run in self.runs.values() if is_close(run, now)), default=None)
        every_ns = BUSY_PULSE_NS if waiting else IDLE_PULSE_NS
        return every_ns if least_ns is None else max(min(every_ns, least_ns // PULSES_TO_CUT_OFF), FASTEST_PULSE_NS)

    def tell_links(self) -> None:
        """There is something new to be told to the regions."""
        for link in self._links.values():
            link.news.set()


async def run_arbiter(
    settings: ArbiterSettings, host: HostClock, started: Callable[["ArbiterProcess"], None] = lambda _: None
) -> None:
    """Take over and decide, until another arbiter does.

    Args:
        started: called with the arbiter once it has taken over and knows its sales.

    Raises:
        FencedError: another arbiter has taken over.
    """
    store: Store = connect(settings.store_url, refuses_unsafe=settings.refuses_unsafe_store)
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        process = None
        while process is None:
            try:
                process = ArbiterProcess(settings, await Ledger.take_over(store), host)
                await process.load()
            except RedisError as error:
                process = None
                _log.warning("the arbiter's store does not answer; trying again", error=str(error))
                await asyncio.sleep(_STORE_PAUSE_SECONDS)
        started(process)
        await process.run()
    finally:
        await store.aclose()
