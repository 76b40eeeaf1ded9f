"""Whether a beacon's round was really signed by its chain. As a program of its own, so that nobody waits for it.

One verification is a pairing in pure Python, a third of a second of computing, which neither a gateway nor the arbiter
has on its event loop: `is_genuine` runs this very file as a child process. What is signed is `model/beacon.py`'s; the
curve is a library's (py_ecc). The audit has a reading of its own (`proofs/audit/beacon.py`).
"""

import asyncio
import hashlib
import json
import sys
from typing import Final

from model.beacon import CHAINED, UNCHAINED, Round, read_round
from model.vocabulary import BeaconValue

_DOMAINS: Final = {
    UNCHAINED: b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_",
    CHAINED: b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_",
}
"""RFC 9380's domain separation, of the group that signatures are in."""


async def is_genuine(named: Round, value: BeaconValue) -> bool:
    """Whether a value is that of the round, verified in a process of its own."""
    if named.wrong_with(value) is not None:
        return False
    asked = json.dumps([named.stated(), value.signature, value.previous_signature]).encode()
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service.evidence.beacon"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        answer, _ = await child.communicate(asked)
    except asyncio.CancelledError:
        child.kill()
        raise
    return answer == b"genuine\n"


def is_signed(named: Round, value: BeaconValue) -> bool:
    """Whether a value of the right form bears the chain's signature: e(signature, g) = e(hash of what is signed, key).

    For a process that reads nothing deeply nested afterwards: py_ecc raises Python's recursion limit when imported.
    """
    from py_ecc.bls.g2_primitives import pubkey_to_G1, signature_to_G2, subgroup_check  # noqa: PLC0415
    from py_ecc.bls.hash_to_curve import hash_to_G1, hash_to_G2  # noqa: PLC0415
    from py_ecc.optimized_bls12_381 import G1, G2, is_inf, pairing  # noqa: PLC0415

    chain = named.chain
    in_g1, in_g2 = value.signature, chain.public_key.hex()
    if chain.scheme == CHAINED:
        in_g1, in_g2 = in_g2, in_g1
    try:
        small, large = pubkey_to_G1(bytes.fromhex(in_g1)), signature_to_G2(bytes.fromhex(in_g2))
    except ValueError:
        return False
    if any(is_inf(point) or not subgroup_check(point) for point in (small, large)):
        return False
    hashed_to = hash_to_G1 if chain.scheme == UNCHAINED else hash_to_G2
    hashed = hashed_to(named.message(value), _DOMAINS[chain.scheme], hashlib.sha256)
    if chain.scheme == UNCHAINED:
        return bool(pairing(G2, small) == pairing(large, hashed))
    return bool(pairing(large, G1) == pairing(hashed, small))


def main() -> None:
    """Answer one question, asked as JSON on standard input: the round as terms state it, and two signatures."""
    stated, signature, previous = json.load(sys.stdin)
    named = read_round(stated, 0)
    value = BeaconValue(named.number, signature, previous)
    genuine = named.wrong_with(value) is None and is_signed(named, value)
    sys.stdout.write("genuine\n" if genuine else "forged\n")


if __name__ == "__main__":
    main()
