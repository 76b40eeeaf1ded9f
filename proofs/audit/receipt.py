"""A buyer's receipt: what one purchase can prove by itself, and against the bundle of its sale.

By itself: the terms are those of the sale that it names; the region's log had this very line, by the region's signature
and a Merkle path; the decision log had the record that settled it, by the arbiter's; the outcome follows. Keys come
from the terms, so nothing else need be believed.

Against a bundle: `receipt_against.py`. Told for people by `story.py`.
"""

import json
from pathlib import Path
from typing import Any, Final

from model import guards, wire
from model.merkle import includes
from model.note import Checkpoint, NoteError, decisions_origin, path_bytes, region_origin
from model.terms import Terms
from model.vocabulary import Cancelled, Closed, Contradiction, CutOff, Decision, Entry, Halted, SoldOut, Won
from proofs.audit.published import checked_terms
from proofs.audit.receipt_against import check_against, check_pot
from proofs.audit.receipt_told import FILE, Receipt, ReceiptReport, expect
from proofs.audit.report import Report
from proofs.audit.signing import read_checkpoint
from proofs.findings import FindingError
from proofs.signatures import WitnessKey

__all__ = ["NotAReceiptError", "ReceiptReport", "audit_receipt", "check_receipt"]

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


class NotAReceiptError(Exception):
    """There is no receipt at this path; says why in one line."""


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
    stated = _read(str(path), _content(path))
    try:
        receipt = _check(told, stated, witness)
        if bundle is not None:
            check_against(told, receipt, bundle)
        if report is not None:
            check_pot(told, report)
    except FindingError as error:
        told.findings.append(error.finding)
    return told


def check_receipt(content: bytes, witness: WitnessKey | None = None) -> ReceiptReport:
    """Check a receipt by itself, as it came.

    Raises:
        NotAReceiptError: it is none.
    """
    told = ReceiptReport(FILE)
    stated = _read(f"this {FILE}", content)
    try:
        _check(told, stated, witness)
    except FindingError as error:
        told.findings.append(error.finding)
    return told


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_RECEIPT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise NotAReceiptError(f"{path} cannot be read ({error})") from error


def _read(name: str, content: bytes) -> dict[str, Any]:
    if len(content) > LONGEST_RECEIPT_BYTES:
        raise NotAReceiptError(f"{name} is longer than any receipt")
    try:
        stated = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NotAReceiptError(f"{name} is no receipt: {error}") from error
    if not isinstance(stated, dict) or stated.get("format") != FORMAT:
        raise NotAReceiptError(f"{name} is no receipt: it does not say that its format is {FORMAT}")
    return stated


def _check(told: ReceiptReport, stated: dict[str, Any], witness: WitnessKey | None) -> Receipt:
    """Everything that the receipt can prove by itself."""
    _expect_form(stated)
    terms = told.terms = checked_terms(FILE, stated["terms"])
    expect(stated["sale"] == terms.sale(), "the sale's id is the hash of its terms", stated["sale"], terms.sale())
    region = told.region = stated["region"]
    expect(region in terms.regions, "the region is one that the terms name", region)
    entry = told.entry = _entry(terms, region, stated)
    if terms.keys is None:
        raise FindingError(FILE, None, "the terms name who signs", "they name nobody, so nothing here is proved")
    origin = region_origin(terms.sale(), region)
    checkpoint = read_checkpoint(FILE, None, stated["checkpoint"], terms.keys.regions[region], origin, witness)
    rule = "the region signed a log that has the entry in this place"
    expect(_is_in(checkpoint, entry.seq - 1, stated["entry"], stated["path"]), rule, f"entry {entry.seq}")
    receipt = Receipt(stated, terms, terms.keys, checkpoint)
    if entry.unit is not None:
        _check_sold(told, entry, stated)
    elif stated["decision"] is not None:
        _check_decision(told, receipt, stated["decision"], witness)
    elif stated["outcome"] is not None:
        raise FindingError(FILE, None, "an outcome comes with the decision that settled it")
    else:
        told.not_checked.append("What became of the purchase: it was not decided, or not signed, when this was made.")
    if entry.unit is None and stated["why"] is not None:
        _check_why(told, terms, entry, stated["why"])
    told.outcome, told.why = stated["outcome"], stated["why"]
    return receipt


def _expect_form(stated: dict[str, Any]) -> None:
    wrong = ", ".join(sorted(stated.keys() ^ FIELDS))
    expect(not wrong, "a receipt has just the fields of a receipt", wrong)
    texts = all(isinstance(stated[name], str) for name in ("sale", "region", "entry", "checkpoint"))
    decision = stated["decision"]
    parts = isinstance(stated["terms"], dict) and isinstance(stated["seq"], int) and _is_path(stated["path"])
    expect(texts and parts, "every field of a receipt is of its kind")
    if decision is not None:
        kinds = {"index": int, "record": str, "checkpoint": str, "path": list}
        fits = isinstance(decision, dict) and decision.keys() == kinds.keys()
        fits = fits and all(isinstance(decision[name], kind) for name, kind in kinds.items())
        expect(fits and _is_path(decision["path"]), "a decision states index, record, checkpoint and path")
    for name in ("outcome", "why"):
        expect(isinstance(stated[name], dict | None), f"{name} is a record, or null")


def _is_path(value: object) -> bool:
    return isinstance(value, list) and len(value) <= 64 and all(isinstance(each, str) for each in value)


def _entry(terms: Terms, region: str, stated: dict[str, Any]) -> Entry:
    try:
        entry = wire.parse_log_line(stated["entry"].encode())
    except ValueError as error:
        raise FindingError(FILE, None, "the entry is a canonical request record", str(error)) from error
    expect(entry.seq == stated["seq"], "the entry has the number that is stated", entry.seq, stated["seq"])
    sells = terms.method != "ordered"
    expect((entry.unit is not None) == sells, "units are in entries where they are sold at the door", terms.method)
    home, _, random = entry.request.rpartition(".")
    expect(home == region and random != "", "the request is named after its region", entry.request, f"{region}.…")
    epsilon_ns = terms.skew_bound_ns
    expect(guards.bound_holds(entry.bound_ns, epsilon_ns), "the stamp's bound is at most ε", entry.bound_ns)
    early = guards.certainly_early(entry.stamp_ns, epsilon_ns, terms.entries_from_ns)
    late = guards.certainly_late(entry.stamp_ns, epsilon_ns, terms.closes_ns)
    expect(not early and not late, "the entry is neither certainly early nor certainly late", entry.stamp_ns)
    return entry


def _is_in(checkpoint: Checkpoint, index: int, line: str, path: list[str]) -> bool:
    try:
        return includes(checkpoint.root, checkpoint.size, line.encode(), index, path_bytes(path))
    except NoteError as error:
        raise FindingError(FILE, None, "a Merkle path is a list of hashes in base64", str(error)) from error


def _check_decision(told: ReceiptReport, receipt: Receipt, stated: dict[str, Any], witness: WitnessKey | None) -> None:
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
    expect(_is_in(checkpoint, index, stated["record"], stated["path"]), rule, f"record {index}")
    assert told.entry is not None
    outcome = receipt.stated["outcome"]
    expected = _follows(told, record, told.entry, outcome)
    expect(outcome == expected, "the outcome follows from the decision", json.dumps(outcome), json.dumps(expected))


def _check_sold(told: ReceiptReport, entry: Entry, stated: dict[str, Any]) -> None:
    """At the door the entry says itself what the buyer got: nobody has to decide anything, nothing is drawn."""
    drawn = ", ".join(name for name in ("decision", "why") if stated[name] is not None)
    expect(not drawn, "a unit that was sold at the door hangs on no decision", drawn)
    expected = {"request": entry.request, "state": "won", "unit": entry.unit}
    rule = "whoever has an entry of a sale at the door has won the unit in it"
    expect(stated["outcome"] == expected, rule, json.dumps(stated["outcome"]), json.dumps(expected))
    told.not_checked.append("That nobody else got this unit: only an audit of the sale's bundle tells.")


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
    expect(why.keys() == WHY and decimal and isinstance(why["pot"], int), "why states place, window, pot and frontier")
    expect(why["ticket"] is None or isinstance(why["ticket"], str), "a ticket is hex digits, or null")
    place_ns, window_ns, earliest_ns, frontier_ns = (
        int(why[name]) for name in ("place_ns", "tie_window_ns", "earliest_ns", "frontier_ns")
    )
    place = guards.place_ns(entry.stamp_ns, terms.opens_ns)
    expect(place_ns == place, "the place is the stamp, or the opening where that is later", place_ns, place)
    expect(window_ns == terms.tie_window_ns, "the window is the terms'", window_ns, terms.tie_window_ns)
    if isinstance(told.decision, Won) and told.decision.request == entry.request:
        within = earliest_ns <= place_ns and guards.in_pot(place_ns, earliest_ns, window_ns)
        expect(within and why["pot"] >= 1, "whoever wins is in the pot that it was drawn from", place_ns, earliest_ns)
        complete = guards.pot_is_complete(earliest_ns, window_ns, frontier_ns, terms.last_stamp_ns)
        expect(complete, "a pot is drawn from once nobody can join it any more", frontier_ns)
