"""Receipts: each holds by itself and against its bundle; every edit is found; a dropped entry convicts who signed."""

import json
import re
import shutil
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from model import guards, wire
from model.lottery import ticket
from model.merkle import inclusion_path, leaf_hash
from model.vocabulary import Seen, Won
from proofs.audit import audit
from proofs.audit.fairness import Fairness
from proofs.audit.receipt import NotAReceiptError, ReceiptReport, audit_receipt
from proofs.audit.story import story
from tests.proofs.sales import Sale, a_sale
from tests.signer import Witness, checkpoint
from tests.stories import SEED

SALE = a_sale(hosts_each=1, polls=6)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SALE.write(tmp_path_factory.mktemp("receipts") / "bundle")


def path_of(lines: list[bytes], index: int) -> list[str]:
    return [b64encode(each).decode() for each in inclusion_path([leaf_hash(line) for line in lines], index)]


def receipt_of(sale: Sale, folder: Path, region: str, seq: int) -> dict[str, Any]:
    """What a region gives a buyer, once everything is decided."""
    line = sale.lines[region][seq - 1]
    entry = wire.parse_log_line(line)
    outcome = sale.standing.outcome(region, seq, entry.request, entry.buyer)
    assert outcome is not None
    lines = [wire.decision_line(index, each) for index, each in enumerate(sale.decisions)]
    settled = outcome.of or entry.request if outcome.reason in {None, "duplicate"} else ""
    index = next(
        at for at, each in enumerate(sale.decisions)
        if (isinstance(each, Won) and each.request == settled) or (not settled and b'"sold_out"' in lines[at])
    )  # fmt: skip
    return {
        "format": "firstcome-receipt/1", "sale": sale.terms.sale(), "terms": dict(sale.terms.stated),
        "region": region, "seq": seq, "entry": line.decode(),
        "checkpoint": (folder / "checkpoints" / "regions" / region).read_text(),
        "path": path_of(sale.lines[region], seq - 1),
        "decision": {
            "index": index, "record": lines[index].decode(), "path": path_of(lines, index),
            "checkpoint": (folder / "checkpoints" / "decisions").read_text(),
        },
        "outcome": json.loads(wire.outcome_line(outcome)),
        "why": None if outcome.rank is None else why(sale, folder, outcome.rank, entry.stamp_ns, entry.buyer, index),
    }  # fmt: skip


@cache
def fairness_of(folder: Path) -> Fairness:
    """Of the true bundle, which no test changes."""
    fairness = audit(folder).fairness
    assert fairness is not None
    return fairness


def why(sale: Sale, folder: Path, rank: int, stamp_ns: int, buyer: str, index: int) -> dict[str, Any]:
    fairness = fairness_of(folder)
    look = [each for each in sale.decisions[:index] if isinstance(each, Seen)][-1]
    return {
        "place_ns": str(guards.place_ns(stamp_ns, sale.terms.opens_ns)),
        "tie_window_ns": str(sale.terms.tie_window_ns),
        "earliest_ns": str(fairness.earliest_ns[rank]),
        "pot": fairness.pots[rank],
        "frontier_ns": str(min(seen.mark_ns for seen in look.regions.values())),
        "ticket": f"{ticket(SEED, sale.terms.sale(), buyer):064x}",
    }


def checked(receipt: Any, folder: Path, against: Path | None = None, **more: Any) -> ReceiptReport:
    path = folder.with_name("receipt.json")
    path.write_text(json.dumps(receipt))
    report = audit(against) if against is not None else None
    return audit_receipt(path, against, report=report, **more)


def one_with(sale: Sale, folder: Path, wanted: str) -> dict[str, Any]:
    """A receipt of somebody who won, or lost for this reason."""
    for region, lines in sale.lines.items():
        for seq, line in enumerate(lines, start=1):
            entry = wire.parse_log_line(line)
            outcome = sale.standing.outcome(region, seq, entry.request, entry.buyer)
            if outcome is not None and wanted == (outcome.reason or "won"):
                return receipt_of(sale, folder, region, seq)
    raise AssertionError(wanted)


@pytest.mark.parametrize("wanted", ["won", "sold_out", "duplicate"])
def test_a_receipt_holds_by_itself_and_against_its_bundle(bundle: Path, wanted: str) -> None:
    receipt = one_with(SALE, bundle, wanted)
    alone, against = checked(receipt, bundle), checked(receipt, bundle, bundle)
    assert (alone.findings, against.findings) == ([], [])
    assert bool(alone.not_checked) == (wanted == "duplicate")
    assert against.not_checked == []
    told = " ".join(story(alone, "Asia/Shanghai"))
    assert {"won": "You won", "sold_out": "were gone", "duplicate": "another request of yours"}[wanted] in told
    assert "04:00:00" in told or "03:59:5" in told


def test_every_receipt_of_a_sale_holds(bundle: Path) -> None:
    for region, lines in SALE.lines.items():
        for seq in range(1, len(lines) + 1, 3):
            receipt = receipt_of(SALE, bundle, region, seq) | {"why": None}
            assert checked(receipt, bundle).findings == []


def change(*path: str | int, to: Any) -> Callable[[dict], None]:
    def edit(receipt: dict) -> None:
        at: Any = receipt
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = to(at[path[-1]]) if callable(to) else to

    return edit


EDITS: list[tuple[Callable[[dict], None], str]] = [
    (change("sale", to="0" * 32), "sale's id is the hash of its terms"),
    (change("terms", "stock", to=9), "sale's id"),
    (change("terms", "stock", to=0), "rules of terms"),
    (change("region", to="mars"), "region is one that the terms name"),
    (change("region", to="south"), "named after its region|names the log"),
    (change("seq", to=lambda seq: seq + 1), "has the number that is stated"),
    (change("seq", to="1"), "of its kind"),
    (
        change("entry", to=lambda line: line.replace('"bound_ns":"', '"bound_ns":"1')),
        "a log that has the entry|at most ε",
    ),
    (
        change("entry", to=lambda line: line.replace('"buyer":"', '"buyer":"x')),
        "a log that has the entry in this place",
    ),
    (change("entry", to="{}"), "canonical request record"),
    (change("checkpoint", to=lambda note: note.replace("head ", "head  ")), "signed note about a log"),
    (
        change("checkpoint", to=lambda note: re.sub(r"\n\d+\n", "\n999\n", note, count=1)),
        "signed by the key|names the log|has the entry",
    ),
    (change("checkpoint", to="x" * 70_000), "signed note"),
    (change("path", 0, to="AAAA"), "list of hashes"),
    (change("path", 0, to=b64encode(bytes(32)).decode()), "a log that has the entry in this place"),
    (change("path", to=lambda path: path[1:]), "a log that has the entry in this place"),
    (change("path", to=lambda path: path * 40), "of its kind"),
    (change("decision", "index", to=lambda index: index + 1), "well-formed record of its number"),
    (change("decision", "index", to=-1), "well-formed record|in this place"),
    (
        change("decision", "record", to=lambda line: line.replace('"unit":', '"unit":1')),
        "decision log that has the record",
    ),
    (change("decision", "path", to=[]), "decision log that has the record"),
    (change("decision", "path", to=7), "decision states"),
    (change("decision", to=None), "an outcome comes with the decision"),
    (change("decision", to=[]), "decision states index"),
    (change("outcome", "unit", to=1000), "outcome follows from the decision"),
    (change("outcome", to={"state": "lost"}), "outcome follows"),
    (change("outcome", to=None), "outcome follows"),
    (change("why", "place_ns", to=lambda text: str(int(text) + 1)), "the place is the stamp"),
    (change("why", "tie_window_ns", to="1"), "the window is the terms'"),
    (change("why", "earliest_ns", to="9" * 19), "in the pot"),
    (change("why", "frontier_ns", to="0"), "nobody can join it"),
    (change("why", "pot", to=0), "in the pot"),
    (change("why", "ticket", to=5), "ticket is hex"),
    (change("why", to={}), "why states"),
    (lambda receipt: receipt.update(extra=1), "just the fields"),
]


@pytest.mark.parametrize(("edit", "rule"), EDITS, ids=range(len(EDITS)))
def test_an_edited_receipt_is_found(bundle: Path, edit: Callable[[dict], None], rule: str) -> None:
    receipt = one_with(SALE, bundle, "won")
    edit(receipt)
    report = checked(receipt, bundle)
    assert [bool(re.search(rule, finding.rule)) for finding in report.findings] == [True], report.findings


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (change("why", "pot", to=lambda pot: pot + 1), "pot is what the replay says"),
        (change("why", "ticket", to="0" * 64), "the ticket is the buyer's"),
        (change("why", "frontier_ns", to=lambda text: str(int(text) + 1)), "frontier is the least mark"),
    ],
)
def test_a_why_that_the_replay_does_not_bear_out_is_found(bundle: Path, edit, rule: str) -> None:
    receipt = one_with(SALE, bundle, "won")
    edit(receipt)
    assert checked(receipt, bundle).ok
    assert rule in checked(receipt, bundle, bundle).findings[0].rule


def without_entry(folder: Path, region: str, sale: Sale) -> Path:
    """A bundle in which the region's last entry, a loser, never was, signed by everybody: consistent in itself."""
    dropped = folder.with_name("dropped")
    shutil.rmtree(dropped, ignore_errors=True)
    shutil.copytree(folder, dropped)
    log = dropped / "regions" / f"{region}.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    sale.signers.sign(dropped)
    return dropped


def test_a_dropped_entry_convicts_the_region_that_signed_it(bundle: Path) -> None:
    receipt = receipt_of(SALE, bundle, "north", len(SALE.lines["north"])) | {"why": None}
    report = checked(receipt, bundle, without_entry(bundle, "north", SALE))
    assert "this one was dropped" in report.findings[0].rule
    assert report.convicted == ["region north: it signed this entry, and a log without it"]


def test_a_drop_that_the_region_did_not_sign_convicts_who_wrote_the_bundle(bundle: Path) -> None:
    receipt = receipt_of(SALE, bundle, "north", len(SALE.lines["north"])) | {"why": None}
    dropped = without_entry(bundle, "north", SALE)
    (dropped / "checkpoints" / "regions" / "north").unlink()
    SALE.signers.seal(dropped)
    assert checked(receipt, bundle, dropped).convicted[0].startswith("the arbiter, or whoever wrote the bundle")


def test_an_early_checkpoint_is_held_against_the_log_of_today(bundle: Path) -> None:
    """A receipt's checkpoint is of the log as it was then; the bundle's log must still begin with it."""
    lines = SALE.lines["south"]
    receipt = receipt_of(SALE, bundle, "south", 1) | {"why": None}
    log, origin = bundle / "regions" / "south.jsonl", f"firstcome/{SALE.terms.sale()}/regions/south"
    receipt["checkpoint"] = checkpoint(log, origin, SALE.signers.regions["south"], 3)
    receipt["path"] = path_of(lines[:3], 0)
    assert checked(receipt, bundle, bundle).ok


def test_a_witness_that_is_asked_for_must_have_cosigned(bundle: Path) -> None:
    witness = Witness("witness.example")
    receipt = receipt_of(SALE, bundle, "north", 1) | {"why": None}
    assert "cosigned by the witness" in checked(receipt, bundle, witness=witness.key).findings[0].rule
    receipt["checkpoint"] = witness.cosigned(receipt["checkpoint"])
    receipt["decision"]["checkpoint"] = witness.cosigned(receipt["decision"]["checkpoint"])
    assert checked(receipt, bundle, witness=witness.key).ok
    receipt["checkpoint"] = receipt["checkpoint"].replace("— witness.example ", "— witness.other ")
    assert not checked(receipt, bundle, witness=witness.key).ok


def test_what_is_no_receipt_is_said_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    for content in (b"", b"{}", b"[" * 100_000, b"\xff", b'{"format":"firstcome-receipt/2"}', b"x" * (2 << 20)):
        path.write_bytes(content)
        with pytest.raises(NotAReceiptError):
            audit_receipt(path)
    with pytest.raises(NotAReceiptError):
        audit_receipt(tmp_path / "nowhere")
