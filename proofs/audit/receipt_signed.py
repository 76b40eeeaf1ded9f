"""What a receipt shows as signed: that a line is in a log whose root somebody has signed."""

from typing import Any

from model import wire
from model.merkle import includes
from model.note import Checkpoint, NoteError, decisions_origin, path_bytes
from model.vocabulary import Contradiction, Decision
from proofs.audit.receipt_told import FILE, Receipt, expect
from proofs.audit.signing import read_checkpoint
from proofs.findings import FindingError
from proofs.signatures import WitnessKey


def is_in(checkpoint: Checkpoint, index: int, line: str, path: list[str]) -> bool:
    """Whether a path leads from a line, counted from 0, to the root that was signed.

    Raises:
        FindingError: it is no path.
    """
    try:
        return includes(checkpoint.root, checkpoint.size, line.encode(), index, path_bytes(path))
    except NoteError as error:
        raise FindingError(FILE, None, "a Merkle path is a list of hashes in base64", str(error)) from error


def checked_decision(
    receipt: Receipt, stated: dict[str, Any], witness: WitnessKey | None
) -> tuple[Decision, Checkpoint]:
    """A record of the decision log that the receipt states, and the checkpoint that has it.

    Raises:
        FindingError: it is no record of its number, or the arbiter has not signed a log that has it.
    """
    index, origin = stated["index"], decisions_origin(receipt.terms.sale())
    try:
        record = wire.parse_decision_line(index, stated["record"].encode())
    except Contradiction as error:
        raise FindingError(FILE, None, "the decision is a well-formed record of its number", error.rule) from error
    checkpoint = read_checkpoint(FILE, None, stated["checkpoint"], receipt.keys.arbiter, origin, witness)
    rule = "the arbiter signed a decision log that has the record in this place"
    expect(is_in(checkpoint, index, stated["record"], stated["path"]), rule, f"record {index}")
    return record, checkpoint
