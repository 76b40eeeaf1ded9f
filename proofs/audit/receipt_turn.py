"""A reservation's receipt: the place on the list and the unit that was held, as the arbiter signed it; what the holder
said, as the region did; and that what became of it can follow from that.

A holder has this in hand before anything is settled: the arbiter's word that the unit is held until then, and the
region's that the confirmation is logged, with a stamp. What is shown by itself of a confirmation in time is that no
honest arbiter lets that hold expire, unless the region was cut off before the line was read.
"""

from model import guards
from model.replies import parse_line
from model.terms import Terms
from model.vocabulary import Confirmed, Expired, Held, Listed, Released, Reply
from proofs.audit.receipt_signed import checked_decision, is_in
from proofs.audit.receipt_told import FILE, Receipt, ReceiptReport, expect
from proofs.findings import FindingError
from proofs.signatures import WitnessKey


def check_turn(told: ReceiptReport, receipt: Receipt, witness: WitnessKey | None) -> None:
    """Each record is signed and about this purchase: listed, then held, or held at once, at one place.

    Raises:
        FindingError: one is not.
    """
    entry, terms = told.entry, receipt.terms
    assert entry is not None
    for stated in receipt.stated["turn"]:
        record, _ = checked_decision(receipt, stated, witness)
        if not isinstance(record, Listed | Held):
            raise FindingError(FILE, None, "a turn is listed, then held", stated["record"])
        is_ours = record.request == entry.request and record.region == told.region
        expect(is_ours, "a turn is of this purchase", record.request, entry.request)
        expect(record.rank < terms.places, "a place is one of the list's", record.rank, f"below {terms.places}")
        if isinstance(record, Held):
            expect(record.unit < terms.stock, "a unit is one of the stock", record.unit, f"below {terms.stock}")
        told.turn.append((stated["index"], record))
    kinds = [type(record) for _, record in told.turn]
    rises = all(one < other for (one, _), (other, _) in zip(told.turn, told.turn[1:], strict=False))
    expect(kinds in ([], [Listed], [Held], [Listed, Held]) and rises, "a turn is listed, then held")
    ranks = {record.rank for _, record in told.turn}
    expect(len(ranks) < 2, "a purchase has one place on the list", sorted(ranks))


def check_reply(told: ReceiptReport, receipt: Receipt) -> None:
    """What the holder said is in the log that the region has signed, behind the entry.

    Raises:
        FindingError: it is not.
    """
    stated, entry = receipt.stated["reply"], told.entry
    if stated is None or entry is None:
        return
    try:
        reply = parse_line(stated["line"].encode())
    except ValueError as error:
        raise FindingError(FILE, None, "the reply is a canonical record", str(error)) from error
    if not isinstance(reply, Reply):
        raise FindingError(FILE, None, "the reply is a confirmation or a release", stated["line"])
    expect(reply.seq == stated["seq"], "the reply has the number that is stated", reply.seq, stated["seq"])
    expect(reply.purchase == entry.request, "the reply is about this purchase", reply.purchase, entry.request)
    expect(reply.seq > entry.seq, "a reply comes after the entry that it is about", reply.seq, f"above {entry.seq}")
    bound_holds = guards.bound_holds(reply.bound_ns, receipt.terms.skew_bound_ns)
    expect(bound_holds, "the reply's bound is at most ε", reply.bound_ns)
    rule = "the region signed a log that has the reply in this place"
    expect(is_in(receipt.checkpoint, reply.seq - 1, stated["line"], stated["path"]), rule, f"line {reply.seq}")
    told.reply = reply


def check_end(told: ReceiptReport, terms: Terms) -> None:
    """How the hold ended can follow from what the receipt shows of it.

    Raises:
        FindingError: it cannot.
    """
    record, held, reply, entry = told.decision, told.held, told.reply, told.entry
    if not isinstance(record, Confirmed | Released | Expired) or entry is None or record.request != entry.request:
        return
    if held is None:
        raise FindingError(FILE, None, "what ends a hold comes with the record of what was held")
    assert told.decision_index is not None
    expect(all(index < told.decision_index for index, _ in told.turn), "a hold ends after it began")
    if reply is None:
        if not isinstance(record, Expired):
            told.not_checked.append("What the holder said: the receipt does not show it; the bundle of the sale does.")
        return
    in_time = reply.says == "confirm" and guards.confirms_in_time(reply.stamp_ns, terms.skew_bound_ns, held.until_ns)
    if isinstance(record, Confirmed) and reply.says == "confirm":
        expect(in_time, "a confirmation counts that came certainly before the hold was over", reply.stamp_ns)
    if isinstance(record, Expired) and in_time:
        told.not_checked.append(
            f"Whether {told.region} was cut off before its line {reply.seq} was read: that is a confirmation in time, "
            "and otherwise the hold could not have expired. The bundle of the sale tells."
        )


def confirmed_in_vain(told: ReceiptReport, terms: Terms) -> bool:
    """Whether the hold is said to have expired although the receipt shows a confirmation in time."""
    held, reply = told.held, told.reply
    if not isinstance(told.decision, Expired) or held is None or reply is None or reply.says != "confirm":
        return False
    return guards.confirms_in_time(reply.stamp_ns, terms.skew_bound_ns, held.until_ns)
