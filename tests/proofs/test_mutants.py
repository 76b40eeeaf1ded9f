"""The teeth: with a guard of the model wrong, the sentence that rests on it is not proved any more.

Each mutant replaces the function in `model/guards.py` itself; the obligations read it from there.
"""

# ruff: noqa: ARG005  (a wrong guard ignores what the right one looks at)

from collections.abc import Callable
from inspect import isfunction
from typing import Any

import pytest
from z3 import If

from model import guards
from proofs.prove import prove

Guard = Callable[..., Any]

MUTANTS: list[tuple[str, Guard, str]] = [
    ("place_ns", lambda stamp, opens: stamp, "a_place_is_the_later"),
    ("place_ns", lambda stamp, opens: If(stamp > opens, opens, stamp), "a_place_is_the_later"),
    ("certainly_before", lambda a, b, w: a + w <= b, "the_pot_is_who_could"),
    ("certainly_before", lambda a, b, w: a + w <= b, "certainly_before_is_a_strict_partial_order"),
    ("certainly_before", lambda a, b, w: a + w - 1 < b, "nobody_waiting_came_certainly_before_a_winner"),
    ("certainly_before", lambda a, b, w: a + w + 1 < b, "the_pot_is_who_could"),
    ("in_pot", lambda a, e, w: a < e + w, "the_pot_is_who_could"),
    ("in_pot", lambda a, e, w: a <= e + w + 1, "nobody_waiting_came_certainly_before_a_winner"),
    ("pot_is_complete", lambda e, w, f, last: (e + w <= f) | (last < f), "nobody_can_join"),
    ("pot_is_complete", lambda e, w, f, last: (e + w <= f) | (last < f), "a_decision_is_final"),
    ("pot_is_complete", lambda e, w, f, last: (e < f) | (last < f), "a_decision_is_final"),
    ("pot_is_complete", lambda e, w, f, last: (e + w < f) | (last <= f), "nobody_can_join"),
    ("pot_is_complete", lambda e, w, f, last: e + w < f, "a_pot_is_not_waited_for_longer"),
    ("pot_is_complete", lambda e, w, f, last: e + w < f, "while_somebody_waits"),
    ("everyone_is_heard", lambda f, last: last <= f, "everyone_is_heard_exactly"),
    ("everyone_is_heard", lambda f, last: last + 1 < f, "everyone_is_heard_exactly"),
    ("serves_before", lambda a, m, b, n: a < b, "tickets_are_drawn_in_one_order"),
    ("serves_before", lambda a, m, b, n: (a < b) | (m < n), "a_decision_is_unique"),
    ("in_stock", lambda sold, stock: sold <= stock, "no_more_units_are_sold"),
    ("may_follow", lambda stamp, mark: mark - 1 <= stamp, "a_decision_is_final"),
    ("may_follow", lambda stamp, mark: mark < stamp, "a_higher_mark"),
    ("mark_may_rise", lambda old, new: old <= new + 1, "whoever_was_in_a_pot_is_past_every_mark"),
    ("mark_may_rise", lambda old, new: old < new, "a_higher_mark"),
    ("mark_after_grace_ns", lambda now, grace: now, "who_is_logged_within_the_grace"),
    ("mark_after_grace_ns", lambda now, grace: now - 2 * grace, "who_slept_beyond"),
    ("last_stamp_ns", lambda closes, skew: closes, "the_last_stamp"),
    ("last_stamp_ns", lambda closes, skew: closes + skew - 1, "nobody_can_be_read_after_a_sale_closed_by_time"),
    ("certainly_early", lambda stamp, skew, opens: stamp < opens, "who_is_refused_as_early"),
    ("certainly_early", lambda stamp, skew, opens: stamp + skew + 1 < opens, "who_is_refused_as_early"),
    ("certainly_late", lambda stamp, skew, closes: closes <= stamp - skew, "who_is_refused_as_late"),
    ("bound_holds", lambda bound, skew: bound <= skew, "an_accepted_stamp"),
    ("bound_holds", lambda bound, skew: bound <= 2 * skew, "whoever_truly_came_first"),
    ("entry_counts", lambda seq, cut: seq < cut, "nothing_beyond_a_cut_off"),
    ("follows_in_log", lambda seq, last: seq > last, "what_was_read_is_what_is_numbered"),
    ("follows_in_log", lambda seq, last: seq >= last, "what_was_read_is_what_is_numbered"),
    ("is_lesser_entry", lambda a, m, b, n: a < b, "a_buyer_has_one_least_entry"),
    ("is_lesser_entry", lambda a, m, b, n: m < n, "a_lesser_entry_never_replaces"),
    ("contradicts_heartbeat", lambda stamp, bound, heard: stamp + bound <= heard, "two_clocks_that_contradict"),
    ("contradicts_heartbeat", lambda stamp, bound, heard: stamp < heard, "two_clocks_that_contradict"),
    ("contradicts_receipt", lambda stamp, bound, read: read <= stamp - bound, "two_clocks_that_contradict"),
    ("contradicts_receipt", lambda stamp, bound, read: read < stamp - bound - 1, "two_clocks_that_contradict"),
    ("silent_too_long", lambda silent, limit: limit <= silent, "no_region_is_cut_off"),
    ("window_covers_clocks", lambda window, skew: skew <= window, "certainly_before_is_true"),
    ("window_covers_clocks", lambda window, skew: 2 * skew < window, "certainly_before_is_true"),
    ("grace_covers_clocks", lambda grace, skew: 2 * skew <= grace, "a_grace_of_two_errors"),
]


@pytest.mark.parametrize(
    ("guard", "wrong", "sentence"), MUTANTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_wrong_guard_breaks_the_sentence_that_rests_on_it(
    monkeypatch: pytest.MonkeyPatch, guard: str, wrong: Guard, sentence: str
) -> None:
    monkeypatch.setattr(guards, guard, wrong)
    broken = prove(only=sentence, limit_ms=1000)
    assert not broken.ok
    assert any(result.failures for result in broken.results)


def test_every_guard_has_a_mutant() -> None:
    named = {guard for guard, _, _ in MUTANTS}
    assert named == {name for name, value in vars(guards).items() if isfunction(value)}


def test_a_broken_sentence_comes_with_a_counterexample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "bound_holds", lambda bound, skew: bound <= skew + 1)
    [result] = prove(only="an_accepted_stamp").results
    assert any("z3 says sat" in failure and "bound = " in failure for failure in result.failures)
