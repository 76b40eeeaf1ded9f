"""The arbiter as a process: takes the fence, loads its sales, keeps a link to every region, answers proposals.

One event loop, one process, many sales. Killed at any moment and started again, it takes a higher token, replays what
is recorded over the regions' logs, and goes on with the same decisions: whatever was not recorded was heard by nobody.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from clockd.host import HostClock
from clockd.reader import Reader
from model.clock import Interval
from model.terms import read_terms
from model.vocabulary import Contradiction, RegionName, SaleId
from model.wire import parse_canonical
from service import pulse
from service.arbiter.ledger import Ledger
from service.arbiter.link import RegionLink
from service.arbiter.proposals import Desk, Proposal, ProposalAnswer
from service.arbiter.run import SaleRun
from service.store.opening import Store, connect
from service.tasks import end as end_tasks

_log = structlog.get_logger()

BUSY_ROUND_SECONDS: Final = 0.004
"""Between two rounds while somebody waits for a decision."""
OPEN_ROUND_SECONDS: Final = 0.025
"""Between two rounds while a sale takes entries and nobody waits."""
IDLE_ROUND_SECONDS: Final = 0.5
BUSY_PULSE_NS: Final = 250_000_000
IDLE_PULSE_NS: Final = 1_000_000_000
EARLY_NS: Final = 2_000_000_000
"""How long before entries are taken a sale is watched closely."""
FENCE_SECONDS: Final = 1.0
"""How long an arbiter may not know that another has taken over; nothing it appends counts meanwhile."""
_NO_CLOCK_PAUSE_SECONDS: Final = 0.2
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


class ArbiterProcess:
    """One arbiter under one token."""

    def __init__(self, settings: ArbiterSettings, ledger: Ledger, host: HostClock) -> None:
        self.runs: dict[SaleId, SaleRun] = {}
        self.terms_lines: list[bytes] = []
        self._ledger = ledger
        self._host = host
        self._reader = Reader(settings.page, host)
        self._stores = {name: connect(url) for name, url in settings.regions.items()}
        self._links = {name: RegionLink(name, store, ledger, self) for name, store in self._stores.items()}
        self._desk = Desk(ledger, frozenset(settings.regions))
        self._pulsed: dict[RegionName, tuple[int, tuple[SaleId, ...]]] = {}
        self._news = {region: asyncio.Event() for region in settings.regions}
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

    async def run(self) -> None:
        """Everything at once, until another arbiter takes over.

        Raises:
            FencedError: another arbiter has taken over.
        """
        for link in self._links.values():
            self._start(link.run(), f"link {link.region}")
        self._start(self._serve_proposals(), "proposals")
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
        for line in await self._ledger.sales():
            await self._add(line)
        unfinished = sum(not run.is_over for run in self.runs.values())
        _log.info("arbiter started", token=self._ledger.token, sales=len(self.runs), unfinished=unfinished)

    async def _add(self, line: bytes) -> None:
        """A sale, as far as it has come."""
        terms = read_terms(parse_canonical(line))
        sale = terms.sale()
        recorded = await self._ledger.decisions(sale)
        run = SaleRun(terms, await self._ledger.seed(sale), self._ledger, recorded)
        if not run.is_over:
            copies = {region: await self._ledger.copied(sale, region) for region in terms.regions}
            try:
                run.load(copies)
            except Contradiction as finding:
                await run.halt_at_once(finding)
        self.runs[sale] = run
        self.terms_lines.append(line)
        self._tell_links()

    async def progress(self, run: SaleRun) -> None:
        """A link has brought something: decide what can be decided.

        Raises:
            Contradiction: what it brought cannot be true.
        """
        now = self.now()
        if now is not None and await run.decide(now):
            self._tell_links()

    async def _watch(self) -> None:
        """Cut off regions that hold everybody up for too long."""
        watched_raw_ns = self.raw_ns()
        while True:
            now = self.now()
            unfinished = [run for run in self.runs.values() if not run.fold.over]
            if now is None or self._ledger.is_slow or self.raw_ns() - watched_raw_ns > INATTENTIVE_NS:
                for run in unfinished:
                    run.was_not_watched()
            watched_raw_ns = self.raw_ns()
            for run in unfinished:
                if now is not None and await run.cut_off_silent(self.raw_ns(), now):
                    self._tell_links()
                await self._close_if_alone(run, now)
            await asyncio.sleep(OPEN_ROUND_SECONDS if self._is_close() else IDLE_ROUND_SECONDS)

    async def _yield_to_newer(self) -> None:
        """An arbiter that has nothing to append must not go on talking to the regions beside a newer one."""
        while True:
            with contextlib.suppress(RedisError):
                await self._ledger.still_ours()
            await asyncio.sleep(FENCE_SECONDS)

    async def _close_if_alone(self, run: SaleRun, now: Interval | None) -> None:
        """After a cut-off or a cancellation no link may bring news any more."""
        if now is not None and (run.fold.is_decided or run.halting is not None):
            await run.decide(now)

    def pulse(self, region: RegionName) -> bytes | None:
        """The heartbeat that is due to a region now, or None."""
        now_raw_ns, now = self.raw_ns(), self.now()
        waiting = tuple(sale for sale, run in self.runs.items() if run.wants_marks(now))
        sent_raw_ns, told = self._pulsed.get(region, (0, ()))
        due_ns = BUSY_PULSE_NS if waiting else IDLE_PULSE_NS
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

    async def pause(self, region: RegionName) -> None:
        """What a link waits between two rounds; news end it."""
        now = self.now()
        if self._links[region].is_behind() or any(run.wants_marks(now) for run in self.runs.values()):
            await asyncio.sleep(BUSY_ROUND_SECONDS)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OPEN_ROUND_SECONDS if self._is_close() else IDLE_ROUND_SECONDS):
                await self._news[region].wait()
        self._news[region].clear()

    def _tell_links(self) -> None:
        for news in self._news.values():
            news.set()

    def _is_close(self) -> bool:
        """Whether some sale takes entries, will soon, or is not read to its end yet."""
        now = self._reader.now()
        return now is not None and any(
            not run.is_over and now.latest_ns > run.terms.entries_from_ns - EARLY_NS for run in self.runs.values()
        )

    async def _serve_proposals(self) -> None:
        while True:
            try:
                for proposal in await self._desk.next_proposals(wait_ms=1000):
                    await self._serve(proposal)
            except (RedisError, OSError) as error:
                _log.warning("the arbiter's store does not answer; trying again", error=str(error))
                self._desk.start_over()
                await asyncio.sleep(BUSY_PULSE_NS / 1e9)

    async def _serve(self, proposal: Proposal) -> None:
        now = self.now()
        while now is None:
            await asyncio.sleep(_NO_CLOCK_PAUSE_SECONDS)
            now = self.now()
        if proposal.terms is None:
            await self._desk.answer(proposal, await self._cancel(proposal, now))
            return
        opened = await self._desk.open(proposal, now.latest_ns)
        if opened is None:
            return
        if isinstance(opened, ProposalAnswer):
            await self._desk.answer(proposal, opened)
            return
        if opened not in self.runs:
            for line in (await self._ledger.sales())[len(self.terms_lines) :]:
                await self._add(line)
        self._start(self._answer_when_pushed(proposal, opened), f"publish {opened}")

    async def _answer_when_pushed(self, proposal: Proposal, sale: SaleId) -> None:
        """A sale counts as published once each of its regions has the terms."""
        number = [*self.runs].index(sale) + 1
        missing = [region for region in self.runs[sale].terms.regions if region not in self._links]
        if missing:
            _log.error("a sale names regions that this arbiter was not given", sale=sale, missing=missing)
            return
        links = [self._links[region] for region in self.runs[sale].terms.regions]
        while any(link.sales_pushed < number for link in links):
            self._tell_links()
            await asyncio.sleep(OPEN_ROUND_SECONDS)
        with contextlib.suppress(RedisError):
            await self._desk.answer(proposal, ProposalAnswer(sale=sale))

    async def _cancel(self, proposal: Proposal, now: Interval) -> ProposalAnswer:
        run = self.runs.get(proposal.sale)
        if run is None:
            return ProposalAnswer(sale=proposal.sale, problem="unknown_sale")
        if not await run.cancel(proposal.reason, now):
            return ProposalAnswer(sale=proposal.sale, problem="already_decided")
        _log.warning("sale cancelled by an operator", sale=proposal.sale, reason=proposal.reason)
        self._tell_links()
        return ProposalAnswer(sale=proposal.sale)


async def run_arbiter(settings: ArbiterSettings, host: HostClock) -> None:
    """Take over and decide, until another arbiter does.

    Raises:
        FencedError: another arbiter has taken over.
    """
    store: Store = connect(settings.store_url)
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
        await process.run()
    finally:
        await store.aclose()
