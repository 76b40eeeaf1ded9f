"""Ed25519 signatures on notes, verified: who signed this text, and which witnesses saw it.

The forms of notes and keys are `model/note.py`'s; only the arithmetic is a library's (`cryptography`). Witnesses of the
public ecosystem (c2sp.org/tlog-cosignature) sign with a time and under a key type of their own, so that their word
cannot be taken for the log's: both kinds of key are read here. Nothing is decided here about what ought to be signed:
see `audit/signing.py` and `audit/receipt.py`.
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from model.note import KEY_HASH_BYTES, PUBLIC_KEY_BYTES, Note, NoteError, VerifierKey, parse_verifier_key

COSIGNATURE: Final = 4
"""The signature type of witnesses' timestamped cosignatures, version 1."""
TIME_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A witness's public Ed25519 key; `cosigns` where its signatures carry a time."""

    name: str
    public_key: bytes
    cosigns: bool

    @property
    def key_hash(self) -> bytes:
        """The four bytes that tell keys of one name apart."""
        kind = COSIGNATURE if self.cosigns else 1
        return sha256(self.name.encode() + b"\n" + bytes([kind]) + self.public_key).digest()[:KEY_HASH_BYTES]

    def __str__(self) -> str:
        kind = COSIGNATURE if self.cosigns else 1
        return f"{self.name}+{self.key_hash.hex()}+{b64encode(bytes([kind]) + self.public_key).decode()}"


def parse_witness_key(text: str) -> WitnessKey:
    """A witness's key as it is written down, of either kind.

    Raises:
        NoteError: it is neither.
    """
    name, _, rest = text.partition("+")
    stated_hash, _, encoded = rest.partition("+")
    try:
        key_bytes = b64decode(encoded, validate=True)
    except ValueError as error:
        raise NoteError("a verifier key is <name>+<8 hex digits>+<base64>") from error
    if len(key_bytes) != 1 + PUBLIC_KEY_BYTES or key_bytes[0] != COSIGNATURE:
        key = parse_verifier_key(text)
        return WitnessKey(key.name, key.public_key, cosigns=False)
    witness = WitnessKey(name, key_bytes[1:], cosigns=True)
    if str(witness) != text:
        raise NoteError(f"the key hash of this name and key is {witness.key_hash.hex()}, not {stated_hash}")
    return witness


def is_signed_by(note: Note, key: VerifierKey) -> bool:
    """Whether a note holds a good signature of this key."""
    return any(_is_good(key.public_key, signature, note.signed) for signature in note.by(key))


def is_witnessed_by(note: Note, witness: WitnessKey) -> bool:
    """Whether a note holds a good cosignature of this witness."""
    for each in note.signatures:
        if (each.name, each.key_hash) != (witness.name, witness.key_hash):
            continue
        signed, signature = note.signed, each.signature
        if witness.cosigns:
            seconds, signature = signature[:TIME_BYTES], signature[TIME_BYTES:]
            signed = f"cosignature/v1\ntime {int.from_bytes(seconds, 'big')}\n".encode() + signed
        if _is_good(witness.public_key, signature, signed):
            return True
    return False


def _is_good(public_key: bytes, signature: bytes, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True
