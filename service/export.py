"""A finished sale as a bundle: plain files in a folder, or the same as a zip while it is being read. Design section 7.

Everything comes from the arbiter's store, in pieces, so that a sale need not fit in memory, and goes out byte for byte
as it was logged. The seed is given out only once the sale is over. What is poured out is compared with what the
arbiter's notary has sealed (`service/evidence/seal.py`), which is waited for: it comes moments after the end.

A sale whose terms name no keys is not sealed. Then a region that was cut off is asked for what it logged beyond; where
it cannot be read, or where its log is not the one that was counted, its file ends at its cut-off number.
"""

import asyncio
import shutil
import time
import zipfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from redis.exceptions import RedisError

from model.vocabulary import RegionName, SaleId
from model.wire import canonical
from service.evidence.bundle import BundleError, Content, Finished, Recipe, finished
from service.evidence.collecting import begins_alike
from service.evidence.seal import Sealed, sealed
from service.store import keys
from service.store.chunks import ChunkedLines, length
from service.store.opening import Store

SEAL_TIMEOUT_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.1
_ZIP_LEVEL: Final = 1
_ZIP_AHEAD_BYTES: Final = 1 << 18
_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""No time of ours, so that the same bundle is the same zip."""

ExportError = BundleError


async def export(sale: SaleId, arbiter: Store, regions: Mapping[RegionName, Store], folder: Path) -> dict[str, Any]:
    """Write a sale's bundle into a new folder. Returns its manifest.

    Args:
        regions: stores that are asked whether a region that was cut off has more than was sealed; may be left out.

    Raises:
        ExportError: there is no such sale, it is not over, or lines that were counted are not there.
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    if folder.exists():
        raise ExportError(f"{folder} is there already: name a new folder")
    of = await finished(sale, arbiter)
    half_done = folder.with_name(folder.name + ".part")
    shutil.rmtree(half_done, ignore_errors=True)
    vessel = _Folder(half_done)
    try:
        manifest = await _fill(of, arbiter, regions, vessel)
    finally:
        vessel.close()
    half_done.rename(folder)
    return manifest


async def export_zip(sale: SaleId, arbiter: Store, patience_seconds: float) -> AsyncIterator[bytes]:
    """A sale's bundle as a zip, piece by piece. Whatever forbids it is raised before the first piece.

    Args:
        patience_seconds: how long to wait for the seal.

    Raises:
        ExportError: as `export`.
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    of = await finished(sale, arbiter)
    if of.terms.keys is not None:
        await _seal_of(of, arbiter, {}, patience_seconds)
    return _zipped(of, arbiter)


async def _zipped(of: Finished, arbiter: Store) -> AsyncIterator[bytes]:
    vessel = _Zip()
    filling = asyncio.create_task(_fill(of, arbiter, {}, vessel))
    filling.add_done_callback(lambda _: vessel.is_full.set())
    try:
        while not filling.done():
            await vessel.is_full.wait()
            if piece := vessel.take():
                yield piece
        await filling
        await asyncio.to_thread(vessel.close)
        yield vessel.take()
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)


async def _fill(
    of: Finished, arbiter: Store, regions: Mapping[RegionName, Store], vessel: "_Folder | _Zip"
) -> dict[str, Any]:
    """Every file of a sale, the manifest last."""
    if of.terms.keys is None:
        beyond = {
            name: await _beyond(of, name, arbiter, regions[name]) for name in of.standing.cut_offs if name in regions
        }
        recipe = Recipe({name: of.standing.counted.get(name, 0) for name in of.terms.regions}, {}, {}, {})
        manifest = await Content(of, recipe, arbiter, beyond).pour(vessel)
    else:
        known = await _seal_of(of, arbiter, regions, SEAL_TIMEOUT_SECONDS)
        poured = await Content(of, known.recipe, arbiter).pour(vessel)
        manifest = known.manifest_fields()
        if {**poured, "signature": manifest["signature"]} != manifest:
            changed = sorted(path for path, digest in poured["files"].items() if manifest["files"].get(path) != digest)
            raise ExportError(f"the arbiter's store does not hold what was sealed: {', '.join(changed)}")
    await vessel.begin("manifest.json")
    await vessel.write(canonical(manifest) + b"\n")
    return manifest


async def _seal_of(
    of: Finished, arbiter: Store, regions: Mapping[RegionName, Store], patience_seconds: float
) -> Sealed:
    """The seal of a sale, once it is there and no region that answers has more than it says."""
    deadline = time.monotonic() + patience_seconds
    while True:
        known = await sealed(of.sale, arbiter)
        if known is not None and (known.settled or not await _has_more(of, known, regions)):
            return known
        if time.monotonic() > deadline:
            if known is not None:
                return known
            raise ExportError(f"sale {of.sale} is over, and not sealed yet: is `firstcome notary --arbiter` running?")
        await asyncio.sleep(_POLL_SECONDS)


async def _has_more(of: Finished, known: Sealed, regions: Mapping[RegionName, Store]) -> bool:
    for name, seq in of.standing.cut_offs.items():
        if name in regions:
            try:
                logged = await length(regions[name], keys.log(of.sale))
            except (RedisError, OSError):
                continue
            if logged > seq + known.recipe.beyond.get(name, 0):
                return True
    return False


async def _beyond(of: Finished, name: RegionName, arbiter: Store, region: Store) -> list[bytes]:
    """What a region that was cut off has beyond what was counted, where it can be read and is still the same log."""
    seq = of.standing.cut_offs[name]
    try:
        if not await begins_alike(of.sale, name, region, arbiter, seq):
            return []
        beyond = ChunkedLines(region, keys.log(of.sale), seq).up_to(None)
        return [line async for lines in beyond for line in lines]
    except (RedisError, OSError):
        return []


class _Folder:
    """A new folder of files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None

    async def begin(self, path: str) -> None:
        self.close()
        found = self._folder / path
        found.parent.mkdir(parents=True, exist_ok=True)
        self._file = found.open("xb")

    async def write(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _Zip:
    """A zip that is read while it is written: whoever writes waits until what was written before is taken."""

    def __init__(self) -> None:
        self.is_full = asyncio.Event()
        self._room = asyncio.Event()
        self._out = _Outlet()
        self._archive = zipfile.ZipFile(self._out, "w", zipfile.ZIP_DEFLATED, compresslevel=_ZIP_LEVEL)  # type: ignore[call-overload]  # a stream that only takes
        self._member: IO[bytes] | None = None

    async def begin(self, path: str) -> None:
        self._end_member()
        named = zipfile.ZipInfo(path, _ZIP_TIME)
        named.compress_type, named.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        self._member = self._archive.open(named, "w", force_zip64=True)

    async def write(self, data: bytes) -> None:
        assert self._member is not None
        await asyncio.to_thread(self._member.write, data)
        while len(self._out.taken) > _ZIP_AHEAD_BYTES:
            self._room.clear()
            self.is_full.set()
            await self._room.wait()

    def take(self) -> bytes:
        """What was written and not taken yet."""
        self.is_full.clear()
        piece = bytes(self._out.taken)
        self._out.taken.clear()
        self._room.set()
        return piece

    def close(self) -> None:
        self._end_member()
        self._archive.close()

    def _end_member(self) -> None:
        if self._member is not None:
            self._member.close()
            self._member = None


class _Outlet:
    """The end of a pipe, as `zipfile` wants a file: it can be written to, and nothing else."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def write(self, data: bytes) -> int:
        self.taken += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""
