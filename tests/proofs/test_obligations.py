"""Every sentence is proved by both solvers, none is empty, and every guard of the model is read.

The teeth are in `test_mutants.py`: here the model is right and the proofs say so.
"""

from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from model import guards
from proofs import obligations, report
from proofs.prove import SOLVER_NAMES, Report, Result, prove


@pytest.fixture(scope="module")
def full() -> SimpleNamespace:
    seen: list[tuple[str, int, int]] = []

    def progress(result: Result, done: int, total: int) -> None:
        seen.append((result.name, done, total))

    return SimpleNamespace(report=prove(progress=progress), seen=seen)


def test_everything_is_proved_by_both_solvers_with_witnesses(full: SimpleNamespace) -> None:
    proved: Report = full.report
    assert report.summary(proved)[:-1] == []
    assert proved.ok
    assert all(set(check.answers) == set(SOLVER_NAMES) for result in proved.results for check in result.checks)


def test_it_takes_well_under_a_minute(full: SimpleNamespace) -> None:
    assert full.report.seconds < 60


def test_every_guard_of_the_model_is_read_by_an_obligation(full: SimpleNamespace) -> None:
    assert obligations.to_be_read() <= full.report.reads


def test_a_guard_without_an_obligation_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_asks(a: int) -> bool:
        return a > 0

    monkeypatch.setattr(guards, "nobody_asks", nobody_asks, raising=False)
    assert "guards.nobody_asks" in obligations.to_be_read()


def test_each_sentence_is_reported_as_it_is_proved(full: SimpleNamespace) -> None:
    names = [result.name for result in full.report.results]
    assert full.seen == [(name, number, len(names)) for number, name in enumerate(names, 1)]
    assert names == list(obligations.REGISTER)


def test_every_sentence_is_a_sentence(full: SimpleNamespace) -> None:
    for result in full.report.results:
        assert result.sentence.endswith("."), result.name
        assert len(result.sentence) < 200, result.name


def test_the_texts_are_the_same_each_time() -> None:
    def texts() -> list[str]:
        return [
            case.question()
            for name in ("no_unit_is_sold_twice", "a_decision_is_final", "certainly_before_is_true")
            for case in obligations.build(name).argument.cases
        ]

    assert texts() == texts()


def test_the_report_reads_well(full: SimpleNamespace) -> None:
    out = StringIO()
    Console(file=out, width=140).print(report.table(full.report))
    assert "Never oversold." in out.getvalue()
    said: dict[str, Any] = report.as_dict(full.report)
    assert said["ok"] is True
    assert len(said["obligations"]) == len(full.report.results)


def test_one_can_be_proved_by_name() -> None:
    proved = prove(only="semiorder")
    assert [result.name for result in proved.results] == ["certainly_before_is_a_semiorder"]
    assert proved.ok


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no obligation is called pigs_fly"):
        prove(only="pigs_fly")
