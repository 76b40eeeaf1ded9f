"""Auctions and reservations: what is sealed, exported and given out as receipts, from real stores by shipped notaries.

Bundles are audited and receipts checked by `proofs`, which shares nothing with the service but the model.
"""

import asyncio
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.replies import parse_line, reply_line_halves
from model.vocabulary import CutOff, Entry, Held, Reply
from proofs.audit import audit
from proofs.audit.receipt_told import ReceiptReport
from proofs.audit.story import story
from service.evidence.seal import sealed
from service.store import keys
from service.store.embedded import EmbeddedStore
from tests.proofs.bid_sales import an_auction
from tests.proofs.held_sales import a_reservation
from tests.proofs.sales import Sale
from tests.service.evidence.kept import Kept, checked, kept

SALES: dict[str, Callable[[], Sale]] = {
    "uniform": lambda: an_auction(40, 6),
    "first price": lambda: an_auction(40, 6, seed=3, pricing="first_price"),
    "everybody": lambda: an_auction(9, 30, seed=4),
    "reservation": lambda: a_reservation(24),
    "few confirm": lambda: a_reservation(24, seed=2, confirms=0.2),
    "silent": lambda: a_reservation(24, silent="west"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a store."""
    with tempfile.TemporaryDirectory(prefix="firstcome-kept-") as folder, EmbeddedStore(Path(folder)) as store:
        yield store.url


def outcome_of(shown: dict[str, Any]) -> str:
    """Won, or why lost; "" where it is not decided."""
    outcome = shown["outcome"]
    return "" if outcome is None else outcome.get("reason", outcome["state"])


async def one_of_each(of: Kept) -> dict[str, dict[str, Any]]:
    """A receipt for every outcome there is."""
    found: dict[str, dict[str, Any]] = {}
    for region, entry in of.entries():
        told = of.sale.standing.outcome(region, entry.seq, entry.request, entry.buyer)
        assert told is not None
        if told.reason or told.state not in found:
            shown = await of.receipt(region, entry)
            assert found.setdefault(outcome_of(shown), shown)["format"] == "firstcome-receipt/1"
    return found


@pytest.mark.parametrize("name", SALES)
def test_a_sale_is_sealed_exported_and_sound_and_so_are_its_receipts(server: str, tmp_path: Path, name: str) -> None:
    sale = SALES[name]()

    async def made() -> dict[str, dict[str, Any]]:
        async with kept(server, sale) as of:
            await of.notaries_work()
            seal = await sealed(of.id, of.arbiter)
            assert seal is not None
            assert seal.settled
            await of.exported(tmp_path / "bundle")
            return await one_of_each(of)

    receipts, bundle = asyncio.run(made()), tmp_path / "bundle"
    report = audit(bundle)
    assert report.findings == ()
    assert report.signed
    assert not any("journal" in alarm for alarm in report.alarms)
    written = sale.write(tmp_path / "written")
    for file in ("outcomes.jsonl", "decisions.jsonl", "regions/north.jsonl", "terms.json", "seed.json"):
        assert (bundle / file).read_bytes() == (written / file).read_bytes(), file
    assert len(receipts) > 1 or name == "everybody"
    for outcome, shown in receipts.items():
        alone, against = checked(shown, tmp_path), checked(shown, tmp_path, bundle, report)
        assert (alone.findings, against.findings) == ([], []), outcome
        assert against.not_checked == [], outcome
        assert (shown["why"] is None) == (outcome in {"duplicate", "cut_off"}), outcome
        told = " ".join(story(alone, "Asia/Kolkata"))
        assert "(Asia/Kolkata)" in told
        assert WORDS[outcome] in told, (outcome, told)


WORDS = {
    "won": "nit ", "outbid": "bid more than that", "duplicate": "another", "list_full": "places on the list went to",
    "sold_out": "were confirmed by those before you", "released": "was given back", "expired": "hold was over before",
    "cut_off": "fell silent",
}  # fmt: skip


def held_only(sale: Sale) -> tuple[Sale, Held]:
    """A reservation just after its first unit was given out."""
    at, held = next((at, each) for at, each in enumerate(sale.decisions) if isinstance(each, Held))
    return replace(sale, decisions=sale.decisions[: at + 1]), held


def test_a_holder_has_the_arbiters_word_before_anything_is_settled(server: str, tmp_path: Path) -> None:
    """And the region's that the confirmation is logged: whatever comes, these are signed."""
    whole = a_reservation(24, seed=5)
    sale, held = held_only(whole)

    async def made() -> dict[str, Any]:
        async with kept(server, sale) as of:
            await of.notaries_work()
            region, entry = next(each for each in of.entries() if each[1].request == held.request)
            return await of.receipt(region, entry)

    shown = asyncio.run(made())
    assert (shown["decision"], shown["outcome"], shown["why"]) == (None, None, None)
    assert len(shown["turn"]) == 1
    told = checked(shown, tmp_path)
    assert told.findings == []
    assert told.held == held
    words = " ".join(story(told, "UTC"))
    assert f"Unit {held.unit} of 4 was held for you until" in words
    bundle = whole.write(tmp_path / "bundle")
    assert checked(shown, tmp_path, bundle).findings == []


def test_a_region_that_was_cut_off_is_waited_for_while_holders_still_speak(server: str, tmp_path: Path) -> None:
    """A stop of purchases only is none of what holders say: the seal is settled once that is stopped, too."""
    sale = a_reservation(24, silent="west")
    [cut] = [each for each in sale.decisions if isinstance(each, CutOff)]
    records = list(map(parse_line, sale.lines["west"]))
    said = {record.purchase for record in records if isinstance(record, Reply)}
    entry = next(each for each in records if isinstance(each, Entry) and each.request not in said)
    stamp_ns, bound_ns, clock = sale.hosts["west-1"].stamp(sale.terms.closes_ns)
    before, after = reply_line_halves("release", entry.request, stamp_ns, bound_ns, clock, 0)
    late = f"{before}{cut.seq + 1}{after}".encode()

    async def made() -> tuple[bool, bool, dict[str, Any]]:
        async with kept(server, sale) as of:
            west: Any = of.regions["west"]
            await west.set(keys.stop(of.id), keys.LIST_FULL)
            await of.notaries_work()
            early = await sealed(of.id, of.arbiter)
            await west.xadd(keys.log(of.id), {keys.LINE: late}, id=f"{cut.seq + 1}-0")
            await west.set(keys.stop(of.id), "sold_out")
            await of.notaries_work(4)
            seal = await sealed(of.id, of.arbiter)
            await of.exported(tmp_path / "bundle")
            return (
                early is not None and early.settled,
                seal is not None and seal.settled,
                await of.receipt("west", entry),
            )

    was_settled, is_settled, shown = asyncio.run(made())
    assert (was_settled, is_settled) == (False, True)
    assert (tmp_path / "bundle/regions/west.jsonl").read_bytes().splitlines()[-1] == late
    report = audit(tmp_path / "bundle")
    assert report.findings == ()
    assert checked(shown, tmp_path, tmp_path / "bundle", report).findings == []


def settled_receipt(server: str, tmp_path: Path, sale: Sale, wanted: str) -> dict[str, Any]:
    async def made() -> dict[str, Any]:
        async with kept(server, sale) as of:
            await of.notaries_work()
            await of.exported(tmp_path / "bundle")
            return (await one_of_each(of))[wanted]

    return asyncio.run(made())


def change(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def edit(shown: dict[str, Any]) -> None:
        at: Any = shown
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = to(at[path[-1]]) if callable(to) else to

    return edit


def more(by: int = 1) -> Callable[[Any], Any]:
    return lambda value: str(int(value) + by) if isinstance(value, str) else value + by


BIDS: list[tuple[str, Callable[[dict[str, Any]], None], str]] = [
    (
        "won",
        change("entry", to=lambda line: re.sub(r'"price":\d+', '"price":9999', line)),
        "has the entry in this place",
    ),
    ("won", change("entry", to=lambda line: re.sub(r'"price":\d+,', "", line)), "a bid has a price"),
    ("won", change("entry", to=lambda line: re.sub(r'"price":\d+', '"price":7', line)), "below the reserve"),
    ("won", change("outcome", "price", to=more(-1)), "the outcome follows from the decision"),
    ("won", change("why", "highest_losing", to=more()), "a uniform price|no losing bid is higher"),
    ("won", change("why", "higher", to=more(5)), "served after those who bid more|one best bid"),
    ("won", change("why", "earliest_ns", to=None), "states numbers"),
    ("won", change("why", "pot", to=None), "states numbers"),
    ("won", change("why", "frontier_ns", to="1"), "before every bid is in"),
    ("won", change("why", "sold", to=99), "more units are sold"),
    ("outbid", change("outcome", "reason", to="closed"), "the outcome follows from the decision"),
    ("outbid", change("why", "sold", to=more(-1)), "outbid while a unit is left"),
    ("outbid", change("why", "lowest_winning", to=1), "no losing bid is higher than a winning one"),
    ("outbid", change("why", "higher", to=0), "outbid is so by as many"),
    ("outbid", change("why", "same", to=-1), "states numbers"),
    ("outbid", change("why", "place_ns", to=more()), "the place is the stamp"),
]
TURNS: list[tuple[str, Callable[[dict[str, Any]], None], str]] = [
    ("won", change("turn", to=[]), "the outcome follows|comes with the record of what was held"),
    ("won", change("turn", 0, "path", to=[]), "decision log that has the record"),
    ("won", change("turn", 0, "record", to=lambda line: line.replace('"rank":', '"rank":1')), "has the record"),
    ("won", change("turn", to=lambda turn: turn + turn), "listed, then held"),
    ("won", change("turn", to={}), "turn is a list"),
    ("won", change("reply", "line", to=lambda line: line.replace('"stamp_ns":"1', '"stamp_ns":"2')), "has the reply"),
    ("won", change("reply", "line", to="{}"), "canonical record"),
    ("won", change("reply", "path", to=[]), "has the reply in this place"),
    ("won", change("reply", "seq", to=more()), "number that is stated"),
    ("won", change("reply", to={"seq": 1}), "a reply states"),
    ("won", change("outcome", "unit", to=more()), "the outcome follows"),
    ("won", change("why", "turn", "until_ns", to=more()), "end of hold is what was signed"),
    ("won", change("why", "turn", "held_ns", to=more()), "as long as the terms say"),
    ("won", change("why", "turn", "end", to="expired"), "end is what was signed"),
    ("won", change("why", "turn", to=None), "has a turn"),
    ("won", change("why", "turn", to=[]), "a turn states"),
    ("expired", change("why", "turn", "ended_frontier_ns", to="1"), "once nobody can confirm in time"),
    ("released", change("outcome", "reason", to="expired"), "the outcome follows"),
]
AGAINST: list[tuple[str, Callable[[dict[str, Any]], None], str]] = [
    ("outbid", change("why", "higher", to=more()), "higher is what the replay says"),
    ("outbid", change("why", "buyers", to=more()), "buyers is what the replay says"),
    ("won", change("why", "pot", to=more()), "pot is what the replay says"),
    ("won", change("why", "frontier_ns", to=more()), "frontier is the least mark"),
]
AGAINST_TURNS: list[tuple[str, Callable[[dict[str, Any]], None], str]] = [
    ("won", change("why", "pot", to=more()), "pot is what the replay says"),
    ("won", change("why", "frontier_ns", to=more()), "frontier is the least mark"),
    ("won", change("why", "turn", "ended_ns", to=more()), "a hold ends with the look before"),
    ("expired", change("why", "turn", "ended_frontier_ns", to=more()), "frontier is the least mark"),
]


def test_an_edited_receipt_is_found(server: str, tmp_path: Path) -> None:
    for sale, edits, against in (
        (an_auction(40, 6), BIDS, AGAINST),
        (a_reservation(24), TURNS, AGAINST_TURNS),
    ):
        folder = tmp_path / sale.terms.kind
        folder.mkdir()

        async def made(sale: Sale = sale, folder: Path = folder) -> dict[str, dict[str, Any]]:
            async with kept(server, sale) as of:
                await of.notaries_work()
                await of.exported(folder / "bundle")
                return await one_of_each(of)

        receipts, report = asyncio.run(made()), audit(folder / "bundle")
        for outcome, edit, rule in edits:
            assert_found(checked(edited(receipts[outcome], edit), folder), rule)
        for outcome, edit, rule in against:
            shown = edited(receipts[outcome], edit)
            assert checked(shown, folder).ok, rule
            assert_found(checked(shown, folder, folder / "bundle", report), rule)


def edited(shown: dict[str, Any], edit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    again = {name: _copied(value) for name, value in shown.items()}
    edit(again)
    return again


def _copied(value: Any) -> Any:
    match value:
        case dict():
            return {name: _copied(inner) for name, inner in value.items()}
        case list():
            return [_copied(inner) for inner in value]
    return value


def assert_found(told: ReceiptReport, rule: str) -> None:
    assert told.findings, rule
    assert re.search(rule, told.findings[0].rule), (rule, told.findings)


def test_a_reply_that_was_dropped_convicts_the_region_that_signed_it(server: str, tmp_path: Path) -> None:
    sale = a_reservation(24)
    shown = settled_receipt(server, tmp_path, sale, "won")
    region, seq = shown["region"], shown["reply"]["seq"]
    folder = sale.write(tmp_path / "dropped")
    log = folder / f"regions/{region}.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    assert not isinstance(parse_line(lines[seq - 1].rstrip()), Entry)
    log.write_bytes(b"".join(lines[: seq - 1]))
    sale.signers.sign(folder)
    told = checked(shown, tmp_path, folder)
    assert told.convicted == [f"region {region}: it signed this entry, and a log without it"]
    assert "this one was dropped" in told.findings[0].rule
