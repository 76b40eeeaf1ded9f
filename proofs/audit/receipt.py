"""A buyer's receipt: what one purchase can prove by itself, and against the bundle of its sale.

By itself: the terms are those of the sale that it names; the region's log had this very line, by the region's signature
and a Merkle path; the decision log had the record that settled it, by the arbiter's; the outcome follows. Keys come
from the terms, so nothing else need be believed.

Against a bundle: the line is there, under its number; what was signed then is what is there now; the record and the
outcome are the same; why it came out so is what the replay says. A line that was signed and is not there is a *provable
drop*, and the signatures say who is convicted: a region that signed two logs that contradict each other, or whoever
signed a bundle that leaves out what a region had signed. Told for people by `story.py`.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from model import guards, wire
from model.lottery import ticket
from model.merkle import CompactTree, includes
from model.note import Checkpoint, NoteError, decisions_origin, path_bytes, region_origin
from model.terms import Keys, Terms
from model.vocabulary import Cancelled, Closed, Contradiction, CutOff, Decision, Entry, Halted, Seen, SoldOut, Won
from proofs.audit.case import DECISIONS, OUTCOMES, Case, Wishes, log_file
from proofs.audit.published import check_seed, check_terms, checked_terms
from proofs.audit.report import Report
from proofs.audit.signing import read_checkpoint
from proofs.bundle import open_bundle
from proofs.findings import Finding, FindingError, shortened
from proofs.signatures import WitnessKey

FORMAT: Final = "firstcome-receipt/1"
LONGEST_RECEIPT_BYTES: Final = 1 << 20
FIELDS: Final = {
    "format",
    "sale",
    "terms",
    "region",
    "seq",
    "entry",
    "checkpoint",
    "path",
    "decision",
    "outcome",
    "why",
}
WHY: Final = {"place_ns", "tie_window_ns", "earliest_ns", "pot", "frontier_ns", "ticket"}
FILE: Final = "receipt"


class NotAReceiptError(Exception):
    """There is no receipt at this path; says why in one line."""


@dataclass(slots=True)
class ReceiptReport:
    """What an audit of one receipt came to."""

    receipt: str
    findings: list[Finding] = field(default_factory=list)
    convicted: list[str] = field(default_factory=list)
    """Who is shown to have signed what cannot both be true, or left out what was signed."""
    not_checked: list[str] = field(default_factory=list)
    terms: Terms | None = None
    entry: Entry | None = None
    region: str = ""
    decision: Decision | None = None
    decision_index: int | None = None
    outcome: Mapping[str, Any] | None = None
    why: Mapping[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def fields(self) -> dict[str, Any]:
        """The report as plain values, for `--json`."""
        return {
            "ok": self.ok,
            "receipt": self.receipt,
            "sale": "" if self.terms is None else self.terms.sale(),
            "request": "" if self.entry is None else self.entry.request,
            "outcome": None if self.outcome is None else dict(self.outcome),
            "findings": [asdict(finding) for finding in self.findings],
            "convicted": self.convicted,
            "not_checked": self.not_checked,
        }


@dataclass(slots=True)
class _Receipt:
    """The receipt's own parts, once they hold."""

    stated: Mapping[str, Any]
    terms: Terms
    keys: Keys
    checkpoint: Checkpoint
    decision_checkpoint: Checkpoint | None = None


def audit_receipt(
    path: Path, bundle: Path | None = None, witness: WitnessKey | None = None, report: Report | None = None
) -> ReceiptReport:
    """Check a receipt, and where a bundle is given, that it agrees with it.

    Args:
        report: of that bundle's audit.

    Raises:
        NotAReceiptError: there is none at this path.
        NotABundleError: there is no bundle at that one.
    """
    told = ReceiptReport(str(path))
    stated = _read(path)
    try:
        receipt = _check(told, stated, witness)
        if bundle is not None:
            _check_against(told, receipt, bundle)
        if report is not None:
            _check_pot(told, report)
    except FindingError as error:
        told.findings.append(error.finding)
    return told


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_RECEIPT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise NotAReceiptError(f"{path} cannot be read ({error})") from error
    if len(content) > LONGEST_RECEIPT_BYTES:
        raise NotAReceiptError(f"{path} is longer than any receipt")
    try:
        stated = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NotAReceiptError(f"{path} is no receipt: {error}") from error
    if not isinstance(stated, dict) or stated.get("format") != FORMAT:
        raise NotAReceiptError(f"{path} is no receipt: it does not say that its format is {FORMAT}")
    return stated


def _check(told: ReceiptReport, stated: dict[str, Any], witness: WitnessKey | None) -> _Receipt:
    """Everything that the receipt can prove by itself."""
    _expect_form(stated)
    terms = told.terms = checked_terms(FILE, stated["terms"])
    _expect(stated["sale"] == terms.sale(), "the sale's id is the hash of its terms", stated["sale"], terms.sale())
    region = told.region = stated["region"]
    _expect(region in terms.regions, "the region is one that the terms name", region)
    entry = told.entry = _entry(terms, region, stated)
    if terms.keys is None:
        raise FindingError(FILE, None, "the terms name who signs", "they name nobody, so nothing here is proved")
    origin = region_origin(terms.sale(), region)
    checkpoint = read_checkpoint(FILE, None, stated["checkpoint"], terms.keys.regions[region], origin, witness)
    rule = "the region signed a log that has the entry in this place"
    _expect(_is_in(checkpoint, entry.seq - 1, stated["entry"], stated["path"]), rule, f"entry {entry.seq}")
    receipt = _Receipt(stated, terms, terms.keys, checkpoint)
    if stated["decision"] is not None:
        _check_decision(told, receipt, stated["decision"], witness)
    elif stated["outcome"] is not None:
        raise FindingError(FILE, None, "an outcome comes with the decision that settled it")
    else:
        told.not_checked.append("What became of the purchase: it was not decided, or not signed, when this was made.")
    if stated["why"] is not None:
        _check_why(told, terms, entry, stated["why"])
    told.outcome, told.why = stated["outcome"], stated["why"]
    return receipt


def _expect(holds: bool, rule: str, found: object = "", expected: object = "") -> None:
    if not holds:
        raise FindingError(FILE, None, rule, str(found), str(expected))


def _expect_form(stated: dict[str, Any]) -> None:
    wrong = ", ".join(sorted(stated.keys() ^ FIELDS))
    _expect(not wrong, "a receipt has just the fields of a receipt", wrong)
    texts = all(isinstance(stated[name], str) for name in ("sale", "region", "entry", "checkpoint"))
    decision = stated["decision"]
    parts = isinstance(stated["terms"], dict) and isinstance(stated["seq"], int) and _is_path(stated["path"])
    _expect(texts and parts, "every field of a receipt is of its kind")
    if decision is not None:
        kinds = {"index": int, "record": str, "checkpoint": str, "path": list}
        fits = isinstance(decision, dict) and decision.keys() == kinds.keys()
        fits = fits and all(isinstance(decision[name], kind) for name, kind in kinds.items())
        _expect(fits and _is_path(decision["path"]), "a decision states index, record, checkpoint and path")
    for name in ("outcome", "why"):
        _expect(isinstance(stated[name], dict | None), f"{name} is a record, or null")


def _is_path(value: object) -> bool:
    return isinstance(value, list) and len(value) <= 64 and all(isinstance(each, str) for each in value)


def _entry(terms: Terms, region: str, stated: dict[str, Any]) -> Entry:
    try:
        entry = wire.parse_log_line(stated["entry"].encode())
    except ValueError as error:
        raise FindingError(FILE, None, "the entry is a canonical request record", str(error)) from error
    _expect(entry.seq == stated["seq"], "the entry has the number that is stated", entry.seq, stated["seq"])
    home, _, random = entry.request.rpartition(".")
    _expect(home == region and random != "", "the request is named after its region", entry.request, f"{region}.…")
    epsilon_ns = terms.skew_bound_ns
    _expect(guards.bound_holds(entry.bound_ns, epsilon_ns), "the stamp's bound is at most ε", entry.bound_ns)
    early = guards.certainly_early(entry.stamp_ns, epsilon_ns, terms.entries_from_ns)
    late = guards.certainly_late(entry.stamp_ns, epsilon_ns, terms.closes_ns)
    _expect(not early and not late, "the entry is neither certainly early nor certainly late", entry.stamp_ns)
    return entry


def _is_in(checkpoint: Checkpoint, index: int, line: str, path: list[str]) -> bool:
    try:
        return includes(checkpoint.root, checkpoint.size, line.encode(), index, path_bytes(path))
    except NoteError as error:
        raise FindingError(FILE, None, "a Merkle path is a list of hashes in base64", str(error)) from error


def _check_decision(told: ReceiptReport, receipt: _Receipt, stated: dict[str, Any], witness: WitnessKey | None) -> None:
    """The arbiter signed a decision log that has the record, and the outcome follows from it."""
    index, origin = stated["index"], decisions_origin(receipt.terms.sale())
    try:
        record = told.decision = wire.parse_decision_line(index, stated["record"].encode())
    except Contradiction as error:
        raise FindingError(FILE, None, "the decision is a well-formed record of its number", error.rule) from error
    told.decision_index = index
    checkpoint = read_checkpoint(FILE, None, stated["checkpoint"], receipt.keys.arbiter, origin, witness)
    receipt.decision_checkpoint = checkpoint
    rule = "the arbiter signed a decision log that has the record in this place"
    _expect(_is_in(checkpoint, index, stated["record"], stated["path"]), rule, f"record {index}")
    assert told.entry is not None
    outcome = receipt.stated["outcome"]
    expected = _follows(told, record, told.entry, outcome)
    _expect(outcome == expected, "the outcome follows from the decision", json.dumps(outcome), json.dumps(expected))


def _follows(told: ReceiptReport, record: Decision, entry: Entry, outcome: Any) -> dict[str, Any] | None:
    """The outcome of an entry that a record settles; None where it settles nothing."""
    lost = {"request": entry.request, "state": "lost"}
    match record:
        case Won(request, region, rank, unit) if request == entry.request and region == told.region:
            return {"request": request, "state": "won", "rank": rank, "unit": unit}
        case Won(request) if isinstance(outcome, dict) and outcome.get("reason") == "duplicate":
            told.not_checked.append(f"Whether {request} is of the same buyer: only the bundle of the sale tells.")
            return lost | {"reason": "duplicate", "of": request}
        case SoldOut():
            return lost | {"reason": "sold_out"}
        case CutOff(region, seq) if region == told.region and not guards.entry_counts(entry.seq, seq):
            return lost | {"reason": "cut_off"}
        case Cancelled():
            return lost | {"reason": "cancelled"}
        case Halted():
            return lost | {"reason": "halted"}
        case Closed("time"):
            return lost | {"reason": "closed"}
    return None


def _check_why(told: ReceiptReport, terms: Terms, entry: Entry, why: dict[str, Any]) -> None:
    """The numbers behind the outcome agree with entry, terms and with each other."""
    numbers = {name: why.get(name) for name in WHY - {"ticket", "pot"}}
    decimal = all(isinstance(each, str) and each.isascii() and each.isdigit() for each in numbers.values())
    _expect(why.keys() == WHY and decimal and isinstance(why["pot"], int), "why states place, window, pot and frontier")
    _expect(why["ticket"] is None or isinstance(why["ticket"], str), "a ticket is hex digits, or null")
    place_ns, window_ns, earliest_ns, frontier_ns = (
        int(why[name]) for name in ("place_ns", "tie_window_ns", "earliest_ns", "frontier_ns")
    )
    place = guards.place_ns(entry.stamp_ns, terms.opens_ns)
    _expect(place_ns == place, "the place is the stamp, or the opening where that is later", place_ns, place)
    _expect(window_ns == terms.tie_window_ns, "the window is the terms'", window_ns, terms.tie_window_ns)
    if isinstance(told.decision, Won) and told.decision.request == entry.request:
        within = earliest_ns <= place_ns and guards.in_pot(place_ns, earliest_ns, window_ns)
        _expect(within and why["pot"] >= 1, "whoever wins is in the pot that it was drawn from", place_ns, earliest_ns)
        complete = guards.pot_is_complete(earliest_ns, window_ns, frontier_ns, terms.last_stamp_ns)
        _expect(complete, "a pot is drawn from once nobody can join it any more", frontier_ns)


def _check_against(told: ReceiptReport, receipt: _Receipt, path: Path) -> None:
    """The bundle has what the receipt has."""
    with open_bundle(path) as bundle:
        case = Case(bundle, Wishes())
        check_terms(case)
        assert case.terms is not None
        sale = receipt.terms.sale()
        _expect(case.terms.sale() == sale, "receipt and bundle are of one sale", sale, case.terms.sale())
        _check_log(told, receipt, case)
        _check_decisions(told, receipt, case)
        _check_outcome(told, case)
        check_seed(case)
        if told.why is not None and told.why["ticket"] is not None and case.draw_key is not None:
            assert told.entry is not None
            drawn = f"{ticket(case.draw_key, sale, told.entry.buyer):064x}"
            _expect(told.why["ticket"] == drawn, "the ticket is the buyer's", told.why["ticket"], drawn)


def _check_log(told: ReceiptReport, receipt: _Receipt, case: Case) -> None:
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


def _who_dropped(receipt: _Receipt, case: Case, region: str) -> str:
    """Two signatures of a region that contradict each other convict it; else whoever wrote the bundle."""
    origin = region_origin(receipt.terms.sale(), region)
    try:
        text = case.bundle.text(f"checkpoints/regions/{region}", 1 << 16)
        read_checkpoint(FILE, None, text, receipt.keys.regions[region], origin, None)
    except FindingError:
        return "the arbiter, or whoever wrote the bundle: it leaves out what the region had signed"
    return f"region {region}: it signed this entry, and a log without it"


def _check_decisions(told: ReceiptReport, receipt: _Receipt, case: Case) -> None:
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
        _expect(int(told.why["frontier_ns"]) == frontier_ns, rule, told.why["frontier_ns"], frontier_ns)


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


def _check_pot(told: ReceiptReport, report: Report) -> None:
    """Against the replay: how many were in the pot that served the buyer, or in the last one."""
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
