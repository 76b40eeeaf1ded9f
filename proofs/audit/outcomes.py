"""The sixth stop: `outcomes.jsonl`, line by line what `model.outcomes` derives from the logs and the decisions.

Derived and recorded lines are compared many at once. What the promises can name is kept on the way: every entry of a
buyer who won, with what it was told, and the earliest entry that counts of anybody who did not; the others are counted
by what the file tells them.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from model import guards, wire
from model.columns import Columns
from model.invariants import Others
from model.vocabulary import Entry, Outcome, RegionName
from proofs.audit.case import OUTCOMES, Case, Decided, Log, Told, log_file
from proofs.findings import FindingError

REASONS: Final = ("sold_out", "closed", "duplicate", "cut_off", "cancelled", "halted")
_NAMES: Final = re.compile(
    rb'"buyer":"([^"]*)","clock":"[^"]*","heard_ns":"[0-9]+","request":"([^"]*)","seq":[0-9]+,"stamp_ns":"[0-9]+"'
)


def check_outcomes(case: Case) -> None:
    """Compare every outcome with what follows."""
    if case.decided is None or case.logs is None or case.terms is None:
        return
    collected = _Collected(case.decided, case.terms.opens_ns)
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


def _named(case: Case, region: RegionName) -> Iterator[Columns]:
    """Buyers and requests of a log that was found sound."""
    first = 1
    for block in case.blocks(region):
        columns = zip(*_NAMES.findall(b"\n".join(block)), strict=True)
        buyers, requests = (b"\n".join(names).decode().split("\n") for names in columns)
        yield Columns(first, requests, buyers, (), 0, 0)
        first += len(block)


def _derived(decided: Decided, region: RegionName, block: Columns) -> list[bytes]:
    lines = decided.standing.outcome_lines(region, block.first_seq, block.requests, block.buyers)
    if lines is not None:
        return lines
    lines = []
    for seq, (request, buyer) in enumerate(zip(block.requests, block.buyers, strict=True), start=block.first_seq):
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

    def __init__(self, decided: Decided, opens_ns: int) -> None:
        self._decided, self._opens_ns = decided, opens_ns
        self._notable: dict[RegionName, list[Entry]] = {}
        self._outcomes: list[Outcome] = []
        self._counted, self._beyond = 0, 0
        self._reasons, self._others = Counter[str](), Counter[str]()
        self._earliest: tuple[int, Log, Entry, Outcome] | None = None

    def add(self, log: Log, block: Columns, lines: Sequence[bytes]) -> None:
        """Consecutive entries and what they were told."""
        standing = self._decided.standing
        notable, first, last = self._notable.setdefault(log.region, []), block.first_seq, block.first_seq - 1
        last += len(lines)
        joined = b"\n".join(lines)
        reasons = Counter({reason: joined.count(f'"reason":"{reason}"'.encode()) for reason in REASONS})
        self._reasons.update(reasons)
        winning = [] if standing.winner_of.keys().isdisjoint(block.buyers) else [
            at for at, buyer in enumerate(block.buyers) if buyer in standing.winner_of
        ]  # fmt: skip
        for at in winning:
            entry, outcome = self._entry(log, block, at), _outcome(lines[at])
            notable.append(entry)
            self._outcomes.append(outcome)
            reasons[outcome.reason or ""] -= 1
        counting = max(0, min(last, standing.cut_offs.get(log.region, last)) - first + 1)
        self._counted += counting - sum(at < counting for at in winning)
        self._beyond += len(lines) - counting - sum(at >= counting for at in winning)
        self._others.update({reason: times for reason, times in reasons.items() if reason})
        self._look_for_the_earliest(log, block, lines, counting, set(winning))

    def _look_for_the_earliest(
        self, log: Log, block: Columns, lines: Sequence[bytes], counting: int, winning: set[int]
    ) -> None:
        if counting == 0:
            return
        first = block.first_seq - 1
        stamps_ns = log.stamps_ns[first : first + counting]
        if self._earliest is not None and guards.place_ns(min(stamps_ns), self._opens_ns) >= self._earliest[0]:
            return
        least = min(
            ((stamp_ns, at) for at, stamp_ns in enumerate(stamps_ns) if at not in winning), default=None
        )  # fmt: skip
        if least is None:
            return
        place_ns = guards.place_ns(least[0], self._opens_ns)
        if self._earliest is None or place_ns < self._earliest[0]:
            at = least[1]
            self._earliest = place_ns, log, self._entry(log, block, at), _outcome(lines[at])

    def _entry(self, log: Log, block: Columns, at: int) -> Entry:
        seq = block.first_seq + at
        stamp_ns, bound_ns = log.stamps_ns[seq - 1], log.bounds_ns[seq - 1]
        return Entry(seq, block.requests[at], block.buyers[at], stamp_ns, bound_ns, "", 0)

    def told(self) -> Told:
        """Everything, with the earliest who did not win among the notable."""
        others, counted = self._others, self._counted
        if self._earliest is not None:
            _, log, entry, outcome = self._earliest
            self._notable[log.region].append(entry)
            self._outcomes.append(outcome)
            others[outcome.reason or ""] -= 1
            counted -= 1
        return Told(self._notable, self._outcomes, Others(counted, self._beyond, dict(others)), self._reasons)


def _outcome(line: bytes) -> Outcome:
    fields: dict[str, Any] = json.loads(line)
    return Outcome(**fields)
