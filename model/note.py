"""Signed notes, and checkpoints, which are notes about a log: the public formats, read and written. Pure, no crypto.

A note (c2sp.org/signed-note) is text, a blank line, and a line for each signature:

    firstcome/<sale>/regions/shanghai
    3
    JXUjR6vN…=
    head 9c1185a5…

    — firstcome.region.shanghai k7m2…=

A signature line names a key, and holds the four bytes that tell keys of one name apart and then the signature, in
base64. What is signed is the text with its last line end, without the blank line. Lines by keys that a reader does not
know are passed over, so that witnesses can add theirs. `VerifierKey` is how a public key is written down.

A checkpoint (c2sp.org/tlog-checkpoint) is a note whose text says how a log stood: which log, how many lines, their
Merkle root (`merkle.py`), and lines of extension; ours has one, `head`, the log's hash chain at that size.

Parsing is as strict as the formats are. Nothing here says whether a signature is good: whoever verifies one hands
`Note.signed` and the signature to a library.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from model.merkle import HASH_BYTES
from model.vocabulary import Head, RegionName, SaleId

ED25519: Final = 1
"""The signature type of plain Ed25519 keys."""
PUBLIC_KEY_BYTES: Final = 32
KEY_HASH_BYTES: Final = 4
LONGEST_NOTE_BYTES: Final = 65_536
MOST_SIGNATURES: Final = 100
ARBITER_KEY: Final = "firstcome.arbiter"

_SIGNATURE_MARK: Final = "\u2014 "
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_HEAD_LINE: Final = re.compile(r"head ([0-9a-f]{64})", re.ASCII)


class NoteError(ValueError):
    """Text that is no note, no checkpoint or no key. The message says which rule it breaks."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public Ed25519 key and the name it signs under."""

    name: str
    public_key: bytes

    @property
    def key_hash(self) -> bytes:
        """The four bytes that tell keys of one name apart."""
        return sha256(self.name.encode() + b"\n" + bytes([ED25519]) + self.public_key).digest()[:KEY_HASH_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_hash.hex()}+{_base64(bytes([ED25519]) + self.public_key)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: by whom it says it is, and the signature itself."""

    name: str
    key_hash: bytes
    signature: bytes

    def line(self) -> str:
        """The line, with its end."""
        return f"{_SIGNATURE_MARK}{self.name} {_base64(self.key_hash + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """Text, with its last line end, and what claims to have signed it."""

    text: str
    signatures: tuple[Signature, ...]

    @property
    def signed(self) -> bytes:
        """The bytes that are signed."""
        return self.text.encode()

    def by(self, key: VerifierKey) -> Iterator[bytes]:
        """The signatures that say that they are this key's."""
        key_hash = key.key_hash
        return (each.signature for each in self.signatures if each.name == key.name and each.key_hash == key_hash)

    def __str__(self) -> str:
        return self.text + "\n" + "".join(signature.line() for signature in self.signatures)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How a log stood: `root` is the RFC 6962 root of its first `size` lines, `head` its hash-chain head there."""

    origin: str
    size: int
    root: bytes
    head: Head

    def text(self) -> str:
        """The text to be signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\nhead {self.head}\n"


def region_key_name(region: RegionName) -> str:
    """The name that a region's key signs under."""
    return f"firstcome.region.{region}"


def region_origin(sale: SaleId, region: RegionName) -> str:
    """What a checkpoint calls a region's log."""
    return f"firstcome/{sale}/regions/{region}"


def decisions_origin(sale: SaleId) -> str:
    """What a checkpoint calls a decision log."""
    return f"firstcome/{sale}/decisions"


def parse_verifier_key(text: str) -> VerifierKey:
    """A key as it is written down, `<name>+<key hash>+<key>`.

    Raises:
        NoteError: it is not an Ed25519 key, or its hash is another's.
    """
    parts = text.split("+", 2)
    if len(parts) != 3 or not _is_key_name(parts[0]):
        raise NoteError("a verifier key is <name>+<8 hex digits>+<base64>")
    key_bytes = _bytes(parts[2], "a verifier key's last part")
    if len(key_bytes) != 1 + PUBLIC_KEY_BYTES or key_bytes[0] != ED25519:
        raise NoteError(f"a verifier key holds 0x01 and {PUBLIC_KEY_BYTES} bytes of an Ed25519 key")
    key = VerifierKey(parts[0], key_bytes[1:])
    if key.key_hash.hex() != parts[1]:
        raise NoteError(f"the key hash of this name and key is {key.key_hash.hex()}")
    return key


def parse_note(text: str) -> Note:
    """A note from its text.

    Raises:
        NoteError: it is none.
    """
    if len(text) > LONGEST_NOTE_BYTES or len(_utf8(text)) > LONGEST_NOTE_BYTES:
        raise NoteError(f"a note has at most {LONGEST_NOTE_BYTES} bytes")
    if any(character < " " and character != "\n" for character in text):
        raise NoteError("a note holds no control characters but line ends")
    body, blank, tail = text.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise NoteError("a note is text, a blank line, and lines of signatures")
    lines = tail[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise NoteError(f"a note has at most {MOST_SIGNATURES} signatures")
    return Note(body + "\n", tuple(_signature(line) for line in lines))


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_SIGNATURE_MARK).partition(" ")
    if not (line.startswith(_SIGNATURE_MARK) and space and _is_key_name(name)):
        raise NoteError("a signature line is an em dash, a key's name and base64, with a space between")
    signature = _bytes(encoded, "a signature")
    if len(signature) <= KEY_HASH_BYTES:
        raise NoteError("a signature is four bytes of key hash and more")
    return Signature(name, signature[:KEY_HASH_BYTES], signature[KEY_HASH_BYTES:])


def parse_checkpoint(text: str) -> Checkpoint:
    """A checkpoint of ours from the text of its note.

    Raises:
        NoteError: it is none, or has not just the one extension line `head`.
    """
    lines = text.split("\n")
    if len(lines) != 5 or lines[4]:
        raise NoteError("a checkpoint of a sale's log has four lines")
    origin, size, root, extension, _ = lines
    if not origin:
        raise NoteError("a checkpoint's first line names its log")
    if _DECIMAL.fullmatch(size) is None:
        raise NoteError("a checkpoint's second line is its log's size in decimal")
    root_bytes = _bytes(root, "a checkpoint's root")
    if len(root_bytes) != HASH_BYTES:
        raise NoteError(f"a checkpoint's root has {HASH_BYTES} bytes")
    found = _HEAD_LINE.fullmatch(extension)
    if found is None:
        raise NoteError("a checkpoint's fourth line is 'head' and 64 hex digits")
    return Checkpoint(origin, int(size), root_bytes, found[1])


def path_texts(path: list[bytes]) -> list[str]:
    """An inclusion path as a receipt holds it, in base64."""
    return [_base64(each) for each in path]


def path_bytes(texts: list[str]) -> list[bytes]:
    """An inclusion path from how a receipt holds it.

    Raises:
        NoteError: one of them is not base64, or no hash.
    """
    path = [_bytes(each, "a hash of a path") for each in texts]
    if any(len(each) != HASH_BYTES for each in path):
        raise NoteError(f"each hash of a path has {HASH_BYTES} bytes")
    return path


def _is_key_name(name: str) -> bool:
    return name != "" and "+" not in name and not any(character.isspace() for character in name)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise NoteError("a note is UTF-8") from error


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _bytes(text: str, what: str) -> bytes:
    """Standard base64 with padding, and only the one spelling of it that RFC 4648 calls canonical."""
    try:
        data = b64decode(text, validate=True)
    except ValueError as error:
        raise NoteError(f"{what} is base64") from error
    if _base64(data) != text:
        raise NoteError(f"{what} is canonical base64")
    return data
