"""What the parts of an arbiter know of the whole: the sales that are run, the time, and whom to tell.

`process.py` is it; `link.py`, `telling.py` and `publishing.py` need no more than this.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from model.clock import Interval
from model.vocabulary import RegionName, SaleId
from service.arbiter.run import SaleRun


@dataclass(frozen=True, slots=True)
class Finished:
    """A sale that is over and that every region has been told of: nothing else of it is kept in memory.

    Attributes:
        records: how many its decision log has.
        stops: whether its regions are told to stop; an ordered sale that time closed needs no telling.
    """

    records: int
    regions: tuple[RegionName, ...]
    stops: bool


class Arbiter(Protocol):
    """The process that holds the parts."""

    @property
    def runs(self) -> Mapping[SaleId, SaleRun]:
        """Sales that are not finished."""
        ...

    @property
    def finished(self) -> Mapping[SaleId, Finished]: ...

    @property
    def terms_lines(self) -> list[bytes]:
        """The terms of every sale, in the order of their publication."""
        ...

    def raw_ns(self) -> int:
        """Now, on this host's CLOCK_MONOTONIC_RAW."""
        ...

    def now(self) -> Interval | None:
        """Now in UTC; None without a safe clock."""
        ...

    def cross_check(self, region: RegionName, lines: Sequence[bytes]) -> None:
        """Hold lines that were just read against this host's clock."""
        ...

    def pulse(self, region: RegionName) -> bytes | None:
        """The heartbeat that is due to a region now, or None."""
        ...

    def pulse_due_in_ns(self, region: RegionName) -> int:
        """How long until a region's next heartbeat, if nothing changes."""
        ...

    def progress(self, run: SaleRun) -> None:
        """A link has brought something: what can be decided is decided soon, and nobody waits for it."""
        ...

    async def take_up(self, sale: SaleId) -> None:
        """A finished sale of which some region has not been told all: run it again until it has."""
        ...

    def tell_links(self) -> None:
        """There is something new to be told to the regions."""
        ...
