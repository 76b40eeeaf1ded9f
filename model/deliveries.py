"""What was delivered of the regions' logs, and what is promised of them: what all methods have in common. Pure.

Lines of a region's log are numbered without gaps and chained by hash. A `Seen` says how far each log had been read and
each region's mark, read *before* the log; marks only rise. A region can leave (`CutOff`), a sale can be cancelled, be
halted, or be closed. What the lines mean and what follows from them is said by the methods: `arbiter.py` orders them,
`shards.py` has them sold on the spot.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model import guards
from model.terms import Terms
from model.vocabulary import (
    BeaconValue,
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
)
from model.wire import FIRST_HEAD


@dataclass(slots=True)
class Delivered:
    """What was delivered of one region's log, and the mark it must keep."""

    seq: int = 0
    head: Head = FIRST_HEAD
    mark_ns: int = 0
    counted: int = 0
    """The last number that a `Seen` has counted."""


class Deliveries(ABC):
    """One sale, from its first line to its last decision."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.awaits_beacon = False
        """Whether the draw key is not known yet."""
        self.is_complete = False
        """Whether every entry is in."""
        self.sold_out = False
        self.cancelled = False
        self.over = False
        """Closed or halted: no record follows."""
        self._regions = {name: Delivered() for name in terms.regions}

    @property
    def regions(self) -> tuple[RegionName, ...]:
        """The regions still in the sale."""
        return tuple(self._regions)

    @property
    def frontier_ns(self) -> int:
        """The least mark; past every stamp where no region is left to be heard."""
        return min((region.mark_ns for region in self._regions.values()), default=self.terms.last_stamp_ns + 1)

    @property
    @abstractmethod
    def is_decided(self) -> bool:
        """Whether no further winner can follow."""

    @property
    @abstractmethod
    def waiting(self) -> int:
        """How many buyers wait for a decision."""

    @abstractmethod
    def wanted_ns(self) -> int:
        """The mark that the next decision waits for: once every mark is above this, something is decided."""

    @abstractmethod
    def buyer_of(self, request: RequestId) -> BuyerId:
        """The buyer behind a request that waits or has won.

        Raises:
            KeyError: it does neither.
        """

    @abstractmethod
    def deliver_all(self, region: RegionName, lines: Sequence[bytes]) -> None:
        """The next lines of a region's log.

        Raises:
            Contradiction: a line is malformed, leaves a gap, breaks the region's mark or the terms; the lines before
                it have been delivered then.
        """

    @abstractmethod
    def enter_beacon(self, value: BeaconValue) -> list[Decision]:
        """The value of the round that the terms name; its signature is verified by whoever calls.

        Returns: what follows from it.

        Raises:
            Contradiction: no value is waited for (yet), or it is of another form or round.
        """

    @abstractmethod
    def _consequences(self) -> Iterable[Decision]:
        """What follows from what was delivered and seen, in order."""

    @abstractmethod
    def _forget_who_waits(self) -> None:
        """Once a sale is decided nobody waits any more."""

    @abstractmethod
    def _close_reason(self) -> CloseReason | None:
        """Why the sale may be closed once every log was read to its end; None while it may not."""

    def delivered(self, region: RegionName) -> RegionSeen:
        """How far a region's log has been delivered, and the mark it was last seen with."""
        state = self._regions[region]
        return RegionSeen(state.seq, state.head, state.mark_ns)

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
        expect(not self.over, "no record follows the end of the sale")
        expect(seen.regions.keys() == self._regions.keys(), "a seen record names every region still in the sale")
        expect(seen.earliest_ns <= seen.latest_ns, "the arbiter's clock interval is not empty")
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
        state = self._leave(region, "cut off")
        return CutOff(region, state.seq, state.head), list(self._consequences())

    def _leave(self, region: RegionName, how: str) -> Delivered:
        expect(not self.over, "no record follows the end of the sale")
        expect(region in self._regions, f"a region that is {how} ({region}) was in the sale")
        state = self._regions[region]
        expect(state.seq == state.counted, f"a region is {how} where it was last seen ({state.counted})")
        del self._regions[region]
        return state

    def cancel(self, reason: str) -> Cancelled:
        """Stop the sale; nobody wins from here on."""
        expect(not self.is_decided, "only a sale that is not decided yet can be cancelled")
        self.cancelled = True
        self._forget_who_waits()
        return Cancelled(reason)

    def halt(self, reason: str) -> Halted:
        """Stop the sale because its logs contradict themselves."""
        expect(not self.over, "no record follows the end of the sale")
        self.over = True
        self._forget_who_waits()
        return Halted(reason)

    def close(self) -> Closed:
        """End a sale that is decided, once every region was stopped and its log read to the end."""
        reason = self._close_reason()
        expect(reason is not None, "a sale is closed early only when sold out or cancelled")
        expect(not self.over, "no record follows the end of the sale")
        assert reason is not None
        return self._end(reason)

    def _end(self, reason: CloseReason) -> Closed:
        self.over = True
        return Closed(reason)

    def _check_entry(self, region: RegionName, state: Delivered, entry: Entry) -> None:
        """What holds of every entry, by whatever method it is sold."""
        terms = self.terms
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


def expect(kept: bool, rule: str) -> None:
    """Hold a rule about the decision log.

    Raises:
        Contradiction: it is broken.
    """
    if not kept:
        raise Contradiction("", rule)
