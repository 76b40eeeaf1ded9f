"""The fourth stop: each region's log, streamed once. Its form, its numbers, its names, its chain, its Merkle tree.

What is asked of one entry alone is asked here, too: that its stamp does not come before an arbiter's heartbeat that its
gateway had already read, nor (once the decisions are read) after the look that counts it, since one of the two clocks
would be broken, design 3.8; and that its bound is no better than the clock journal allows (`clocks.py`). Lines are read
by the columns of `model/columns.py`; where those see anything odd, the law (`model/wire.py`) is asked line by line and
says which and why.

Kept of a log: stamps, bounds and a hash of each buyer, in arrays. The next stop reads the lines again.
"""

import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from operator import sub
from typing import Final

from model import guards, wire
from model.columns import Columns, are_named_after, read_columns
from model.vocabulary import RegionName
from proofs.audit.case import Apart, Case, Log, RegionLooks, Replayed, log_file
from proofs.audit.clocks import Evidence
from proofs.audit.decisions import replay_decisions
from proofs.audit.signed_tree import SignedTree
from proofs.audit.workers import side_by_side
from proofs.findings import FindingError

_REST: Final = re.compile(rb'^\{"bound_ns":"([0-9]+)","buyer":"[^"]*","clock":"([^"]*)","heard_ns":"([0-9]+)"', re.M)
"""What columns do not carry, of lines that they found sound."""


def check_logs(case: Case, evidence: Evidence) -> None:
    """Read every region's log; and, since it takes long and needs none of that, replay the decisions beside it."""
    if case.terms is None:
        return
    expected = {log_file(region) for region in case.terms.regions}
    for name in case.bundle.names:
        if name.startswith("regions/") and name not in expected:
            case.found(name, None, "every log is of a region that the terms name")
    parts: list[Callable[[], _ReadLog | Replayed]] = [partial(replay_decisions, case)]
    parts += [partial(_read_apart, case, region, evidence) for region in case.terms.regions]
    replayed, *logs = side_by_side(case, parts)
    assert isinstance(replayed, Replayed)
    case.replayed = replayed
    read = {}
    for each in logs:
        assert isinstance(each, _ReadLog)
        case.take_back(each.apart)
        evidence.count(each.evidence)
        if each.log is not None:
            read[each.log.region] = each.log
    if len(read) == len(case.terms.regions):
        case.logs = read
    evidence.tell(case)


@dataclass(frozen=True, slots=True)
class _ReadLog:
    """One region's log; None where it could not be read to its end."""

    log: Log | None
    evidence: Evidence
    """Counts only."""
    apart: Apart


def _read_apart(case: Case, region: RegionName, evidence: Evidence) -> _ReadLog:
    aside, counting, log = case.aside(), evidence.for_one_log(), None
    try:
        log = _read(aside, Log(region), counting)
    except FindingError as error:
        aside.keep(error.finding)
    return _ReadLog(log, counting.only_counts(), Apart.of(aside))


def _read(case: Case, log: Log, evidence: Evidence) -> Log:
    file, signed = log_file(log.region), f"regions/{log.region}"
    tree = SignedTree(case.checkpoints.get(signed)) if case.keys is not None else None
    requests = array("q")
    for block in case.blocks(log.region):
        first = len(log) + 1
        columns = read_columns(block, first)
        if columns is None or not are_named_after(log.region, columns.requests):
            columns = _by_the_law(log, block)
        requests.extend(map(hash, columns.requests))
        log.buyers.extend(map(hash, columns.buyers))
        head_before, log.head = log.head, wire.extend_all(log.head, block)
        if tree is not None:
            tree.extend(block, head_before)
        bounds, clocks, heard = zip(*_REST.findall(b"\n".join(block)), strict=True)
        bounds_ns = list(map(int, bounds))
        _check_heard(case, file, columns, bounds_ns, heard)
        evidence.check(case, file, log, columns, bounds_ns, clocks)
        log.stamps_ns.extend(columns.stamps_ns)
        log.bounds_ns.extend(bounds_ns)
    _expect_each_once(case, log, requests)
    stated = case.head_in_manifest(signed)
    if stated not in {"", log.head}:
        rule = "the chain ends in the manifest's head"
        case.found(file, len(log) or None, rule, log.head, stated)
    if tree is not None:
        log.root, case.at_checkpoint[signed] = tree.root(), tree.at_checkpoint
    return log


def _by_the_law(log: Log, block: Sequence[bytes]) -> Columns:
    """The block line by line.

    Raises:
        FindingError: at the first line that is not as it must be.
    """
    file, entries = log_file(log.region), []
    for number, line in enumerate(block, start=len(log) + 1):
        try:
            entry = wire.parse_log_line(line)
        except ValueError as error:
            raise FindingError(file, number, "every line is a canonical request record", str(error)) from error
        if entry.seq != number:
            raise FindingError(file, number, "entries are numbered from 1 without gaps", f"{entry.seq}", f"{number}")
        home, _, random = entry.request.rpartition(".")
        if home != log.region or not random:
            rule = "every request is named after its region"
            raise FindingError(file, number, rule, entry.request, f"{log.region}.…")
        entries.append(entry)
    return Columns(
        first_seq=len(log) + 1,
        requests=[entry.request for entry in entries],
        buyers=[entry.buyer for entry in entries],
        stamps_ns=[entry.stamp_ns for entry in entries],
        least_bound_ns=min(entry.bound_ns for entry in entries),
        greatest_bound_ns=max(entry.bound_ns for entry in entries),
    )


def _check_heard(case: Case, file: str, columns: Columns, bounds_ns: Sequence[int], heard: Sequence[bytes]) -> None:
    """A heartbeat says that it was sent at `heard_ns` at the earliest, and the request came after it was read."""
    stamps_ns, heard_ns = columns.stamps_ns, list(map(int, heard))
    contradictions = list(map(guards.contradicts_heartbeat, stamps_ns, bounds_ns, heard_ns))
    if not any(contradictions):
        return
    for at, contradicts in enumerate(contradictions):
        if contradicts:
            rule = "no stamp comes before a heartbeat that was read before the request arrived, beyond its bound"
            found = f"{stamps_ns[at]} ± {bounds_ns[at]}: this host's clock or the arbiter's is broken"
            case.found(file, columns.first_seq + at, rule, found, f"{heard_ns[at]} or later")


def check_receipts(case: Case) -> None:
    """No entry is stamped after the arbiter, by its own clock, had read it: each against the look that counts it.

    The guard is monotone in stamp − bound, so it holds for all that a look counts if it holds for the greatest.
    """
    if case.logs is None or case.decided is None:
        return
    looks = case.decided.looks
    for region, log in case.logs.items():
        of, read = looks.of.get(region, RegionLooks()), 0
        for seq, latest_ns in zip(of.seqs, looks.latest_ns, strict=False):
            earliest_ns = list(map(sub, log.stamps_ns[read:seq], log.bounds_ns[read:seq]))
            if earliest_ns and guards.contradicts_receipt(max(earliest_ns), 0, latest_ns):
                at = read + earliest_ns.index(max(earliest_ns))
                rule = "no stamp comes after the look that counts the entry, beyond its bound"
                found = f"{log.stamps_ns[at]} ± {log.bounds_ns[at]}: this host's clock or the arbiter's is broken"
                case.found(log_file(region), at + 1, rule, found, f"{latest_ns} or earlier")
            read = max(read, seq)


def _expect_each_once(case: Case, log: Log, requests: "array[int]") -> None:
    """No request twice. Equal hashes are looked at again by name, so that none is accused by accident."""
    ordered = sorted(requests)
    suspects = {one for one, other in pairwise(ordered) if one == other}
    del ordered
    if not suspects:
        return
    first: dict[str, int] = {}
    for number, entry in enumerate(map(wire.parse_log_line, (e for b in case.blocks(log.region) for e in b)), start=1):
        if hash(entry.request) in suspects and first.setdefault(entry.request, number) != number:
            rule = f"no request is logged twice ({entry.request})"
            raise FindingError(log_file(log.region), number, rule, f"also in line {first[entry.request]}")
