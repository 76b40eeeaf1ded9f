"""The daemon's loop: asks the sources, lets `tracking.py` decide, publishes the page once a second. Decides nothing.

Every source is asked in a task of its own, when `polling.py` says; every answer moves the belief once. The page is
published more often than the belief moves, because its first part speaks of REALTIME, which anybody may step, and
because the belief is brought to the moment of publication. Ended by SIGTERM or SIGINT, the page stays as it is: a
restart goes on from a valid page, which its own terms end if nobody comes back.
"""

import asyncio
import random
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import structlog

from clockd import leap, polling
from clockd.host import HostClock, ReceiveTimes, suspended_ns
from clockd.ntp.exchange import STRATA, Exchange, Reason, Rejected
from clockd.page import Writer, boot_hash
from clockd.publishing import Standing, published
from clockd.states import State, Why
from clockd.tracking import (
    STALE_AFTER_POLLS,
    Voice,
    advance,
    aged,
    distrusted,
    hear,
    interrupted,
    nothing,
    one_voice_each,
    recent,
    upstreams,
)
from model.clock import intersect, tolerated_liars
from model.track import Broken, Oscillator, extent, later

SECOND_NS: Final = 1_000_000_000
PUBLISH_EVERY_SECONDS: Final = 1
ANSWER_WITHIN_SECONDS: Final = 1  # an exchange that took longer would not help any sale
SUSPENDED_NS: Final = 1_000_000

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
    local_reference: bool = False


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
    """One source: how it is asked, and what it says."""

    asks: Asks
    poll: polling.Poll
    voice: Voice | None = None
    denied: bool = False
    last_rejected: str = ""
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def stale_ns(self) -> int:
        """Unheard for this long, it counts no more."""
        return STALE_AFTER_POLLS * self.poll.interval_seconds * SECOND_NS


class Daemon:
    """One host's clock, tracked.

    Args:
        writer: of the page; kept open by the caller for as long as this runs.
    """

    def __init__(self, settings: Settings, asks: list[Asks], receive_times: ReceiveTimes, writer: Writer) -> None:
        self._settings, self._writer, self._host = settings, writer, settings.host
        self._oscillator = settings.oscillator
        self._receive_times = receive_times
        self._boot = boot_hash(self._host.boot_id)
        self._suspended_ns = suspended_ns(self._host)
        self._belief = nothing(writer.found.update if writer.found else 0)
        self._keeps_found_page = writer.found is not None and writer.found.boot == self._boot
        least, most = settings.poll_seconds, settings.most_poll_seconds
        self.sources = [Source(each, polling.start(least, most)) for each in asks]
        self._told: tuple[State, Why, frozenset[str]] = (self._belief.state, self._belief.why, frozenset())
        self._disagreeing: frozenset[str] = frozenset()
        self._leap_from_raw_ns: int | None = None
        self._deaf_until_raw_ns = 0
        self._news = asyncio.Event()

    async def follow(self, source: Source) -> None:
        """Ask one source, for as long as it wants to be asked."""
        while not source.denied:
            answer = await source.asks.ask(ANSWER_WITHIN_SECONDS)
            self._take(source, answer)
            jittered = source.poll.wait_seconds * random.uniform(0.9, 1.0)
            with suppress(TimeoutError):
                async with asyncio.timeout(jittered):
                    await source.hurry.wait()
            source.hurry.clear()

    async def publish_for_ever(self) -> None:
        """Believe what is new at once; keep the page in step with REALTIME, and notice a suspend, every second."""
        while True:
            self._receive_times.sample()
            if not self._notice_suspend() and not self._notice_leap() and self._news.is_set():
                self._news.clear()
                self._believe()
            self.publish()
            with suppress(TimeoutError):
                async with asyncio.timeout(PUBLISH_EVERY_SECONDS):
                    await self._news.wait()

    def publish(self) -> None:
        """Write the page, unless a valid one of this boot is there and nothing is known yet that is better."""
        stale_ns = max(source.stale_ns for source in self.sources)
        self._belief = aged(self._belief, self._host.raw_ns(), stale_ns)
        self._tell_state()
        if self._belief.state is State.UNKNOWN and self._keeps_found_page:
            return
        strata = [source.voice.newest.stratum for source in self.sources if source.voice]
        standing = Standing(
            host_name=self._settings.host_name,
            boot=self._boot,
            suspended_ns=self._suspended_ns,
            marker=0,
            stratum=min(max(strata, default=STRATA) + 1, STRATA),
            local_reference=self._settings.local_reference,
            void_after_raw_ns=self._leap_from_raw_ns,
        )
        self._writer.write(*published(self._belief, standing, self._host, self._oscillator))

    def close(self) -> None:
        """Close every source's socket."""
        for source in self.sources:
            source.asks.close()

    def _take(self, source: Source, answer: Exchange | Rejected | None) -> None:
        """What a source answered, to its track and its poll."""
        if isinstance(answer, Exchange):
            if answer.sent_raw_ns < self._deaf_until_raw_ns:
                return
            source.voice = hear(source.voice, answer, self._oscillator)
            source.poll = polling.answered(source.poll, source.voice, self._oscillator)
            if source.voice.broken is Broken.STEP and source.voice.exchanges == 1:
                log.warning("source_contradicts_itself", source=source.asks.name)
                self._hurry_others(source)
            self._news.set()
        elif isinstance(answer, Rejected):
            source.last_rejected = str(answer.reason)
            log.warning("source_rejected", source=source.asks.name, reason=str(answer.reason))
            source.denied = answer.reason is Reason.KISS_DENY
            limited = answer.reason is Reason.KISS_RATE
            source.poll = polling.rate_limited(source.poll) if limited else polling.unanswered(source.poll)
        else:
            source.poll = polling.unanswered(source.poll)

    def _heard(self, now_raw_ns: int) -> dict[str, Voice]:
        return {
            source.asks.name: source.voice
            for source in self.sources
            if source.voice and recent(source.voice, now_raw_ns, source.stale_ns)
        }

    def _believe(self) -> None:
        """Move the belief by what was heard."""
        now_raw_ns = self._host.raw_ns()
        heard = self._heard(now_raw_ns)
        said = one_voice_each(heard, now_raw_ns, self._oscillator)
        groups = upstreams({source.asks.name: source.voice.newest for source in self.sources if source.voice})
        echoes = sum(name != speaker for name, speaker in groups.items())
        counted = len(self.sources) - echoes
        since_raw_ns = self._belief.track.as_of_raw_ns if self._belief.track else 0
        jumped = sum(v.broken is Broken.STEP and v.broken_at_raw_ns > since_raw_ns for v in heard.values())
        before = self._belief
        self._belief = advance(before, list(said.values()), counted, jumped, now_raw_ns, self._oscillator)
        if self._belief.why is Why.WANDER and self._belief is not before:
            self._oscillator = distrusted(self._oscillator)
            log.warning("wander_broken", now_believed_ppt_s=self._oscillator.wander_ppt_s)
        if self._belief.state is State.DISRUPTED:
            if before.state is not State.DISRUPTED:
                self._hurry_others(None)
            return
        if self._belief.track is None:
            return
        believed = extent(self._belief.track)
        self._disagreeing = frozenset(
            name
            for name, voice in heard.items()
            if intersect(extent(later(voice.track, now_raw_ns, self._oscillator)), believed) is None
        )
        needed = len(said) - tolerated_liars(counted)
        leaps = [heard[name].newest.leap for name in said if name in heard]
        coming = leap.announced(leaps, needed)
        self._leap_from_raw_ns = leap.void_from_raw_ns(believed, now_raw_ns) if coming else None

    def _notice_suspend(self) -> bool:
        """After a suspend everything that was measured before is worth nothing: RAW stood still."""
        slept_ns = suspended_ns(self._host)
        if slept_ns - self._suspended_ns <= SUSPENDED_NS:
            return False
        log.warning("suspended", nanoseconds=slept_ns - self._suspended_ns)
        self._suspended_ns = slept_ns
        self._forget(Why.SUSPEND)
        return True

    def _notice_leap(self) -> bool:
        """Once a leap may have begun, nothing that was measured before or while it lasts is worth anything."""
        now_raw_ns = self._host.raw_ns()
        if self._leap_from_raw_ns is None or now_raw_ns < self._leap_from_raw_ns:
            return False
        self._deaf_until_raw_ns = self._leap_from_raw_ns + leap.SECOND_NS + leap.SETTLED_NS
        self._leap_from_raw_ns = None
        self._forget(Why.LEAP)
        return True

    def _forget(self, why: Why) -> None:
        self._belief = interrupted(self._belief, why)
        self._news.clear()
        for source in self.sources:
            source.voice = None
        self._hurry_others(None)

    def _hurry_others(self, but: Source | None) -> None:
        """Ask everybody again soon, in a burst; whoever is in one already is not hurried."""
        for source in self.sources:
            if source is not but and source.poll.burst_left == 0:
                source.poll = polling.hurried(source.poll)
                source.hurry.set()

    def _tell_state(self) -> None:
        """Log what has changed: the state, what is wrong, or who disagrees with it."""
        belief = self._belief
        told = (belief.state, belief.why, self._disagreeing)
        if self._told == told:
            return
        self._told = told
        known = extent(belief.track) if belief.track else None
        log.info(
            "clock",
            state=str(belief.state),
            why=str(belief.why) or None,
            update=belief.update,
            width_ns=known.latest_ns - known.earliest_ns if known else None,
            agreeing=f"{belief.agreeing} of {belief.sources}",
            disagreeing=sorted(self._disagreeing),
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
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(daemon.follow(source)) for source in daemon.sources]
            running.append(tasks.create_task(daemon.publish_for_ever()))
            await stop.wait()
            for task in running:
                task.cancel()
    finally:
        daemon.close()
    log.info("stopped")
