"""A receipt against the bundle of its sale: the line is there, under its number, and nothing else was signed.

What was signed when the receipt was made is what is there now; the record and the outcome are the same; why it came out
so is what the replay says. A line that was signed and is not there is a *provable drop*, and the signatures say who is
convicted: a region that signed two logs that contradict each other, or whoever signed a bundle that leaves out what a
region had signed.
"""

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from model import guards, wire
from model.lottery import ticket
from model.merkle import CompactTree
from model.note import region_origin
from model.vocabulary import Closed, Contradiction, CutOff, Decision, Held, Seen, SoldOut, Won
from proofs.audit.case import DECISIONS, OUTCOMES, Case, Wishes, log_file
from proofs.audit.published import check_seed, check_terms
from proofs.audit.receipt_told import FILE, Receipt, ReceiptReport, expect
from proofs.audit.receipt_turn import confirmed_in_vain
from proofs.audit.signing import read_checkpoint
from proofs.bundle import open_bundle
from proofs.findings import FindingError, shortened


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
    """The entry, and what the holder said, are under their numbers, and the log still has the root that was signed."""
    assert told.entry is not None
    signed, tree, number = receipt.checkpoint, CompactTree(), 0
    wanted: dict[int, str] = {told.entry.seq: receipt.stated["entry"]}
    if told.reply is not None:
        wanted[told.reply.seq] = receipt.stated["reply"]["line"]
    there: dict[int, bytes] = {}
    for block in case.blocks(told.region):
        there |= {seq: block[seq - number - 1] for seq in wanted if number < seq <= number + len(block)}
        tree.extend(block[: max(0, signed.size - number)])
        number += len(block)
    file = log_file(told.region)
    for seq, line in wanted.items():
        if there.get(seq) == line.encode():
            continue
        if number < seq and _was_cut_off(case, told.region, seq):
            told.not_checked.append(f"What {told.region} logged beyond its cut-off is not in the bundle.")
            return
        told.convicted.append(_who_dropped(receipt, case, told.region))
        found = shortened(there[seq].decode(errors="replace")) if seq in there else f"the log has {number} lines"
        rule = "a line that its region signed is in the bundle: this one was dropped"
        raise FindingError(file, seq, rule, found, line)
    if number >= signed.size and tree.root() != signed.root:
        told.convicted.append(_who_dropped(receipt, case, told.region))
        rule = "the log has the root that the region signed in the receipt"
        raise FindingError(file, signed.size, rule, _base64(tree.root()), _base64(signed.root))
    if told.reply is not None and confirmed_in_vain(told, receipt.terms):
        if not _was_cut_off(case, told.region, told.reply.seq):
            told.convicted.append("the arbiter: it let a hold expire that was confirmed in time")
            rule = "no confirmation in time is lost"
            raise FindingError(file, told.reply.seq, rule, receipt.stated["reply"]["line"])
        told.not_checked = [each for each in told.not_checked if "was cut off before" not in each]


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
    """The records that the receipt shows are in the decision log, and the frontier was what is said."""
    wanted = {index: proof for (index, _), proof in zip(told.turn, receipt.stated.get("turn", ()), strict=False)}
    if told.decision_index is not None:
        wanted[told.decision_index] = receipt.stated["decision"]
    if not wanted:
        return
    lines, looks = dict[int, bytes](), dict[int, _Look]()
    latest_ns, marks_ns, regions = 0, dict[str, int](), set(receipt.terms.regions)
    for index, each in enumerate(case.bundle.lines(DECISIONS)):
        if index in wanted:
            lines[index] = each
            looks[index] = _Look(latest_ns, min(marks_ns.values(), default=None))
        if len(lines) == len(wanted):
            break
        if b'"type":"seen"' in each or b'"type":"cut_off"' in each:
            record = _decision(index, each)
            if isinstance(record, CutOff):
                regions.discard(record.region)
                marks_ns.pop(record.region, None)
            elif isinstance(record, Seen):
                latest_ns = record.latest_ns
                marks_ns = {name: seen.mark_ns for name, seen in record.regions.items() if name in regions}
    for index, proof in wanted.items():
        line, stated = lines.get(index, b""), proof["record"].encode()
        if line != stated:
            told.convicted.append("the arbiter: it signed a decision that is not in the bundle's decision log")
            rule = "a decision that the arbiter signed is in the bundle"
            found = line.decode(errors="replace") or "no such record"
            raise FindingError(DECISIONS, index + 1, rule, found, stated.decode())
    _check_looks(told, looks)


class _Look(NamedTuple):
    """The look before a record: its latest time, and the least mark of the regions then in the sale, where any was."""

    latest_ns: int
    frontier_ns: int | None


def _check_looks(told: ReceiptReport, looks: Mapping[int, _Look]) -> None:
    """What why says of the look that drew, and of the one that ended a turn."""
    why = told.why
    if why is None or told.decision_index is None:
        return
    drew: int | None = None
    if told.turn:
        drew = told.turn[0][0]
    elif isinstance(told.decision, Won | Closed) or (isinstance(told.decision, SoldOut) and "turn" not in why):
        drew = told.decision_index
    if drew is not None and looks[drew].frontier_ns is not None:
        rule = "the frontier is the least mark of the look before"
        expect(int(why["frontier_ns"]) == looks[drew].frontier_ns, rule, why["frontier_ns"], looks[drew].frontier_ns)
    turn = why.get("turn")
    if turn is None:
        return
    for index, record in told.turn:
        if isinstance(record, Held):
            rule = "a unit is held from the look before"
            expect(int(turn["held_ns"] or 0) == looks[index].latest_ns, rule, turn["held_ns"], looks[index].latest_ns)
    ended = looks[told.decision_index]
    if turn["ended_ns"] is not None:
        rule = "a hold ends with the look before"
        expect(int(turn["ended_ns"]) == ended.latest_ns, rule, turn["ended_ns"], ended.latest_ns)
        if ended.frontier_ns is not None:
            rule = "the frontier is the least mark of the look before"
            heard = turn["ended_frontier_ns"]
            expect(int(heard or 0) == ended.frontier_ns, rule, heard, ended.frontier_ns)


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


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
