"""The seal of a sale that is over: its bundle's manifest, signed, and the recipe that gives the same bytes again.

Only the arbiter's notary has the arbiter's key, and anybody may ask for a bundle. So the bundle is made once, into
hashes; what is signed is kept beside the decision log; and every export pours the same content again and compares.
A store that was changed since gives other hashes, and no bundle.

What is signed is three lines: `firstcome-bundle/1`, the sale, and the SHA-256 of the manifest's canonical line without
its field `signature`.

A sale is sealed anew only where a region that was cut off shows more of its log than it did.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from model.note import parse_checkpoint, parse_note
from model.vocabulary import SaleId
from model.wire import canonical, parse_canonical
from service.evidence.bundle import DECISIONS_CHECKPOINT, FORMAT, BundleError, Content, Finished, Nothing, Recipe
from service.evidence.signing import SigningKey
from service.store import keys
from service.store.opening import Store


class Sealed(msgspec.Struct, frozen=True):
    """A seal as it is kept. `settled`: nothing can be added any more."""

    manifest: str
    recipe: Recipe
    settled: bool

    def manifest_fields(self) -> dict[str, Any]:
        """The manifest, with its signature."""
        return parse_canonical(self.manifest.encode())


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Sealed).decode


def signed_text(sale: SaleId, unsigned: Mapping[str, Any]) -> str:
    """What is signed of a manifest."""
    return f"{FORMAT}\n{sale}\n{hashlib.sha256(canonical(unsigned)).hexdigest()}\n"


async def seal(
    of: Finished, recipe: Recipe, settled: bool, arbiter: Store, key: SigningKey, before: Sealed | None
) -> Sealed:
    """Make a sale's bundle into hashes, sign them, keep the seal.

    Args:
        before: the seal that this one takes the place of.

    Raises:
        BundleError: lines that were counted are not there, or are not what was signed or sealed before.
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    unsigned = await Content(of, recipe, arbiter).pour(Nothing())
    _check_unchanged(unsigned, recipe, before)
    manifest = {**unsigned, "signature": key.sign(signed_text(of.sale, unsigned))}
    made = Sealed(canonical(manifest).decode(), recipe, settled)
    await _keep(of.sale, made, arbiter)
    return made


async def settle(sale: SaleId, known: Sealed, arbiter: Store) -> Sealed:
    """Note that nothing can be added to what is sealed.

    Raises:
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    settled = Sealed(known.manifest, known.recipe, True)
    await _keep(sale, settled, arbiter)
    return settled


async def _keep(sale: SaleId, made: Sealed, arbiter: Store) -> None:
    store: Any = arbiter
    await store.set(keys.seal(sale), _encode(made))


async def sealed(sale: SaleId, arbiter: Store) -> Sealed | None:
    """The seal of a sale, or None where it has none yet.

    Raises:
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    store: Any = arbiter
    kept = await store.get(keys.seal(sale))
    return None if kept is None else _decode(kept)


def _check_unchanged(unsigned: Mapping[str, Any], recipe: Recipe, before: Sealed | None) -> None:
    """A store that was changed is not sealed: nothing takes back what was signed."""
    signed = parse_checkpoint(parse_note(recipe.checkpoints[DECISIONS_CHECKPOINT]).text)
    if unsigned["heads"]["decisions"] != signed.head:
        raise BundleError("its decision log is not the one that was signed")
    if before is None:
        return
    for path, digest in before.manifest_fields()["files"].items():
        region = path.removeprefix("regions/").removesuffix(".jsonl") if path.startswith("regions/") else None
        grows = path == "outcomes.jsonl" or path.startswith(("checkpoints/", "clocks/"))
        if region is not None:
            grows = recipe.beyond.get(region, 0) != before.recipe.beyond.get(region, 0)
        if not grows and unsigned["files"].get(path) != digest:
            raise BundleError(f"{path} is not what was sealed before")
