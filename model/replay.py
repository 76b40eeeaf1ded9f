"""A decision log against the regions' logs: the same decisions again, or the first record that is not. Pure.

Used by an arbiter that starts again and by the audit. Every record is either one that comes from the world (`Seen`,
`CutOff`, `Cancelled`, `Halted`, `BeaconValue`, an early `Closed`) and is applied, or one that must follow from what was
applied before it, and is compared. Nothing recorded is believed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from model.arbiter import Fold
from model.columns import LINES_AT_ONCE
from model.terms import Terms
from model.vocabulary import BeaconValue, Cancelled, Closed, Contradiction, CutOff, Decision, Halted, RegionName, Seen

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
        self.fold = Fold(terms, seed)
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

    def finish(self) -> Fold:
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
            case CutOff(region, seq, head):
                record, follows = self.fold.cut_off(region)
                if (record.seq, record.head) != (seq, head):
                    raise Contradiction(region, f"it is cut off where the arbiter had read to ({record.seq})")
                self._due.extend(follows)
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

    def _deliver(self, seen: Seen) -> None:
        for name in self.fold.regions:
            if name in seen.regions:
                first, last = self.fold.delivered(name).seq + 1, seen.regions[name].seq
                if first <= last:
                    lines = iter(self._lines(name, first, last))
                    while piece := list(islice(lines, LINES_AT_ONCE)):
                        self.fold.deliver_all(name, piece)


def replay(terms: Terms, seed: bytes, lines: Lines, decisions: Iterable[Decision]) -> Iterator[tuple[int, Fold]]:
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
