"""Notes, checkpoints and keys: the published vectors, and everything that is not quite one of them."""

import base64
import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from model import note
from model.note import Checkpoint, Note, NoteError, Signature, VerifierKey

GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""From the tests of golang.org/x/mod/sumdb/note, where the format comes from."""

POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
    "\n— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"  # noqa: E501
)
"""The example of c2sp.org/signed-note: text with a blank line in it."""

CHECKPOINT = Checkpoint(note.region_origin("ab" * 16, "shanghai"), 3, bytes(range(32)), "0f" * 32)


def test_the_published_note_and_key() -> None:
    key = note.parse_verifier_key(GO_KEY)
    assert (key.name, key.key_hash.hex(), str(key)) == ("PeterNeumann", "c74f20a3", GO_KEY)
    parsed = note.parse_note(GO_NOTE)
    assert str(parsed) == GO_NOTE
    (signature,) = parsed.by(key)
    public = Ed25519PublicKey.from_public_bytes(key.public_key)
    public.verify(signature, parsed.signed)
    with pytest.raises(InvalidSignature):
        public.verify(signature, parsed.signed[:-1])


def test_the_published_note_with_a_blank_line_in_it() -> None:
    parsed = note.parse_note(POEM)
    assert parsed.text.endswith(":\n\ned è subito sera.\n")
    assert str(parsed) == POEM


def test_signatures_by_others_are_passed_over() -> None:
    mine, namesake = VerifierKey("me", bytes(32)), VerifierKey("me", bytes(31) + b"\1")
    assert mine.key_hash != namesake.key_hash
    both = Note(
        "text\n",
        tuple(Signature(key.name, key.key_hash, bytes([number])) for number, key in enumerate([namesake, mine])),
    )
    parsed = note.parse_note(str(both))
    assert parsed == both
    assert list(parsed.by(mine)) == [b"\1"]
    assert list(parsed.by(VerifierKey("you", bytes(32)))) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "text\n",
        GO_NOTE[:-1],
        GO_NOTE + "\n",
        GO_NOTE.replace("\n\n", "\n"),
        GO_NOTE.replace("— ", "- "),
        GO_NOTE.replace("— ", "—"),
        GO_NOTE.replace(" x08go", "  x08go"),
        GO_NOTE.replace("PeterNeumann ", ""),
        GO_NOTE.replace("PeterNeumann", "Peter+Neumann"),
        GO_NOTE.replace("PeterNeumann", "Peter\u2003Neumann"),
        GO_NOTE.replace("AM=", "AM"),
        GO_NOTE.replace("AM=", "AN="),
        GO_NOTE.replace("x08go/", "x08go_"),
        GO_NOTE.replace("know", "know\t"),
        GO_NOTE.replace("\n", "\r\n"),
        GO_NOTE.replace("know", "know\x00"),
        GO_NOTE.replace("know", "know\ud800"),
        "text\n\n— me AAAAAA==\n",
        "text\n\n" + "— me AAAAAAA=\n" * 101,
        "x" * 65_536 + "\n\n— me AAAAAAA=\n",
    ],
)
def test_what_is_not_quite_a_note(text: str) -> None:
    with pytest.raises(NoteError):
        note.parse_note(text)


def test_every_part_of_a_key_and_every_change_of_it_is_refused() -> None:
    for start in range(len(GO_KEY) + 1):
        for end in range(start, len(GO_KEY) + 1):
            if (start, end) != (0, len(GO_KEY)):
                with pytest.raises(NoteError):
                    note.parse_verifier_key(GO_KEY[start:end])
    for index in range(len(GO_KEY)):
        changed = GO_KEY[:index] + chr(ord(GO_KEY[index]) + 1) + GO_KEY[index + 1 :]
        with pytest.raises(NoteError):
            note.parse_verifier_key(changed)


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_keys_of_another_length_or_kind_are_refused_though_their_hash_is_right(text: str) -> None:
    with pytest.raises(NoteError):
        note.parse_verifier_key(text)


def test_a_key_hash_is_of_name_kind_and_key() -> None:
    key = VerifierKey(note.region_key_name("shanghai"), bytes(range(32)))
    expected = hashlib.sha256(b"firstcome.region.shanghai\n\x01" + bytes(range(32))).digest()[:4]
    assert key.key_hash == expected
    assert note.parse_verifier_key(str(key)) == key


def test_a_checkpoint_is_four_lines() -> None:
    text = CHECKPOINT.text()
    assert text.split("\n") == [
        f"firstcome/{'ab' * 16}/regions/shanghai",
        "3",
        base64.b64encode(bytes(range(32))).decode(),
        "head " + "0f" * 32,
        "",
    ]
    assert note.parse_checkpoint(text) == CHECKPOINT
    assert note.decisions_origin("ab" * 16) == f"firstcome/{'ab' * 16}/decisions"


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        (0, ""),
        (1, "03"),
        (1, "+3"),
        (1, "-3"),
        (1, ""),
        (1, "٣"),
        (1, "9" * 17),
        (2, base64.b64encode(bytes(31)).decode()),
        (2, base64.b64encode(bytes(32)).decode().rstrip("=")),
        (2, "not base64"),
        (3, "head " + "0F" * 32),
        (3, "head " + "0f" * 31),
        (3, "tail " + "0f" * 32),
        (3, ""),
        (4, "more\n"),
        (4, "unfinished"),
    ],
)
def test_what_is_not_quite_a_checkpoint(line: int, instead: str) -> None:
    lines = CHECKPOINT.text().split("\n")
    lines[line] = instead
    with pytest.raises(NoteError):
        note.parse_checkpoint("\n".join(lines))


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=5))
def test_paths_travel_as_text(path: list[bytes]) -> None:
    assert note.path_bytes(note.path_texts(path)) == path


@pytest.mark.parametrize("text", ["", "AA==", "A" * 44, base64.b64encode(bytes(33)).decode()])
def test_a_path_holds_hashes_only(text: str) -> None:
    with pytest.raises(NoteError):
        note.path_bytes([text])


@given(st.text(st.characters(), max_size=80) | st.text("ab \n—+=", max_size=40))
def test_whatever_is_parsed_is_written_the_same_or_refused(text: str) -> None:
    for whole in (text, text + "\n\n— me AAAAAAA=\n"):
        try:
            parsed = note.parse_note(whole)
        except NoteError:
            continue
        assert str(parsed) == whole
