"""A finished sale as plain files: the bundle, enough to replay it offline. Design section 7.

Read from the arbiter's store, which has kept every line that counts; lines go out byte for byte as they were logged,
piece by piece, so that a sale need not fit in memory. A log whose chain has the head that the arbiter recorded holds
just the lines that it has checked, so they are not checked again.
The seed is given out only once the sale is over. A region that was cut off is asked for what it logged beyond; where
it cannot be read, or where its log is not the one that was counted, its file ends at its cut-off number.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from redis.exceptions import RedisError

from model.columns import read_ids
from model.outcomes import Standing
from model.terms import Terms, read_terms
from model.vocabulary import Head, RegionName, SaleId, Seen, Won
from model.wire import (
    FIRST_HEAD,
    canonical,
    extend_all,
    outcome_line,
    parse_canonical,
    parse_decision_line,
    parse_log_line,
)
from service.store import keys
from service.store.opening import Store
from service.store.streams import KeptLines, read_all

FORMAT: Final = "firstcome-bundle/1"


class ExportError(Exception):
    """The sale cannot be exported (yet). The message says why."""


async def export(sale: SaleId, arbiter: Store, regions: Mapping[RegionName, Store], folder: Path) -> dict[str, Any]:
    """Write a sale's bundle into a new folder. Returns its manifest.

    Raises:
        ExportError: there is no such sale, it is not over, or lines that were counted are not there.
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    if folder.exists():
        raise ExportError(f"{folder} is there already: name a new folder")
    terms = await _terms(sale, arbiter)
    recorded = await read_all(arbiter, keys.ledger(sale))
    standing = Standing()
    heads: dict[RegionName, Head] = {}
    for index, entry in enumerate(recorded):
        record = parse_decision_line(index, entry.line)
        if isinstance(record, Seen):
            heads.update({name: seen.head for name, seen in record.regions.items()})
        standing.apply(record, entry.winner.decode() if isinstance(record, Won) else None)
    if not standing.over:
        raise ExportError(f"sale {sale} is not over yet: its decision log has no last record")
    seed: Any = await arbiter.hget(keys.SEEDS, sale)
    half_done = folder.with_name(folder.name + ".part")
    shutil.rmtree(half_done, ignore_errors=True)
    (half_done / "regions").mkdir(parents=True)
    written = {
        "terms.json": _File(half_done / "terms.json", [terms.line()]),
        "seed.json": _File(half_done / "seed.json", [canonical({"seed": seed.decode()})]),
        "decisions.jsonl": _ChainedFile(half_done / "decisions.jsonl", [entry.line for entry in recorded]),
        "outcomes.jsonl": _File(half_done / "outcomes.jsonl"),
    }
    for name in terms.regions:
        log = written[f"regions/{name}.jsonl"] = _ChainedFile(half_done / f"regions/{name}.jsonl")
        counted = standing.counted.get(name, 0)
        async for lines in KeptLines(arbiter, keys.copied_log(sale, name)).up_to(counted):
            written["outcomes.jsonl"].write(_outcomes(name, log.lines, lines, standing))
            log.write(lines)
        if (log.lines, log.head) != (counted, heads.get(name, FIRST_HEAD)):
            raise ExportError(f"the arbiter counted {counted} entries of region {name}, and has not kept just those")
        if name in standing.cut_offs and name in regions:
            beyond = await _beyond(sale, regions[name], log)
            written["outcomes.jsonl"].write([_outcome(name, line, standing) for line in beyond])
            log.write(beyond)
    hashes = {path: file.close() for path, file in written.items()}
    manifest = {
        "format": FORMAT,
        "sale": sale,
        "files": hashes,
        "heads": {
            path.removesuffix(".jsonl"): file.head for path, file in written.items() if isinstance(file, _ChainedFile)
        },
    }
    _File(half_done / "manifest.json", [canonical(manifest)]).close()
    half_done.rename(folder)
    return manifest


class _File:
    """A file of lines that is being written, and its hash."""

    def __init__(self, path: Path, lines: Sequence[bytes] = ()) -> None:
        self._digest = hashlib.sha256()
        self._file = path.open("xb")
        self.write(lines)

    def write(self, lines: Sequence[bytes]) -> None:
        if lines:
            content = b"\n".join(lines) + b"\n"
            self._file.write(content)
            self._digest.update(content)

    def close(self) -> str:
        """Returns the file's SHA-256."""
        self._file.close()
        return self._digest.hexdigest()


class _ChainedFile(_File):
    """One that the manifest states the hash chain's head of."""

    head = FIRST_HEAD
    lines = 0

    def write(self, lines: Sequence[bytes]) -> None:
        super().write(lines)
        self.head = extend_all(self.head, lines)
        self.lines += len(lines)


async def _terms(sale: SaleId, arbiter: Store) -> Terms:
    for entry in await read_all(arbiter, keys.ARBITER_SALES):
        terms = read_terms(parse_canonical(entry.line))
        if terms.sale() == sale:
            return terms
    raise ExportError(f"no sale {sale} is known to the arbiter")


async def _beyond(sale: SaleId, region: Store, counted: _ChainedFile) -> list[bytes]:
    """What a region that was cut off has beyond what was counted, where it can be read and is still the same log."""
    try:
        logged = [entry.line for entry in await read_all(region, keys.log(sale))]
    except (RedisError, OSError):
        return []
    same = extend_all(FIRST_HEAD, logged[: counted.lines]) == counted.head
    return logged[counted.lines :] if same else []


def _outcomes(name: RegionName, before: int, lines: Sequence[bytes], standing: Standing) -> list[bytes]:
    """What became of a log's next counted entries, behind the `before` first ones."""
    told = standing.outcome_lines(name, before + 1, *read_ids(lines))
    return [_outcome(name, line, standing) for line in lines] if told is None else told


def _outcome(name: RegionName, line: bytes, standing: Standing) -> bytes:
    entry = parse_log_line(line)
    outcome = standing.outcome(name, entry.seq, entry.request, entry.buyer)
    if outcome is None:
        raise ExportError(f"{entry.request} has no outcome, although the sale is over")
    return outcome_line(outcome)
