"""Leap seconds: Unix time says one second twice, or leaves one out, so for that moment there is no time. Pure.

Servers announce a leap for the end of the month. It counts when as many announce it as must agree on the time: a
minority that does is wrong about that, or smears. Until the leap, the page is void from the leap on; after it, all that
was measured before belongs to another count of seconds and is dropped. A server that smears spreads the second over
hours instead and announces nothing: within a day of a leap it is told by that, and outvoted like every falseticker.
Source: RFC 5905 §7.3 (leap indicator), §A.5.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from model.clock import Interval

INSERTED: Final = 1
DELETED: Final = 2
SECOND_NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * SECOND_NS
OVER_AFTER_NS: Final = 3 * SECOND_NS + 100_000_000  # from a second before a leap to when servers agree again


def announced(leaps: Sequence[int], needed: int) -> bool:
    """Whether enough sources announce the same leap."""
    return needed > 0 and any(leaps.count(kind) >= needed for kind in (INSERTED, DELETED))


def next_leap_ns(utc_ns: int) -> int:
    """The end of the month of a moment: where the next leap second can be; Unix nanoseconds."""
    now = datetime.fromtimestamp(utc_ns // SECOND_NS, UTC)
    first = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    return int(first.timestamp()) * SECOND_NS


def void_from_raw_ns(offset: Interval, announced_raw_ns: int) -> int:
    """The RAW reading from which on a leap may have begun: a second early, since a deleted second is.

    Args:
        announced_raw_ns: when it was announced. It is the end of that month, even if it is the next month by now.
    """
    leap_ns = next_leap_ns(announced_raw_ns + offset.earliest_ns)  # the earliest month that it can have been
    return leap_ns - offset.latest_ns - SECOND_NS


def smears(leap: int, leap_announced: bool, offset: Interval, now_raw_ns: int) -> bool:
    """Whether a source that disagrees is likely to smear: a leap is near, the others announce it, this one does not."""
    now_ns = now_raw_ns + offset.latest_ns
    return leap_announced and leap == 0 and next_leap_ns(now_ns) - now_ns < DAY_NS
