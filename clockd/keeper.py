"""The daemon without its hands: answers, readings of RAW and suspends go in; a belief, polls and notes come out. Pure.

`daemon.py` gives it what sources answered and carries out what it wants (whom to ask when, whom to hurry, what to log
and to journal); the simulated worlds of the tests do the same in its place. It keeps one record per source, and one
belief.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from clockd import leap, polling
from clockd.journal import Record, broke_record, state_record, update_record
from clockd.ntp.exchange import STRATA, Exchange, Reason, Rejected, rests_on_local_clock
from clockd.states import State, Why
from clockd.tracking import (
    STALE_AFTER_POLLS,
    Belief,
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
from model.clock import Interval, tolerated_liars
from model.track import Broken, Oscillator, Track, extent, later, touches

SECOND_NS: Final = 1_000_000_000
STATE_EVERY: Final = 64  # updates; a state is as long as some five of them
SUSPENDED_NS: Final = 1_000_000  # no suspend is this short; two clocks are read within it

Note = tuple[str, dict[str, str | int]]
"""Something for the log: an event and what belongs to it."""


@dataclass(slots=True)
class Source:
    """One source: how it is asked, what it says, and what became of its answers."""

    name: str
    poll: polling.Poll
    voice: Voice | None = None
    denied: bool = False
    verdict: str = "silent"
    reach: int = 0  # the last eight questions, a bit each, newest lowest: as chrony and ntpd show it
    rejected: Counter[str] = field(default_factory=Counter)
    news: Exchange | None = None  # taken since the last update
    is_local: bool = False  # it has no source but its own clock

    @property
    def stale_ns(self) -> int:
        """Unheard for this long, it counts no more."""
        return STALE_AFTER_POLLS * self.poll.interval_seconds * SECOND_NS


class Keeper:
    """One host's belief.

    Args:
        names: of the sources, each once.
        update: the last number that any evidence had.
        suspended_ns: how long this host has been suspended since boot.
    """

    def __init__(
        self, names: list[str], oscillator: Oscillator, polls: tuple[int, int], update: int, suspended_ns: int
    ) -> None:
        self.oscillator = oscillator
        self.sources = {name: Source(name, polling.start(*polls)) for name in names}
        self.belief: Belief = nothing(update)
        self.suspended_ns = suspended_ns
        self.marker = 0
        self.leap_from_raw_ns: int | None = None
        self.hurried: set[str] = set()
        self.notes: list[Note] = []
        self.records: list[Record] = []
        self._deaf_until_raw_ns = 0
        self._since_state = 0
        """Updates that were told since the state was."""

    @property
    def has_news(self) -> bool:
        """Whether something was heard that is not yet in the belief."""
        return any(source.news for source in self.sources.values())

    @property
    def stratum(self) -> int:
        """This host's own: one more than the farthest of its sources."""
        strata = [source.voice.newest.stratum for source in self.sources.values() if source.voice]
        return min(max(strata, default=STRATA) + 1, STRATA)

    def take(self, name: str, answer: Exchange | Rejected | None) -> None:
        """What a source answered; None is silence."""
        source = self.sources[name]
        source.reach = (source.reach << 1 | isinstance(answer, Exchange)) & 0xFF
        if isinstance(answer, Exchange):
            self._hear(source, answer)
            return
        if isinstance(answer, Rejected):
            source.rejected[answer.reason] += 1
            source.denied = source.denied or answer.reason is Reason.KISS_DENY
            self.notes.append(("source_rejected", {"source": name, "reason": str(answer.reason)}))
            if answer.reason is Reason.KISS_RATE:
                source.poll = polling.rate_limited(source.poll)
                return
        source.poll = polling.unanswered(source.poll)

    def _hear(self, source: Source, answer: Exchange) -> None:
        if answer.sent_raw_ns < self._deaf_until_raw_ns:
            return
        source.voice = hear(source.voice, answer, self.oscillator)
        source.poll = polling.answered(source.poll, source.voice, self.oscillator)
        source.news = answer
        is_local = rests_on_local_clock(answer.reference_id)
        if is_local and not source.is_local:
            self.notes.append(("source_has_no_source", {"source": source.name}))
        source.is_local = is_local
        if source.voice.broken is Broken.STEP and source.voice.exchanges == 1:
            self.notes.append(("source_contradicts_itself", {"source": source.name}))
            self._hurry(but=source.name)

    def believe(self, now_raw_ns: int) -> None:
        """Move the belief by what was heard."""
        news = {name: source.news for name, source in self.sources.items() if source.news}
        for source in self.sources.values():
            source.news = None
        heard = {
            name: source.voice
            for name, source in self.sources.items()
            if source.voice and recent(source.voice, now_raw_ns, source.stale_ns)
        }
        groups = upstreams({name: source.voice.newest for name, source in self.sources.items() if source.voice})
        counted = len(self.sources) - sum(name != speaker for name, speaker in groups.items())
        said = one_voice_each(heard, groups, now_raw_ns, self.oscillator)
        since_raw_ns = self.belief.track.as_of_raw_ns if self.belief.track else 0
        jumped = sum(v.broken is Broken.STEP and v.broken_at_raw_ns > since_raw_ns for v in heard.values())
        before = self.belief
        self.belief = advance(before, list(said.values()), counted, jumped, now_raw_ns, self.oscillator)
        if self.belief.why is Why.WANDER and self.belief.update > before.update:
            self.oscillator = distrusted(self.oscillator)
            self.notes.append(("wander_broken", {"now_believed_ppt_s": self.oscillator.wander_ppt_s}))
        if self.belief.state is State.DISRUPTED and before.state is not State.DISRUPTED:
            self._hurry(but=None)
        self.records.append(update_record(self.belief, news, counted, self.oscillator))
        self._tell_state()
        believed = self.belief.track and later(self.belief.track, now_raw_ns, self.oscillator)
        needed = len(said) - tolerated_liars(counted)
        coming = leap.announced([heard[speaker].newest.leap for speaker in said], needed)
        self._judge(heard, groups, believed, coming, now_raw_ns)
        if believed and (coming or needed > 0):  # too few to agree on anything do not take an announcement back either
            announced = [v.newest.sent_raw_ns for v in heard.values() if v.newest.leap] if coming else []
            offset = extent(believed)
            self.leap_from_raw_ns = min((leap.void_from_raw_ns(offset, at) for at in announced), default=None)

    def _tell_state(self) -> None:
        """Every so many updates: all that follows goes on from this."""
        self._since_state += 1
        if self._since_state >= STATE_EVERY and self.belief.track is not None:
            self._since_state = 0
            voices = {name: source.voice for name, source in self.sources.items() if source.voice}
            told = {name: (voice.track, voice.newest) for name, voice in voices.items()}
            self.records.append(state_record(self.belief, told, self.oscillator))

    def _judge(
        self,
        heard: dict[str, Voice],
        groups: dict[str, str],
        believed: Track | None,
        leap_coming: bool,
        now_raw_ns: int,
    ) -> None:
        """A word for each source."""
        for name, source in self.sources.items():
            voice = heard.get(name)
            if voice is None:
                source.verdict = "denied" if source.denied else "silent"
            elif believed is None:
                source.verdict = "heard"
            elif touches(now := later(voice.track, now_raw_ns, self.oscillator), believed):
                source.verdict = "agrees" if groups[name] == name else f"echo of {groups[name]}"
            elif leap.smears(voice.newest.leap, leap_coming, extent(now), now_raw_ns):
                source.verdict = "smears"
            else:
                source.verdict = "falseticker"

    def age(self, now_raw_ns: int) -> None:
        """Nothing new may have come for long."""
        stale_ns = max(source.stale_ns for source in self.sources.values())
        self.belief = aged(self.belief, now_raw_ns, stale_ns)

    def notice_suspend(self, suspended_ns: int, now_raw_ns: int) -> bool:
        """After a suspend everything that was measured before is worth nothing: RAW stood still."""
        slept_ns = suspended_ns - self.suspended_ns
        if slept_ns <= SUSPENDED_NS:
            return False
        self.suspended_ns = suspended_ns
        self.notes.append(("suspended", {"nanoseconds": slept_ns}))
        self._forget(Why.SUSPEND, now_raw_ns)
        return True

    def notice_machine(self, marker: int, now_raw_ns: int) -> bool:
        """After the machine was moved or restored its oscillator is another one. 0: there is nothing to go by."""
        known, self.marker = self.marker, marker or self.marker
        if known in {0, self.marker}:
            return False
        self.notes.append(("machine_moved", {"marker": self.marker}))
        self._forget(Why.MACHINE, now_raw_ns)
        return True

    def notice_leap(self, now_raw_ns: int) -> bool:
        """Once a leap may have begun, nothing that was measured before it, or while it lasts, is worth anything."""
        if self.leap_from_raw_ns is None or now_raw_ns < self.leap_from_raw_ns:
            return False
        self._deaf_until_raw_ns = self.leap_from_raw_ns + leap.OVER_AFTER_NS
        self.leap_from_raw_ns = None
        self.notes.append(("leap", {}))
        self._forget(Why.LEAP, now_raw_ns)
        return True

    def offset(self, now_raw_ns: int) -> Interval | None:
        """UTC − RAW now; None when there is no time."""
        return extent(later(self.belief.track, now_raw_ns, self.oscillator)) if self.belief.track else None

    def _forget(self, why: Why, now_raw_ns: int) -> None:
        self.belief = interrupted(self.belief, why)
        self.records.append(broke_record(why, self.belief.update, now_raw_ns))
        for source in self.sources.values():
            source.voice = source.news = None
        self._hurry(but=None)

    def _hurry(self, but: str | None) -> None:
        """Ask everybody again soon, in a burst; whoever is in one already is not hurried."""
        for name, source in self.sources.items():
            if name != but and source.poll.burst_left == 0:
                source.poll = polling.hurried(source.poll)
                self.hurried.add(name)
