"""The audit: good sales pass, every lie is found in the file where it was told, and nothing is ever a traceback."""

import io
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from model.vocabulary import Seen
from proofs.audit import Report, audit, render
from tests.search import many
from tests.stories import SEED, Performance, Story, a_full_sale, seal, stories, write_bundle, zipped

MANIFEST, TERMS, SEED_FILE = "manifest.json", "terms.json", "seed.json"
DECISIONS, OUTCOMES, NORTH, SOUTH = "decisions.jsonl", "outcomes.jsonl", "regions/north.jsonl", "regions/south.jsonl"
WEST = "regions/west.jsonl"


SALE = a_full_sale()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", SALE)


def test_a_true_bundle_passes(bundle: Path) -> None:
    report = audit(bundle)
    assert report.findings == ()
    assert report.ok
    assert (report.requests, report.winners, report.sale) == (8, 3, SALE.story.terms.sale())
    assert report.decisions == len(SALE.decisions)
    assert report.kinds["cut_off"] == report.kinds["lost: cut_off"] == report.kinds["lost: duplicate"] == 1
    assert set(report.never_occurred) >= {"cancelled", "halted", "lost: closed"}
    assert any("not signed" in sentence for sentence in report.not_checked)
    assert any("no clock journal" in sentence for sentence in report.not_checked)
    assert any("west logged beyond its cut-off" in sentence for sentence in report.not_checked)
    assert len(report.what_no_audit_can_see) == 3


@settings(max_examples=many(25))
@given(stories(), st.integers(0, 2**32))
def test_every_sale_passes_however_it_went(tmp_path_factory, story: Story, delivery: int) -> None:
    performance = Performance(story, delivery).run()
    report = audit(write_bundle(tmp_path_factory.mktemp("sale"), performance))
    assert report.findings == ()
    assert report.requests == len(performance.entries())


@pytest.mark.parametrize("ending", ["cancel", "halt"])
def test_a_sale_ended_early_passes_and_says_why(tmp_path: Path, ending: str) -> None:
    for delivery in range(40):
        performance = a_full_sale(ending, delivery)
        report = audit(write_bundle(tmp_path / f"{delivery}", performance))
        assert report.ok
        if performance.standing.cancelled or performance.standing.halted:
            assert any("reason for ending the sale early" in sentence for sentence in report.not_checked)
            return
    pytest.fail("no sale ended early")


def swap(old: str, new: str, times: int = 1) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        assert old.encode() in content, content
        return content.replace(old.encode(), new.encode(), times)

    return edit


def becomes(content: bytes) -> Callable[[bytes], bytes]:
    return lambda _: content


def first_stamp_later(content: bytes) -> bytes:
    stamp = json.loads(content.splitlines()[1])["stamp_ns"]
    return content.replace(stamp.encode(), str(int(stamp) + 1).encode())


def reorder(one: int, other: int) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        lines[one], lines[other] = lines[other], lines[one]
        return b"".join(lines)

    return edit


def drop(at: int) -> Callable[[bytes], bytes]:
    return lambda content: b"".join(
        line for number, line in enumerate(content.splitlines(keepends=True)) if number != at % content.count(b"\n")
    )


def repeat_last(content: bytes) -> bytes:
    return content + content.splitlines(keepends=True)[-1]


def swap_winners(content: bytes) -> bytes:
    """Two winners change places, with indexes, ranks and units as they should be."""
    records = [json.loads(line) for line in content.splitlines()]
    first, second = [record for record in records if record["type"] == "won"][:2]
    first["request"], second["request"] = second["request"], first["request"]
    first["region"], second["region"] = second["region"], first["region"]
    return b"".join(json.dumps(r, sort_keys=True, separators=(",", ":")).encode() + b"\n" for r in records)


def renumbered_without(kind: str) -> Callable[[bytes], bytes]:
    """The decision log without its last record of a kind, numbered anew: what a careful forger would write."""

    def edit(content: bytes) -> bytes:
        records = [json.loads(line) for line in content.splitlines()]
        records.remove([record for record in records if record["type"] == kind][-1])
        for index, record in enumerate(records):
            record["index"] = index
        return b"".join(json.dumps(r, sort_keys=True, separators=(",", ":")).encode() + b"\n" for r in records)

    return edit


CAREFUL = [
    (NORTH, first_stamp_later, NORTH),
    (NORTH, first_stamp_later, DECISIONS),
    (NORTH, swap('"bob"', '"bop"'), DECISIONS),
    (NORTH, swap('"bound_ns":"1"', '"bound_ns":"2"'), DECISIONS),
    (NORTH, swap('"heard_ns":"0"', '"heard_ns":"1"'), DECISIONS),
    (NORTH, swap("north-host/2", "north-host/3"), DECISIONS),
    (NORTH, swap('"bound_ns":"1"', '"bound_ns":"9"'), DECISIONS),
    (NORTH, drop(-1), NORTH),
    (NORTH, drop(0), NORTH),
    (NORTH, repeat_last, NORTH),
    (NORTH, reorder(0, 1), NORTH),
    (NORTH, swap("north.0002", "south.0002"), NORTH),
    (NORTH, swap("north.0002", "north.0001"), NORTH),
    (NORTH, swap('"type":"request"', '"type":"bid"'), NORTH),
    (NORTH, swap('"type":"request"', '"type":"request","price":1'), NORTH),
    (NORTH, swap('"seq":2', '"seq":2e0'), NORTH),
    (NORTH, swap('"seq":2', '"seq":' + "9" * 5000), NORTH),
    (NORTH, swap('"bound_ns":"1"', '"bound_ns":"-1"'), NORTH),
    (NORTH, lambda content: content.replace(b"\n", b"\r\n"), NORTH),
    (NORTH, lambda content: content[:-1], NORTH),
    (NORTH, lambda content: content[:-20], NORTH),
    (NORTH, lambda content: b"\n" + content, NORTH),
    (NORTH, lambda content: b"\xef\xbb\xbf" + content, NORTH),
    (NORTH, becomes(b""), DECISIONS),
    (NORTH, becomes(b"\0" * 3_000_000), NORTH),
    (SOUTH, drop(-1), SOUTH),
    (WEST, drop(0), WEST),
    (WEST, becomes(b""), DECISIONS),
    (DECISIONS, swap_winners, DECISIONS),
    (DECISIONS, reorder(0, 1), DECISIONS),
    (DECISIONS, drop(-1), DECISIONS),
    (DECISIONS, drop(3), DECISIONS),
    (DECISIONS, repeat_last, DECISIONS),
    (DECISIONS, becomes(b""), DECISIONS),
    (DECISIONS, lambda content: content[:-5], DECISIONS),
    (DECISIONS, lambda content: content.replace(b"\n", b"\r\n"), DECISIONS),
    (DECISIONS, swap('"unit":1', '"unit":2'), DECISIONS),
    (DECISIONS, swap('"rank":1', '"rank":0'), DECISIONS),
    (DECISIONS, swap('"region":"north"', '"region":"south"'), DECISIONS),
    (DECISIONS, swap('"type":"cut_off"', '"type":"cut_down"'), DECISIONS),
    (DECISIONS, swap('"reason":"sold_out"', '"reason":"time"'), DECISIONS),
    (DECISIONS, swap('"reason":"sold_out"', '"reason":["sold_out"]'), DECISIONS),
    (DECISIONS, swap('"reason":"sold_out"', '"reason":' + "[" * 5000 + "]" * 5000), DECISIONS),
    (DECISIONS, swap('"earliest_ns":"1795809600000001000"', '"earliest_ns":"1795809600000001010"'), DECISIONS),
    (DECISIONS, swap('"earliest_ns":"1795809600000001000"', '"earliest_ns":"' + "9" * 6000 + '"'), DECISIONS),
    (DECISIONS, swap('"seq":1', '"seq":9007199254740991'), DECISIONS),
    (DECISIONS, swap('"mark_ns":"', '"mark_ns":"9'), DECISIONS),
    (DECISIONS, renumbered_without("won"), DECISIONS),
    (DECISIONS, renumbered_without("sold_out"), DECISIONS),
    (DECISIONS, renumbered_without("closed"), DECISIONS),
    (DECISIONS, renumbered_without("cut_off"), DECISIONS),
    (OUTCOMES, swap('"state":"won"', '"state":"lost"'), OUTCOMES),
    (OUTCOMES, swap('"reason":"sold_out"', '"reason":"closed"'), OUTCOMES),
    (OUTCOMES, swap('"of":"north.0001"', '"of":"north.0002"'), OUTCOMES),
    (OUTCOMES, swap('"rank":0', '"rank":1'), OUTCOMES),
    (OUTCOMES, reorder(0, 1), OUTCOMES),
    (OUTCOMES, drop(-1), OUTCOMES),
    (OUTCOMES, drop(2), OUTCOMES),
    (OUTCOMES, repeat_last, OUTCOMES),
    (OUTCOMES, lambda content: content[:-1], OUTCOMES),
    (OUTCOMES, lambda content: content + b"\xff\xfe\n", OUTCOMES),
    (SEED_FILE, swap(SEED.hex()[:2], "ff"), SEED_FILE),
    (SEED_FILE, swap('"seed":"', '"seed":"00'), SEED_FILE),
    (SEED_FILE, becomes(b'{"seed":7}\n'), SEED_FILE),
    (SEED_FILE, swap("}", ',"x":1}'), SEED_FILE),
    (SEED_FILE, lambda content: content.upper(), SEED_FILE),
    (SEED_FILE, becomes(b""), SEED_FILE),
    (TERMS, swap('"stock":3', '"stock":4'), DECISIONS),
    (TERMS, swap('"stock":3', '"stock":0'), TERMS),
    (TERMS, swap('"stock":3', '"stock":' + "9" * 4000), TERMS),
    (TERMS, swap('"stock":3', '"stock":3.0'), TERMS),
    (TERMS, swap('"kind":"flash"', '"kind":"raffle"'), TERMS),
    (TERMS, swap('"method":"ordered",', ""), TERMS),
    (TERMS, swap('"title"', '"tilte"'), TERMS),
    (TERMS, swap('"stock":3', '"stock": 3'), TERMS),
    (TERMS, lambda content: content + content, TERMS),
    (TERMS, lambda content: content[:-1], TERMS),
    (TERMS, becomes(b"[]\n"), TERMS),
    (TERMS, becomes(b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}\n"), TERMS),
    (TERMS, becomes(b'{"a":' + b"[" * 985 + b"]" * 985 + b"}\n"), TERMS),
]  # fmt: skip


@pytest.mark.parametrize(("file", "edit", "found_in"), CAREFUL)
@pytest.mark.parametrize("pack", [lambda folder: folder, zipped], ids=["folder", "zip"])
def test_a_forger_who_writes_the_manifest_anew_is_found(bundle: Path, file: str, edit, found_in: str, pack) -> None:
    path = bundle / file
    path.write_bytes(edit(path.read_bytes()))
    report = audit(pack(seal(bundle)))
    assert not report.ok
    assert found_in in {finding.file for finding in report.findings} | _by_region(report)


def _by_region(report: Report) -> set[str]:
    return {f"regions/{f.rule.split()[1][:-1]}.jsonl" for f in report.findings if f.rule.startswith("region ")}


@pytest.mark.parametrize("file", [MANIFEST, TERMS, SEED_FILE, DECISIONS, OUTCOMES, NORTH, SOUTH, WEST])
def test_any_careless_edit_names_the_file(bundle: Path, file: str) -> None:
    chance = random.Random(file)
    path = bundle / file
    content = path.read_bytes()
    for _ in range(25):
        at = chance.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :])
        report = audit(bundle)
        assert not report.ok
        assert file in {finding.file for finding in report.findings} or file == MANIFEST
    for cut in (0, 1, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        assert file in {finding.file for finding in audit(bundle).findings}
    path.unlink()
    assert file in {finding.file for finding in audit(bundle).findings}


@pytest.mark.parametrize(
    "file", ["notes.txt", "regions/east.jsonl", "regions/north.jsonl~", ".hidden", "clocks/x.jsonl"]
)
def test_a_file_too_many_is_found(bundle: Path, file: str) -> None:
    (bundle / file).parent.mkdir(exist_ok=True)
    (bundle / file).write_bytes(b"")
    assert [finding.file for finding in audit(bundle).findings] == [file] * (2 if file.endswith("east.jsonl") else 1)


def edit_manifest(bundle: Path, edit: Callable[[dict], object]) -> Report:
    manifest = json.loads((bundle / MANIFEST).read_bytes())
    edit(manifest)
    (bundle / MANIFEST).write_bytes(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return audit(bundle)


@pytest.mark.parametrize(
    "edit",
    [
        lambda manifest: manifest.update(format="firstcome-bundle/2"),
        lambda manifest: manifest.update(sale="0" * 32),
        lambda manifest: manifest.update(sale=7),
        lambda manifest: manifest.update(files=[]),
        lambda manifest: manifest.update(files={}),
        lambda manifest: manifest["files"].update({"terms.json": 5}),
        lambda manifest: manifest["files"].update({"../../../etc/passwd": "0" * 64}),
        lambda manifest: manifest["files"].update({"regions/mars.jsonl": "0" * 64}),
        lambda manifest: manifest.update(heads=[]),
        lambda manifest: manifest.pop("heads"),
        lambda manifest: manifest["heads"].update(decisions="0" * 64),
        lambda manifest: manifest["heads"].update({"regions/north": 3}),
        lambda manifest: manifest["heads"].update({"regions/mars": "0" * 64}),
        lambda manifest: manifest["heads"].pop("regions/north"),
        lambda manifest: manifest.update(surprise=1),
        lambda manifest: manifest.clear(),
    ],
)
def test_a_manifest_that_lies_is_found(bundle: Path, edit) -> None:
    assert not edit_manifest(bundle, edit).ok


def told(report: Report) -> str:
    out = io.StringIO()
    render(report, Console(file=out, width=100))
    return out.getvalue()


def test_the_report_reads_well_for_people_and_for_programs(bundle: Path) -> None:
    good = audit(bundle)
    assert "Every check holds." in told(good)
    assert "never occurred" in told(good)
    assert json.loads(json.dumps(good.fields()))["ok"] is True
    (bundle / OUTCOMES).write_bytes((bundle / OUTCOMES).read_bytes().replace(b"sold_out", b"[red]x[/]"))
    bad = audit(seal(bundle))
    assert f"{OUTCOMES}, line" in told(bad)
    assert "[red]x[/]" in told(bad).replace("\n", "")
    fields = json.loads(json.dumps(bad.fields()))
    assert fields["ok"] is False
    assert fields["findings"][0]["file"] == OUTCOMES


def test_an_entry_that_is_stamped_after_the_look_that_counts_it_is_found(tmp_path: Path) -> None:
    """Beyond its bound, to the nanosecond: one of the two clocks is broken."""
    performance = a_full_sale()
    at, look = next(
        (at, each)
        for at, each in enumerate(performance.decisions)
        if isinstance(each, Seen) and each.regions["north"].seq
    )
    counted = performance.story.logs["north"][: look.regions["north"].seq]
    last = max(counted, key=lambda entry: entry.stamp_ns - entry.bound_ns)
    least_ns = last.stamp_ns - last.bound_ns
    for latest_ns, is_found in ((least_ns, False), (least_ns - 1, True)):
        performance.decisions[at] = replace(look, earliest_ns=0, latest_ns=latest_ns)
        findings = audit(write_bundle(tmp_path / f"{latest_ns}", performance)).findings
        accused = [finding.line for finding in findings if finding.file == "regions/north.jsonl"]
        assert accused == ([last.seq] if is_found else [])
