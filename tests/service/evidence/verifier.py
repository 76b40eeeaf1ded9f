"""A reader of notes, checkpoints and receipts that shares nothing with ours: written from RFC 9162 and C2SP's pages."""

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def open_note(note: str, vkey: str) -> list[str]:
    """The lines of a note's text, which this key must have signed."""
    name, key_id, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)
    assert key[0] == 1
    assert sha256(name.encode() + b"\n" + key)[:4].hex() == key_id
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    good = 0
    for line in signatures.splitlines():
        dash, signer, signature = line.split(" ")
        assert dash == "—"
        blob = base64.b64decode(signature)
        if signer == name and blob[:4].hex() == key_id:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(blob[4:], text.encode())
            good += 1
    assert good == 1
    return text.splitlines()


def root_by_path(line: bytes, index: int, size: int, path: list[str]) -> bytes:
    """RFC 9162, 2.1.3.2, word by word."""
    assert index < size
    fn, sn, r = index, size - 1, sha256(b"\x00" + line)
    for p in (base64.b64decode(each) for each in path):
        assert sn != 0
        if fn % 2 == 1 or fn == sn:
            r = sha256(b"\x01" + p + r)
            if fn % 2 == 0:
                while not (fn % 2 == 1 or fn == 0):
                    fn >>= 1
                    sn >>= 1
        else:
            r = sha256(b"\x01" + r + p)
        fn >>= 1
        sn >>= 1
    assert sn == 0
    return r


def tree_head(lines: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1."""
    if len(lines) <= 1:
        return sha256(b"\x00" + lines[0]) if lines else sha256(b"")
    k = 1 << ((len(lines) - 1).bit_length() - 1)
    return sha256(b"\x01" + tree_head(lines[:k]) + tree_head(lines[k:]))


def chain_head(lines: list[bytes]) -> str:
    head = bytes(32)
    for line in lines:
        head = sha256(head + line)
    return head.hex()


def check_checkpoint(note: str, vkey: str, origin: str) -> tuple[int, bytes, str]:
    """Size, root and chain head that a checkpoint states."""
    first, size, root, head = open_note(note, vkey)
    assert first == origin
    assert head.startswith("head ")
    return int(size), base64.b64decode(root), head.removeprefix("head ")


def check_log(note: str, vkey: str, origin: str, lines: list[bytes]) -> None:
    """A checkpoint is of just these lines."""
    assert check_checkpoint(note, vkey, origin) == (len(lines), tree_head(lines), chain_head(lines))


def check_receipt(receipt: dict[str, Any]) -> dict[str, Any]:
    """A receipt proves what it says; returns its entry."""
    sale, region, terms = receipt["sale"], receipt["region"], receipt["terms"]
    canonical = json.dumps(terms, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert hashlib.sha256(canonical).hexdigest()[:32] == sale
    size, root, _ = check_checkpoint(
        receipt["checkpoint"], terms["keys"]["regions"][region], f"firstcome/{sale}/regions/{region}"
    )
    line = receipt["entry"].encode()
    assert root_by_path(line, receipt["seq"] - 1, size, receipt["path"]) == root
    entry: dict[str, Any] = json.loads(line)
    assert entry["seq"] == receipt["seq"]
    decision = receipt["decision"]
    assert (decision is None) == (receipt["outcome"] is None)
    if decision is not None:
        size, root, _ = check_checkpoint(
            decision["checkpoint"], terms["keys"]["arbiter"], f"firstcome/{sale}/decisions"
        )
        record = json.loads(decision["record"])
        assert root_by_path(decision["record"].encode(), decision["index"], size, decision["path"]) == root
        assert record["index"] == decision["index"]
        assert receipt["outcome"]["request"] == entry["request"]
        assert record["type"] == ("won" if receipt["outcome"]["state"] == "won" else receipt["outcome"]["reason"])
    return entry
