"""What one gateway process counts of purchases: plain integers, added to where things happen, read by `metrics.py`.

A purchase may pay a fiftieth of its time for being watched, some 0.3 µs. So there is no call, no lock and no name to
be looked up on its way: an attribute, two lists by bit length, a dictionary for refusals. Every purchase is counted
once: logged, known (its buyer had an entry) or refused; an entry of a batch is a purchase.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from service.watching.histogram import BUCKETS, Histogram

REASONS: Final = (
    "clock_unsafe",
    "overloaded",
    "outcome_unknown",
    "region_cut_off",
    "sold_out",
    "list_full",
    "share_sold_out",
    "restocking",
    "not_ready",
    "stock_lost",
    "region_isolated",
    "not_home",
    "home_unavailable",
    "central_unreachable",
    "too_early",
    "too_late",
    "sale_cancelled",
    "sale_halted",
    "unknown_sale",
    "not_sold_here",
    "unauthorized",
    "forbidden",
    "invalid",
    "too_many_purchases",
    "below_reserve",
    "wrong_currency",
)
"""Every problem that a purchase can meet once it has been read as one; `problems.py` says what each means."""

_NUMBERS: Final = ("logged", "known", "routed", "store_failures", "starts")
_HISTOGRAMS: Final = ("kernel_waits", "stamp_bounds", "store_calls", "call_purchases")
GAUGES: Final = ("in_flight", "waiting", "connections", "store_answers", "wall_clock_steps", "told_raw_ns")

COUNTED: Final = (
    *_NUMBERS,
    *REASONS,
    *(f"{name}[{index}]" for name in _HISTOGRAMS for index in range(BUCKETS + 1)),
)
"""What is added up over processes, in the order of `Counts.values`."""


class Counts:
    """The counts of one process."""

    __slots__ = (
        "call_purchases",
        "kernel_waits",
        "known",
        "logged",
        "refused",
        "routed",
        "stamp_bounds",
        "starts",
        "store_calls",
        "store_failures",
    )

    def __init__(self) -> None:
        self.logged = 0
        self.known = 0
        self.routed = 0
        """Calls that were sent on to other regions."""
        self.store_failures = 0
        """Calls to the store that did not come back."""
        self.starts = 0
        self.refused: Counter[str] = Counter()
        """By reason; a counter takes one that is not listed too, so that counting can never keep an answer back."""
        self.kernel_waits = Histogram()
        """How long requests waited between the kernel's receipt and their turn, in nanoseconds."""
        self.stamp_bounds = Histogram()
        """The bounds of stamps, in nanoseconds."""
        self.store_calls = Histogram()
        """How long calls to the store took, in nanoseconds."""
        self.call_purchases = Histogram()
        """How many purchases shared one call."""

    @property
    def values(self) -> list[int]:
        """All of them, in the order of `COUNTED`."""
        return [
            *(getattr(self, name) for name in _NUMBERS),
            *(self.refused[reason] for reason in REASONS),
            *(value for name in _HISTOGRAMS for value in getattr(self, name).values),
        ]

    def go_on_from(self, values: Sequence[int]) -> None:
        """Count on from what a process in our place had counted."""
        found = iter(values)
        for name in _NUMBERS:
            setattr(self, name, next(found))
        for reason in REASONS:
            self.refused[reason] = next(found)
        for name in _HISTOGRAMS:
            histogram: Histogram = getattr(self, name)
            histogram.total = next(found)
            histogram.buckets[:] = [next(found) for _ in range(BUCKETS)]
