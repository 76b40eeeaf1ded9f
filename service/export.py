"""A finished sale as plain files: the bundle, enough to replay it offline. Design section 7.

Read from the arbiter's store, which has kept every line that counts; lines go out byte for byte as they were logged.
The seed is given out only once the sale is over. A region that was cut off is asked for what it logged beyond; where
it cannot be read, or where its log is not the one that was counted, its file ends at its cut-off number.
"""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from redis.exceptions import RedisError

from model.outcomes import Standing
from model.terms import Terms, read_terms
from model.vocabulary import RegionName, SaleId, Won
from model.wire import (
    FIRST_HEAD,
    canonical,
    extend,
    outcome_line,
    parse_canonical,
    parse_decision_line,
    parse_log_line,
)
from service.store import keys
from service.store.opening import Store
from service.store.streams import read_all, read_chunks

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
    for index, entry in enumerate(recorded):
        record = parse_decision_line(index, entry.line)
        standing.apply(record, entry.winner.decode() if isinstance(record, Won) else None)
    if not standing.over:
        raise ExportError(f"sale {sale} is not over yet: its decision log has no last record")
    logs = {name: await _log(sale, name, arbiter, regions, standing) for name in terms.regions}
    seed: Any = await arbiter.hget(keys.SEEDS, sale)
    half_done = folder.with_name(folder.name + ".part")
    shutil.rmtree(half_done, ignore_errors=True)
    (half_done / "regions").mkdir(parents=True)
    files = {
        "terms.json": [terms.line()],
        "seed.json": [canonical({"seed": seed.decode()})],
        "decisions.jsonl": [entry.line for entry in recorded],
        "outcomes.jsonl": _outcomes(terms, standing, logs),
        **{f"regions/{name}.jsonl": lines for name, lines in logs.items()},
    }
    hashes = {path: _write(half_done / path, lines) for path, lines in files.items()}
    manifest = {
        "format": FORMAT,
        "sale": sale,
        "files": hashes,
        "heads": {
            "decisions": _head(entry.line for entry in recorded),
            **{f"regions/{name}": _head(lines) for name, lines in logs.items()},
        },
    }
    _write(half_done / "manifest.json", [canonical(manifest)])
    half_done.rename(folder)
    return manifest


async def _terms(sale: SaleId, arbiter: Store) -> Terms:
    for entry in await read_all(arbiter, keys.ARBITER_SALES):
        terms = read_terms(parse_canonical(entry.line))
        if terms.sale() == sale:
            return terms
    raise ExportError(f"no sale {sale} is known to the arbiter")


async def _log(
    sale: SaleId, name: RegionName, arbiter: Store, regions: Mapping[RegionName, Store], standing: Standing
) -> list[bytes]:
    """A region's log as far as it counts; of one that was cut off what is beyond too, where it can be read."""
    counted = standing.counted.get(name, 0)
    kept = (await read_chunks(arbiter, keys.copied_log(sale, name)))[:counted]
    if len(kept) < counted:
        raise ExportError(f"the arbiter has kept {len(kept)} entries of region {name}, and counted {counted}")
    if name not in standing.cut_offs or name not in regions:
        return kept
    try:
        logged = [entry.line for entry in await read_all(regions[name], keys.log(sale))]
    except (RedisError, OSError):
        return kept
    return logged if logged[:counted] == kept else kept


def _outcomes(terms: Terms, standing: Standing, logs: Mapping[RegionName, list[bytes]]) -> Iterable[bytes]:
    for name in terms.regions:
        for line in logs[name]:
            entry = parse_log_line(line)
            outcome = standing.outcome(name, entry.seq, entry.request, entry.buyer)
            if outcome is None:
                raise ExportError(f"{entry.request} has no outcome, although the sale is over")
            yield outcome_line(outcome)


def _write(path: Path, lines: Iterable[bytes]) -> str:
    """Write lines; returns the file's SHA-256."""
    digest = hashlib.sha256()
    with path.open("xb") as file:
        for line in lines:
            file.write(line + b"\n")
            digest.update(line + b"\n")
    return digest.hexdigest()


def _head(lines: Iterable[bytes]) -> str:
    head = FIRST_HEAD
    for line in lines:
        head = extend(head, line)
    return head
