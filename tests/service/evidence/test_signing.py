"""Key files: made once and whole, refused when others can read them or they are not what they should be."""

import os
import stat
import threading
from pathlib import Path

import pytest

from model.note import ARBITER_KEY, parse_note, region_key_name
from service.evidence.signing import KeyFileError, has_signed, load_key, load_or_make_key
from tests.service.evidence.verifier import open_note

NORTH = region_key_name("north")
GO_FILE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_published_key_signs_the_published_note(tmp_path: Path) -> None:
    key = load_key(written(tmp_path / "key", GO_FILE), "PeterNeumann")
    assert str(key.verifier) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert key.sign(GO_TEXT) == f"{GO_TEXT}\n— PeterNeumann {GO_SIGNATURE}\n"


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "north.key"
    made = load_or_make_key(path, NORTH)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_make_key(path, NORTH).verifier == made.verifier
    assert [each.name for each in path.parent.iterdir()] == ["north.key"]
    assert open_note(made.sign("a\nb\n"), str(made.verifier)) == ["a", "b"]
    assert load_or_make_key(tmp_path / "other", NORTH).verifier != made.verifier


def test_two_that_make_it_at_once_have_the_same(tmp_path: Path) -> None:
    made = []
    together = threading.Barrier(8)

    def make() -> None:
        together.wait()
        made.append(load_or_make_key(tmp_path / "key", NORTH).verifier)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1


def test_only_the_keys_own_signature_of_the_text_counts(tmp_path: Path) -> None:
    ours, theirs = load_or_make_key(tmp_path / "ours", NORTH), load_or_make_key(tmp_path / "theirs", NORTH)
    note = parse_note(ours.sign("text\n"))
    assert has_signed(ours.verifier, note)
    assert not has_signed(theirs.verifier, note)
    assert not has_signed(ours.verifier, parse_note(str(note).replace("text", "test")))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    load_or_make_key(path, NORTH)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_or_make_key(path, NORTH)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "PRIVATE"),
        ("not a key\n", "PRIVATE"),
        (GO_FILE, "PeterNeumann"),
        (GO_FILE.replace("PeterNeumann", NORTH), "hash"),
        (GO_FILE.replace("PeterNeumann", NORTH).replace("AYEK", "A!EK"), "no key"),
        (GO_FILE.replace("PeterNeumann", NORTH).replace("AYEK", "BYEK"), "Ed25519"),
        ("PRIVATE+KEY+é+00000000+AA==\n", "no key"),
    ],
)
def test_a_file_that_is_no_key_says_why(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(KeyFileError, match=says):
        load_or_make_key(written(tmp_path / "key", text), NORTH)


def test_a_key_in_the_wrong_place_is_noticed(tmp_path: Path) -> None:
    load_or_make_key(tmp_path / "key", NORTH)
    with pytest.raises(KeyFileError, match=r"firstcome\.arbiter"):
        load_or_make_key(tmp_path / "key", ARBITER_KEY)


def test_what_cannot_be_made_or_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyFileError, match="cannot be"):
        load_or_make_key(tmp_path / "file" / "key", NORTH)
    with pytest.raises(KeyFileError, match="cannot be read"):
        load_or_make_key(tmp_path, NORTH)
    with pytest.raises(FileNotFoundError):
        load_key(tmp_path / "nosuch", NORTH)
    if os.geteuid() != 0:
        load_or_make_key(tmp_path / "key", NORTH)
        (tmp_path / "key").chmod(0)
        with pytest.raises(KeyFileError, match="cannot be read"):
            load_or_make_key(tmp_path / "key", NORTH)
