"""A buyer's receipt: what one purchase can prove by itself, and against the bundle of its sale.

By itself: the terms are those of the sale that it names; the region's log had this very line, by the region's signature
and a Merkle path; the decision log had the record that settled it, by the arbiter's; the outcome follows. Keys come
from the terms, so nothing else need be believed. A reservation's says besides what its holder said and which unit was
held until when (`receipt_turn.py`). How it came about is derived, and must fit (`receipt_why.py`).

Against a bundle: `receipt_against.py`. Told for people by `story.py`.
"""

import json
from pathlib import Path
from typing import Any, Final

from model import guards, wire
from model.note import region_origin
from model.terms import Terms
from model.vocabulary import (
    Cancelled,
    Closed,
    Confirmed,
    CutOff,
    Decision,
    Entry,
    Expired,
    Halted,
    ListFull,
    Released,
    RequestId,
    SoldOut,
    Won,
)
from proofs.audit.decisions import kind
from proofs.audit.published import checked_terms
from proofs.audit.receipt_against import check_against
from proofs.audit.receipt_replayed import check_replayed
from proofs.audit.receipt_signed import checked_decision, is_in
from proofs.audit.receipt_told import FILE, Receipt, ReceiptReport, expect
from proofs.audit.receipt_turn import check_end, check_reply, check_turn
from proofs.audit.receipt_why import check_paid, check_why
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
RESERVATION_FIELDS: Final = {"turn", "reply"}


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
            check_replayed(told, report)
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
    expect(is_in(checkpoint, entry.seq - 1, stated["entry"], stated["path"]), rule, f"entry {entry.seq}")
    receipt = Receipt(stated, terms, terms.keys, checkpoint)
    if terms.kind == "reservation":
        check_turn(told, receipt, witness)
        check_reply(told, receipt)
    if entry.unit is not None:
        _check_sold(told, entry, stated)
    elif stated["decision"] is not None:
        _check_decision(told, receipt, stated["decision"], witness)
    elif stated["outcome"] is not None:
        raise FindingError(FILE, None, "an outcome comes with the decision that settled it")
    else:
        told.not_checked.append("What became of the purchase: it was not decided, or not signed, when this was made.")
    told.outcome, told.why = stated["outcome"], stated["why"]
    if entry.unit is None and stated["why"] is not None:
        check_why(told, terms, entry, stated["why"])
    return receipt


def _expect_form(stated: dict[str, Any]) -> None:
    terms = stated.get("terms")
    is_reservation = isinstance(terms, dict) and terms.get("kind") == "reservation"
    wrong = ", ".join(sorted(stated.keys() ^ (FIELDS | RESERVATION_FIELDS if is_reservation else FIELDS)))
    expect(not wrong, "a receipt has just the fields of a receipt", wrong)
    texts = all(isinstance(stated[name], str) for name in ("sale", "region", "entry", "checkpoint"))
    decision = stated["decision"]
    parts = isinstance(stated["terms"], dict) and isinstance(stated["seq"], int) and _is_path(stated["path"])
    expect(texts and parts, "every field of a receipt is of its kind")
    proofs = [] if decision is None else [decision]
    if is_reservation:
        expect(isinstance(stated["turn"], list), "a turn is a list of decisions")
        proofs += stated["turn"]
        reply = stated["reply"]
        fits = reply is None or _has_parts(reply, {"seq": int, "line": str, "path": list})
        expect(fits, "a reply states its number, line and path")
    for proof in proofs:
        fits = _has_parts(proof, {"index": int, "record": str, "checkpoint": str, "path": list})
        expect(fits, "a decision states index, record, checkpoint and path")
    for name in ("outcome", "why"):
        expect(isinstance(stated[name], dict | None), f"{name} is a record, or null")


def _has_parts(value: object, kinds: dict[str, type]) -> bool:
    """Whether a record has just these fields, each of its type, with a path that is one."""
    if not (isinstance(value, dict) and value.keys() == kinds.keys()):
        return False
    return all(isinstance(value[name], kind) for name, kind in kinds.items()) and _is_path(value["path"])


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
    expect((entry.price is not None) == (terms.kind == "auction"), "a bid has a price, and no other entry", terms.kind)
    enough = entry.price is None or guards.reaches_reserve(entry.price, terms.reserve_price)
    expect(enough, "no bid is below the reserve", entry.price, terms.reserve_price)
    home, _, random = entry.request.rpartition(".")
    expect(home == region and random != "", "the request is named after its region", entry.request, f"{region}.…")
    epsilon_ns = terms.skew_bound_ns
    expect(guards.bound_holds(entry.bound_ns, epsilon_ns), "the stamp's bound is at most ε", entry.bound_ns)
    early = guards.certainly_early(entry.stamp_ns, epsilon_ns, terms.entries_from_ns)
    late = guards.certainly_late(entry.stamp_ns, epsilon_ns, terms.closes_ns)
    expect(not early and not late, "the entry is neither certainly early nor certainly late", entry.stamp_ns)
    return entry


def _check_decision(told: ReceiptReport, receipt: Receipt, stated: dict[str, Any], witness: WitnessKey | None) -> None:
    """The arbiter signed a decision log that has the record, and the outcome follows from it."""
    record, receipt.decision_checkpoint = checked_decision(receipt, stated, witness)
    told.decision, told.decision_index = record, stated["index"]
    assert told.entry is not None
    outcome = receipt.stated["outcome"]
    expected = _follows(told, record, told.entry, outcome)
    expect(outcome == expected, "the outcome follows from the decision", json.dumps(outcome), json.dumps(expected))
    if isinstance(record, Won) and record.request == told.entry.request:
        check_paid(receipt.terms, told.entry, record)
    check_end(told, receipt.terms)


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
        case Won(request, region, rank, unit, price) if request == entry.request and region == told.region:
            pays = {} if price is None else {"price": price}
            return {"request": request, "state": "won", "rank": rank, "unit": unit, **pays}
        case Confirmed(request) if request == entry.request:
            held = told.held
            return None if held is None else {"request": request, "state": "won", "rank": held.rank, "unit": held.unit}
        case Won(request) | Confirmed(request) if isinstance(outcome, dict) and outcome.get("reason") == "duplicate":
            _say_same_buyer(told, request)
            return lost | {"reason": "duplicate", "of": request}
        case Released(request) | Expired(request):
            if request != entry.request:
                _say_same_buyer(told, request)
            return lost | {"reason": kind(record)}
        case ListFull() | SoldOut() | Cancelled() | Halted():
            return lost | {"reason": kind(record)}
        case CutOff(region, seq) if region == told.region and not guards.entry_counts(entry.seq, seq):
            return lost | {"reason": "cut_off"}
        case Closed("time"):
            is_auction = told.terms is not None and told.terms.kind == "auction"
            return lost | {"reason": "outbid" if is_auction else "closed"}
    return None


def _say_same_buyer(told: ReceiptReport, request: RequestId) -> None:
    told.not_checked.append(f"Whether {request} is of the same buyer: only the bundle of the sale tells.")
