"""A report names the code that it proved, and says what changed since; every question runs in any solver as it is."""

import hashlib
import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from model import guards
from proofs import record, report
from proofs.page import page
from proofs.prove import Report, prove
from proofs.solvers import SolverProcess

ONLY = "certainly_before_is_true"


@pytest.fixture(scope="module")
def proved() -> Report:
    return prove(only=ONLY)


@pytest.fixture
def told(proved: Report) -> Any:
    return json.loads(json.dumps(report.as_dict(proved, only=ONLY)))


def test_nothing_has_changed_when_nothing_has(told: Any) -> None:
    assert record.changes(told) == []


def test_a_guard_that_changed_is_seen_in_the_obligation_that_reads_it(
    told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "certainly_before", lambda a, b, w: a + w + 1 < b)
    assert record.changes(told) == [f"obligation {ONLY} has changed"]


def test_files_that_changed_are_new_or_are_gone_are_named(told: Any) -> None:
    told["files"]["model/guards.py"] = "0" * 64
    told["files"]["model/was.py"] = told["files"].pop("model/clock.py")
    told["obligations"].append({"name": f"{ONLY}_once", "fingerprint": ""})
    assert record.changes(told) == [
        "model/guards.py has changed",
        "model/clock.py is new",
        "model/was.py is gone",
        f"obligation {ONLY}_once is gone",
    ]


@pytest.mark.parametrize("recorded", [[], {}, {"format": "firstcome-proofs/1"}, {"format": 7}])
def test_what_is_no_report_is_refused(recorded: Any) -> None:
    with pytest.raises(record.NoReportError, match="not a report"):
        record.changes(recorded)


def test_every_question_is_a_file_with_the_digest_that_the_report_tells(
    told: Any, proved: Report, tmp_path: Path
) -> None:
    record.write_questions(proved, tmp_path)
    questions = [question for each in told["obligations"] for question in each["questions"]]
    assert {path.name for path in tmp_path.iterdir()} == {question["file"] for question in questions}
    with SolverProcess("cvc5") as cvc5:
        for question in questions:
            text = (tmp_path / question["file"]).read_text()
            assert hashlib.sha256(text.encode()).hexdigest() == question["sha256"]
            assert f"(set-info :status {question['expected']})" in text
            assert cvc5.ask(text, question["expected"], 5000).verdict == question["expected"]


def test_each_case_has_a_certificate(proved: Report, tmp_path: Path) -> None:
    assert record.write_certificates(proved, tmp_path) == (sum(len(result.cases) for result in proved.results), [])
    assert len(list(tmp_path.glob("*.cpc"))) == 2


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [
            str(value) for name, value in attrs if name in ("src", "href") and not str(value).startswith("#")
        ]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: object) -> None:  # noqa: ARG002  (the base class calls it so)
        self.tags.append(tag)


def test_the_page_is_whole_and_fetches_nothing(proved: Report) -> None:
    text = page(proved)
    read = _Page()
    read.feed(text)
    assert read.open == []
    assert read.fetched == []
    assert "script" not in read.tags
    assert read.tags.count("svg") == 2
    assert "guards.certainly_before(" in text


def firstcome(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.command", "prove", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("content", [None, "not JSON", "{}"])
def test_a_bad_report_is_one_line_and_exit_2(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    run = firstcome("--check", str(path))
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1


def test_options_combine(tmp_path: Path) -> None:
    run = firstcome(
        *("--only", ONLY, "--no-mutants", "--json", "--html", str(tmp_path / "page.html")),
        *("--smt2", str(tmp_path / "questions")),
    )
    assert run.returncode == 0, run.stderr
    (tmp_path / "report.json").write_text(run.stdout)
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert list((tmp_path / "questions").glob("*.smt2"))
    again = firstcome("--check", str(tmp_path / "report.json"))
    assert again.returncode == 0, again.stderr
