"""One sale in the arbiter: its fold, its decision log, and what the world has to do for it.

Lines and marks come in from the links. Whenever they bring something new, the model is asked what follows; what does
is appended to the decision log before anybody hears of it. Decisions of one sale are made one after the other; lines
may go on being delivered meanwhile, since no decision hangs on when they are.
"""

import asyncio
from collections.abc import Sequence

import structlog

from model import guards
from model.arbiter import Fold
from model.clock import Interval
from model.replay import Replay
from model.terms import Terms
from model.vocabulary import Closed, Contradiction, Decision, Halted, RegionName, Seen, Won
from model.wire import decision_line, parse_decision_line
from service.arbiter.ledger import DecidedLine, Ledger

_log = structlog.get_logger()


class SaleRun:
    """A sale from publication to its last record."""

    def __init__(self, terms: Terms, seed: bytes, ledger: Ledger, recorded: list[DecidedLine]) -> None:
        self.terms = terms
        self.sale = terms.sale()
        self.recorded = recorded
        """The decision log as it is on disk."""
        self.fold = Fold(terms, seed)
        self.fold.over = bool(recorded) and isinstance(
            parse_decision_line(len(recorded) - 1, recorded[-1][0]), Closed | Halted
        )
        self.marks_ns: dict[RegionName, int] = {}
        self.ended_logs: set[RegionName] = set()
        """Regions whose log was read to its end after it was stopped."""
        self._seed = seed
        self._ledger = ledger
        self._deciding = asyncio.Lock()
        self._news = True
        self._moved_raw_ns: dict[RegionName, int] = {}
        self._held_up_since_raw_ns: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether the decision log is complete."""
        return self.fold.over

    @property
    def stop_reason(self) -> str | None:
        """Why no region may log further entries; None while they may."""
        if self.fold.sold_out:
            return "sold_out"
        if self.fold.cancelled:
            return "cancelled"
        return "halted" if self.fold.over else None

    def load(self, copies: dict[RegionName, list[bytes]]) -> None:
        """Replay what is recorded over the regions' lines as they were kept.

        A contradiction leaves the fold where it was found; the caller records the halt.

        Raises:
            Contradiction: the lines and the decision log cannot both be true.
        """
        run = Replay(self.terms, self._seed, lambda region, first, last: copies[region][first - 1 : last])
        self.fold = run.fold
        for index, (line, _) in enumerate(self.recorded):
            run.apply(parse_decision_line(index, line))
        run.finish()
        for region in self.fold.regions:
            self.marks_ns[region] = self.fold.delivered(region).mark_ns
            for line in copies[region][self.fold.delivered(region).seq :]:
                self.fold.deliver(region, line)

    def deliver(self, region: RegionName, lines: Sequence[bytes], mark_ns: int, now_raw_ns: int) -> None:
        """A region's next lines, read to the end of its log, and the mark read before them.

        Raises:
            Contradiction: the log contradicts itself or its mark.
        """
        for line in lines:
            self.fold.deliver(region, line)
        known_ns = self.marks_ns.get(region, 0)
        if not guards.mark_may_rise(known_ns, mark_ns):
            raise Contradiction(region, f"its mark only moves forward ({known_ns} to {mark_ns})")
        if mark_ns > known_ns:
            self._moved_raw_ns[region] = now_raw_ns
            self.marks_ns[region] = mark_ns
        self._news |= bool(lines) or mark_ns > known_ns

    async def decide(self, at: Interval) -> bool:
        """Decide what can be decided now, and record it. Returns whether anything was recorded."""
        if not self._news:
            return False
        async with self._deciding:
            if self.fold.over:
                return False
            self._news = False
            seen = self._look(at)
            follows = self.fold.see(seen)
            if not follows and self.fold.is_decided and self.ended_logs >= set(self.fold.regions):
                follows = [self.fold.close()]
            if follows:
                await self._record([seen, *follows])
            return bool(follows)

    def _look(self, at: Interval) -> Seen:
        marks_ns = {region: mark_ns for region, mark_ns in self.marks_ns.items() if region in self.fold.regions}
        return self.fold.look(marks_ns, at.earliest_ns, at.latest_ns)

    def log_ended(self, region: RegionName) -> None:
        """A region was stopped and its log then read to the end."""
        if region not in self.ended_logs:
            self.ended_logs.add(region)
            self._news = True

    async def cut_off_silent(self, now_raw_ns: int, at: Interval) -> list[RegionName]:
        """Go on without regions that have held everybody up for too long.

        A region is silent from when its mark last moved, or from when somebody first waited for it, whichever is
        later. Returns the regions that were cut off.
        """
        held_up = not self.fold.over and (self.fold.is_decided or self.fold.waiting > 0 or self._closing(at))
        if not held_up:
            self._held_up_since_raw_ns = None
            return []
        if self._held_up_since_raw_ns is None:
            self._held_up_since_raw_ns = now_raw_ns
        silent = [region for region in self.fold.regions if self._is_silent(region, now_raw_ns)]
        async with self._deciding:
            for region in silent:
                if self.fold.over or region not in self.fold.regions:
                    continue
                seen = self._look(at)
                follows = self.fold.see(seen)
                if self.is_over:
                    await self._record([seen, *follows])
                    break
                record, more = self.fold.cut_off(region)
                _log.warning("region cut off: its mark did not move", sale=self.sale, region=region, entries=record.seq)
                await self._record([seen, *follows, record, *more])
                self._news = True
        return silent

    def _closing(self, at: Interval) -> bool:
        return at.earliest_ns > self.terms.last_stamp_ns + self.terms.intake_grace_ns

    def _is_silent(self, region: RegionName, now_raw_ns: int) -> bool:
        if self.fold.is_decided and region in self.ended_logs:
            return False
        wanted = self.fold.is_decided or self.marks_ns.get(region, 0) <= self.fold.wanted_ns()
        since_raw_ns = max(self._held_up_since_raw_ns or 0, self._moved_raw_ns.get(region, 0))
        return wanted and guards.silent_too_long(now_raw_ns - since_raw_ns, self.terms.cut_off_after_ns)

    async def cancel(self, reason: str, at: Interval) -> bool:
        """Stop the sale for an operator. Returns False where it is decided already."""
        async with self._deciding:
            if self.fold.is_decided:
                return False
            seen = self._look(at)
            follows = self.fold.see(seen)
            if not self.fold.is_decided:
                follows.append(self.fold.cancel(reason))
            await self._record([seen, *follows])
            self._news = True
            return self.fold.cancelled

    async def halt(self, finding: Contradiction) -> None:
        """Record that the logs contradict themselves; nothing is guessed."""
        async with self._deciding:
            if self.recorded and isinstance(
                parse_decision_line(len(self.recorded) - 1, self.recorded[-1][0]), Closed | Halted
            ):
                return
            _log.error("sale halted: its logs contradict themselves", sale=self.sale, finding=str(finding))
            self.fold.over = True
            await self._record([Halted(str(finding))])

    async def _record(self, decisions: Sequence[Decision]) -> None:
        index = len(self.recorded)
        lines = [
            (
                decision_line(index + offset, decision),
                self.fold.buyer_of(decision.request).encode() if isinstance(decision, Won) else b"",
            )
            for offset, decision in enumerate(decisions)
        ]
        await self._ledger.append(self.sale, index, lines)
        self.recorded.extend(lines)
