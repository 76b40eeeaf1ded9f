"""The teeth: with a guard of the model wrong, the sentence that rests on it is not proved any more, and says why.

Every mutant is tried by `make proofs`; here the trying itself is tested, on a few sentences.
"""

from collections.abc import Callable
from typing import Any

import pytest

from model import clock, guards, lottery
from proofs.attack import Fate, in_place
from proofs.mutants import bite, unargued
from proofs.mutations import mutants_of
from proofs.prove import prove
from proofs.survivors import ARGUMENTS

Guard = Callable[..., Any]


@pytest.mark.parametrize(
    ("guard", "wrong", "sentence", "told"),
    [
        ("in_pot", lambda a, e, w: a < e + w, "the_pot_is_who_could", "guards.in_pot("),
        ("may_follow", lambda stamp, mark: mark - 1 <= stamp, "nobody_can_join", "guards.may_follow("),
        ("bound_holds", lambda bound, skew: bound <= skew + 1, "an_accepted_stamp", "guards.bound_holds("),
        ("in_stock", lambda sold, stock: sold <= stock, "no_more_units_are_sold", "sold 0"),
    ],
)
def test_a_broken_sentence_comes_with_a_counterexample_that_runs_on_the_shipped_code(
    monkeypatch: pytest.MonkeyPatch, guard: str, wrong: Guard, sentence: str, told: str
) -> None:
    monkeypatch.setattr(guards, guard, wrong)
    [result] = prove(only=sentence).results
    broken = [check for check in result.cases if check.answers["z3"].verdict == "sat"]
    assert broken
    for check in broken:
        assert check.example is not None
        assert all(replay.agrees for replay in check.example.replays)
        assert all(isinstance(value, int | bool | str) for value in check.example.values.values())
    if told.startswith("guards."):
        assert any(told in failure for failure in result.failures)


def test_a_function_that_solvers_read_otherwise_than_python_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "entry_counts", lambda seq, last: (seq <= last) if not isinstance(seq, int) else 7)
    [result] = prove(only="entries_count_up_to").results
    assert all(check.ok for check in result.checks)
    assert not result.proved
    assert any("the reading of this function is at fault" in failure for failure in result.failures)


def test_mutants_differ_from_the_function_and_from_each_other() -> None:
    for function in (guards.pot_is_complete, guards.place_ns, clock.growth_ns):
        made = mutants_of(f"some.{function.__name__}", function)
        assert len({mutant.source for mutant in made}) == len(made) > 5
        assert len({mutant.now for mutant in made}) == len(made)


def test_every_kind_of_mistake_is_made() -> None:
    made = {mutant.now for mutant in mutants_of("guards.bound_holds", guards.bound_holds)}
    assert "return (bound_ns >= 0) | (bound_ns <= skew_bound_ns)" in made
    assert "return bound_ns <= skew_bound_ns" in made
    assert "return (bound_ns > 0) & (bound_ns <= skew_bound_ns)" in made
    assert "return (bound_ns >= 1) & (bound_ns <= skew_bound_ns)" in made
    assert "return (skew_bound_ns >= 0) & (bound_ns <= skew_bound_ns)" in made
    assert "return (bound_ns >= 0) & (bound_ns <= skew_bound_ns) ^ True" in made


def test_a_mutant_takes_the_place_of_its_function_wherever_it_is_bound() -> None:
    original = guards.in_pot
    with in_place("guards.in_pot", "def in_pot(a, b, c):\n    return 'mutant'"):
        assert guards.in_pot(1, 2, 3) == lottery.in_pot(1, 2, 3) == "mutant"
    assert guards.in_pot is lottery.in_pot is original


def test_mutants_are_killed_and_those_that_one_sentence_alone_kills_are_its_own() -> None:
    report = prove(only="is_refused_as")
    teeth = bite(report, only="is_refused_as")
    assert teeth.count("killed") == len(teeth.fates) > 10
    early, late = (teeth.alone(result.name) for result in report.results)
    assert {fate.function for fate in early} == {"guards.certainly_early"}
    assert {fate.function for fate in late} == {"guards.certainly_late"}
    assert any("always" in how or "refused" in how for fate in early for how in fate.killers.values())


def test_a_survivor_needs_an_argument_and_an_argument_a_survivor() -> None:
    def fate(function: str, now: str, killers: dict[str, str]) -> Fate:
        return Fate(function, "", now, killers, {}, 1)

    argued = tuple(fate(function, now, {}) for function, now in ARGUMENTS)
    assert unargued(argued) == []
    assert "nobody says why" in unargued((*argued, fate("guards.in_pot", "return True", {})))[0]
    assert "does not survive" in unargued((fate(*next(iter(ARGUMENTS)), {"a": "b"}), *argued[1:]))[0]
