"""What a sale that is over is as files: which there are, and their lines, in pieces, from the arbiter's store alone.

Everything that goes into a bundle only ever grows: logs, journals, decisions. So a few numbers (`Recipe`) fix every
byte of it, and whoever pours it out again, into a folder, into a zip or only into hashes, gets the same bytes.
docs/bundle.md says what the files mean.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from model.beacon import draw_key, value_of
from model.columns import read_ids
from model.outcomes import Standing
from model.terms import Terms, read_terms
from model.vocabulary import Head, Naming, RegionName, SaleId
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
from service.store.chunks import ChunkedLines
from service.store.opening import Store
from service.store.streams import read_range

FORMAT: Final = "firstcome-bundle/1"
DECISIONS_CHECKPOINT: Final = "checkpoints/decisions"
ENTRY: Final = b'"type":"request"'
"""Whatever line has this is an entry: no id can. Logs of units that are sold at the door or held have other lines."""
_ENTRIES_AT_ONCE: Final = 2_000

Pieces = AsyncIterator[list[bytes]]
"""A file's lines, some at a time."""


class BundleError(Exception):
    """The sale cannot be written out (yet). The message says why."""


class Recipe(msgspec.Struct, frozen=True):
    """What fixes a bundle's bytes, beside the sale's id.

    `counted` and `beyond` are numbers of lines of each region's log: those that count, and those that a region which
    was cut off has logged behind them. `journals` are numbers of lines by host and region: hosts of two regions may
    have one name, and their journals follow each other then. `checkpoints` are notes by file name.
    """

    counted: dict[RegionName, int]
    beyond: dict[RegionName, int]
    journals: dict[str, dict[RegionName, int]]
    checkpoints: dict[str, str]


class Vessel(Protocol):
    """What files are poured into, one after the other."""

    async def begin(self, path: str) -> None:
        """A file begins; the one before is complete."""

    async def write(self, data: bytes) -> None:
        """More of the file that was begun last."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A sale that is over."""

    sale: SaleId
    terms: Terms
    standing: Standing
    seed: str

    def draw_key(self) -> bytes | None:
        """The key of every ticket; None where it waited for a beacon that never came."""
        seed, value = bytes.fromhex(self.seed), self.standing.beacon
        if self.terms.beacon is None:
            return seed
        return None if value is None else draw_key(seed, value)

    def secret(self) -> dict[str, Any]:
        """What `seed.json` says: the seed, and the beacon's value where one was entered."""
        named, value = self.terms.beacon, self.standing.beacon
        if named is None or value is None:
            return {"seed": self.seed}
        told = {
            "chain": named.chain.hash(),
            "round": value.round,
            "value": value_of(value).hex(),
            "signature": value.signature,
        }
        before = {"previous_signature": value.previous_signature} if value.previous_signature else {}
        return {"seed": self.seed, "beacon": told | before}


async def finished(sale: SaleId, arbiter: Store) -> Finished:
    """A sale, once it is over.

    Raises:
        BundleError: there is no such sale, or it is not over.
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    terms = await _terms(sale, arbiter)
    standing = Standing(terms)
    async for entries in _entries(arbiter, keys.ledger(sale), None):
        for line, winner in entries:
            record = parse_decision_line(standing.decisions, line)
            standing.apply(record, winner.decode() if isinstance(record, Naming) else None)
    if not standing.over:
        raise BundleError(f"sale {sale} is not over yet: its decision log has no last record")
    store: Any = arbiter
    seed = await store.hget(keys.SEEDS, sale)
    return Finished(sale, terms, standing, seed.decode())


async def _terms(sale: SaleId, arbiter: Store) -> Terms:
    async for entries in _entries(arbiter, keys.ARBITER_SALES, None):
        for line, _ in entries:
            if hashlib.sha256(line).hexdigest()[:32] == sale:
                return read_terms(parse_canonical(line))
    raise BundleError(f"no sale {sale} is known to the arbiter")


async def _entries(store: Store, key: str, last: int | None) -> AsyncIterator[list[tuple[bytes, bytes]]]:
    """(line, winner) of a stream's entries up to a number, in pieces."""
    after = 0
    while last is None or after < last:
        found = await read_range(store, key, after + 1, last, _ENTRIES_AT_ONCE)
        if not found:
            return
        after = found[-1].number
        yield [(entry.line, entry.winner) for entry in found]


async def lines_of(store: Store, key: str, last: int | None) -> Pieces:
    """The lines of a stream up to a number (None: all), in pieces."""
    async for entries in _entries(store, key, last):
        yield [line for line, _ in entries]


async def counted_lines(arbiter: Store, sale: SaleId, region: RegionName, last: int) -> Pieces:
    """The first lines of a region's log, as the arbiter has kept them, in pieces."""
    given = 0
    async for lines in ChunkedLines(arbiter, keys.copied_log(sale, region)).up_to(last):
        given += len(lines)
        yield lines
    if given < last:
        raise BundleError(f"the arbiter has kept {given} entries of region {region}, and counted {last}")


class Content:
    """The files of one finished sale.

    Args:
        beyond: what regions that were cut off have logged behind what counts, where it is not in the arbiter's store.
    """

    def __init__(
        self, of: Finished, recipe: Recipe, arbiter: Store, beyond: Mapping[RegionName, Sequence[bytes]] | None = None
    ) -> None:
        self._of = of
        self._recipe = recipe
        self._arbiter = arbiter
        self._beyond = beyond or {}

    async def pour(self, into: Vessel) -> dict[str, Any]:
        """Every file but the manifest, into a vessel. Returns the manifest, without its signature.

        Raises:
            BundleError: lines that were counted are not there.
            redis.exceptions.RedisError: the arbiter's store does not answer.
        """
        files: dict[str, str] = {}
        heads: dict[str, Head] = {}
        for path, pieces in self._files():
            await into.begin(path)
            digest, head = hashlib.sha256(), FIRST_HEAD
            chained = path == "decisions.jsonl" or path.startswith("regions/")
            async for lines in pieces:
                if not lines:
                    continue
                data = b"\n".join(lines) + b"\n"
                digest.update(data)
                await into.write(data)
                if chained:
                    head = extend_all(head, lines)
            files[path] = digest.hexdigest()
            if chained:
                heads[path.removesuffix(".jsonl")] = head
        return {"format": FORMAT, "sale": self._of.sale, "files": files, "heads": heads}

    def _files(self) -> Iterator[tuple[str, Pieces]]:
        of, recipe = self._of, self._recipe
        yield "terms.json", _at_once(of.terms.line())
        yield "seed.json", _at_once(canonical(of.secret()))
        yield "decisions.jsonl", lines_of(self._arbiter, keys.ledger(of.sale), of.standing.decisions)
        for region in of.terms.regions:
            yield f"regions/{region}.jsonl", self._log(region)
        yield "outcomes.jsonl", self.outcomes()
        for path, note in recipe.checkpoints.items():
            yield path, _at_once(*note.encode().splitlines())
        for host, counts in recipe.journals.items():
            yield f"clocks/{host}.jsonl", self._journal(host, counts)

    async def _log(self, region: RegionName) -> Pieces:
        """A region's log as far as it counts; of one that was cut off what is beyond too."""
        sale = self._of.sale
        async for lines in counted_lines(self._arbiter, sale, region, self._recipe.counted.get(region, 0)):
            yield lines
        if self._beyond.get(region):
            yield list(self._beyond[region])
        async for lines in lines_of(
            self._arbiter, keys.copied_beyond(sale, region), self._recipe.beyond.get(region, 0)
        ):
            yield lines

    async def _journal(self, host: str, counts: Mapping[RegionName, int]) -> Pieces:
        for region, count in counts.items():
            async for lines in lines_of(self._arbiter, keys.copied_journal(self._of.sale, region, host), count):
                yield lines

    async def outcomes(self) -> Pieces:
        """What became of every entry, region by region, in the order of the logs."""
        for region in self._of.terms.regions:
            first_seq = 1
            async for lines in self._log(region):
                yield self._outcome_lines(region, first_seq, lines)
                first_seq += len(lines)

    def _outcome_lines(self, region: RegionName, first_seq: int, lines: list[bytes]) -> list[bytes]:
        """What became of a log's entries from a number on, which the arbiter has read before."""
        if self._of.terms.method != "ordered" or self._of.terms.kind == "reservation":
            return [self._outcome(region, line) for line in lines if ENTRY in line]
        try:
            requests, buyers = read_ids(lines)
        except ValueError:
            told = None
        else:
            told = self._of.standing.outcome_lines(region, first_seq, requests, buyers)
        return [self._outcome(region, line) for line in lines] if told is None else told

    def _outcome(self, region: RegionName, line: bytes) -> bytes:
        entry = parse_log_line(line)
        outcome = self._of.standing.outcome_of(region, entry)
        if outcome is None:
            raise BundleError(f"{entry.request} has no outcome, although the sale is over")
        return outcome_line(outcome)


async def _at_once(*lines: bytes) -> Pieces:
    yield list(lines)


class Nothing:
    """A vessel that keeps nothing: for hashes only."""

    async def begin(self, path: str) -> None:
        """Nothing is kept."""

    async def write(self, data: bytes) -> None:
        """Nothing is kept."""
