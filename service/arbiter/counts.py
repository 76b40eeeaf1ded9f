"""What one arbiter counts while it decides, and the cross-check of clocks that is made on the way.

Decisions are few, one for each unit at most, so they are counted one by one. Of the entries that a look brings only the
first and the last are held against the arbiter's clock: a clock that is off is off for all of them, and the audit asks
every line. What a contradiction proves is that *one of the two* clocks is outside its bound; which one, it cannot say.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from model import guards
from model.clock import Interval
from model.replies import parse_line
from model.vocabulary import Decision, RegionName
from service.watching.histogram import Histogram

NEWS_AGAIN_NS: Final = 60_000_000_000
"""A host that was accused is told of again after so long without."""


_STAMPED: Final = b'"stamp_ns":"'


class Accused(NamedTuple):
    """A host whose clock and the arbiter's contradict each other."""

    region: RegionName
    host: str


@dataclass(slots=True)
class Contradicted:
    """How often that was seen, and when last, by the arbiter's raw clock."""

    times: int = 0
    last_raw_ns: int = 0


class Counts:
    """The counts of one arbiter since its start."""

    def __init__(self) -> None:
        self.decisions: Counter[str] = Counter()
        """By kind, such as `Won`."""
        self.delays = Histogram()
        """From when the rule allowed a decision, with the intake grace, until it was made; in nanoseconds."""
        self.appends = Histogram()
        """How long an append to the decision log took, in nanoseconds."""
        self.contradicted: dict[Accused, Contradicted] = {}

    def recorded(self, decisions: Sequence[Decision], append_ns: int) -> None:
        """Decisions are on disk."""
        self.decisions.update(type(decision).__name__ for decision in decisions)
        self.appends.add(append_ns)

    def cross_check(
        self, region: RegionName, lines: Sequence[bytes], now: Interval | None, raw_ns: int
    ) -> Accused | None:
        """Hold the first and the last of some lines that were just read against the arbiter's clock.

        Returns: whom they contradict, if it is news (the first time for long).
        """
        if now is None:
            return None
        for line in _first_and_last_stamped(lines):
            try:
                entry = parse_line(line)
            except ValueError:
                return None  # the model says what is wrong with it
            if guards.contradicts_heartbeat(
                entry.stamp_ns, entry.bound_ns, entry.heard_ns
            ) or guards.contradicts_receipt(entry.stamp_ns, entry.bound_ns, now.latest_ns):
                return self._contradicted(Accused(region, entry.clock.rpartition("/")[0]), raw_ns)
        return None

    def _contradicted(self, accused: Accused, raw_ns: int) -> Accused | None:
        known = self.contradicted.setdefault(accused, Contradicted())
        is_news = known.times == 0 or raw_ns - known.last_raw_ns > NEWS_AGAIN_NS
        known.times += 1
        known.last_raw_ns = raw_ns
        return accused if is_news else None


def _first_and_last_stamped(lines: Sequence[bytes]) -> set[bytes]:
    """Of some lines: entries, and what holders of reserved units say. Where units are sold at the door there are lines
    without a stamp, too (`model/moves.py`)."""
    first = next((line for line in lines if _STAMPED in line), None)
    last = next((line for line in reversed(lines) if _STAMPED in line), None)
    return {line for line in (first, last) if line is not None}
