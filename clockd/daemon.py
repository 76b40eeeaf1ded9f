"""The daemon's loop: asks the sources, lets `keeper.py` decide, publishes the page once a second. Decides nothing.

Every source is asked in a task of its own, when `polling.py` says; every answer moves the belief. The page is
published more often than the belief moves, because its first part speaks of REALTIME, which anybody may step, and
because the belief is brought to the moment of publication. Ended by SIGTERM or SIGINT, the page stays as it is: a
restart goes on from a valid page, which its own terms end if nobody comes back.
"""

import asyncio
import json
import random
import signal
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from clockd.host import HostClock, ReceiveTimes, suspended_ns
from clockd.journal import Journal, start_record
from clockd.keeper import Keeper
from clockd.machine import find_machine
from clockd.metrics import ClockMetrics, serve_metrics
from clockd.notify import STOPPING, ServiceManager
from clockd.ntp.client import Client
from clockd.ntp.exchange import Exchange, Rejected
from clockd.page import VALID_FOR_NS, Writer, boot_hash
from clockd.publishing import Standing, published
from clockd.report import describe_sources, sources_path
from clockd.states import State, Why
from clockd.webhook import Webhook
from model.clock import centre
from model.track import Oscillator, extent

PUBLISH_EVERY_SECONDS: Final = 1
ANSWER_WITHIN_SECONDS: Final = 1  # an exchange that took longer would not help any sale

NORMAL: Final = {"state": str(State.SYNCHRONIZED), "why": "", "disagreeing": ""}
"""Of this nobody need be told by webhook."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Settings:
    """What `clockd run` was told, but for its sources."""

    page: Path
    host_name: str
    host: HostClock
    poll_seconds: int
    most_poll_seconds: int
    oscillator: Oscillator
    valid_for_ns: int = VALID_FOR_NS
    local_reference: bool = False
    journal: Path | None = None
    journal_bytes: int = 16_000_000
    metrics: tuple[str, int] | None = None
    """Where monitoring is answered, address and port."""
    webhook: Webhook | None = None
    """Whom to tell of changes."""


class Asks(Protocol):
    """Anything that can be asked for an exchange."""

    @property
    def name(self) -> str:
        """As the operator named it."""

    async def ask(self, timeout_seconds: float) -> Exchange | Rejected | None:
        """One exchange, a refusal, or nothing."""

    def close(self) -> None:
        """Let go of what is open."""


class Daemon:
    """One host's clock, tracked.

    Args:
        writer: of the page; kept open by the caller for as long as this runs.
    """

    def __init__(self, settings: Settings, asks: list[Asks], receive_times: ReceiveTimes, writer: Writer) -> None:
        self._settings, self._writer, self.host = settings, writer, settings.host
        self.host_name, self.local_reference = settings.host_name, settings.local_reference
        self.receive_times = receive_times
        self._boot = boot_hash(self.host.boot_id)
        found = writer.found
        polls = (settings.poll_seconds, settings.most_poll_seconds)
        names = [each.name for each in asks]
        update = found.update if found else 0
        self.keeper = Keeper(names, settings.oscillator, polls, update, suspended_ns(self.host))
        self._asks = asks
        self._machine = find_machine()
        self.keeper.notice_machine(self._machine.marker() if self._machine else 0, self.host.raw_ns())
        self._journal = settings.journal and Journal(settings.journal, settings.journal_bytes)
        raw_ns = self.host.raw_ns()
        said = self.keeper.belief.update
        started = start_record(settings.host_name, self._boot, names, settings.oscillator, said, raw_ns)
        self.keeper.records.append(started)
        self._keeps_found_page = found is not None and found.boot == self._boot
        self._told: tuple[State, Why, tuple[str, ...]] = (State.UNKNOWN, Why.NOTHING, ())
        self._hurry = {name: asyncio.Event() for name in names}
        self._news = asyncio.Event()
        self._manager = ServiceManager()
        self.published_raw_ns = raw_ns
        self.troubles: Counter[str] = Counter()
        """Looks at the evidence at which something was wrong, by what."""

    def rejected(self, name: str) -> Mapping[str, int]:
        """How many packets of a source were not taken, by reason, also those that somebody else may have sent."""
        asks = next(each for each in self._asks if each.name == name)
        if isinstance(asks, Client):
            return asks.rejected
        return {str(reason): count for reason, count in self.keeper.sources[name].rejected.items()}

    async def follow(self, asks: Asks) -> None:
        """Ask one source, for as long as it wants to be asked."""
        source, hurry = self.keeper.sources[asks.name], self._hurry[asks.name]
        while not source.denied:
            self.keeper.take(asks.name, await asks.ask(ANSWER_WITHIN_SECONDS))
            self._carry_out()
            jittered = source.poll.wait_seconds * random.uniform(0.9, 1.0)  # no herd, no guessing when
            with suppress(TimeoutError):
                async with asyncio.timeout(jittered):
                    await hurry.wait()
            hurry.clear()

    async def publish_for_ever(self) -> None:
        """Believe what is new at once; keep the page in step with REALTIME, and notice a suspend, every second."""
        while True:
            self.receive_times.sample()
            keeper, now_raw_ns = self.keeper, self.host.raw_ns()
            moved = keeper.notice_machine(self._machine.marker() if self._machine else 0, now_raw_ns)
            slept = keeper.notice_suspend(suspended_ns(self.host), now_raw_ns)
            broke = keeper.notice_leap(now_raw_ns) or moved or slept
            if not broke and keeper.has_news:
                keeper.believe(now_raw_ns)
                self._say_sources(now_raw_ns)
            self._news.clear()
            self.publish()
            self.published_raw_ns = self.host.raw_ns()
            self._carry_out()
            self._manager.alive(f"{keeper.belief.state}, {keeper.belief.agreeing} of {len(keeper.sources)} agree")
            with suppress(TimeoutError):
                async with asyncio.timeout(PUBLISH_EVERY_SECONDS):
                    await self._news.wait()

    def publish(self) -> None:
        """Write the page, unless a valid one of this boot is there and nothing is known yet that is better."""
        keeper = self.keeper
        keeper.age(self.host.raw_ns())
        if keeper.belief.state is State.UNKNOWN and self._keeps_found_page:
            return
        standing = Standing(
            host_name=self._settings.host_name,
            boot=self._boot,
            suspended_ns=keeper.suspended_ns,
            marker=keeper.marker,
            stratum=keeper.stratum,
            local_reference=self._settings.local_reference,
            void_after_raw_ns=keeper.leap_from_raw_ns,
            valid_for_ns=self._settings.valid_for_ns,
        )
        self._writer.write(*published(keeper.belief, standing, self.host, keeper.oscillator))

    def close(self) -> None:
        """Close every source's socket."""
        self._manager.tell(STOPPING)
        for each in self._asks:
            each.close()

    def _carry_out(self) -> None:
        """Do what the keeper wants done."""
        keeper = self.keeper
        for event, facts in keeper.notes:
            log.warning(event, **facts)
        keeper.notes.clear()
        for name in keeper.hurried:
            self._hurry[name].set()
        keeper.hurried.clear()
        self.troubles.update(str(record["why"]) for record in keeper.records if record.get("why"))
        if self._journal:
            self._journal.append(keeper.records)
        keeper.records.clear()
        if keeper.has_news:
            self._news.set()
        self._tell_state()

    def _say_sources(self, now_raw_ns: int) -> None:
        """For people: what each source says. Nothing depends on it, so a failure is none of the clock's business."""
        known = self.keeper.offset(now_raw_ns)
        middle_ns = None if known is None else centre(known)[0]
        path = sources_path(self._settings.page)
        text = json.dumps(describe_sources(self.keeper.sources.values(), middle_ns, now_raw_ns))
        fresh = path.with_name(path.name + ".new")
        with suppress(OSError):
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(path)

    def _tell_state(self) -> None:
        """Log what has changed: the state, what is wrong, or who disagrees with it."""
        belief = self.keeper.belief
        wrong = tuple(sorted(s.name for s in self.keeper.sources.values() if s.verdict in {"falseticker", "smears"}))
        told = (belief.state, belief.why, wrong)
        if self._told == told:
            return
        self._told = told
        if self._settings.webhook is not None:
            state = {"state": str(belief.state), "why": str(belief.why), "disagreeing": ", ".join(wrong)}
            self._settings.webhook.tell(state)
        known = extent(belief.track) if belief.track else None
        log.info(
            "clock",
            state=str(belief.state),
            why=str(belief.why) or None,
            update=belief.update,
            width_ns=known.latest_ns - known.earliest_ns if known else None,
            agreeing=f"{belief.agreeing} of {belief.sources}",
            disagreeing=wrong,
        )


async def run(settings: Settings, asks: list[Asks], receive_times: ReceiveTimes, writer: Writer) -> None:
    """Track and publish until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if settings.local_reference:
        log.warning("local_reference", meaning="this host's own clock is taken for true")
    daemon = Daemon(settings, asks, receive_times, writer)
    log.info("started", page=str(settings.page), host=settings.host_name, sources=[each.name for each in asks])
    if settings.metrics is not None:
        serve_metrics(*settings.metrics, ClockMetrics(daemon))
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(daemon.follow(each)) for each in asks]
            running.append(tasks.create_task(daemon.publish_for_ever()))
            if settings.webhook is not None:
                running.append(tasks.create_task(settings.webhook.run()))
            await stop.wait()
            for task in running:
                task.cancel()
    finally:
        daemon.close()
    log.info("stopped")
