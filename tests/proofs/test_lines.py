"""Copies of a process know what was built before them, keep what they change to themselves, and outlive nobody."""

import os
import select
import signal
from typing import Any

import pytest

from proofs.lines import CopiedProcess


def test_a_copy_knows_what_was_built_here_and_changes_nothing_here() -> None:
    built = {"terms": 3}

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        built["terms"] += question["more"]
        return {"terms": built["terms"]}

    with CopiedProcess(answer) as copy:
        copy.begin()
        built["terms"] = 100
        assert copy.exchange({"more": 1}, 60) == {"terms": 4}
        assert copy.exchange({"more": 1}, 60) == {"terms": 5}
    assert built["terms"] == 100


def test_a_copy_that_dies_gives_no_reply_and_the_next_question_has_another() -> None:
    def answer(question: dict[str, Any]) -> dict[str, Any]:
        if question["dies"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"process": os.getpid()}

    with CopiedProcess(answer) as copy:
        first = copy.exchange({"dies": False}, 60)
        assert copy.exchange({"dies": True}, 60) is None
        second = copy.exchange({"dies": False}, 60)
    assert first is not None
    assert second is not None
    assert len({first["process"], second["process"], os.getpid()}) == 3


def test_a_copy_that_fails_says_so_and_ends(capfd: pytest.CaptureFixture[str]) -> None:
    def answer(question: dict[str, Any]) -> dict[str, Any]:
        raise LookupError(f"no function is called {question['function']}")

    with CopiedProcess(answer) as copy:
        assert copy.exchange({"function": "pigs_fly"}, 60) is None
    assert "no function is called pigs_fly" in capfd.readouterr().err


def test_a_copy_ends_when_whoever_asks_is_gone() -> None:
    with CopiedProcess(lambda question: question) as asker:
        copy = CopiedProcess(lambda _: {"process": os.getpid()})

        def ask(_: dict[str, Any]) -> dict[str, Any]:
            return copy.exchange({}, 60) or {}

        asker._answer = ask
        found = asker.exchange({}, 60)
        assert found is not None
        watched = os.pidfd_open(found["process"])
    try:
        # What ends makes its descriptor readable; a copy that stayed would run into the test's time limit.
        assert select.select([watched], [], [], 60)[0]
    finally:
        os.close(watched)
