"""The fourth stop: each region's log, streamed once. Its form, its numbers, its names, its chain, its Merkle tree.

What is asked of one entry alone is asked here, too: that its stamp does not come before an arbiter's heartbeat that its
gateway had already read, nor (once the decisions are read) after the look that counts it, since one of the two clocks
would be broken, design 3.8; and that its bound is no better than the clock journal allows (`clocks.py`). How lines are
read is the method's: `entries.py`, `door.py`, `replies.py`.

Kept of a log: stamps, bounds and a hash of each buyer, in arrays. The next stop reads the lines again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import sub

from model import guards, wire
from model.vocabulary import RegionName
from proofs.audit.case import Apart, Case, Log, RegionLooks, Replayed, log_file
from proofs.audit.clocks import Evidence
from proofs.audit.decisions import replay_decisions
from proofs.audit.entries import Reader, Stamps
from proofs.audit.signed_tree import SignedTree
from proofs.audit.workers import side_by_side
from proofs.findings import FindingError


def check_logs(case: Case, evidence: Evidence, reader: Reader) -> None:
    """Read every region's log; and, since it takes long and needs none of that, replay the decisions beside it."""
    if case.terms is None:
        return
    expected = {log_file(region) for region in case.terms.regions}
    for name in case.bundle.names:
        if name.startswith("regions/") and name not in expected:
            case.found(name, None, "every log is of a region that the terms name")
    parts: list[Callable[[], _ReadLog | Replayed]] = [partial(replay_decisions, case)]
    parts += [partial(_read_apart, case, region, evidence, reader) for region in case.terms.regions]
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


def _read_apart(case: Case, region: RegionName, evidence: Evidence, reader: Reader) -> _ReadLog:
    aside, counting, log = case.aside(), evidence.for_one_log(), None
    try:
        log = _read(aside, Log(region), counting, reader)
    except FindingError as error:
        aside.keep(error.finding)
    return _ReadLog(log, counting.only_counts(), Apart.of(aside))


def _read(case: Case, log: Log, evidence: Evidence, reader: Reader) -> Log:
    file, signed = log_file(log.region), f"regions/{log.region}"
    tree = SignedTree(case.checkpoints.get(signed)) if case.keys is not None else None
    reading = reader(case, log)
    for block in case.blocks(log.region):
        entries = reading.block(block)
        log.lines += len(block)
        log.buyers.extend(map(hash, entries.buyers))
        head_before, log.head = log.head, wire.extend_all(log.head, block)
        if tree is not None:
            tree.extend(block, head_before)
        for some in (entries.stamps, entries.replies):
            _check_heard(case, file, some)
            evidence.check(case, log, some.seqs, some.stamps_ns, some.bounds_ns, some.clocks)
        log.stamps_ns.extend(entries.stamps.stamps_ns)
        log.bounds_ns.extend(entries.stamps.bounds_ns)
    reading.end()
    stated = case.head_in_manifest(signed)
    if stated not in {"", log.head}:
        rule = "the chain ends in the manifest's head"
        case.found(file, log.lines or None, rule, log.head, stated)
    if tree is not None:
        log.root, case.at_checkpoint[signed] = tree.root(), tree.at_checkpoint
    return log


def _check_heard(case: Case, file: str, stamps: Stamps) -> None:
    """A heartbeat says that it was sent at `heard_ns` at the earliest, and the request came after it was read."""
    stamps_ns, bounds_ns, heard_ns = stamps.stamps_ns, stamps.bounds_ns, stamps.heard_ns
    contradictions = list(map(guards.contradicts_heartbeat, stamps_ns, bounds_ns, heard_ns))
    if not any(contradictions):
        return
    for at, contradicts in enumerate(contradictions):
        if contradicts:
            rule = "no stamp comes before a heartbeat that was read before the request arrived, beyond its bound"
            found = f"{stamps_ns[at]} ± {bounds_ns[at]}: this host's clock or the arbiter's is broken"
            case.found(file, stamps.seqs[at], rule, found, f"{heard_ns[at]} or later")


def check_receipts(case: Case) -> None:
    """No entry is stamped after the arbiter, by its own clock, had read it: each against the look that counts it.

    The guard is monotone in stamp − bound, so it holds for all that a look counts if it holds for the greatest.
    """
    if case.logs is None or case.decided is None:
        return
    looks = case.decided.looks
    for region, log in case.logs.items():
        of, read, replies = looks.of.get(region, RegionLooks()), 0, iter(log.replies)
        reply = next(replies, None)
        for seq, latest_ns in zip(of.seqs, looks.latest_ns, strict=False):
            upto = log.entries_up_to(seq)
            earliest_ns = list(map(sub, log.stamps_ns[read:upto], log.bounds_ns[read:upto]))
            if earliest_ns and guards.contradicts_receipt(max(earliest_ns), 0, latest_ns):
                at = read + earliest_ns.index(max(earliest_ns))
                _tell_late(case, region, log.seq_of(at), log.stamps_ns[at], log.bounds_ns[at], latest_ns)
            read = max(read, upto)
            while reply is not None and reply.seq <= seq:
                if guards.contradicts_receipt(reply.stamp_ns, reply.bound_ns, latest_ns):
                    _tell_late(case, region, reply.seq, reply.stamp_ns, reply.bound_ns, latest_ns)
                reply = next(replies, None)


def _tell_late(case: Case, region: RegionName, seq: int, stamp_ns: int, bound_ns: int, latest_ns: int) -> None:
    rule = "no stamp comes after the look that counts the entry, beyond its bound"
    found = f"{stamp_ns} ± {bound_ns}: this host's clock or the arbiter's is broken"
    case.found(log_file(region), seq, rule, found, f"{latest_ns} or earlier")
