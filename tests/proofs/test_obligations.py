"""Every sentence is proved by both solvers, none is empty, and every guard of the model is read.

`make proofs` leaves its report in `.venv`. If that is about these very files and these solvers, by their SHA-256s and
versions, nothing is proved a second time; else everything is. The teeth are in `test_mutants.py`: here the model is
right and the proofs say so.
"""

import json
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pytest
from rich.console import Console
from z3 import Const, DeclareSort, ForAll, Function, IntSort

import proofs
from model import guards
from proofs import obligations, record, report, rooms
from proofs.notes import within
from proofs.prove import SOLVER_NAMES, Result, prove

LEFT_BY_MAKE: Final = Path(proofs.__file__).parent.parent / ".venv" / "proofs.json"


def left_by_make() -> dict[str, Any] | None:
    """What `make proofs` said of the code as it is now, whole; None if it said nothing."""
    try:
        told: dict[str, Any] = json.loads(LEFT_BY_MAKE.read_text())
    except (OSError, ValueError):
        return None
    is_of_now = (told["files"], told["versions"], told["only"]) == (record.files(), record.versions(), None)
    return told if is_of_now else None


@pytest.fixture(scope="session")
def told() -> dict[str, Any]:
    """The report about everything."""
    return left_by_make() or report.as_dict(prove())


def test_everything_is_proved_by_both_solvers_with_witnesses(told: dict[str, Any]) -> None:
    assert told["faults"] == []
    assert told["ok"]
    for obligation in told["obligations"]:
        assert obligation["proved"], obligation["name"]
        for question in obligation["questions"]:
            verdicts = {name: answer["verdict"] for name, answer in question["answers"].items()}
            assert verdicts == dict.fromkeys(SOLVER_NAMES, question["expected"]), obligation["name"]


def test_every_guard_of_the_model_is_read_by_an_obligation(told: dict[str, Any]) -> None:
    read = {function for obligation in told["obligations"] for function in obligation["reads"]}
    assert obligations.to_be_read() <= read


def test_a_guard_without_an_obligation_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_asks(a: int) -> bool:
        return a > 0

    monkeypatch.setattr(guards, "nobody_asks", nobody_asks, raising=False)
    assert "guards.nobody_asks" in obligations.to_be_read()


def test_each_sentence_is_reported_as_it_is_proved() -> None:
    seen: list[tuple[str, int, int]] = []

    def progress(result: Result, done: int, total: int) -> None:
        seen.append((result.name, done, total))

    names = [result.name for result in prove(only="is_refused_as", progress=progress).results]
    assert len(names) > 1
    assert seen == [(name, number, len(names)) for number, name in enumerate(names, 1)]


def test_the_report_is_about_all_that_is_registered(told: dict[str, Any]) -> None:
    rooms.load()
    assert sorted(obligation["name"] for obligation in told["obligations"]) == sorted(obligations.REGISTER)


def test_every_sentence_is_a_sentence() -> None:
    rooms.load()
    for name, (sentence, _) in obligations.REGISTER.items():
        assert sentence.endswith("."), name
        assert len(sentence) < 200, name


def test_the_texts_are_the_same_each_time() -> None:
    def texts() -> list[str]:
        return [
            case.question()
            for name in ("no_unit_is_sold_twice", "a_decision_is_final", "certainly_before_is_true")
            for case in obligations.build(name).argument.cases
        ]

    assert texts() == texts()


def test_the_report_reads_well() -> None:
    proved = prove(only="a_place_is")
    out = StringIO()
    Console(file=out, width=300).print(report.table(proved))
    assert obligations.REGISTER[proved.results[0].name][0].split()[0] in out.getvalue()
    assert "opens = 1, stamp = 0" in out.getvalue()
    assert report.as_dict(proved)["ok"] is True


def test_one_can_be_proved_by_name() -> None:
    proved = prove(only="semiorder")
    assert [result.name for result in proved.results] == ["certainly_before_is_a_semiorder"]
    assert proved.ok


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no obligation is called pigs_fly"):
        prove(only="pigs_fly")


def test_a_proof_says_which_assumptions_it_used(told: dict[str, Any]) -> None:
    [found] = [each for each in told["obligations"] if each["name"] == "no_unit_is_sold_twice"]
    used, unused = found["assumptions_used"], found["assumptions_never_used"]
    assert "every_winner_holds_a_unit_that_was_sold" in used
    assert "whatever_was_read_after_the_end_came_after_every_winner" in unused
    assert set(used).isdisjoint(unused)


def test_every_witness_is_told_in_integers_and_agrees_with_the_shipped_functions(told: dict[str, Any]) -> None:
    for each in told["obligations"]:
        assert each["witness"] is not None, each["name"]
        assert all(call["agrees"] for call in each["witness"]["calls"])
    assert any(each["witness"]["calls"] for each in told["obligations"])


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
