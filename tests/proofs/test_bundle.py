"""The reader of bundles: links, odd names, bombs, damaged zips, and what is no bundle at all."""

import os
import random
import zipfile
from pathlib import Path

import pytest

from proofs.audit import audit
from proofs.bundle import NotABundleError
from tests.stories import a_full_sale, seal, write_bundle, zipped

SALE = a_full_sale()
NORTH, OUTCOMES = "regions/north.jsonl", "outcomes.jsonl"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", SALE)


@pytest.mark.parametrize("around", ["", "bundle/"])
def test_the_same_zipped_passes_too(bundle: Path, around: str) -> None:
    assert audit(zipped(bundle, around)).findings == ()


def test_a_link_is_not_followed(bundle: Path, tmp_path: Path) -> None:
    elsewhere = (bundle / NORTH).rename(tmp_path / "elsewhere")
    (bundle / NORTH).symlink_to(elsewhere)
    assert "no link" in audit(bundle).findings[0].rule
    (bundle / NORTH).unlink()
    os.mkfifo(bundle / NORTH)
    assert "no device" in audit(bundle).findings[0].rule


def test_a_linked_folder_is_not_followed(bundle: Path, tmp_path: Path) -> None:
    (bundle / "regions").rename(tmp_path / "elsewhere")
    (bundle / "regions").symlink_to(tmp_path / "elsewhere")
    assert audit(bundle).findings[0].file == "regions"


def test_zips_that_trick_are_refused(bundle: Path) -> None:
    path = zipped(bundle)
    for name in (
        "../outside.json",
        "/etc/passwd",
        "regions\\north.jsonl",
        "a" * 5000,
        "regions/../seed.json",
        "\x1b[2J",
    ):
        with zipfile.ZipFile(zipped(bundle), "a") as archive:
            archive.writestr(name, b"x")
        report = audit(path)
        assert [finding.rule for finding in report.findings] == [
            "no file is in a bundle that does not belong there"
        ]  # fmt: skip
        assert "\x1b" not in str(report.findings[0])
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(zipped(bundle), "a") as archive:
        archive.writestr(OUTCOMES, b"")
    assert audit(path).findings[0].rule == "every file is in a zip once"


def test_a_zip_bomb_is_not_read(bundle: Path) -> None:
    (bundle / OUTCOMES).write_bytes(bytes(50_000_000))
    found = audit(zipped(seal(bundle))).findings[0]
    assert (found.file, found.rule) == (OUTCOMES, "no file grows more than 100-fold when unzipped")


def test_a_damaged_zip_is_never_a_traceback(bundle: Path) -> None:
    path = zipped(bundle)
    content = path.read_bytes()
    chance = random.Random(5)
    for _ in range(150):
        at = chance.randrange(len(content))
        path.write_bytes(content[:at] + bytes([chance.randrange(256)]) + content[at + chance.randrange(2) :])
        try:
            report = audit(path)
        except NotABundleError:
            continue
        assert report.sale in {"", SALE.story.terms.sale()}
    for cut in range(0, len(content), 211):
        path.write_bytes(content[:cut])
        with pytest.raises(NotABundleError):
            audit(path)


def test_what_is_no_bundle_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no zip")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text("{}")
    for name in ("nowhere", "empty", "text", "other", "text/below", "n\0ul"):
        with pytest.raises(NotABundleError):
            audit(tmp_path / name)
    with pytest.raises(NotABundleError, match="neither a folder nor a file"):
        audit(Path("/dev/null"))
