"""How long regions have been silent in a sale that waits for them.

A region is silent from when its mark last moved, or from when somebody first waited for it, whichever is later. Time
in which nobody waits, or in which the arbiter itself did not look, blames nobody. Where units are sold at the door
nobody waits before closing: a region that is away then keeps its share, and is in nobody's way.
"""

from typing import TYPE_CHECKING

from model import guards
from model.clock import Interval
from model.vocabulary import RegionName

if TYPE_CHECKING:
    from service.arbiter.run import SaleRun


class Silence:
    """The silences of one sale, by the arbiter's raw clock."""

    def __init__(self) -> None:
        self._moved_raw_ns: dict[RegionName, int] = {}
        self._since_raw_ns: int | None = None

    def moved(self, region: RegionName, now_raw_ns: int) -> None:
        """A region's mark has risen."""
        self._moved_raw_ns[region] = now_raw_ns

    def is_over(self) -> None:
        """Nobody waits, or nobody was watching."""
        self._since_raw_ns = None

    def is_noticed(self, run: "SaleRun", now_raw_ns: int, at: Interval) -> bool:
        """Whether the sale waits for its regions: had all kept up, it would have been decided by now."""
        if run.fold.over:
            is_held_up = False
        elif run.is_ending:
            is_held_up = True
        else:
            wanted_ns = run.fold.wanted_ns() if run.fold.waiting else run.terms.last_stamp_ns
            is_held_up = at.earliest_ns > wanted_ns + run.terms.intake_grace_ns
        if not is_held_up:
            self.is_over()
        elif self._since_raw_ns is None:
            self._since_raw_ns = now_raw_ns
        return is_held_up

    def is_too_long(self, run: "SaleRun", region: RegionName, now_raw_ns: int) -> bool:
        """Whether a region has held everybody up for longer than the terms allow."""
        if not run.counts(region) or (run.is_ending and region in run.ended_logs):
            return False
        is_wanted = run.is_ending or run.marks_ns.get(region, 0) <= run.fold.wanted_ns()
        since_raw_ns = max(self._since_raw_ns or now_raw_ns, self._moved_raw_ns.get(region, 0))
        return is_wanted and guards.silent_too_long(now_raw_ns - since_raw_ns, run.terms.cut_off_after_ns)
