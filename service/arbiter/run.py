"""One sale in the arbiter: its fold, its decision log, and what the world has to do for it.

Lines and marks come in from the links. Whenever they bring something new, the model is asked what follows; what does
is appended to the decision log before anybody hears of it. Decisions of one sale are made one after the other; lines
may go on being delivered meanwhile, since no decision hangs on when they are.

Where units are sold at the door, the regions' shares are seen to in `balancing.py`; that a region is fenced out, and
what it had left given out again, is decided here, like all else that is recorded.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from model import guards
from model.clock import Interval
from model.deliveries import Deliveries
from model.folds import new_fold
from model.replay import Replay
from model.shards import ShardedFold
from model.terms import Terms
from model.vocabulary import (
    BeaconValue,
    Cancelled,
    Closed,
    Complete,
    Contradiction,
    CutOff,
    Decision,
    Fenced,
    Halted,
    ListFull,
    Naming,
    RegionName,
    Seen,
    SoldOut,
)
from model.wire import decision_line, parse_decision_line
from service.arbiter.ledger import DecidedLine, Ledger
from service.arbiter.silence import Silence
from service.store import keys
from service.store.chunks import ChunkedLines

_log = structlog.get_logger()


AHEAD_NS: Final = 250_000_000
"""How long before marks matter the regions are asked to raise them often: the asking has to travel."""


def expect_mark_rises(region: RegionName, known_ns: int, mark_ns: int) -> None:
    """A region's next mark, after the one that is known.

    Raises:
        Contradiction: it is lower.
    """
    if not guards.mark_may_rise(known_ns, mark_ns):
        raise Contradiction(region, f"its mark only moves forward ({known_ns} to {mark_ns})")


class SaleRun:
    """A sale from publication to its last record."""

    def __init__(self, terms: Terms, seed: bytes, ledger: Ledger, recorded: list[DecidedLine]) -> None:
        self.terms = terms
        self.sale = terms.sale()
        self.recorded = recorded
        """The decision log as it is on disk."""
        self.stop_reason: str | None = None
        """Why no region may log anything more; None while they may. A decision stops them once it is on disk."""
        self.list_full: str | None = None
        """Why no region may log further purchases of a reservation, while holders may still say what they want."""
        self.cut_off: set[RegionName] = set()
        """Regions that were cut off, as far as that is on disk."""
        self.fenced: set[RegionName] = set()
        """Regions that were fenced out, as far as that is on disk."""
        self.fencing: dict[RegionName, str] = {}
        """Regions that an operator wants out of the sale, with the reason: they are stopped and read to their end."""
        self.ready: set[RegionName] = set()
        """Regions that may sell what they have at the door (`balancing.py`)."""
        self.brought = asyncio.Event()
        """Set when lines were delivered; for one who waits for them."""
        self.halting: Contradiction | None = None
        """What was found in a log; the sale halts once the other logs have been read to their end."""
        self.cancel_reason = ""
        self.beacon: BeaconValue | None = None
        """The value that was entered, as far as that is on disk."""
        self.is_over = False
        """Whether the decision log is complete, on disk."""
        self.fold: Deliveries = new_fold(terms, seed)
        self.last_lines: dict[RegionName, bytes] = {}
        """The last line that was delivered of each region's log, where there is one."""
        self.marks_ns: dict[RegionName, int] = {}
        self.ended_logs: set[RegionName] = set()
        """Regions whose log was read to its end after it was stopped."""
        self._seed = seed
        self._ledger = ledger
        self._deciding = asyncio.Lock()
        self._news = True
        self._silence = Silence()
        self._recorded_look_ns = 0
        self._recorded_seqs: Mapping[RegionName, int] = {}
        for index, (line, _) in enumerate(recorded):
            self._note(index, parse_decision_line(index, line))

    @property
    def by_shares(self) -> ShardedFold | None:
        """The fold of a sale whose units are sold at the door; None of an ordered one."""
        return self.fold if isinstance(self.fold, ShardedFold) else None

    def wants_marks(self, at: Interval | None) -> bool:
        """Whether a decision waits for marks to rise, and those of healthy regions could soon be past it."""
        if at is None or self.fold.is_decided or self.fold.is_complete:
            return False
        somebody = self.fold.waiting > 0 or at.earliest_ns > self.terms.last_stamp_ns
        return somebody and at.latest_ns + AHEAD_NS > self.fold.wanted_ns()

    @property
    def has_news(self) -> bool:
        """Whether something was brought that nothing was decided by yet."""
        return self._news and not self.fold.over

    @property
    def is_ending(self) -> bool:
        """Whether every region is to be stopped and its log read to the end."""
        return not self.fold.over and (self.fold.is_decided or self.halting is not None)

    def counts(self, region: RegionName) -> bool:
        """Whether what a region logs still matters."""
        if self.halting is not None and self.halting.region == region:
            return False
        return not self.fold.over and region in self.fold.regions

    async def load(self, kept: Mapping[RegionName, ChunkedLines]) -> None:
        """Replay what is recorded over the regions' lines as they were kept, piece by piece.

        A contradiction leaves the fold where it was found; the caller records the halt.

        Raises:
            Contradiction: the lines and the decision log cannot both be true.
            redis.exceptions.RedisError: the arbiter's store does not answer.
        """
        run = Replay(self.terms, self._seed, lambda region, first, last: ())  # noqa: ARG005  (delivered before)
        self.fold = run.fold
        for index, (line, _) in enumerate(self.recorded):
            record = parse_decision_line(index, line)
            if isinstance(record, Seen):
                for region in self.fold.regions:
                    if region in record.regions:
                        await self._load_lines(region, kept[region], record.regions[region].seq)
            run.apply(record)
        run.finish()
        for region in self.fold.regions:
            self.marks_ns[region] = self.fold.delivered(region).mark_ns
        for region in self.fold.regions:
            try:
                await self._load_lines(region, kept[region], None)
            except Contradiction as finding:
                self.halt(finding)

    async def _load_lines(self, region: RegionName, kept: ChunkedLines, last: int | None) -> None:
        async for lines in kept.up_to(last):
            self.fold.deliver_all(region, lines)
            self.last_lines[region] = lines[-1]

    def deliver(self, region: RegionName, lines: Sequence[bytes], mark_ns: int, now_raw_ns: int) -> None:
        """A region's next lines, read to the end of its log, and the mark read before them.

        Raises:
            Contradiction: the log contradicts itself or its mark.
        """
        if lines:
            self.fold.deliver_all(region, lines)
            self.last_lines[region] = lines[-1]
            self.brought.set()
        known_ns = self.marks_ns.get(region, 0)
        expect_mark_rises(region, known_ns, mark_ns)
        if mark_ns > known_ns:
            self._silence.moved(region, now_raw_ns)
            self.marks_ns[region] = mark_ns
        self._news |= bool(lines) or mark_ns > known_ns

    async def decide(self, at: Interval) -> bool:
        """Decide what can be decided now, and record it. Returns whether anything was recorded."""
        if not self._news:
            return False
        async with self._alone(at) as now:
            if self.fold.over:
                return False
            self._news = False
            seen = self._look(now)
            allowed_ns = self.fold.wanted_ns() + self.terms.intake_grace_ns
            follows = self._see(seen)
            if follows and self.by_shares is None:
                self._ledger.counts.delays.add(now.earliest_ns - allowed_ns)
            follows += self._fence_those_read()
            if not follows and self._all_logs_ended():
                follows = [self.fold.halt(str(self.halting)) if self.halting is not None else self.fold.close()]
            if not follows and not self._is_worth_a_record(seen):
                return False
            await self._record([seen, *follows])
            return True

    def _see(self, seen: Seen) -> list[Decision]:
        """What follows from a look. A look may be the one that shows a contradiction between logs, such as a unit that
        was taken and never granted: then the sale halts, and that look is recorded with the halt.

        Raises:
            Contradiction: the look has shown one.
        """
        try:
            return self.fold.see(seen)
        except Contradiction as finding:
            if self.halting is None:
                self.halt(finding)
                raise
            return []

    def _fence_those_read(self) -> list[Decision]:
        """Regions that were stopped for an operator, and read to their end since, are out. Call after a look."""
        decisions: list[Decision] = []
        for region, reason in self.fencing.items():
            fold = self.by_shares
            if fold is None or fold.is_decided or self.halting is not None:
                break
            if region in fold.regions and region in self.ended_logs:
                record, follows = fold.fence(region, reason)
                _log.warning("region fenced out", sale=self.sale, region=region, reason=reason, entries=record.seq)
                decisions += [record, *follows]
        return decisions

    @asynccontextmanager
    async def _alone(self, at: Interval) -> AsyncIterator[Interval]:
        """One decision at a time. Gives the time that it is by then: whoever had to wait has read on meanwhile, and no
        look may count an entry that came after it."""
        if not self._deciding.locked():
            async with self._deciding:
                yield at
            return
        since_ns = time.monotonic_ns()
        async with self._deciding:
            waited_ns = time.monotonic_ns() - since_ns
            yield Interval(at.earliest_ns, at.latest_ns + waited_ns + waited_ns // 8)

    def _is_worth_a_record(self, seen: Seen) -> bool:
        """Whether a look is recorded although nothing follows: so that a sale which is decided at its end only, an
        auction or one that waits for a beacon, says, too, how late anybody could have been let in."""
        waits_for_all = self.fold.awaits_beacon or self.terms.kind == "auction"
        if not waits_for_all or self.fold.is_complete or self.fold.is_decided:
            return False
        is_due = seen.latest_ns - self._recorded_look_ns >= self.terms.look_every_ns
        return is_due and any(region.seq > self._recorded_seqs.get(name, 0) for name, region in seen.regions.items())

    @property
    def awaits_beacon(self) -> bool:
        """Whether only the value of the beacon's round is missing."""
        return self.fold.is_complete and self.fold.awaits_beacon and not self.fold.is_decided

    async def enter_beacon(self, value: BeaconValue, at: Interval) -> bool:
        """Record the value of the round that the terms name, whose signature was verified, and draw.

        Returns False where no value is waited for, unless it is the one that was entered before.
        """
        async with self._alone(at) as now:
            if not self.awaits_beacon or self.halting is not None:
                return self.beacon == value
            seen = self._look(now)
            follows = self._see(seen)
            await self._record([seen, *follows, value, *self.fold.enter_beacon(value)])
            self._news = True
            return True

    def _all_logs_ended(self) -> bool:
        """Whether the sale is decided or halting, and nothing is left to be read."""
        if not self.is_ending:
            return False
        return self.ended_logs >= {region for region in self.fold.regions if self.counts(region)}

    def _look(self, at: Interval) -> Seen:
        """What was read. While the sale halts, marks stay where they were last looked at: nothing is decided by it."""
        halting = self.halting is not None
        marks_ns = {} if halting else {name: self.marks_ns[name] for name in self.fold.regions if name in self.marks_ns}
        return self.fold.look(marks_ns, at.earliest_ns, at.latest_ns)

    def log_ended(self, region: RegionName) -> None:
        """A region was stopped and its log then read to the end."""
        if region not in self.ended_logs:
            self.ended_logs.add(region)
            self._news = True

    async def cut_off_silent(self, now_raw_ns: int, at: Interval) -> list[RegionName]:
        """Go on without regions that have held everybody up for too long. Returns those that were cut off.

        While a decision is on its way to the disk nobody is judged.
        """
        if self._deciding.locked() or not self._silence.is_noticed(self, now_raw_ns, at):
            return []
        cut_off = []
        async with self._alone(at) as now:
            for region in self.fold.regions:
                if self.is_over or not self._silence.is_too_long(self, region, now_raw_ns):
                    continue
                was_ending = self.is_ending
                seen = self._look(now)
                follows = self._see(seen)
                if self.fold.over or self.is_ending != was_ending:
                    await self._record([seen, *follows])
                    self._news = True
                    break
                record, more = self.fold.cut_off(region)
                _log.warning("region cut off: its mark did not move", sale=self.sale, region=region, entries=record.seq)
                await self._record([seen, *follows, record, *more])
                self._news = True
                cut_off.append(region)
        return cut_off

    def was_not_watched(self) -> None:
        """The arbiter itself was held up: no region is blamed for the time until now."""
        self._silence.is_over()

    def fence(self, region: RegionName, reason: str) -> None:
        """Stop a region, for an operator; it is out of the sale once its log was read to its end."""
        self.fencing.setdefault(region, reason)

    async def reissue(self, to: RegionName, wanted: int, at: Interval) -> bool:
        """Give units that are nobody's to a region, as many as there are. Returns False where there is none any more,
        or the sale is decided."""
        async with self._alone(at) as now:
            fold = self.by_shares
            if fold is None or fold.is_decided or self.halting is not None:
                return False
            seen = self._look(now)
            follows = self._see(seen)
            there = min(wanted, fold.nobodys)
            is_given = there > 0 and to in fold.regions and not fold.is_decided
            if is_given:
                follows.append(fold.reissue(to, there))
            if follows:
                await self._record([seen, *follows])
                self._news = True
            return is_given

    async def cancel(self, reason: str, at: Interval) -> bool:
        """Stop the sale for an operator. Returns False where it is decided already, unless by this very call before."""
        async with self._alone(at) as now:
            if self.fold.cancelled:
                return self.cancel_reason == reason
            if self.fold.is_decided or self.halting is not None:
                return False
            seen = self._look(now)
            follows = self._see(seen)
            if not self.fold.is_decided:
                follows.append(self.fold.cancel(reason))
            await self._record([seen, *follows])
            self._news = True
            return self.fold.cancelled

    def halt(self, finding: Contradiction) -> None:
        """The logs contradict themselves: nothing more is decided, and nothing is guessed.

        Every region is stopped, the sound ones are read to their end, so that whoever was acknowledged there is in
        the bundle, and then the halt is recorded. An arbiter that dies in between finds the contradiction again.
        """
        if self.halting is None and not self.fold.over:
            _log.error("sale halts: its logs contradict themselves", sale=self.sale, finding=str(finding))
            self.halting = finding
            self.stop_reason = self.stop_reason or "halted"
            self.ended_logs.clear()
            self._news = True

    async def halt_at_once(self, finding: Contradiction) -> None:
        """Record a halt where the decision log itself cannot be replayed, so that nothing can be read on top of it."""
        async with self._deciding:
            _log.error("sale halted: its decision log contradicts its entries", sale=self.sale, finding=str(finding))
            self.fold.over = True
            await self._record([Halted(str(finding))])

    async def _record(self, decisions: Sequence[Decision]) -> None:
        index = len(self.recorded)
        lines = [
            (
                decision_line(index + offset, decision),
                self.fold.buyer_of(decision.request).encode() if isinstance(decision, Naming) else b"",
            )
            for offset, decision in enumerate(decisions)
        ]
        began_ns = time.perf_counter_ns()
        await self._ledger.append(self.sale, index, lines)
        self._ledger.counts.recorded(decisions, time.perf_counter_ns() - began_ns)
        self.recorded.extend(lines)
        for offset, decision in enumerate(decisions):
            self._note(index + offset, decision)

    def _note(self, index: int, decision: Decision) -> None:
        """What is on disk now: regions are stopped by that, never by what is about to be."""
        match decision:
            case ListFull():
                self.list_full = f"{keys.LIST_FULL}:{index}"
            case SoldOut():
                self.stop_reason = f"sold_out:{index}"
            case Complete() if self.terms.beacon is None:
                self.stop_reason = "closed"
            case Cancelled(reason):
                self.stop_reason, self.cancel_reason = "cancelled", reason
            case Seen(regions, _, latest_ns):
                self._recorded_look_ns = latest_ns
                self._recorded_seqs = {name: region.seq for name, region in regions.items()}
            case BeaconValue():
                self.beacon = decision
            case CutOff(region):
                self.cut_off.add(region)
            case Fenced(region):
                self.fenced.add(region)
                self.fencing.pop(region, None)
            case Halted():
                self.stop_reason = self.stop_reason or "halted"
                self._end()
            case Closed():
                self._end()

    def _end(self) -> None:
        """A sale that is over keeps its decision log, and nothing of its entries."""
        self.is_over = True
        self.fold = new_fold(self.terms, self._seed)
        self.fold.over = True
        self.last_lines.clear()
