"""A purchase's receipt, believed only as far as it proves itself.

The check is the audit's own (`proofs/audit/receipt.py`): the terms are those that the sale's id is the hash of; the
region signed a log with this entry, the arbiter a decision log with what settled it; the outcome follows. What is added
here: that it is the receipt of the purchase that was asked about, and says what the purchase call said.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstcome.problems import ReceiptError
from firstcome.records import Purchase, PurchaseRef

if TYPE_CHECKING:
    from model.vocabulary import Entry
    from proofs.audit.receipt import ReceiptReport


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that was checked. Keep `content`: it is what proves, to others too (`firstcome audit --receipt`)."""

    content: bytes = field(repr=False)
    report: "ReceiptReport" = field(repr=False)
    entry: "Entry"
    """The line of the region's log."""

    @property
    def outcome(self) -> Mapping[str, Any] | None:
        """What became of the purchase; None while the arbiter has not signed that."""
        return self.report.outcome

    @property
    def why(self) -> Mapping[str, Any] | None:
        """How it was drawn; None before the sale is over."""
        return self.report.why

    def save(self, path: Path) -> Path:
        """Write it to a file."""
        path.write_bytes(self.content)
        return path


def checked(content: bytes, purchase: PurchaseRef | None = None) -> Receipt:
    """A receipt, if it proves what it says.

    Args:
        purchase: which one it must be the receipt of.

    Raises:
        ReceiptError: it does not.
    """
    # The audit's modules are many; who asks for no receipt need not wait for them.
    from proofs.audit.receipt import NotAReceiptError, check_receipt  # noqa: PLC0415

    try:
        report = check_receipt(content)
    except NotAReceiptError as error:
        raise ReceiptError([str(error)]) from error
    if not report.ok:
        raise ReceiptError(str(finding) for finding in report.findings)
    assert report.entry is not None
    assert report.terms is not None
    wrong = [] if purchase is None else list(_contradictions(report, report.entry, purchase))
    if wrong:
        raise ReceiptError(wrong)
    return Receipt(content, report, report.entry)


def _contradictions(report: "ReceiptReport", entry: "Entry", purchase: PurchaseRef) -> Iterator[str]:
    """What a sound receipt says otherwise than the purchase."""
    assert report.terms is not None
    proved: dict[str, object] = {"sale": report.terms.sale(), "id": entry.request}
    if purchase.buyer:
        proved["buyer"] = entry.buyer
    if isinstance(purchase, Purchase):
        proved |= {"seq": entry.seq, "stamp_ns": entry.stamp_ns, "bound_ns": entry.bound_ns}
        if purchase.state in {"won", "lost"} and report.outcome is not None:
            proved |= {name: report.outcome.get(name) for name in ("state", "rank", "unit", "reason", "of")}
    for name, found in proved.items():
        if getattr(purchase, name) != found:
            yield f"the receipt says {name} {found}, the purchase {getattr(purchase, name)}"
