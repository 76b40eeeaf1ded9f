"""A region's log, block by block: what its entries say, in columns, whatever else the log has lines for.

In a flash sale every line is an entry. Lines are read by the columns of `model/columns.py`; where those see anything
odd, the law (`model/wire.py`) is asked line by line and says which and why. Bids have a price, and are read by the law.
Where units are sold at the door, or held, there are other lines besides: `door.py` and `replies.py` read those logs.
"""

import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol, TypeAlias

from model import guards, wire
from model.columns import are_named_after, read_columns
from model.vocabulary import Entry, Reply
from proofs.audit.case import Case, Log, log_file
from proofs.findings import FindingError

_REST: Final = re.compile(rb'^\{"bound_ns":"([0-9]+)","buyer":"[^"]*","clock":"([^"]*)","heard_ns":"([0-9]+)"', re.M)
"""What columns do not carry, of lines that they found sound."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """Stamped lines of a log, column by column."""

    seqs: Sequence[int]
    """The numbers of their lines."""
    stamps_ns: Sequence[int]
    bounds_ns: Sequence[int]
    clocks: Sequence[bytes]
    heard_ns: Sequence[int]


NO_STAMPS: Final = Stamps((), (), (), (), ())


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries among consecutive lines of a log, and what else is stamped there: replies, of a reservation."""

    buyers: Sequence[str]
    stamps: Stamps
    replies: Stamps = NO_STAMPS


class LogReading(Protocol):
    """One log being read, in blocks, in order."""

    def block(self, lines: Sequence[bytes]) -> Entries:
        """The entries of the next lines.

        Raises:
            FindingError: at the first line that is not as it must be.
        """
        ...

    def end(self) -> None:
        """What is asked of the whole log, once it was read.

        Raises:
            FindingError: it does not hold.
        """
        ...


Reader: TypeAlias = Callable[[Case, Log], LogReading]
"""Begins to read a log."""


class OnlyEntries:
    """A log of which every line is an entry."""

    def __init__(self, case: Case, log: Log) -> None:
        self._case, self._log = case, log
        self._requests = array("q")

    def block(self, lines: Sequence[bytes]) -> Entries:
        """The lines; by columns if these find them sound, else by the law."""
        log, first = self._log, self._log.lines + 1
        columns = read_columns(lines, first)
        if columns is None or not are_named_after(log.region, columns.requests):
            return self._by_the_law(lines)
        self._requests.extend(map(hash, columns.requests))
        bounds, clocks, heard = zip(*_REST.findall(b"\n".join(lines)), strict=True)
        seqs = range(first, first + len(lines))
        stamps = Stamps(seqs, columns.stamps_ns, list(map(int, bounds)), clocks, list(map(int, heard)))
        return Entries(columns.buyers, stamps)

    def _by_the_law(self, lines: Sequence[bytes]) -> Entries:
        entries = []
        for number, line in enumerate(lines, start=self._log.lines + 1):
            try:
                entry = wire.parse_log_line(line)
            except ValueError as error:
                rule = "every line is a canonical request record"
                raise FindingError(log_file(self._log.region), number, rule, str(error)) from error
            check_named(self._log, number, entry)
            check_nothing_given(self._log, number, entry)
            self._check_price(number, entry)
            entries.append(entry)
        self._requests.extend(hash(entry.request) for entry in entries)
        return columns_of(entries)

    def _check_price(self, number: int, entry: Entry) -> None:
        check_no_price(self._log, number, entry)

    def end(self) -> None:
        """No request twice. Equal hashes are looked at again by name, so that none is accused by accident."""
        ordered = sorted(self._requests)
        suspects = {one for one, other in pairwise(ordered) if one == other}
        del ordered
        if not suspects:
            return
        first: dict[str, int] = {}
        lines = (line for block in self._case.blocks(self._log.region) for line in block)
        for number, entry in enumerate(map(wire.parse_log_line, lines), start=1):
            if hash(entry.request) in suspects and first.setdefault(entry.request, number) != number:
                rule = f"no request is logged twice ({entry.request})"
                raise FindingError(log_file(self._log.region), number, rule, f"also in line {first[entry.request]}")


class Bids(OnlyEntries):
    """A log of which every line is a bid; prices are kept."""

    def block(self, lines: Sequence[bytes]) -> Entries:
        return self._by_the_law(lines)

    def _check_price(self, number: int, entry: Entry) -> None:
        assert self._case.terms is not None
        reserve_price = self._case.terms.reserve_price
        if entry.price is None:
            raise FindingError(log_file(self._log.region), number, "every bid has a price")
        if not guards.reaches_reserve(entry.price, reserve_price):
            rule = "no bid is below the reserve"
            raise FindingError(log_file(self._log.region), number, rule, f"{entry.price}", f"{reserve_price} or more")
        self._log.prices.append(entry.price)


def check_named(log: Log, number: int, entry: Entry) -> None:
    """An entry has the number of its line, and is named after its region.

    Raises:
        FindingError: it has not, or is not.
    """
    file = log_file(log.region)
    if entry.seq != number:
        raise FindingError(file, number, "entries are numbered from 1 without gaps", f"{entry.seq}", f"{number}")
    home, _, random = entry.request.rpartition(".")
    if home != log.region or not random:
        raise FindingError(file, number, "every request is named after its region", entry.request, f"{log.region}.…")


def check_nothing_given(log: Log, number: int, entry: Entry) -> None:
    """Nobody gets a unit by being logged.

    Raises:
        FindingError: somebody does.
    """
    if entry.unit is not None:
        rule = "an ordered sale gives nobody a unit at the door"
        raise FindingError(log_file(log.region), number, rule, f"unit {entry.unit}")


def check_no_price(log: Log, number: int, entry: Entry) -> None:
    """Only bids have a price.

    Raises:
        FindingError: this entry has one.
    """
    if entry.price is not None:
        raise FindingError(log_file(log.region), number, "only an auction's entries have a price", f"{entry.price}")


def columns_of(entries: Sequence[Entry], replies: Sequence[Reply] = ()) -> Entries:
    """Lines that were read one by one."""
    return Entries([entry.buyer for entry in entries], _stamps_of(entries), _stamps_of(replies))


def _stamps_of(lines: Sequence[Entry | Reply]) -> Stamps:
    return Stamps(
        [line.seq for line in lines],
        [line.stamp_ns for line in lines],
        [line.bound_ns for line in lines],
        [line.clock.encode() for line in lines],
        [line.heard_ns for line in lines],
    )
