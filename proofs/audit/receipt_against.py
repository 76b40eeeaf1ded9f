"""A receipt against the bundle of its sale: the line is there, under its number, and nothing else was signed.

What was signed when the receipt was made is what is there now; the record and the outcome are the same; why it came out
so is what the replay says. A line that was signed and is not there is a *provable drop*, and the signatures say who is
convicted: a region that signed two logs that contradict each other, or whoever signed a bundle that leaves out what a
region had signed.
"""

from base64 import b64encode
from pathlib import Path

from model import guards, wire
from model.lottery import ticket
from model.merkle import CompactTree
from model.note import region_origin
from model.vocabulary import Contradiction, CutOff, Decision, Seen, SoldOut, Won
from proofs.audit.case import DECISIONS, OUTCOMES, Case, Wishes, log_file
from proofs.audit.published import check_seed, check_terms
from proofs.audit.receipt_told import FILE, Receipt, ReceiptReport, expect
from proofs.audit.report import Report
from proofs.audit.signing import read_checkpoint
from proofs.bundle import open_bundle
from proofs.findings import Finding, FindingError, shortened


def check_against(told: ReceiptReport, receipt: Receipt, path: Path) -> None:
    """The bundle has what the receipt has."""
    with open_bundle(path) as bundle:
        case = Case(bundle, Wishes())
        check_terms(case)
        assert case.terms is not None
        sale = receipt.terms.sale()
        expect(case.terms.sale() == sale, "receipt and bundle are of one sale", sale, case.terms.sale())
        _check_log(told, receipt, case)
        _check_decisions(told, receipt, case)
        _check_outcome(told, case)
        check_seed(case)
        if told.why is not None and told.why["ticket"] is not None and case.draw_key is not None:
            assert told.entry is not None
            drawn = f"{ticket(case.draw_key, sale, told.entry.buyer):064x}"
            expect(told.why["ticket"] == drawn, "the ticket is the buyer's", told.why["ticket"], drawn)


def _check_log(told: ReceiptReport, receipt: Receipt, case: Case) -> None:
    """The entry is under its number, and the log still has the root that was signed."""
    entry, signed = told.entry, receipt.checkpoint
    assert entry is not None
    tree, number, there = CompactTree(), 0, b""
    for block in case.blocks(told.region):
        if number < entry.seq <= number + len(block):
            there = block[entry.seq - number - 1]
        tree.extend(block[: max(0, signed.size - number)])
        number += len(block)
    file = log_file(told.region)
    if there != receipt.stated["entry"].encode():
        if number < entry.seq and _was_cut_off(case, told.region, entry.seq):
            told.not_checked.append(f"What {told.region} logged beyond its cut-off is not in the bundle.")
            return
        told.convicted.append(_who_dropped(receipt, case, told.region))
        found = shortened(there.decode(errors="replace")) if there else f"the log has {number} entries"
        rule = "an entry that its region signed is in the bundle: this one was dropped"
        raise FindingError(file, entry.seq, rule, found, receipt.stated["entry"])
    if number >= signed.size and tree.root() != signed.root:
        told.convicted.append(_who_dropped(receipt, case, told.region))
        rule = "the log has the root that the region signed in the receipt"
        raise FindingError(file, signed.size, rule, _base64(tree.root()), _base64(signed.root))


def _was_cut_off(case: Case, region: str, seq: int) -> bool:
    for index, line in enumerate(case.bundle.lines(DECISIONS)):
        if b'"type":"cut_off"' in line:
            record = wire.parse_decision_line(index, line)
            if isinstance(record, CutOff) and record.region == region:
                return not guards.entry_counts(seq, record.seq)
    return False


def _who_dropped(receipt: Receipt, case: Case, region: str) -> str:
    """Two signatures of a region that contradict each other convict it; else whoever wrote the bundle."""
    origin = region_origin(receipt.terms.sale(), region)
    try:
        text = case.bundle.text(f"checkpoints/regions/{region}", 1 << 16)
        read_checkpoint(FILE, None, text, receipt.keys.regions[region], origin, None)
    except FindingError:
        return "the arbiter, or whoever wrote the bundle: it leaves out what the region had signed"
    return f"region {region}: it signed this entry, and a log without it"


def _check_decisions(told: ReceiptReport, receipt: Receipt, case: Case) -> None:
    """The record that settled the purchase is in the decision log, and the frontier was what is said."""
    if told.decision_index is None:
        return
    line, frontier_ns, regions = b"", None, set(receipt.terms.regions)
    for index, each in enumerate(case.bundle.lines(DECISIONS)):
        if index == told.decision_index:  # a `won`, or `sold_out`: both follow from the look before
            line = each
            break
        if b'"type":"seen"' in each or b'"type":"cut_off"' in each:
            record = _decision(index, each)
            if isinstance(record, CutOff):
                regions.discard(record.region)
            elif isinstance(record, Seen):
                marks = [seen.mark_ns for name, seen in record.regions.items() if name in regions]
                frontier_ns = min(marks, default=None)
    stated = receipt.stated["decision"]["record"].encode()
    if line != stated:
        told.convicted.append("the arbiter: it signed a decision that is not in the bundle's decision log")
        rule = "a decision that the arbiter signed is in the bundle"
        found = line.decode(errors="replace") or "no such record"
        raise FindingError(DECISIONS, told.decision_index + 1, rule, found, stated.decode())
    if told.why is not None and isinstance(told.decision, Won | SoldOut) and frontier_ns is not None:
        rule = "the frontier is the least mark of the look before"
        expect(int(told.why["frontier_ns"]) == frontier_ns, rule, told.why["frontier_ns"], frontier_ns)


def _decision(index: int, line: bytes) -> Decision:
    try:
        return wire.parse_decision_line(index, line)
    except Contradiction as error:
        raise FindingError(DECISIONS, index + 1, error.rule) from error


def _check_outcome(told: ReceiptReport, case: Case) -> None:
    """The outcome is the one that the bundle tells of this request."""
    if told.outcome is None:
        return
    try:
        expected = wire.canonical(told.outcome)
    except ValueError as error:
        raise FindingError(FILE, None, "the outcome is a canonical record", str(error)) from error
    request = f'"request":"{told.outcome["request"]}"'.encode()
    for number, line in enumerate(case.bundle.lines(OUTCOMES), start=1):
        if request not in line:
            continue
        if line != expected:
            rule = "the outcome is the one that the bundle tells"
            raise FindingError(OUTCOMES, number, rule, line.decode(errors="replace"), expected.decode())
        told.not_checked = [each for each in told.not_checked if "same buyer" not in each]
        return
    raise FindingError(OUTCOMES, None, "the outcome of every request is in the bundle", str(told.outcome["request"]))


def check_pot(told: ReceiptReport, report: Report) -> None:
    """Against the replay: how many were in the pot that served the buyer, or in the last one; that no unit was sold
    twice, where that is known now."""
    if report.ok:
        told.not_checked = [each for each in told.not_checked if "nobody else got this unit" not in each]
    if told.why is None or report.fairness is None or not report.fairness.winners or not report.ok:
        return
    rank, fairness = -1, report.fairness
    if isinstance(told.decision, Won):
        rank = told.decision.rank
    elif not isinstance(told.decision, SoldOut):
        return
    for name, stated, made_again in (
        ("pot", told.why["pot"], fairness.pots[rank]),
        ("earliest_ns", int(told.why["earliest_ns"]), fairness.earliest_ns[rank]),
    ):
        if stated != made_again:
            rule = f"{name} is what the replay says"
            told.findings.append(Finding(FILE, None, rule, str(stated), str(made_again)))


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
