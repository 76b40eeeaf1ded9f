"""Ed25519 keys in files: made once, kept private, and the signatures made with them.

A key file holds one line, the signed-note form of a private key: `PRIVATE+KEY+<name>+<key hash>+<base64>`. It is made
where there is none, whole or not at all, readable by its owner only; one that others can read is refused, because
nobody knows who has. The key's name says what it may sign for, so that a file in the wrong place is noticed.
"""

import base64
import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from model.note import ED25519, Note, Signature, VerifierKey

PRIVATE_KEY_BYTES: Final = 32
_LONGEST_FILE_BYTES: Final = 4096
_PREFIX: Final = "PRIVATE+KEY+"


class KeyFileError(Exception):
    """A key file that cannot be used. The message says what to do."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the public one it belongs to."""

    verifier: VerifierKey
    private: Ed25519PrivateKey

    def sign(self, text: str) -> str:
        """The signed note of a text that ends with a line end."""
        signature = Signature(self.verifier.name, self.verifier.key_hash, self.private.sign(text.encode()))
        return str(Note(text, (signature,)))


def has_signed(key: VerifierKey, note: Note) -> bool:
    """Whether a note bears a good signature by a key."""
    public = Ed25519PublicKey.from_public_bytes(key.public_key)
    for signature in note.by(key):
        with contextlib.suppress(InvalidSignature):
            public.verify(signature, note.signed)
            return True
    return False


def load_key(path: Path, name: str) -> SigningKey:
    """The key in a file.

    Args:
        name: what it must be named, such as `firstcome.arbiter`.

    Raises:
        FileNotFoundError: there is no such file.
        KeyFileError: it cannot be read, others can read it, or it holds no key of that name.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            text = file.read(_LONGEST_FILE_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise KeyFileError(f"key file {path} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise KeyFileError(f"key file {path} can be read by others (mode {mode:o}): chmod 600 it, or make a new key")
    try:
        return _parse(text.decode("ascii").removesuffix("\n"), name)
    except ValueError as error:
        raise KeyFileError(f"key file {path} holds no key that can be used here: {error}") from error


def load_or_make_key(path: Path, name: str) -> SigningKey:
    """The key in a file, which is made where there is none. Two that make it at once end with the same.

    Raises:
        KeyFileError: as `load_key`, or it cannot be made.
    """
    with contextlib.suppress(FileNotFoundError):
        return load_key(path, name)
    made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(_line(name, secrets.token_bytes(PRIVATE_KEY_BYTES)))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(made)
        finally:
            made.unlink(missing_ok=True)
        return load_key(path, name)
    except OSError as error:
        raise KeyFileError(f"key file {path} cannot be made: {error.strerror}") from error


def _line(name: str, private_bytes: bytes) -> str:
    verifier = _key(name, private_bytes).verifier
    encoded = base64.b64encode(bytes([ED25519]) + private_bytes).decode("ascii")
    return f"{_PREFIX}{name}+{verifier.key_hash.hex()}+{encoded}\n"


def _key(name: str, private_bytes: bytes) -> SigningKey:
    private = Ed25519PrivateKey.from_private_bytes(private_bytes)
    return SigningKey(VerifierKey(name, private.public_key().public_bytes_raw()), private)


def _parse(line: str, name: str) -> SigningKey:
    if not line.startswith(_PREFIX) or line.count("+") < 4:
        raise ValueError("its line is not PRIVATE+KEY+<name>+<key hash>+<base64>")
    named, key_hash, encoded = line.removeprefix(_PREFIX).split("+", 2)
    if named != name:
        raise ValueError(f"its key is named {named!r}, and {name!r} is wanted")
    key_bytes = base64.b64decode(encoded, validate=True)
    if len(key_bytes) != 1 + PRIVATE_KEY_BYTES or key_bytes[0] != ED25519:
        raise ValueError("it is not an Ed25519 key")
    key = _key(name, key_bytes[1:])
    if key.verifier.key_hash.hex() != key_hash:
        raise ValueError("its key hash is another key's")
    return key
