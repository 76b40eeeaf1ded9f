"""The third stop: who signed. Keys come from the terms, so nobody can change them afterwards; all else hangs on them.

The manifest is signed by the arbiter. Each log has a checkpoint, a signed note that says how many lines it had, their
Merkle root and their hash-chain head: a region's by that region, the decision log's by the arbiter. So a forgery that
is consistent in itself, written anew from end to end and signed with other keys, is found here; and what is signed
with the right keys convicts whoever holds them.

The checkpoints are read before the logs; root and head at their sizes are taken while the logs are streamed, and
compared at the end (`check_against_logs`). A checkpoint may be of fewer lines than a log that was cut off holds, and of
more than is exported of it; of any other log it must cover the whole.
"""

from hashlib import sha256

from model.note import (
    LONGEST_NOTE_BYTES,
    Checkpoint,
    Note,
    NoteError,
    VerifierKey,
    decisions_origin,
    parse_checkpoint,
    parse_note,
    region_origin,
)
from model.vocabulary import Fenced
from model.wire import canonical
from proofs.audit.case import DECISIONS, Case, log_file
from proofs.audit.manifest import FILE as MANIFEST
from proofs.audit.manifest import FORMAT
from proofs.findings import FindingError
from proofs.signatures import WitnessKey, is_signed_by, is_witnessed_by


def check_signatures(case: Case) -> None:
    """The manifest's signature, and that every checkpoint is there and signed by whom it should be."""
    if case.terms is None:
        return
    case.keys = case.terms.keys
    if case.keys is None:
        _expect_nothing_signed(case)
        return
    _check_manifest(case, case.keys.arbiter, case.terms.sale())
    sale = case.terms.sale()
    wanted = {"decisions": (case.keys.arbiter, decisions_origin(sale))}
    wanted |= {f"regions/{name}": (key, region_origin(sale, name)) for name, key in case.keys.regions.items()}
    for name in case.bundle.names:
        if name.startswith("checkpoints/") and name.removeprefix("checkpoints/") not in wanted:
            case.found(name, None, "every checkpoint is of a log of this sale")
    for log, (key, origin) in wanted.items():
        if f"checkpoints/{log}" not in case.bundle.names:
            continue  # whether it may be missing hangs on the decisions: see `check_against_logs`
        try:
            case.checkpoints[log] = _checkpoint(case, log, key, origin)
        except FindingError as error:
            case.keep(error.finding)


def _expect_nothing_signed(case: Case) -> None:
    """Signatures that nobody can hold to a key of the terms would only look like evidence."""
    if "signature" in case.manifest:
        case.found(MANIFEST, 1, "a manifest is signed only where the terms name keys")
    for name in case.bundle.names:
        if name.startswith("checkpoints/"):
            case.found(name, None, "checkpoints are there only where the terms name keys")
    if case.wishes.witness is not None:
        case.found(
            MANIFEST, 1, "every checkpoint is cosigned by the witness", "there are none", str(case.wishes.witness)
        )


def _check_manifest(case: Case, key: VerifierKey, sale: str) -> None:
    stated = case.manifest.get("signature")
    if not isinstance(stated, str):
        case.found(MANIFEST, 1, "the manifest is signed by the arbiter", "it has no signature", key.name)
        return
    try:
        note = parse_note(stated)
    except NoteError as error:
        case.found(MANIFEST, 1, "the manifest's signature is a signed note", str(error))
        return
    unsigned = {field: value for field, value in case.manifest.items() if field != "signature"}
    expected = f"{FORMAT}\n{sale}\n{sha256(canonical(unsigned)).hexdigest()}\n"
    if note.text != expected:
        case.found(MANIFEST, 1, "the manifest's signature is of this manifest", note.text, expected)
    elif not is_signed_by(note, key):
        case.found(MANIFEST, 1, "the manifest is signed by the arbiter", _signers(note), str(key))


def _checkpoint(case: Case, log: str, key: VerifierKey, origin: str) -> Checkpoint:
    file = f"checkpoints/{log}"
    return read_checkpoint(file, None, case.bundle.text(file, LONGEST_NOTE_BYTES), key, origin, case.wishes.witness)


def read_checkpoint(
    file: str, line: int | None, text: str, key: VerifierKey, origin: str, witness: WitnessKey | None
) -> Checkpoint:
    """What was signed of a log.

    Raises:
        FindingError: it is no checkpoint, of another log, or not signed by the key, or not by the witness.
    """
    try:
        note = parse_note(text)
        checkpoint = parse_checkpoint(note.text)
    except NoteError as error:
        raise FindingError(file, line, "a checkpoint is a signed note about a log", str(error)) from error
    if checkpoint.origin != origin:
        raise FindingError(file, line, "a checkpoint names the log that it is of", checkpoint.origin, origin)
    if not is_signed_by(note, key):
        rule = "a checkpoint is signed by the key that the terms name"
        raise FindingError(file, line, rule, _signers(note), str(key))
    if witness is not None and not is_witnessed_by(note, witness):
        raise FindingError(file, line, "every checkpoint is cosigned by the witness", _signers(note), str(witness))
    return checkpoint


def check_against_logs(case: Case) -> None:
    """What was signed is what is there: size, root and head of every checkpoint."""
    sizes = {f"regions/{name}": log.lines for name, log in (case.logs or {}).items()}
    if case.decided is not None:
        sizes["decisions"] = case.decided.records
    if case.keys is not None and case.logs is not None:
        _expect_all(case, {"decisions", *sizes})
    for log, size in sizes.items():
        checkpoint = case.checkpoints.get(log)
        if checkpoint is None:
            continue
        at = case.at_checkpoint.get(log)
        if checkpoint.size != size and (not _may_differ(case, log) or _went_on(case, log, size, checkpoint.size)):
            rule = "a checkpoint covers the whole log, and the log all of the checkpoint"
            case.found(_file(log), size or None, rule, f"{size} lines", f"{checkpoint.size} lines, as signed")
        elif at is None:
            name = log.removeprefix("regions/")
            told = f"What {name} logged beyond its {size:,} lines here: it signed a log of {checkpoint.size:,}."
            case.not_checked.append(told)
        elif at != (checkpoint.root, checkpoint.head) and _is_accused(case, log):
            name = log.removeprefix("regions/")
            case.not_checked.append(
                f"What {name} really logged: it signed another log of {size:,} entries than this one, and the sale was "
                "halted because it contradicts itself."
            )
        elif at[1] != checkpoint.head:
            case.found(f"checkpoints/{log}", 4, "the head that was signed is the log's", checkpoint.head, at[1])
        elif at[0] != checkpoint.root:
            rule = "the Merkle root that was signed is the log's"
            case.found(f"checkpoints/{log}", 3, rule, checkpoint.root.hex(), at[0].hex())


def _expect_all(case: Case, logs: set[str]) -> None:
    """Every log has a checkpoint, but for what a region that was cut off, or a halt, could not sign any more."""
    for log in sorted(logs):
        if f"checkpoints/{log}" in case.bundle.names:
            continue
        if case.decided is not None and _may_differ(case, log):
            case.not_checked.append(
                f"Whether {log.removeprefix('regions/')} would sign its log: no checkpoint of it came."
            )
        else:
            case.found(f"checkpoints/{log}", None, "every file of a bundle is there", "it is missing")


def _may_differ(case: Case, log: str) -> bool:
    """Whether a region may have signed more or fewer lines than the bundle has of it: it was cut off, or the sale was
    halted; or the decisions, which would tell, do not hold themselves."""
    if log == "decisions":
        return False
    if case.decided is None:
        return True
    standing = case.decided.standing
    return log.removeprefix("regions/") in standing.cut_offs or standing.halted is not None


def _went_on(case: Case, log: str, size: int, signed: int) -> bool:
    """Whether a region has signed more than it had when it was fenced out: it had been stopped before, and its log read
    to the end."""
    fenced = () if case.decided is None else case.decided.decisions
    names = {each.region for each in fenced if isinstance(each, Fenced)}
    return signed > size and log.removeprefix("regions/") in names


def _is_accused(case: Case, log: str) -> bool:
    """Whether the sale was halted because this region's log contradicts itself: what it signed then is evidence of
    that, and no reason to doubt the bundle."""
    halted = None if case.decided is None else case.decided.standing.halted
    return halted is not None and halted.startswith(f"region {log.removeprefix('regions/')}: ")


def _file(log: str) -> str:
    return DECISIONS if log == "decisions" else log_file(log.removeprefix("regions/"))


def _signers(note: Note) -> str:
    return "signed by " + (", ".join(f"{each.name}+{each.key_hash.hex()}" for each in note.signatures) or "nobody")
