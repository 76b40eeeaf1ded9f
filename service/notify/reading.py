"""Entries among the lines of a region's log, whatever is sold and how: each kind of sale has lines of its own, too."""

import structlog

from model import moves, replies
from model.terms import Terms
from model.vocabulary import Entry

_log = structlog.get_logger()


def read_entry(terms: Terms, line: bytes) -> Entry | None:
    """The entry that a line is; None where it is something else.

    A line that is nothing we know, as a sale that halts may have, is passed over with a word in the log.
    """
    try:
        record = replies.parse_line(line) if terms.kind == "reservation" else moves.parse_line(line)
    except ValueError as error:
        _log.error("a logged line cannot be read: its buyer is not told", sale=terms.sale(), error=str(error))
        return None
    return record if isinstance(record, Entry) else None
