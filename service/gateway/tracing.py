"""The log of purchases that their callers trace: logged, and later decided, under one purchase id and one trace id.

The purchase id is in every record on the way: the answer, the region's log, the decision log, the bundle. So whoever
has it finds the rest, traced or not; the two lines here are for those who read logs. Entries of batches have none.
"""

import structlog

from model.vocabulary import Entry, Outcome
from service.gateway.book import Sale
from service.watching.trace import read_traceparent

_log = structlog.get_logger()


def follow_traced(sale: Sale, entry: Entry, traceparent: bytes) -> None:
    """A purchase has been logged whose caller says that it belongs to a trace."""
    trace = read_traceparent(traceparent)
    if trace is None:
        return
    names = {"purchase": entry.request, "sale": sale.id, "region": sale.region, **trace.fields}
    _log.info("purchase logged", seq=entry.seq, stamp_ns=str(entry.stamp_ns), bound_ns=str(entry.bound_ns), **names)

    def decided(outcome: Outcome) -> None:
        _log.info("purchase decided", state=outcome.state, reason=outcome.reason, rank=outcome.rank, **names)

    known = sale.outcome(entry)
    if known is not None:
        decided(known)
    else:
        sale.wait(entry, decided)
