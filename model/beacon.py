"""A round of a public randomness beacon (drand), whose value decides a draw together with the seed. Pure.

A merchant who draws the seed could look for buyers' names with low tickets before the sale. Terms may therefore name a
round of a beacon that is published only when nobody can enter any more: the draw key is SHA-256(seed ‖ value), known to
nobody before. A beacon's chain is a public key and a clock: round n is published at genesis + (n − 1)·period, and is a
threshold BLS signature of its number (and, in chained schemes, of the signature before), so there is only one that
anybody could publish. Its value is the signature's SHA-256.

The chain's hash, by which the world knows it, is a hash of all that is said of it here; so whoever knows the hash knows
the key. Here is what is signed and what follows; the pairing itself is a library's (`service/evidence/beacon.py`,
`proofs/audit/beacon.py`). When a round may be named: `guards.is_unknown_while_entering`, asked by `terms.py`.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from model import guards
from model.vocabulary import NANOSECONDS_IN_SECOND, BeaconValue

UNCHAINED: Final = "bls-unchained-g1-rfc9380"
"""Signatures in G1, keys in G2; signs the round's number."""
CHAINED: Final = "pedersen-bls-chained"
"""Signatures in G2, keys in G1; signs the signature before and the round's number."""

KEY_BYTES: Final[Mapping[str, int]] = {UNCHAINED: 96, CHAINED: 48}
SIGNATURE_BYTES: Final[Mapping[str, int]] = {UNCHAINED: 48, CHAINED: 96}
"""By scheme, of compressed points."""
HASH_BYTES: Final = 32
LONGEST_PERIOD_S: Final = 86_400
LARGEST_ROUND: Final = 2**53 - 1
_GREATEST_S: Final = 9 * 10**9
_NO_NAME: Final = "default"
"""The one name that is not part of a chain's hash."""
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Chain:
    """One beacon, as its operators publish it (`/info`): key, clock, and what tells it from others."""

    scheme: str
    public_key: bytes
    period_s: int
    genesis_s: int
    genesis_seed: bytes
    """`groupHash` in drand's words; what the first signature of a chained scheme signs."""
    name: str
    """`beaconID`."""

    def hash(self) -> str:
        """What the world calls it, as drand computes it: hex SHA-256."""
        named = b"" if self.name == _NO_NAME else self.name.encode()
        clock = self.period_s.to_bytes(4, "big") + self.genesis_s.to_bytes(8, "big")
        return hashlib.sha256(clock + self.public_key + self.genesis_seed + named).hexdigest()

    def round_after(self, moment_ns: int) -> int:
        """The first round that is published later than a moment."""
        since_ns = moment_ns - self.genesis_s * NANOSECONDS_IN_SECOND
        return max(1, since_ns // (self.period_s * NANOSECONDS_IN_SECOND) + 2)


@dataclass(frozen=True, slots=True)
class Round:
    """The round that terms name."""

    chain: Chain
    number: int

    @property
    def published_ns(self) -> int:
        """When its value becomes known, in UTC, by the chain's own clock."""
        return guards.round_published_ns(
            self.number, self.chain.genesis_s * NANOSECONDS_IN_SECOND, self.chain.period_s * NANOSECONDS_IN_SECOND
        )

    def stated(self) -> dict[str, Any]:
        """The field `beacon` of terms."""
        chain = self.chain
        return {
            "chain": chain.hash(),
            "round": self.number,
            "scheme": chain.scheme,
            "public_key": chain.public_key.hex(),
            "period_s": chain.period_s,
            "genesis_s": chain.genesis_s,
            "genesis_seed": chain.genesis_seed.hex(),
            "name": chain.name,
        }

    def message(self, value: BeaconValue) -> bytes:
        """What the round's signature signs."""
        previous = bytes.fromhex(value.previous_signature)
        return hashlib.sha256(previous + self.number.to_bytes(8, "big")).digest()

    def wrong_with(self, value: BeaconValue) -> str | None:
        """What is wrong with a value before its signature is even looked at; None where nothing is."""
        scheme = self.chain.scheme
        before = {UNCHAINED: 0, CHAINED: HASH_BYTES if self.number == 1 else SIGNATURE_BYTES[CHAINED]}[scheme]
        if value.round != self.number:
            return f"it is of round {value.round}, and the terms name {self.number}"
        if not _is_hex(value.signature, SIGNATURE_BYTES[scheme]):
            return f"a signature of {scheme} is {2 * SIGNATURE_BYTES[scheme]} lower-case hex digits"
        if not _is_hex(value.previous_signature, before):
            return f"what this round of {scheme} signs before its number is {2 * before} lower-case hex digits"
        return None


def value_of(value: BeaconValue) -> bytes:
    """The 32 bytes that a round gives, `randomness` in drand's words."""
    return hashlib.sha256(bytes.fromhex(value.signature)).digest()


def draw_key(seed: bytes, value: BeaconValue) -> bytes:
    """The key of every ticket, once the round is known."""
    return hashlib.sha256(seed + value_of(value)).digest()


KNOWN: Final[tuple[Chain, ...]] = (
    Chain(
        UNCHAINED,
        bytes.fromhex(
            "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d1064510"
            "d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
        ),
        3,
        1_692_803_367,
        bytes.fromhex("f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e"),
        "quicknet",
    ),
    Chain(
        CHAINED,
        bytes.fromhex(
            "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a569937c529eeda66c7293784a9402801af31"
        ),
        30,
        1_595_431_050,
        bytes.fromhex("176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a"),
        "default",
    ),
)
"""The League of Entropy's two mainnet chains. Terms may name them by name or hash alone; any other is stated whole."""


def read_round(stated: object, after_ns: int) -> Round:
    """The round that terms name.

    Args:
        stated: `{"chain": name or hash}` of a known chain, or all of a chain; `round` may be left out.
        after_ns: where `round` is left out, the first one that is published after this is meant.

    Raises:
        ValueError: it is not a round of a chain; the message is the rule.
    """
    if not isinstance(stated, dict) or not isinstance(stated.get("chain"), str):
        raise ValueError('is {"chain": name or hash, "round": number}, and of a chain that is not built in all of it')
    known = {known.hash(): known for known in KNOWN} | {known.name: known for known in KNOWN}
    named = known.get(stated["chain"])
    whole = named if named is not None and stated.keys() <= {"chain", "round"} else _read_chain(stated)
    if whole is not named and stated["chain"] != whole.hash():
        raise ValueError(f"has the chain's hash as `chain`: of what is stated it is {whole.hash()}")
    number = stated.get("round", whole.round_after(after_ns))
    if not (isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= LARGEST_ROUND):
        raise ValueError("`round` is a number from 1")
    return Round(whole, number)


def _read_chain(stated: Mapping[str, Any]) -> Chain:
    fields = {"chain", "round", "scheme", "public_key", "period_s", "genesis_s", "genesis_seed", "name"}
    if wrong := sorted(map(str, (stated.keys() | {"round"}) ^ fields)):
        known = ", ".join(chain.name for chain in KNOWN)
        raise ValueError(f"names a known chain ({known}) or states all of another: see {', '.join(wrong)[:200]}")
    scheme, name = stated["scheme"], stated["name"]
    if scheme not in (UNCHAINED, CHAINED):
        raise ValueError(f"`scheme` is {UNCHAINED} or {CHAINED}")
    for field, size_bytes in (("public_key", KEY_BYTES[scheme]), ("genesis_seed", HASH_BYTES)):
        if not _is_hex(stated[field], size_bytes):
            raise ValueError(f"`{field}` is {2 * size_bytes} lower-case hex digits")
    for field, most in (("period_s", LONGEST_PERIOD_S), ("genesis_s", _GREATEST_S)):
        number = stated[field]
        if not (isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= most):
            raise ValueError(f"`{field}` is whole seconds, from 1 to {most}")
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ValueError("`name` is 1 to 64 of A-Z a-z 0-9 . _ -")
    return Chain(
        scheme,
        bytes.fromhex(stated["public_key"]),
        stated["period_s"],
        stated["genesis_s"],
        bytes.fromhex(stated["genesis_seed"]),
        name,
    )


def _is_hex(text: object, size_bytes: int) -> bool:
    return isinstance(text, str) and re.fullmatch(f"[0-9a-f]{{{2 * size_bytes}}}", text) is not None
