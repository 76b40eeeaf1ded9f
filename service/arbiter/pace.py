"""How often a sale's logs and marks are read: often when a decision may follow, seldom while nothing can happen.

A log that has been quiet is read seldom, and watched: the region's store says when an entry comes (`link.py`).

A read costs a few commands in the region's store and some microseconds here; what it saves is the time between a
mark's rise and the arbiter's seeing it. Rounds do not wait for each other, so distance adds its one way and no more.
"""

from typing import Final

from model.clock import Interval
from model.vocabulary import RegionName
from service.arbiter.run import SaleRun

BUSY_NS: Final = 4_000_000
"""While the next mark may bring a decision, or a log is to be read to its end."""
OPEN_NS: Final = 25_000_000
"""While a sale takes entries and no mark can bring a decision; less where the grace is short, since an entry must be
found within."""
OPEN_TO_GRACE: Final = 8
IDLE_NS: Final = 500_000_000
EARLY_NS: Final = 2_000_000_000
"""How long before entries are taken a sale is watched closely."""


QUIET_NS: Final = 1_000_000_000
"""A log that has brought nothing for so long is watched instead of being read again and again."""


def pace_ns(run: SaleRun, region: RegionName, now: Interval | None, silent_ns: int, way_ns: int) -> int:
    """Between two reads of a sale's log in a region, which is `way_ns` away and has brought nothing for `silent_ns`."""
    if run.is_ending or region in run.fencing:
        return IDLE_NS if region in run.ended_logs else BUSY_NS
    waits = now is not None and run.wants_marks(now)
    if now is not None and waits and marks_matter_in_ns(run, now) <= way_ns:
        return BUSY_NS
    if is_close(run, now) and (waits or silent_ns < QUIET_NS):
        return unhurried_ns(run)
    return IDLE_NS


def unhurried_ns(run: SaleRun) -> int:
    """How long lines may wait that no decision can follow from yet."""
    return max(BUSY_NS, min(OPEN_NS, run.terms.intake_grace_ns // OPEN_TO_GRACE))


def marks_matter_in_ns(run: SaleRun, now: Interval) -> int:
    """How long until a mark can be past what the next decision waits for: a healthy one is a grace behind the clock.
    A round that comes to its region sooner brings lines only, and those can as well be brought together.
    """
    return run.fold.wanted_ns() + run.terms.intake_grace_ns - now.latest_ns


def is_close(run: SaleRun, now: Interval | None) -> bool:
    """Whether a sale takes entries, will soon, or is not read to its end yet."""
    return now is not None and not run.is_over and now.latest_ns > run.terms.entries_from_ns - EARLY_NS
