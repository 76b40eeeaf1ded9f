"""A reservation's log: entries, and between them what holders of units said, every line by the law of
`model/replies.py`.

A reply is asked what it can be asked alone: its number, its bound, and that it is about a purchase that the same log
has, said once. Whether it came in time, and what followed from it, is decided again later (`decisions.py`); its stamp
is evidence like any other (`logs.py`).
"""

from array import array
from collections.abc import Sequence
from typing import Final

from model import guards
from model.replies import parse_line
from model.terms import Terms
from model.vocabulary import Entry, Reply, RequestId
from proofs.audit.case import Case, Log, log_file
from proofs.audit.entries import Entries, check_named, check_no_price, check_nothing_given, columns_of
from proofs.findings import FindingError

_BIT: Final = {"confirm": 1, "release": 2}


class EntriesAndReplies:
    """A log with entries, confirmations and releases."""

    def __init__(self, case: Case, log: Log) -> None:
        assert case.terms is not None
        self._terms: Terms = case.terms
        self._log, self._seqs = log, array("q")
        log.seqs = self._seqs
        self._line_of: dict[RequestId, int] = {}
        self._said: dict[RequestId, int] = {}
        """As bits."""

    def block(self, lines: Sequence[bytes]) -> Entries:
        """The next lines; replies are kept."""
        entries, replies = list[Entry](), list[Reply]()
        for number, line in enumerate(lines, start=self._log.lines + 1):
            try:
                record = parse_line(line)
            except ValueError as error:
                rule = "every line is a canonical request record or a canonical reply"
                raise FindingError(log_file(self._log.region), number, rule, str(error)) from error
            if isinstance(record, Entry):
                self._check_entry(number, record)
                entries.append(record)
                self._seqs.append(number)
            else:
                self._check_reply(number, record)
                replies.append(record)
        self._log.replies.extend(replies)
        return columns_of(entries, replies)

    def _check_entry(self, number: int, entry: Entry) -> None:
        check_named(self._log, number, entry)
        check_nothing_given(self._log, number, entry)
        check_no_price(self._log, number, entry)
        before = self._line_of.setdefault(entry.request, number)
        if before != number:
            rule = f"no request is logged twice ({entry.request})"
            raise FindingError(log_file(self._log.region), number, rule, f"also in line {before}")

    def _check_reply(self, number: int, reply: Reply) -> None:
        terms, file = self._terms, log_file(self._log.region)
        if reply.seq != number:
            raise FindingError(file, number, "lines are numbered from 1 without gaps", f"{reply.seq}", f"{number}")
        if not guards.bound_holds(reply.bound_ns, terms.skew_bound_ns):
            raise FindingError(file, number, "every stamp's bound is at most ε", f"{reply.bound_ns} ns")
        if guards.certainly_early(reply.stamp_ns, terms.skew_bound_ns, terms.entries_from_ns):
            raise FindingError(file, number, "no reply is certainly early", f"{reply.stamp_ns}")
        if reply.purchase not in self._line_of:
            rule = "a reply is about a purchase that was logged there before"
            raise FindingError(file, number, rule, reply.purchase)
        if self._said.get(reply.purchase, 0) & _BIT[reply.says]:
            rule = "a purchase is confirmed once and given back once"
            raise FindingError(file, number, rule, f"{reply.says} of {reply.purchase} again")
        self._said[reply.purchase] = self._said.get(reply.purchase, 0) | _BIT[reply.says]

    def end(self) -> None:
        """Everything was asked line by line."""
