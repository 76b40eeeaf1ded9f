"""The daemon's loop: asks the sources, lets `tracking.py` decide, publishes the page once a second. Decides nothing.

All sources are asked in one round, a round every poll interval (four rounds close together at the start and after a
disruption), and a round moves the belief once. The page is published more often than the belief moves, because its
first part speaks of REALTIME, which anybody may step. Ended by SIGTERM or SIGINT, the page stays as it is: a restart
goes on from a valid page, which its own terms end if nobody comes back.
"""

import asyncio
import random
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from clockd.host import HostClock, ReceiveTimes, suspended_ns
from clockd.local import LocalReference
from clockd.ntp.client import Client, Server
from clockd.ntp.exchange import STRATA, Exchange, Reason, Rejected
from clockd.page import VALID_FOR_NS, Page, Public, State, Writer, boot_hash
from clockd.tracking import STALE_AFTER_POLLS, advance, aged, interrupted, nothing, remember, source_offset
from model.clock import centre, intersect, stamp_bound_ns

SECOND_NS: Final = 1_000_000_000
PUBLISH_EVERY_SECONDS: Final = 1
ANSWER_WITHIN_SECONDS: Final = 1  # an exchange that took longer would not help any sale
BURST_ROUNDS: Final = 4
BURST_SPACING_SECONDS: Final = 2  # RFC 5905: between the packets of a burst
RARELY_AT_MOST: Final = 4  # a server that says RATE is asked at most this many times less often
SUSPENDED_NS: Final = 1_000_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Settings:
    """What `clockd run` was told; `local_bound_ns` is None unless the host itself is the stated reference."""

    servers: tuple[Server, ...]
    page: Path
    host_name: str
    host: HostClock
    poll_seconds: int
    max_drift_ppb: int
    local_bound_ns: int | None


class Asks(Protocol):
    """Anything that can be asked for an exchange."""

    @property
    def name(self) -> str:
        """As the operator named it."""

    async def ask(self, timeout_seconds: float) -> Exchange | Rejected | None:
        """One exchange, a refusal, or nothing."""

    def close(self) -> None:
        """Let go of what is open."""


@dataclass(slots=True)
class Source:
    """One source and what it said lately."""

    asks: Asks
    exchanges: tuple[Exchange, ...] = ()
    every_rounds: int = 1
    denied: bool = False


class Daemon:
    """One host's clock, tracked.

    Args:
        writer: of the page; kept open by the caller for as long as this runs.
    """

    def __init__(self, settings: Settings, writer: Writer) -> None:
        self._settings, self._writer, self._host = settings, writer, settings.host
        self._receive_times = ReceiveTimes(self._host)
        self._boot = boot_hash(self._host.boot_id)
        self._suspended_ns = suspended_ns(self._host)
        self._belief = nothing(writer.found.update if writer.found else 0)
        self._keeps_found_page = writer.found is not None and writer.found.boot == self._boot
        self._sources = self._open_sources()
        self._is_local = settings.local_bound_ns is not None
        self._poll_seconds = PUBLISH_EVERY_SECONDS if self._is_local else settings.poll_seconds
        self._stale_ns = STALE_AFTER_POLLS * self._poll_seconds * SECOND_NS
        self._told: tuple[State, frozenset[str]] = (self._belief.state, frozenset())
        self._disagreeing: frozenset[str] = frozenset()
        self._round = 0
        self._burst_from_round = 0
        self._hurry = asyncio.Event()

    def _open_sources(self) -> list[Source]:
        settings = self._settings
        if settings.local_bound_ns is not None:
            log.warning(
                "local_reference", meaning="this host's own clock is taken for true", bound_ns=settings.local_bound_ns
            )
            return [Source(LocalReference(self._host, settings.local_bound_ns))]
        return [
            Source(Client(server, self._host, self._receive_times, settings.max_drift_ppb))
            for server in settings.servers
        ]

    async def poll(self) -> None:
        """Ask and believe, for ever."""
        while True:
            await self._ask_all()
            self._round += 1
            in_burst = self._round - self._burst_from_round < BURST_ROUNDS
            seconds = min(BURST_SPACING_SECONDS, self._poll_seconds) if in_burst else self._poll_seconds
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds * random.uniform(0.9, 1.0)):  # jitter: no herd, no guessing when
                    await self._hurry.wait()
            self._hurry.clear()

    async def publish_every_second(self) -> None:
        """Keep the page's first part in step with REALTIME, and notice a suspend."""
        while True:
            self._receive_times.sample()
            self._notice_suspend()
            self.publish()
            await asyncio.sleep(PUBLISH_EVERY_SECONDS)

    def publish(self) -> None:
        """Write the page, unless a valid one of this boot is there and nothing is known yet that is better."""
        self._belief = aged(self._belief, self._host.raw_ns(), self._stale_ns)
        self._tell_state()
        if self._belief.state is State.UNKNOWN and self._keeps_found_page:
            return
        middle_ns, bound_ns = centre(self._belief.offset) if self._belief.offset else (0, 0)
        self._writer.write(self._public(middle_ns, bound_ns), self._page(middle_ns, bound_ns))

    def _public(self, middle_ns: int, bound_ns: int) -> Public:
        """For programs that read REALTIME uncorrected: how far that is off is part of the bound."""
        host, belief, drift_ppb = self._host, self._belief, self._settings.max_drift_ppb
        coarse_ns = host.monotonic_coarse_ns()  # before everything that it is the time of
        before_ns, realtime_ns, after_ns = host.raw_ns(), host.realtime_ns(), host.raw_ns()
        ahead_ns = max(abs(middle_ns + before_ns - realtime_ns), abs(middle_ns + after_ns - realtime_ns))
        grown_ns = stamp_bound_ns(belief.as_of_raw_ns, bound_ns, drift_ppb, after_ns, 0)
        vouched_for = self._is_local and belief.state is State.SYNCHRONIZED
        return Public(
            as_of_ns=coarse_ns,
            void_after_ns=coarse_ns + VALID_FOR_NS,
            bound_ns=grown_ns + ahead_ns if belief.offset else 0,
            drift_ppb=drift_ppb,
            state=State.FREE_RUNNING if vouched_for else belief.state,
        )

    def _page(self, middle_ns: int, bound_ns: int) -> Page:
        belief = self._belief
        strata = [source.exchanges[-1].stratum for source in self._sources if source.exchanges]
        return Page(
            utc_minus_raw_ns=middle_ns,
            as_of_raw_ns=belief.as_of_raw_ns,
            bound_ns=bound_ns,
            void_after_raw_ns=self._host.raw_ns() + VALID_FOR_NS,
            suspended_ns=self._suspended_ns,
            update=belief.update,
            drift_ppb=self._settings.max_drift_ppb,
            state=belief.state,
            local_reference=self._is_local,
            sources=belief.sources,
            agreeing=belief.agreeing,
            stratum=min(max(strata, default=STRATA) + 1, STRATA),
            boot=self._boot,
            host=self._settings.host_name,
        )

    def close(self) -> None:
        """Close every source's socket."""
        for source in self._sources:
            source.asks.close()

    async def _ask_all(self) -> None:
        due = [source for source in self._sources if not source.denied and self._round % source.every_rounds == 0]
        answered = await asyncio.gather(*(self._ask(source) for source in due))
        if not any(answered) or self._notice_suspend():
            return
        now_raw_ns, drift_ppb = self._host.raw_ns(), self._settings.max_drift_ppb
        said = {
            source.asks.name: offset
            for source in self._sources
            if (offset := source_offset(source.exchanges, now_raw_ns, drift_ppb, self._stale_ns))
        }
        was = self._belief.state
        self._belief = advance(self._belief, list(said.values()), len(self._sources), now_raw_ns, drift_ppb)
        if self._belief.state is State.DISRUPTED is not was:
            self._begin_burst()
        believed = self._belief.offset
        if believed is not None:
            self._disagreeing = frozenset(name for name, offset in said.items() if intersect(offset, believed) is None)
        self.publish()

    async def _ask(self, source: Source) -> bool:
        """Whether there is something new from this source."""
        answer = await source.asks.ask(ANSWER_WITHIN_SECONDS)
        if isinstance(answer, Exchange):
            source.exchanges = remember(source.exchanges, answer, self._settings.max_drift_ppb)
            return True
        if isinstance(answer, Rejected):
            log.warning("source_rejected", source=source.asks.name, reason=str(answer.reason))
            source.denied = answer.reason is Reason.KISS_DENY
            if answer.reason is Reason.KISS_RATE:
                source.every_rounds = min(2 * source.every_rounds, RARELY_AT_MOST)
        return False

    def _notice_suspend(self) -> bool:
        """After a suspend everything that was measured before is worth nothing: RAW stood still."""
        slept_ns = suspended_ns(self._host)
        if slept_ns - self._suspended_ns <= SUSPENDED_NS:
            return False
        log.warning("suspended", nanoseconds=slept_ns - self._suspended_ns)
        self._suspended_ns = slept_ns
        self._belief = interrupted(self._belief)
        for source in self._sources:
            source.exchanges = ()
        self._begin_burst()
        self._hurry.set()
        return True

    def _begin_burst(self) -> None:
        """A few rounds close together, but never without a whole poll interval since the last such burst."""
        if self._round >= self._burst_from_round + BURST_ROUNDS:
            self._burst_from_round = self._round

    def _tell_state(self) -> None:
        """Log what has changed: the state, or who disagrees with it."""
        belief = self._belief
        if self._told == (belief.state, self._disagreeing):
            return
        self._told = (belief.state, self._disagreeing)
        log.info(
            "clock",
            state=str(belief.state),
            update=belief.update,
            bound_ns=centre(belief.offset)[1] if belief.offset else None,
            agreeing=f"{belief.agreeing} of {belief.sources}",
            disagreeing=sorted(self._disagreeing),
        )


async def run(settings: Settings, writer: Writer) -> None:
    """Track and publish until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    daemon = Daemon(settings, writer)
    log.info("started", page=str(settings.page), host=settings.host_name, sources=[str(s) for s in settings.servers])
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(daemon.poll()), tasks.create_task(daemon.publish_every_second())]
            await stop.wait()
            for task in running:
                task.cancel()
    finally:
        daemon.close()
    log.info("stopped")
