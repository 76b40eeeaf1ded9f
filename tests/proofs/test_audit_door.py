"""Bundles of sales at the door: sound ones are found sound, and told for what they are."""

import json
import shutil
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from model.merkle import inclusion_path, leaf_hash
from model.note import path_texts
from model.terms import read_terms
from proofs.audit import audit, render
from proofs.audit.page import page
from proofs.audit.receipt import ReceiptReport, audit_receipt
from proofs.audit.report import Report
from proofs.audit.story import story
from tests.proofs.door_sales import DoorSale, a_door_sale
from tests.proofs.sales import MS, a_sale

SALES = {
    "sharded": a_door_sale(),
    "fenced": a_door_sale(90, 60, seed=3, fenced="west", trouble_ns=100 * MS),
    "silent": a_door_sale(silent="south"),
    "central": a_door_sale(20, method="central"),
    "still": a_door_sale(rebalance=False),
}


@pytest.fixture(params=SALES)
def sale(request: pytest.FixtureRequest) -> DoorSale:
    return SALES[request.param]


def audited(sale: DoorSale, folder: Path) -> Report:
    return audit(sale.write(folder))


def places_of(report: Report) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for each in report.places:
        found[each.place, each.region] = found.get((each.place, each.region), 0) + each.units
    return found


def test_a_sound_bundle_is_found_sound(sale: DoorSale, tmp_path: Path) -> None:
    report = audited(sale, tmp_path)
    assert report.findings == ()
    assert report.alarms == ()
    assert report.requests == report.winners == sale.fold.sold == sale.count("request")
    assert sum(each.units for each in report.places) == sale.terms.stock
    assert (report.fairness, report.back_dating) == (None, None)


def test_where_units_are_is_what_the_fold_has(sale: DoorSale, tmp_path: Path) -> None:
    found, account = places_of(audited(sale, tmp_path)), sale.fold.account()
    assert sum(units for (place, _), units in found.items() if place == "sold") == account.sold
    left = sum(units for (place, _), units in found.items() if place in ("free", "unaccounted", "on the way"))
    assert left == account.free + account.on_the_way
    assert found.get(("nobody's", ""), 0) == account.nobodys


def test_each_sale_had_what_it_is_there_for(tmp_path: Path) -> None:
    sharded = audited(SALES["sharded"], tmp_path / "sharded")
    assert sharded.demand is not None
    assert SALES["sharded"].count("granted") == SALES["sharded"].count("taken") > 3
    assert len(sharded.refusals) == 1
    assert "refused it as altered" in sharded.refusals[0]
    fenced = audited(SALES["fenced"], tmp_path / "fenced")
    assert (fenced.kinds["fenced"], fenced.kinds["reissued"] > 1) == (1, True)
    assert any("west was really stopped" in sentence for sentence in fenced.not_checked)
    assert not any("beyond its cut-off" in sentence for sentence in fenced.not_checked)
    silent = audited(SALES["silent"], tmp_path / "silent")
    assert places_of(silent)["unaccounted", "south"] == 3
    assert any("3 units were sold since" in sentence for sentence in silent.not_checked)
    central = audited(SALES["central"], tmp_path / "central")
    assert places_of(central) == {("sold", "north"): 20, ("free", "north"): 10}


def test_all_of_a_stock_sells_where_it_is_asked_for(tmp_path: Path) -> None:
    report = audited(SALES["sharded"], tmp_path)
    assert report.demand is not None
    assert report.demand.sold == report.demand.stock == 30
    assert [each.began_with for each in report.demand.regions] == [10, 10, 10]
    assert sum(each.given for each in report.demand.regions) == sum(each.taken for each in report.demand.regions)
    still = audited(SALES["still"], tmp_path / "still")
    assert still.demand is not None
    assert still.demand.sold < still.demand.stock


def test_a_report_says_what_is_not_promised_and_claims_no_chance(tmp_path: Path) -> None:
    report = audited(SALES["fenced"], tmp_path)
    out = StringIO()
    render(report, Console(file=out, width=240))
    for told in (out.getvalue(), page(report)):
        assert "Where every unit is" in told
        assert "Who sold how much" in told
        assert "does not promise" in told
        assert "No order between regions" in told
        assert "probability" not in told
        assert "chance allows" not in told
    fields = json.loads(json.dumps(report.fields()))
    assert fields["demand"]["regions"][0]["region"] == "north"
    assert fields["places"][0].keys() == {"place", "region", "units", "which"}
    assert fields["fairness"] is None


def test_an_ordered_sale_is_told_as_ever(tmp_path: Path) -> None:
    report = audit(a_sale(40, 6, hosts_each=1, polls=6).write(tmp_path))
    assert (report.findings, report.demand, report.places, report.refusals) == ((), None, (), ())
    assert "fenced" not in report.kinds
    assert report.fairness is not None


def test_a_unit_in_an_ordered_sale_is_found(tmp_path: Path) -> None:
    sale = a_sale(40, 6, hosts_each=1, polls=6)
    folder = sale.write(tmp_path)
    log = folder / "regions/north.jsonl"
    first, rest = log.read_bytes().split(b"\n", 1)
    log.write_bytes(first[:-1] + b',"unit":3}\n' + rest)
    sale.signers.sign(folder)
    [found] = [each for each in audit(folder).findings if each.file == "regions/north.jsonl"]
    assert (found.line, found.rule) == (1, "an ordered sale gives nobody a unit at the door")


def test_lines_beyond_a_cut_off_are_told_and_a_fenced_region_has_none(tmp_path: Path) -> None:
    for name, region in (("silent", "south"), ("fenced", "west")):
        sale = SALES[name]
        folder = sale.write(tmp_path / name)
        log = folder / f"regions/{region}.jsonl"
        seq = log.read_bytes().count(b"\n") + 1
        more = {"donor": "mars", "number": 1, "reason": "foreign", "seq": seq, "type": "refused", "units": "0-1"}
        line = json.dumps(more, separators=(",", ":")).encode()
        log.write_bytes(log.read_bytes() + line + b"\n")
        sale.signers.sign(folder)
        findings = audit(folder).findings
        if name == "silent":
            assert findings == ()
        else:
            assert [(each.file, each.rule) for each in findings] == [
                ("regions/west.jsonl", "a log ends where the arbiter's last look ended")
            ]


def test_what_a_fenced_region_signed_beyond_its_end_is_found(tmp_path: Path) -> None:
    sale = SALES["fenced"]
    folder = sale.write(tmp_path)
    signed = (folder / "checkpoints/regions/west").read_text()
    log = folder / "regions/west.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"donor":"x","number":1,"reason":"foreign","seq":99,"type":"refused","units":"0-1"}\n')
    sale.signers.sign(folder)
    longer = (folder / "checkpoints/regions/west").read_text()
    log.write_bytes(whole)
    assert signed != longer
    (folder / "checkpoints/regions/west").write_text(longer)
    sale.signers.seal(folder)
    rules = [each.rule for each in audit(folder).findings]
    assert "a checkpoint covers the whole log, and the log all of the checkpoint" in rules


def receipt_of(sale: DoorSale, folder: Path, region: str, seq: int) -> dict[str, object]:
    """What a gateway shows, from the files of a bundle."""
    lines = (folder / f"regions/{region}.jsonl").read_bytes().splitlines()
    entry = json.loads(lines[seq - 1])
    path = inclusion_path([leaf_hash(line) for line in lines], seq - 1)
    return {
        "format": "firstcome-receipt/1", "sale": sale.terms.sale(), "terms": sale.terms.stated, "region": region,
        "seq": seq, "entry": lines[seq - 1].decode(), "path": path_texts(path), "decision": None, "why": None,
        "checkpoint": (folder / f"checkpoints/regions/{region}").read_text(),
        "outcome": {"request": entry["request"], "state": "won", "unit": entry["unit"]},
    }  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """A bundle, and a receipt of it."""
    sale = SALES["sharded"]
    folder = sale.write(tmp_path_factory.mktemp("door") / "bundle")
    lines = (folder / "regions/north.jsonl").read_bytes().splitlines()
    seq = next(at for at, line in enumerate(lines, start=1) if b'"type":"request"' in line and at > 5)
    return folder, receipt_of(sale, folder, "north", seq)


def checked(shown: dict[str, object], folder: Path, bundle: Path | None = None, report: Report | None = None):
    path = folder / "receipt.json"
    path.write_text(json.dumps(shown))
    return audit_receipt(path, bundle, report=report)


def test_a_receipt_shows_a_unit_by_the_region_s_signature_alone(shown: tuple[Path, dict], tmp_path: Path) -> None:
    bundle, receipt = shown
    told: ReceiptReport = checked(receipt, tmp_path)
    assert told.findings == []
    assert any("nobody else got this unit" in sentence for sentence in told.not_checked)
    assert any(f"Unit {receipt['outcome']['unit']} of 30 was yours" in sentence for sentence in story(told, "UTC"))
    told = checked(receipt, tmp_path, bundle, audit(bundle))
    assert (told.findings, told.not_checked) == ([], [])


def test_a_receipt_that_says_anything_else_is_refused(shown: tuple[Path, dict], tmp_path: Path) -> None:
    _, receipt = shown
    outcome = receipt["outcome"]
    for wrong, rule in (
        ({"outcome": {**outcome, "unit": outcome["unit"] + 1}}, "has won the unit in it"),
        ({"outcome": {**outcome, "rank": 0}}, "has won the unit in it"),
        ({"outcome": None}, "has won the unit in it"),
        ({"why": {}}, "hangs on no decision"),
        ({"entry": receipt["entry"].replace(f'"unit":{outcome["unit"]}', '"unit":0')}, "has the entry in this place"),
        ({"entry": receipt["entry"].replace(f',"unit":{outcome["unit"]}', "")}, "where they are sold at the door"),
    ):
        told = checked({**receipt, **wrong}, tmp_path)
        assert [rule in finding.rule for finding in told.findings] == [True], wrong


def test_a_dropped_sale_at_the_door_convicts(shown: tuple[Path, dict], tmp_path: Path) -> None:
    """The region signed that the buyer has a unit, and then a log in which it does not."""
    bundle, receipt = shown
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    log = folder / "regions/north.jsonl"
    log.write_bytes(
        log.read_bytes().replace(receipt["entry"].encode(), receipt["entry"].replace("buyer", "b").encode())
    )
    SALES["sharded"].signers.sign(folder)
    told = checked(receipt, tmp_path, folder)
    assert told.convicted == ["region north: it signed this entry, and a log without it"]


def test_terms_of_tests_are_terms(sale: DoorSale) -> None:
    assert read_terms(sale.terms.stated) == sale.terms
