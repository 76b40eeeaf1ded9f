"""The second stop: `terms.json` against the sale's id, and `seed.json` against what the terms committed to.

The terms are the law of one sale, fixed before anybody entered; the sale's id is their hash. The seed was committed to
in them. Where they name a round of a public randomness beacon, the draw key is SHA-256(seed ‖ the round's value), which
nobody knew before the round was published, the merchant included (`beacon.py`).
"""

from typing import Any, Final

from model.beacon import draw_key
from model.stated import TermsError
from model.terms import Terms, commitment, read_terms
from proofs.audit.beacon import read_value
from proofs.audit.case import Case
from proofs.audit.manifest import FILE as MANIFEST
from proofs.findings import FindingError

TERMS: Final = "terms.json"
SEED: Final = "seed.json"


def check_terms(case: Case) -> None:
    """The terms keep the rules of terms, are complete, and are the sale's."""
    stated = case.record(TERMS)
    case.terms = checked_terms(TERMS, stated)
    sale = case.terms.sale()
    if case.manifest.get("sale") != sale:
        case.found(MANIFEST, 1, "the sale's id is the hash of its terms", str(case.manifest.get("sale")), sale)


def checked_terms(file: str, stated: dict[str, Any]) -> Terms:
    """Terms as they are published.

    Raises:
        FindingError: no arbiter publishes such terms.
    """
    try:
        terms = read_terms(stated)
    except (TermsError, RecursionError) as error:
        raise FindingError(file, 1, "the terms keep the rules of terms", str(error)) from error
    if terms.stated != stated:
        raise FindingError(file, 1, "the terms are complete, with every default stated")
    if not terms.seed_commitment:
        raise FindingError(file, 1, "the terms state the commitment to the seed")
    return terms


def check_seed(case: Case) -> None:
    """The seed is the one committed to; with a beacon's value it gives the draw key."""
    stated = case.record(SEED)
    named = None if case.terms is None else case.terms.beacon
    wanted = {"seed"} | ({"beacon"} & stated.keys() if named is not None else set())
    if case.terms is not None and stated.keys() != wanted:
        rule = f"the file states {' and '.join(sorted(wanted, reverse=True))} and nothing else"
        raise FindingError(SEED, 1, rule, ", ".join(sorted(stated)))
    seed = _hex(stated.get("seed"), 32)
    if seed is None:
        raise FindingError(SEED, 1, "the seed is 64 lower-case hex digits")
    if case.terms is None:
        return
    if commitment(seed) != case.terms.seed_commitment:
        rule = "the seed is the one that the terms committed to"
        raise FindingError(SEED, 1, rule, commitment(seed), case.terms.seed_commitment)
    if named is None:
        case.draw_key = seed
    elif "beacon" in stated:
        case.beacon = read_value(SEED, named, stated["beacon"])
        case.draw_key = draw_key(seed, case.beacon)
        case.not_checked.append(
            f"That {named.chain.hash()} is the chain of the beacon “{named.chain.name}”: compare it with what its "
            "operators publish."
        )
    case.seed = seed


def _hex(text: object, size_bytes: int | None) -> bytes | None:
    """Bytes of lower-case hex digits; None where the text is not that, or of another length."""
    try:
        found = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        return None
    return found if found.hex() == text and size_bytes in {None, len(found)} else None
