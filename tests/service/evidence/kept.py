"""A whole simulated sale in real stores, as arbiter and gateways leave it; the shipped notaries do the rest.

For what sealing, exporting and receipts make of every kind of sale, without waiting for one to happen.
"""

import json
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.outcomes import Standing
from model.replies import parse_line
from model.vocabulary import Entry, Naming, Reply
from model.wire import decision_line
from proofs.audit.receipt import ReceiptReport, audit_receipt
from proofs.audit.report import Report
from service.evidence.arbiter import ArbiterNotary
from service.evidence.receipts import DecisionTree, receipt
from service.evidence.region import RegionNotary
from service.evidence.signing import SigningKey
from service.export import export
from service.store import keys
from service.store.chunks import CHUNK_LINES, line_at
from service.store.opening import Store, connect
from tests.proofs.sales import Sale
from tests.signer import Signer
from tests.stories import SEED


@dataclass
class Kept:
    """One sale, in one server: the arbiter's store and each region's are databases of it."""

    sale: Sale
    arbiter: Store
    regions: dict[str, Store]

    def __post_init__(self) -> None:
        signers = self.sale.signers
        self._of_arbiter = ArbiterNotary(self.arbiter, self.regions, _key(signers.arbiter))
        self._of_regions = [
            RegionNotary(name, store, _key(signers.regions[name]), None) for name, store in self.regions.items()
        ]

    @property
    def id(self) -> str:
        return self.sale.terms.sale()

    async def fill(self, *, closed: bool = True) -> None:
        """Everything that is there when the sale is over, or with `closed` False just before that is recorded."""
        sale, decisions = self.id, [decision_line(at, each) for at, each in enumerate(self.sale.decisions)]
        if not closed:
            del decisions[-1]
        buyers = self._buyers()
        named = [buyers[each.request] if isinstance(each, Naming) else "" for each in self.sale.decisions]
        await _append(self.arbiter, keys.ARBITER_SALES, [self.sale.terms.line()])
        await _kept(self.arbiter).hset(keys.SEEDS, sale, SEED.hex())
        await _append(self.arbiter, keys.ledger(sale), decisions, named)
        for region, store in self.regions.items():
            lines = self.sale.lines[region]
            await _append(store, keys.SALES, [self.sale.terms.line()])
            await _append(store, keys.decisions(sale), decisions, named)
            await _chunks(store, keys.log(sale), lines)
            await _chunks(self.arbiter, keys.copied_log(sale, region), lines[: self._counted(region)])
            await store.set(keys.mark(sale), "1")
            await store.set(keys.stop(sale), "sold_out")
            for host in (name for name in self.sale.hosts if name.startswith(region)):
                await _kept(store).sadd(keys.journals(sale), host)
                await _append(store, keys.journal(sale, host), self.sale.hosts[host].lines())
            for record in map(parse_line, lines):
                if isinstance(record, Reply):
                    await _kept(store).hsetnx(keys.replies(sale), record.purchase, record.seq)

    def _counted(self, region: str) -> int:
        return self.sale.standing.counted.get(region, 0)

    def _buyers(self) -> dict[str, str]:
        records = (parse_line(line) for lines in self.sale.lines.values() for line in lines)
        return {record.request: record.buyer for record in records if isinstance(record, Entry)}

    async def notaries_work(self, rounds: int = 3) -> None:
        """Everybody signs what there is, hands in what is wanted, and seals."""
        for _ in range(rounds):
            for notary in self._of_regions:
                await notary._round()
            await self._of_arbiter._sign_round()
            for name, store in self.regions.items():
                self._of_arbiter._reached.add(name)
                await self._of_arbiter._visit(name, store)
            await self._of_arbiter._seal_round()

    async def exported(self, folder: Path) -> Path:
        """The bundle."""
        await export(self.id, self.arbiter, {}, folder)
        return folder

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Everybody who asked, by region."""
        for region, lines in self.sale.lines.items():
            for record in map(parse_line, lines):
                if isinstance(record, Entry):
                    yield region, record

    async def receipt(self, region: str, entry: Entry, decisions: int | None = None) -> dict[str, Any]:
        """What the region's gateway gives out, once it has heard of so many decisions; all of them without."""
        store, standing = self.regions[region], Standing(self.sale.terms)
        heard, buyers = self.sale.decisions[:decisions], self._buyers()
        for each in heard:
            standing.apply(each, buyers[each.request] if isinstance(each, Naming) else None)
        line = await line_at(store, keys.log(self.id), entry.seq)
        assert line is not None
        lines = [decision_line(at, each) for at, each in enumerate(heard)]
        return await receipt(store, self.sale.terms, region, line, entry, standing, lines, DecisionTree())


@asynccontextmanager
async def kept(url: str, sale: Sale, **how: Any):  # type: ignore[no-untyped-def]  # pytest's own idiom
    """A sale in the databases of a server that is empty before."""
    stores = [connect(f"{url}?db={number}") for number in range(1 + len(sale.terms.regions))]
    await stores[0].flushall()
    made = Kept(sale, stores[0], dict(zip(sale.terms.regions, stores[1:], strict=True)))
    await made.fill(**how)
    try:
        yield made
    finally:
        for store in stores:
            await store.aclose()


def checked(
    shown: dict[str, Any], folder: Path, bundle: Path | None = None, report: Report | None = None
) -> ReceiptReport:
    """The audit of a receipt."""
    path = folder / "receipt.json"
    path.write_text(json.dumps(shown))
    return audit_receipt(path, bundle, report=report)


def _key(signer: Signer) -> SigningKey:
    return SigningKey(signer.key, signer.private)


def _kept(store: Store) -> Any:
    return store


async def _append(store: Store, key: str, lines: list[bytes], beside: list[str] | None = None) -> None:
    async with store.pipeline(transaction=False) as batch:
        for at, line in enumerate(lines):
            fields = {keys.LINE: line} if beside is None else {keys.LINE: line, keys.BUYER: beside[at]}
            batch.xadd(key, fields, id=f"{at + 1}-0")  # type: ignore[arg-type]
        await batch.execute()


async def _chunks(store: Store, key: str, lines: list[bytes]) -> None:
    async with store.pipeline(transaction=False) as batch:
        for at in range(0, len(lines), CHUNK_LINES):
            chunk = lines[at : at + CHUNK_LINES]
            batch.xadd(key, {keys.LINE: b"\n".join(chunk)}, id=f"{at + len(chunk)}-0")
        await batch.execute()
