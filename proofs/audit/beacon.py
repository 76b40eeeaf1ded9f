"""A public beacon's round: that its chain has really signed the value which decided the draw.

The terms state the chain whole, and its hash, by which the world knows it, is a hash of its key and clock; so an
auditor who trusts a hash needs nothing else. What is signed is `model/beacon.py`'s, the curve a library's (py_ecc).

That the value could not be known while anybody entered has two sides. The terms name a round that is published after
the last stamp there can be: `terms.py` refuses any other. And the arbiter must have recorded that all logs were at
their end before it was published, since a region that lies about time could still have let somebody in: where it says
that it looked later than that, an alarm says so.
"""

import sys
from hashlib import sha256
from typing import Any, Final

from model.beacon import CHAINED, UNCHAINED, Round, value_of
from model.vocabulary import BeaconValue
from proofs.audit.case import Case
from proofs.findings import FindingError

_SIGNED_IN: Final = {UNCHAINED: b"G1", CHAINED: b"G2"}


def read_value(file: str, named: Round, stated: Any) -> BeaconValue:
    """The round's value as `seed.json` tells it.

    Raises:
        FindingError: it is of another form, of another round, or not signed by the chain that the terms name.
    """
    fields = {"chain", "round", "value", "signature"} | (
        {"previous_signature"} if named.chain.scheme == CHAINED else set()
    )
    if not isinstance(stated, dict) or stated.keys() != fields:
        raise FindingError(file, 1, f"a beacon's entry states {', '.join(sorted(fields))}")
    for field, expected in (("chain", named.chain.hash()), ("round", named.number)):
        if stated[field] != expected:
            rule = f"the beacon's {field} is the one that the terms name"
            raise FindingError(file, 1, rule, str(stated[field]), str(expected))
    texts = stated["signature"], stated.get("previous_signature", "")
    if not all(isinstance(text, str) for text in texts):
        raise FindingError(file, 1, "a beacon's signatures are text")
    value = BeaconValue(named.number, *texts)
    wrong = named.wrong_with(value)
    if wrong is not None:
        raise FindingError(file, 1, "the beacon's signature has the form of its scheme", wrong)
    if stated["value"] != value_of(value).hex():
        rule = "the beacon's value is the SHA-256 of its signature"
        raise FindingError(file, 1, rule, str(stated["value"]), value_of(value).hex())
    if not is_signed(named, value):
        raise FindingError(file, 1, "the beacon's chain has signed the round", value.signature)
    return value


def is_signed(named: Round, value: BeaconValue) -> bool:
    """Whether the chain's key has signed the round: (key, hash) and (generator, signature) pair alike."""
    limit = sys.getrecursionlimit()
    from py_ecc.bls import g2_primitives as points  # noqa: PLC0415
    from py_ecc.bls import hash_to_curve  # noqa: PLC0415
    from py_ecc.optimized_bls12_381 import FQ12, G1, G2, final_exponentiate, is_inf, neg, pairing  # noqa: PLC0415

    sys.setrecursionlimit(limit)
    # The library raises it so far that a file nested deeply would end this process instead of being an error.
    group, key, signature = _SIGNED_IN[named.chain.scheme], named.chain.public_key, bytes.fromhex(value.signature)
    domain, message = b"BLS_SIG_BLS12381" + group + b"_XMD:SHA-256_SSWU_RO_NUL_", named.message(value)
    try:
        if group == b"G1":
            signed, by = points.pubkey_to_G1(signature), points.signature_to_G2(key)
            pairs = (G2, neg(signed)), (by, hash_to_curve.hash_to_G1(message, domain, sha256))
        else:
            signed, by = points.signature_to_G2(signature), points.pubkey_to_G1(key)
            pairs = (signed, neg(G1)), (hash_to_curve.hash_to_G2(message, domain, sha256), by)
    except ValueError:
        return False
    if is_inf(signed) or is_inf(by) or not (points.subgroup_check(signed) and points.subgroup_check(by)):
        return False
    product = FQ12.one()
    for in_g2, in_g1 in pairs:
        product *= pairing(in_g2, in_g1, final_exponentiate=False)
    return bool(final_exponentiate(product) == FQ12.one())


def check_entered(case: Case) -> None:
    """Every log's end was known before the round was."""
    if case.terms is None or case.terms.beacon is None or case.decided is None:
        return
    decided = case.decided
    if not decided.standing.is_complete:
        return
    late_ns = decided.looks.latest_ns[decided.over_at_look - 1] - case.terms.beacon.published_ns
    if late_ns >= 0:
        case.alarms.append(
            f"The arbiter saw the end of every log {late_ns / 1e9:,.1f} s after the beacon's round was published: "
            "until then a region or an arbiter that lies about time could let somebody in who knew the draw."
        )
