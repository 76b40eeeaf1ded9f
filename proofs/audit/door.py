"""A region's log where units are sold at the door: every line by the law of `model/moves.py`, every step by the share.

The log begins with what the region was given to sell, and is then asked line by line whether this can follow: whether
the unit that is sold is the first that was free, whether what is given was there, whether nobody has two. What one
region says of another is asked later, when all logs were read (`places.py`).
"""

from array import array
from collections.abc import Sequence

from model import moves
from model.share import Share
from model.terms import Terms
from model.vocabulary import Contradiction, Entry, Line
from proofs.audit.case import Case, Door, Log, log_file
from proofs.audit.entries import Entries, check_named, columns_of
from proofs.findings import FindingError


class DoorLog:
    """A log with entries, each with its unit, and shares, grants and refusals between them."""

    def __init__(self, case: Case, log: Log) -> None:
        assert case.terms is not None
        self._terms: Terms = case.terms
        self._log, self._share = log, Share(log.region)
        self._door, self._seqs = Door(), array("q")
        log.door, log.seqs = self._door, self._seqs

    def block(self, lines: Sequence[bytes]) -> Entries:
        """The entries of the next lines; the other lines are kept."""
        entries = []
        for number, line in enumerate(lines, start=self._log.lines + 1):
            record = self._next(number, line)
            if isinstance(record, Entry):
                assert record.unit is not None
                entries.append(record)
                self._seqs.append(number)
                self._door.units.append(record.unit)
            else:
                self._door.moves.append(record)
        return columns_of(entries)

    def _next(self, number: int, line: bytes) -> Line:
        file = log_file(self._log.region)
        try:
            record = moves.parse_line(line)
        except (ValueError, RecursionError) as error:
            rule = "every line is a canonical record of a region's log"
            raise FindingError(file, number, rule, str(error)) from error
        if isinstance(record, Entry):
            check_named(self._log, number, record)
        elif record.seq != number:
            raise FindingError(file, number, "lines are numbered from 1 without gaps", f"{record.seq}", f"{number}")
        try:
            self._share.apply(self._terms, record)
        except Contradiction as error:
            raise FindingError(file, number, error.rule.rpartition(" (line ")[0]) from error
        return record

    def end(self) -> None:
        """What is left is what was not sold and not given."""
        self._door.free = self._share.free
