"""An honest signer for bundles of tests: keys made of names, checkpoints and manifest as docs/audit.md has them.

`sign` writes what arbiter and regions sign of whatever lies in a folder. Given other keys it is a forger's.
"""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model import wire
from model.merkle import CompactTree
from model.note import (
    ARBITER_KEY,
    Checkpoint,
    Note,
    Signature,
    VerifierKey,
    decisions_origin,
    region_key_name,
    region_origin,
)
from proofs.signatures import COSIGNATURE, WitnessKey


class Signer:
    """One Ed25519 key, the same for the same name and secret."""

    def __init__(self, name: str, secret: str = "") -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(sha256(f"{name} {secret}".encode()).digest())
        self.key = VerifierKey(name, self.private.public_key().public_bytes_raw())

    def note(self, text: str) -> str:
        """A text, signed."""
        return str(Note(text, (Signature(self.key.name, self.key.key_hash, self.private.sign(text.encode())),)))


class Witness:
    """A witness of the public ecosystem, which cosigns with a time."""

    def __init__(self, name: str) -> None:
        signer = Signer(name)
        self._private = signer.private
        self.key = WitnessKey(name, signer.key.public_key, cosigns=True)

    def cosigned(self, note: str, seconds: int = 1_795_809_600) -> str:
        """A note with this witness's line more."""
        text = note.partition("\n\n")[0] + "\n"
        signature = self._private.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
        line = b64encode(self.key.key_hash + seconds.to_bytes(8, "big") + signature).decode()
        return f"{note}— {self.key.name} {line}\n"


class Signers:
    """Arbiter and regions of one sale."""

    def __init__(self, regions: tuple[str, ...], secret: str = "") -> None:
        self.arbiter = Signer(ARBITER_KEY, secret)
        self.regions = {name: Signer(region_key_name(name), secret) for name in regions}

    def keys(self) -> dict[str, Any]:
        """The field `keys` of terms."""
        return {
            "arbiter": str(self.arbiter.key),
            "regions": {name: str(signer.key) for name, signer in self.regions.items()},
        }

    def sign(self, folder: Path) -> Path:
        """Write checkpoints and manifest of what lies in a folder: how an honest export ends, and a careful forger."""
        sale = sha256(_content(folder / "terms.json").rstrip(b"\n")).hexdigest()[:32]
        for name, signer in self.regions.items():
            note = checkpoint(folder / "regions" / f"{name}.jsonl", region_origin(sale, name), signer)
            _write(folder / "checkpoints" / "regions" / name, note)
        _write(
            folder / "checkpoints" / "decisions",
            checkpoint(folder / "decisions.jsonl", decisions_origin(sale), self.arbiter),
        )
        return self.seal(folder)

    def seal(self, folder: Path) -> Path:
        """Write the manifest alone."""
        sale = sha256(_content(folder / "terms.json").rstrip(b"\n")).hexdigest()[:32]
        files, heads = {}, {}
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            name = path.relative_to(folder).as_posix()
            if name == "manifest.json":
                continue
            files[name] = sha256(path.read_bytes()).hexdigest()
            if name == "decisions.jsonl" or name.startswith("regions/"):
                heads[name.removesuffix(".jsonl")] = wire.extend_all(wire.FIRST_HEAD, path.read_bytes().splitlines())
        manifest: dict[str, Any] = {"format": "firstcome-bundle/1", "sale": sale, "files": files, "heads": heads}
        digest = sha256(wire.canonical(manifest)).hexdigest()
        manifest["signature"] = self.arbiter.note(f"firstcome-bundle/1\n{sale}\n{digest}\n")
        (folder / "manifest.json").write_bytes(wire.canonical(manifest) + b"\n")
        return folder


def checkpoint(log: Path, origin: str, signer: Signer, size: int | None = None) -> str:
    """A signed note about the first `size` lines of a log; of all of them without."""
    lines = _content(log).splitlines()[:size]
    tree = CompactTree()
    tree.extend(lines)
    return signer.note(Checkpoint(origin, len(lines), tree.root(), wire.extend_all(wire.FIRST_HEAD, lines)).text())


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


__all__ = ["COSIGNATURE", "Signer", "Signers", "Witness", "checkpoint"]
