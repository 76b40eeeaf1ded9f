"""What a receipt says, and what an audit of it came to. Nothing is checked here: `receipt.py` does, and
`receipt_against.py`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from model.note import Checkpoint
from model.stated import Keys
from model.terms import Terms
from model.vocabulary import Decision, Entry, Held, Listed, Reply
from proofs.findings import Finding, FindingError

FILE: Final = "receipt"


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
    turn: list[tuple[int, Listed | Held]] = field(default_factory=list)
    """In a reservation, the records that gave a place on the list and a unit, with their numbers."""
    reply: Reply | None = None
    """What the holder said, as it was logged."""
    outcome: Mapping[str, Any] | None = None
    why: Mapping[str, Any] | None = None

    @property
    def held(self) -> Held | None:
        """The unit that was held."""
        return next((record for _, record in self.turn if isinstance(record, Held)), None)

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
class Receipt:
    """The receipt's own parts, once they hold."""

    stated: Mapping[str, Any]
    terms: Terms
    keys: Keys
    checkpoint: Checkpoint
    decision_checkpoint: Checkpoint | None = None


def expect(holds: bool, rule: str, found: object = "", expected: object = "") -> None:
    """Raise FindingError about the receipt where a rule does not hold."""
    if not holds:
        raise FindingError(FILE, None, rule, str(found), str(expected))
