"""A decision log against the regions' logs: the same decisions again, or the first record that is not. Pure.

Used by an arbiter that starts again and by the audit. Every record is either one that comes from the world (`Seen`,
`CutOff`, `Fenced`, `Reissued`, `Cancelled`, `Halted`, `BeaconValue`, an early `Closed`) and is applied, or one that
must follow from what was applied before it, and is compared. Nothing recorded is believed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from model.columns import LINES_AT_ONCE
from model.deliveries import Deliveries
from model.folds import new_fold
from model.shards import ShardedFold
from model.terms import Terms
from model.units import count
from model.vocabulary import (
    BeaconValue,
    Cancelled,
    Closed,
    Contradiction,
    CutOff,
    Decision,
    Fenced,
    Halted,
    RegionName,
    Reissued,
    Seen,
)

Lines = Callable[[RegionName, int, int], Iterable[bytes]]
"""The lines of a region's log, from a number to a number, both included; asked for each line once, in order, and only
for those that were not delivered to the fold before."""


class ReplayError(Contradiction):
    """The first record that does not hold. `index` is its number in the decision log."""

    def __init__(self, index: int, finding: Contradiction) -> None:
        super().__init__(finding.region, finding.rule)
        self.index = index

    def __str__(self) -> str:
        return f"decision record {self.index}: {super().__str__()}"


class Replay:
    """A fold that is driven by the records of a decision log, one after the other."""

    def __init__(self, terms: Terms, seed: bytes, lines: Lines) -> None:
        self.fold = new_fold(terms, seed)
        self.index = 0
        self._lines = lines
        self._due: deque[Decision] = deque()

    def apply(self, decision: Decision) -> None:
        """The next record.

        Raises:
            ReplayError: it does not hold, or something else had to come first.
        """
        try:
            self._apply(decision)
        except ReplayError:
            raise
        except Contradiction as finding:
            raise ReplayError(self.index, finding) from finding
        self.index += 1

    def finish(self) -> Deliveries:
        """The fold after the last record.

        Raises:
            ReplayError: something that follows was not recorded.
        """
        if self._due:
            raise ReplayError(self.index, Contradiction("", f"what follows is recorded: {self._due[0]}"))
        return self.fold

    def _apply(self, decision: Decision) -> None:
        if self._due:
            due = self._due.popleft()
            if due != decision:
                raise Contradiction("", f"the model decides {due}, and the log says {decision}")
            return
        match decision:
            case Seen():
                self._deliver(decision)
                self._due.extend(self.fold.see(decision))
            case CutOff() | Fenced() | Reissued():
                self._change_regions(decision)
            case BeaconValue():
                self._due.extend(self.fold.enter_beacon(decision))
            case Cancelled(reason):
                self.fold.cancel(reason)
            case Halted(reason):
                self.fold.halt(reason)
            case Closed(reason):
                if self.fold.close().reason != reason:
                    raise Contradiction("", f"the sale closed because of {reason}")
            case _:
                raise Contradiction("", f"nothing decides {decision} here")

    def _change_regions(self, decision: CutOff | Fenced | Reissued) -> None:
        """A region leaves, or gets what one has left."""
        match decision:
            case CutOff(region, seq, head):
                record, follows = self.fold.cut_off(region)
                if (record.seq, record.head) != (seq, head):
                    raise Contradiction(region, f"it is cut off where the arbiter had read to ({record.seq})")
                self._due.extend(follows)
            case Fenced(region, seq, head, reason):
                fenced, follows = self._by_shares().fence(region, reason)
                if (fenced.seq, fenced.head) != (seq, head):
                    raise Contradiction(region, f"it is fenced out where its log ends ({fenced.seq})")
                self._due.extend(follows)
            case Reissued(number, to, units):
                reissued = self._by_shares().reissue(to, count(units))
                if (reissued.number, reissued.units) != (number, units):
                    raise Contradiction("", f"reissue {reissued.number} is of the last units that are nobody's")

    def _by_shares(self) -> ShardedFold:
        if not isinstance(self.fold, ShardedFold):
            raise Contradiction("", "regions are fenced out only where units are sold at the door")
        return self.fold

    def _deliver(self, seen: Seen) -> None:
        for name in self.fold.regions:
            if name in seen.regions:
                first, last = self.fold.delivered(name).seq + 1, seen.regions[name].seq
                if first <= last:
                    lines = iter(self._lines(name, first, last))
                    while piece := list(islice(lines, LINES_AT_ONCE)):
                        self.fold.deliver_all(name, piece)


def replay(terms: Terms, seed: bytes, lines: Lines, decisions: Iterable[Decision]) -> Iterator[tuple[int, Deliveries]]:
    """Apply a whole decision log.

    Yields: after each record its index and the fold, and at the end the fold once more.

    Raises:
        ReplayError: with the first record that does not hold.
    """
    run = Replay(terms, seed, lines)
    for decision in decisions:
        index = run.index
        run.apply(decision)
        yield index, run.fold
    yield run.index, run.finish()
