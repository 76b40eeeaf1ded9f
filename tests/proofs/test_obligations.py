"""Every sentence is proved by both solvers, none is empty, and every guard of the model is read.

The teeth are in `test_mutants.py`: here the model is right and the proofs say so.
"""

from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from z3 import Const, DeclareSort, ForAll, Function, IntSort

from model import guards
from proofs import obligations, report
from proofs.notes import within
from proofs.prove import SOLVER_NAMES, Report, Result, prove


@pytest.fixture(scope="session")
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
    Console(file=out, width=300).print(report.table(full.report))
    assert "Never oversold." in out.getvalue()
    assert "opens = 1, stamp = 0" in out.getvalue()
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


def test_a_proof_says_which_assumptions_it_used(full: SimpleNamespace) -> None:
    [result] = [result for result in full.report.results if result.name == "no_unit_is_sold_twice"]
    assert "every_winner_holds_a_unit_that_was_sold" in result.used
    assert "whatever_was_read_after_the_end_came_after_every_winner" in result.unused
    assert set(result.used).isdisjoint(result.unused)


def test_every_witness_is_told_in_integers_and_agrees_with_the_shipped_functions(full: SimpleNamespace) -> None:
    for result in full.report.results:
        assert result.witness.example is not None, result.name
        assert all(replay.agrees for replay in result.witness.example.replays)
    assert any(result.witness.example.replays for result in full.report.results)


def test_what_a_function_calls_in_turn_is_read_too() -> None:
    assert within(frozenset({"clock.grow"})) == {"clock.grow", "clock.widen", "clock.growth_ns"}


def test_what_many_share_is_built_anew_when_the_model_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def first() -> str:
        return obligations.build("no_unit_is_sold_twice").argument.cases[1].question()

    before = first()
    assert first() == before
    monkeypatch.setattr(guards, "may_follow", lambda stamp, mark: mark < stamp)
    assert first() != before


def test_a_term_has_its_declarations_and_each_assumption_a_name() -> None:
    one, some = Const("one", DeclareSort("Thing")), Const("some", DeclareSort("Thing"))
    size = Function("size+", DeclareSort("Thing"), IntSort())
    text = obligations.Case("", (ForAll(some, size(some) > 0),), size(one) > 0).question()
    assert text.splitlines()[:4] == [
        "(set-option :produce-unsat-cores true)",
        "(set-logic ALL)",
        "(declare-sort Thing 0)",
        "(declare-fun size+ (Thing) Int)",
    ]
    assert ":named assumption-0" in text
    assert ":named negated-claim" in text
