"""The first stop: `manifest.json` against every file. None missing, added or changed; the manifest's own signature.

A manifest binds the files together, no more: whoever can write it can write another. What makes it somebody's word is
the signature, checked in `signing.py` once the terms have said whose it must be.
"""

from typing import Final

from proofs.audit.case import Case
from proofs.findings import FindingError, shortened

FILE: Final = "manifest.json"
FORMAT: Final = "firstcome-bundle/1"
FIELDS: Final = frozenset({"format", "sale", "files", "heads", "signature"})


def check_manifest(case: Case) -> None:
    """Every file is the one that the manifest names."""
    case.manifest = case.record(FILE)
    if case.manifest.get("format") != FORMAT:
        raise FindingError(FILE, 1, "the format is one that this audit knows", str(case.manifest.get("format")), FORMAT)
    for foreign in sorted(case.manifest.keys() - FIELDS):
        case.found(FILE, 1, "a manifest states format, sale, files, heads and signature", foreign)
    listed = case.manifest.get("files")
    if not isinstance(listed, dict):
        raise FindingError(FILE, 1, "a manifest states every file's SHA-256")
    for missing in sorted(listed.keys() - set(case.bundle.names)):
        case.found(shortened(missing), None, "every file of the manifest is there")
    for file in case.bundle.names:
        if file == FILE:
            continue
        if file not in listed:
            case.found(file, None, "every file is in the manifest")
        elif (digest := case.bundle.sha256(file)) != listed[file]:
            case.found(file, None, "the file's SHA-256 is the manifest's", digest, str(listed[file]))


def check_heads(case: Case) -> None:
    """The manifest names the chains of this sale."""
    if case.terms is None or not case.manifest:
        return
    heads = case.manifest.get("heads")
    wanted = {"decisions", *(f"regions/{region}" for region in case.terms.regions)}
    if not isinstance(heads, dict) or heads.keys() != wanted:
        wrong = ", ".join(sorted((heads if isinstance(heads, dict) else {}).keys() ^ wanted))
        case.found(FILE, 1, "the manifest states the head of every chain and of nothing else", wrong)
