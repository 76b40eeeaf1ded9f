"""A region's log, block by block: what its entries say, in columns, whatever else the log has lines for.

In an ordered sale every line is an entry. Lines are read by the columns of `model/columns.py`; where those see anything
odd, the law (`model/wire.py`) is asked line by line and says which and why. Where units are sold at the door there are
other lines besides: `door.py` reads those logs.
"""

import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol, TypeAlias

from model import wire
from model.columns import are_named_after, read_columns
from model.vocabulary import Entry
from proofs.audit.case import Case, Log, log_file
from proofs.findings import FindingError

_REST: Final = re.compile(rb'^\{"bound_ns":"([0-9]+)","buyer":"[^"]*","clock":"([^"]*)","heard_ns":"([0-9]+)"', re.M)
"""What columns do not carry, of lines that they found sound."""


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries among consecutive lines of a log, column by column."""

    seqs: Sequence[int]
    """The numbers of their lines."""
    buyers: Sequence[str]
    stamps_ns: Sequence[int]
    bounds_ns: Sequence[int]
    clocks: Sequence[bytes]
    heard_ns: Sequence[int]


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
        return Entries(seqs, columns.buyers, columns.stamps_ns, list(map(int, bounds)), clocks, list(map(int, heard)))

    def _by_the_law(self, lines: Sequence[bytes]) -> Entries:
        entries = []
        for number, line in enumerate(lines, start=self._log.lines + 1):
            try:
                entry = wire.parse_log_line(line)
            except ValueError as error:
                rule = "every line is a canonical request record"
                raise FindingError(log_file(self._log.region), number, rule, str(error)) from error
            check_named(self._log, number, entry)
            if entry.unit is not None:
                rule = "an ordered sale gives nobody a unit at the door"
                raise FindingError(log_file(self._log.region), number, rule, f"unit {entry.unit}")
            entries.append(entry)
        self._requests.extend(hash(entry.request) for entry in entries)
        return columns_of(entries)

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


def columns_of(entries: Sequence[Entry]) -> Entries:
    """Entries that were read one by one."""
    return Entries(
        [entry.seq for entry in entries],
        [entry.buyer for entry in entries],
        [entry.stamp_ns for entry in entries],
        [entry.bound_ns for entry in entries],
        [entry.clock.encode() for entry in entries],
        [entry.heard_ns for entry in entries],
    )
