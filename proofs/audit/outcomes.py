"""The sixth stop: `outcomes.jsonl`, line by line what `model.outcomes` derives from the logs and the decisions.

Derived and recorded lines are compared many at once. What the promises can name is kept on the way: every entry of a
buyer who was *drawn* (who won; in a reservation, who has a place on the list), with what it was told, and of the others
that count the one who should have gone first if anybody: the earliest, in an auction of those who bid most. The rest
are counted by what the file tells them.
"""

import json
import re
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any, Final

from model import guards, wire
from model.invariants import Others
from model.terms import Terms
from model.vocabulary import BuyerId, Entry, Outcome, RegionName, RequestId
from proofs.audit.case import OUTCOMES, Case, Decided, Log, Told, log_file
from proofs.findings import FindingError

REASONS: Final = ("sold_out", "closed", "duplicate", "cut_off", "cancelled", "halted")
AUCTION_REASONS: Final = ("outbid", "duplicate", "cut_off", "cancelled", "halted")
RESERVATION_REASONS: Final = (
    "sold_out", "list_full", "expired", "released", "duplicate", "cut_off", "cancelled", "halted",
)  # fmt: skip
_EVERY_REASON: Final = tuple(dict.fromkeys(REASONS + AUCTION_REASONS + RESERVATION_REASONS))
_NAMES: Final = re.compile(
    rb'"buyer":"([^"]*)","clock":"[^"]*","heard_ns":"[0-9]+",(?:"price":[0-9]+,)?"request":"([^"]*)","seq":([0-9]+),'
)
"""Of an entry; no reply has a buyer."""


@dataclass(frozen=True, slots=True)
class _Named:
    """Entries that follow each other in a log that was found sound, by name."""

    first: int
    """The place of the first among all entries, from 0."""
    seqs: Sequence[int]
    requests: Sequence[RequestId]
    buyers: Sequence[BuyerId]
    are_all: bool
    """No other line is between them."""


def check_outcomes(case: Case) -> None:
    """Compare every outcome with what follows."""
    if case.decided is None or case.logs is None or case.terms is None:
        return
    collected = _Collected(case.decided, case.terms)
    recorded = _Recorded(case)
    number = 0
    for region, log in case.logs.items():
        for block in _named(case, region):
            derived = _derived(case.decided, region, block)
            found = recorded.take(len(derived))
            if found != derived:
                _difference(number, derived, found)
            number += len(derived)
            collected.add(log, block, found)
    if recorded.take(1):
        raise FindingError(OUTCOMES, number + 1, "nobody has an outcome who is in no log")
    case.told = collected.told()


def check_door_outcomes(case: Case) -> None:
    """The same where units are sold at the door: whoever has an entry has won the unit in it, whatever comes after."""
    if case.decided is None or case.logs is None:
        return
    recorded, number = _Recorded(case), 0
    for region in case.logs:
        for block in case.blocks(region):
            entries = (wire.parse_log_line(line) for line in block if b'"type":"request"' in line)
            outcomes = (case.decided.standing.outcome_of(region, entry) for entry in entries)
            derived = [wire.outcome_line(outcome) for outcome in outcomes if outcome is not None]
            found = recorded.take(len(derived))
            if found != derived:
                _difference(number, derived, found)
            number += len(derived)
    if recorded.take(1):
        raise FindingError(OUTCOMES, number + 1, "nobody has an outcome who is in no log")
    case.told = Told({region: [] for region in case.logs}, [], Others(0, 0, {}), Counter())


def _named(case: Case, region: RegionName) -> Iterator[_Named]:
    """Buyers and requests of a log that was found sound."""
    first = 0
    for block in case.blocks(region):
        found = _NAMES.findall(b"\n".join(block))
        if not found:
            continue
        buyers, requests, seqs = (b"\n".join(names).decode().split("\n") for names in zip(*found, strict=True))
        yield _Named(first, list(map(int, seqs)), requests, buyers, len(found) == len(block))
        first += len(found)


def _derived(decided: Decided, region: RegionName, block: _Named) -> list[bytes]:
    if block.are_all:
        lines = decided.standing.outcome_lines(region, block.seqs[0], block.requests, block.buyers)
        if lines is not None:
            return lines
    lines = []
    for seq, request, buyer in zip(block.seqs, block.requests, block.buyers, strict=True):
        outcome = decided.standing.outcome(region, seq, request, buyer)
        if outcome is None:
            raise FindingError(log_file(region), seq, "every logged request has an outcome", request)
        lines.append(wire.outcome_line(outcome))
    return lines


def _difference(before: int, derived: Sequence[bytes], found: Sequence[bytes]) -> None:
    """Tell the first line that differs."""
    at = next((at for at, pair in enumerate(zip(derived, found, strict=False)) if pair[0] != pair[1]), len(found))
    told = found[at].decode(errors="replace") if at < len(found) else "nothing"
    rule = "every outcome is what follows from logs and decisions"
    raise FindingError(OUTCOMES, before + at + 1, rule, told, derived[at].decode())


class _Recorded:
    """The lines of the file, as many at once as are asked for."""

    def __init__(self, case: Case) -> None:
        self._lines = case.bundle.lines(OUTCOMES)

    def take(self, times: int) -> list[bytes]:
        return list(islice(self._lines, times))


class _Collected:
    """What is kept of entries and outcomes."""

    def __init__(self, decided: Decided, terms: Terms) -> None:
        self._decided, self._opens_ns = decided, terms.opens_ns
        self._drawn = drawn_buyers(decided)
        self._notable: dict[RegionName, list[Entry]] = {}
        self._outcomes: list[Outcome] = []
        self._counted, self._beyond = 0, 0
        self._reasons, self._others = Counter[str](), Counter[str]()
        self._first: tuple[tuple[int, int], Log, Entry, Outcome] | None = None
        """Of those who were not drawn and count, who should have gone first if anybody: by (−price, place)."""

    def add(self, log: Log, block: _Named, lines: Sequence[bytes]) -> None:
        """Consecutive entries and what they were told."""
        drawn, notable = self._drawn, self._notable.setdefault(log.region, [])
        joined = b"\n".join(lines)
        reasons = Counter({reason: joined.count(f'"reason":"{reason}"'.encode()) for reason in _EVERY_REASON})
        self._reasons.update(reasons)
        kept = [] if drawn.keys().isdisjoint(block.buyers) else [
            at for at, buyer in enumerate(block.buyers) if buyer in drawn
        ]  # fmt: skip
        for at in kept:
            entry, outcome = _entry(log, block, at), _outcome(lines[at])
            notable.append(entry)
            self._outcomes.append(outcome)
            reasons[outcome.reason or ""] -= 1
        cut_off_seq = self._decided.standing.cut_offs.get(log.region)
        counting = len(lines) if cut_off_seq is None else bisect_right(block.seqs, cut_off_seq)
        self._counted += counting - sum(at < counting for at in kept)
        self._beyond += len(lines) - counting - sum(at >= counting for at in kept)
        self._others.update({reason: times for reason, times in reasons.items() if reason})
        self._look_for_the_first(log, block, lines, counting, set(kept))

    def _look_for_the_first(
        self, log: Log, block: _Named, lines: Sequence[bytes], counting: int, kept: set[int]
    ) -> None:
        if counting == 0:
            return
        stamps_ns, prices = log.stamps_ns[block.first : block.first + counting], log.prices[block.first :]
        best = (-max(prices[:counting], default=0), guards.place_ns(min(stamps_ns), self._opens_ns))
        if self._first is not None and best >= self._first[0]:
            return
        ranks = array("q", (-price for price in prices[:counting])) if prices else repeat(0, counting)
        keys = zip(ranks, stamps_ns, range(counting), strict=True)
        least = min(((price, stamp_ns, at) for price, stamp_ns, at in keys if at not in kept), default=None)
        if least is None:
            return
        price, stamp_ns, at = least
        rank = price, guards.place_ns(stamp_ns, self._opens_ns)
        if self._first is None or rank < self._first[0]:
            self._first = rank, log, _entry(log, block, at), _outcome(lines[at])

    def told(self) -> Told:
        """Everything, with the one who was not drawn among the notable."""
        others, counted = self._others, self._counted
        if self._first is not None:
            _, log, entry, outcome = self._first
            self._notable[log.region].append(entry)
            self._outcomes.append(outcome)
            others[outcome.reason or ""] -= 1
            counted -= 1
        return Told(self._notable, self._outcomes, Others(counted, self._beyond, dict(others)), self._reasons)


def drawn_buyers(decided: Decided) -> Mapping[BuyerId, RequestId]:
    """By buyer the request that was drawn: in a reservation for its list, else it has won."""
    standing = decided.standing
    return standing.holds.request_of or standing.winner_of


def _entry(log: Log, block: _Named, at: int) -> Entry:
    place, price = block.first + at, None
    if log.prices:
        price = log.prices[place]
    stamp_ns, bound_ns = log.stamps_ns[place], log.bounds_ns[place]
    return Entry(block.seqs[at], block.requests[at], block.buyers[at], stamp_ns, bound_ns, "", 0, price=price)


def _outcome(line: bytes) -> Outcome:
    fields: dict[str, Any] = json.loads(line)
    return Outcome(**fields)
