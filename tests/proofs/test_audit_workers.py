"""Parts of an audit in forked children come to just what they come to one after the other."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from proofs.audit import Report, audit, workers
from proofs.audit.case import Case, Wishes
from proofs.audit.workers import side_by_side
from proofs.bundle import open_bundle
from tests.proofs import sales
from tests.stories import a_full_sale, seal, write_bundle, zipped


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork for however little there is to read, on however small a machine."""
    monkeypatch.setattr(workers, "WORTH_BYTES", 0)
    monkeypatch.setattr(workers, "_processors", lambda: 3)


def told(report: Report) -> dict:
    return report.fields()


def edited(folder: Path, file: str, old: bytes, new: bytes) -> Path:
    content = (folder / file).read_bytes()
    assert old in content
    (folder / file).write_bytes(content.replace(old, new))
    return seal(folder)


BUNDLES: dict[str, Callable[[Path], Path]] = {
    "sound": lambda folder: write_bundle(folder, a_full_sale()),
    "halted": lambda folder: write_bundle(folder, a_full_sale("halt")),
    "a log that lies": lambda folder: edited(
        write_bundle(folder, a_full_sale()), "regions/north.jsonl", b'"bob"', b'"b b"'
    ),
    "decisions that lie": lambda folder: edited(
        write_bundle(folder, a_full_sale()), "decisions.jsonl", b'"rank":0', b'"rank":1'
    ),
    "stamps before heartbeats": lambda folder: edited(
        write_bundle(folder, a_full_sale()),
        "regions/south.jsonl",
        b'"heard_ns":"0"',
        b'"heard_ns":"1999999999999999999"',
    ),
    "signed, with journals": lambda folder: sales.a_sale(3).write(folder),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_children_find_what_one_process_finds(tmp_path: Path, name: str, request: pytest.FixtureRequest) -> None:
    folder = BUNDLES[name](tmp_path / "bundle")
    alone = told(audit(folder))
    request.getfixturevalue("forked")
    assert told(audit(folder)) == alone


def test_a_zip_is_read_by_one_process(tmp_path: Path, forked: None) -> None:
    path = zipped(write_bundle(tmp_path / "bundle", a_full_sale()))
    with open_bundle(path) as bundle:
        assert side_by_side(Case(bundle, Wishes()), [os.getpid, os.getpid]) == [os.getpid()] * 2
    assert audit(path).ok


def test_parts_run_elsewhere_and_one_that_is_killed_is_made_up_for_here(tmp_path: Path, forked: None) -> None:
    here = os.getpid()

    def die_elsewhere() -> int:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return 7

    folder = write_bundle(tmp_path, a_full_sale())
    with open_bundle(folder) as bundle:
        first, second, third, fourth = side_by_side(
            Case(bundle, Wishes()), [os.getpid, die_elsewhere, lambda: len(b"x" * 5_000_000), os.getpid]
        )
    assert here not in {first, fourth}
    assert first != fourth
    assert (second, third) == (7, 5_000_000)
