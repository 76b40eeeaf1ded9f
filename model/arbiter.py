"""From the regions' logs to decisions: the arbiter as a fold. Pure.

Lines of the regions' logs are delivered in any interleaving. A `Seen` says how far each log had been read and each
region's mark, read *before* the log, so that whatever the mark promises not to follow has been delivered. What can be
decided then, is: winners by the window lottery, `SoldOut` with the last unit, `Closed` when everybody has been heard.

Some decisions come from the world and not from the logs: that a region fell silent (`CutOff`), that an operator
stopped the sale (`Cancelled`), that the logs contradict themselves (`Halted`), that all logs were read to their end
after the sale was over (`Closed`). Like `Seen` they are recorded, and what follows from them follows. So the decision
log together with the regions' logs and the seed gives the same decisions again: on a restart, on a standby, on an
auditor's desk (`replay.py`). Between two records no decision hangs on when or in which pieces lines were delivered;
that is the theorem *final is final* (`proofs/`).

Of a buyer's entries only the least (stamp, request id) waits. It can still be replaced by a lesser one from another
region, and never once it is in a pot: then the frontier is past it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from model import guards
from model.lottery import WindowLottery, ticket
from model.terms import Terms
from model.vocabulary import (
    BuyerId,
    Cancelled,
    Closed,
    CloseReason,
    Contradiction,
    CutOff,
    Decision,
    Entry,
    Halted,
    Head,
    RegionName,
    RegionSeen,
    RequestId,
    Seen,
    SoldOut,
    Won,
)
from model.wire import FIRST_HEAD, extend, parse_log_line


@dataclass(slots=True)
class _Region:
    """What was delivered of one region's log, and the mark it must keep."""

    seq: int = 0
    head: Head = FIRST_HEAD
    mark_ns: int = 0
    counted: int = 0
    """The last number that a `Seen` has counted."""


@dataclass(slots=True)
class _Waiting:
    """A buyer's least entry, and its slot in the lottery."""

    stamp_ns: int
    request: RequestId
    slot: int


class Fold:
    """One sale, from its first entry to its last decision."""

    def __init__(self, terms: Terms, draw_key: bytes) -> None:
        self.terms = terms
        self.winners: dict[BuyerId, RequestId] = {}
        self.sold_out = False
        self.cancelled = False
        self.over = False
        """Closed or halted: no record follows."""
        self._regions = {name: _Region() for name in terms.regions}
        self._buyers: dict[RequestId, BuyerId] = {}
        self._waiting: dict[BuyerId, _Waiting] = {}
        sale = terms.sale()
        self._lottery = WindowLottery[str](
            terms.tie_window_ns, lambda request: ticket(draw_key, sale, self._buyers[request])
        )

    @property
    def regions(self) -> tuple[RegionName, ...]:
        """The regions still in the sale."""
        return tuple(self._regions)

    @property
    def frontier_ns(self) -> int:
        """The least mark; past every stamp where no region is left to be heard."""
        return min((region.mark_ns for region in self._regions.values()), default=self.terms.last_stamp_ns + 1)

    @property
    def is_decided(self) -> bool:
        """Whether no further winner can follow."""
        return self.sold_out or self.cancelled or self.over

    @property
    def waiting(self) -> int:
        """How many buyers wait for a decision."""
        return 0 if self.is_decided else len(self._waiting)

    def buyer_of(self, request: RequestId) -> BuyerId:
        """The buyer behind a request that waits or has won.

        Raises:
            KeyError: it does neither.
        """
        return self._buyers[request]

    def wanted_ns(self) -> int:
        """The mark that the next decision waits for: once every mark is above this, something is decided."""
        earliest_ns = self._lottery.earliest_place_ns()
        if earliest_ns is None:
            return self.terms.last_stamp_ns
        return min(earliest_ns + self.terms.tie_window_ns, self.terms.last_stamp_ns)

    def delivered(self, region: RegionName) -> RegionSeen:
        """How far a region's log has been delivered, and the mark it was last seen with."""
        state = self._regions[region]
        return RegionSeen(state.seq, state.head, state.mark_ns)

    def deliver(self, region: RegionName, line: bytes) -> Entry:
        """The next line of a region's log.

        Raises:
            Contradiction: the line is malformed, leaves a gap, breaks the region's mark or the terms.
        """
        state = self._regions[region]
        try:
            entry = parse_log_line(line)
        except ValueError as error:
            raise Contradiction(region, f"line {state.seq + 1} of its log is well formed ({error})") from error
        self._check(region, state, entry)
        state.seq = entry.seq
        state.head = extend(state.head, line)
        if not self.is_decided:
            self._wait(entry)
        return entry

    def _check(self, region: RegionName, state: _Region, entry: Entry) -> None:
        terms = self.terms
        if not guards.follows_in_log(entry.seq, state.seq):
            raise Contradiction(region, f"log numbers have no gap (after {state.seq} came {entry.seq})")
        if not guards.may_follow(entry.stamp_ns, state.mark_ns):
            raise Contradiction(region, f"no stamp is below its mark (entry {entry.seq}, mark {state.mark_ns})")
        if not guards.bound_holds(entry.bound_ns, terms.skew_bound_ns):
            raise Contradiction(region, f"every stamp's bound is at most ε (entry {entry.seq})")
        if guards.certainly_early(entry.stamp_ns, terms.skew_bound_ns, terms.entries_from_ns):
            raise Contradiction(region, f"no entry is certainly early (entry {entry.seq})")
        if guards.certainly_late(entry.stamp_ns, terms.skew_bound_ns, terms.closes_ns):
            raise Contradiction(region, f"no entry is certainly late (entry {entry.seq})")
        home, _, random = entry.request.rpartition(".")
        if home != region or not random:
            raise Contradiction(region, f"every request is named after its region (entry {entry.seq})")
        if entry.request in self._buyers:
            raise Contradiction(region, f"every request is logged once (entry {entry.seq})")

    def _wait(self, entry: Entry) -> None:
        if entry.buyer in self.winners:
            return
        known = self._waiting.get(entry.buyer)
        if known is not None:
            if not guards.is_lesser_entry(entry.stamp_ns, entry.request, known.stamp_ns, known.request):
                return
            self._lottery.withdraw(known.slot)
            del self._buyers[known.request]
        self._buyers[entry.request] = entry.buyer
        slot = self._lottery.offer(guards.place_ns(entry.stamp_ns, self.terms.opens_ns), entry.request)
        self._waiting[entry.buyer] = _Waiting(entry.stamp_ns, entry.request, slot)

    def look(self, marks_ns: dict[RegionName, int], earliest_ns: int, latest_ns: int) -> Seen:
        """The record of what has been delivered, with marks that were read before it.

        A region that is not among `marks_ns` keeps the mark it was last seen with.
        """
        return Seen(
            {
                name: RegionSeen(state.seq, state.head, marks_ns.get(name, state.mark_ns))
                for name, state in self._regions.items()
            },
            earliest_ns,
            latest_ns,
        )

    def see(self, seen: Seen) -> list[Decision]:
        """Raise the marks, and decide what can be decided.

        Returns: what follows, in order; [] where nothing does.

        Raises:
            Contradiction: `seen` is not what was delivered, or a mark moved backwards.
        """
        self._expect(not self.over, "no record follows the end of the sale")
        self._expect(seen.regions.keys() == self._regions.keys(), "a seen record names every region still in the sale")
        self._expect(seen.earliest_ns <= seen.latest_ns, "the arbiter's clock interval is not empty")
        for name, region in seen.regions.items():
            state = self._regions[name]
            if (region.seq, region.head) != (state.seq, state.head):
                raise Contradiction(name, f"its log is as the arbiter saw it (entry {region.seq}, head {region.head})")
            if not guards.mark_may_rise(state.mark_ns, region.mark_ns):
                raise Contradiction(name, f"its mark only moves forward ({state.mark_ns} to {region.mark_ns})")
        for name, region in seen.regions.items():
            state = self._regions[name]
            state.mark_ns, state.counted = region.mark_ns, region.seq
        return list(self._consequences())

    def cut_off(self, region: RegionName) -> tuple[CutOff, list[Decision]]:
        """Go on without a region; entries beyond what was delivered do not count.

        Returns: the record, and what follows from it.

        Raises:
            Contradiction: the region is not in the sale, or was delivered further than a `Seen` has counted.
        """
        self._expect(not self.over, "no record follows the end of the sale")
        self._expect(region in self._regions, f"a region that is cut off ({region}) was in the sale")
        state = self._regions[region]
        self._expect(state.seq == state.counted, f"a region is cut off where it was last seen ({state.counted})")
        del self._regions[region]
        return CutOff(region, state.seq, state.head), list(self._consequences())

    def cancel(self, reason: str) -> Cancelled:
        """Stop the sale; nobody wins from here on."""
        self._expect(not self.is_decided, "only a sale that is not decided yet can be cancelled")
        self.cancelled = True
        return Cancelled(reason)

    def halt(self, reason: str) -> Halted:
        """Stop the sale because its logs contradict themselves."""
        self._expect(not self.over, "no record follows the end of the sale")
        self.over = True
        return Halted(reason)

    def close(self) -> Closed:
        """End a sale that is decided, once every region was stopped and its log read to the end."""
        self._expect(self.sold_out or self.cancelled, "a sale is closed early only when sold out or cancelled")
        self._expect(not self.over, "no record follows the end of the sale")
        return self._end("sold_out" if self.sold_out else "cancelled")

    def _end(self, reason: CloseReason) -> Closed:
        self.over = True
        return Closed(reason)

    def _consequences(self) -> Iterable[Decision]:
        if self.is_decided:
            return
        terms, frontier_ns = self.terms, self.frontier_ns
        while guards.in_stock(len(self.winners), terms.stock):
            request = self._lottery.draw(frontier_ns, terms.last_stamp_ns)
            if request is None:
                break
            buyer = self._buyers[request]
            rank = len(self.winners)
            self.winners[buyer] = request
            del self._waiting[buyer]
            yield Won(request, request.rpartition(".")[0], rank, rank)
        if not guards.in_stock(len(self.winners), terms.stock):
            self.sold_out = True
            yield SoldOut()
        elif guards.everyone_is_heard(frontier_ns, terms.last_stamp_ns):
            yield self._end("time")

    @staticmethod
    def _expect(kept: bool, rule: str) -> None:
        if not kept:
            raise Contradiction("", rule)
