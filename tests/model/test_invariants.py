"""The promises: kept by every run of the model, and each one broken by the lie it is there to catch."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import invariants
from model.invariants import PROMISES, Run
from model.vocabulary import BeaconValue, Outcome, RegionSeen, Seen, Won
from tests.stories import OPENS_NS, Performance, Story, entry, stories, terms


@given(stories(), st.integers(0, 2**32))
def test_every_run_keeps_every_promise(story: Story, delivery: int) -> None:
    run = Performance(story, delivery).run().finished()
    for promise in PROMISES:
        assert list(promise(run)) == [], promise.__name__


def a_run() -> Run:
    logs = {
        "north": [entry("north", 1, 3, "ann"), entry("north", 2, 30, "bob")],
        "south": [entry("south", 1, 5, "ann"), entry("south", 2, 38, "eve")],
    }
    arrivals = {one.request: one.stamp_ns for log in logs.values() for one in log}
    return Performance(Story(terms(stock=2), logs, true_arrival_ns=arrivals), 1).run().finished()


def swap_winners(run: Run) -> Run:
    first, second = run.winners
    swapped = {first: replace(second, rank=0, unit=0), second: replace(first, rank=1, unit=1)}
    return replace(run, decisions=[swapped.get(d, d) if isinstance(d, Won) else d for d in run.decisions])


def let_win(request: str, **fields) -> Callable[[Run], Run]:
    """One winner more, or in the second one's stead."""

    def lie(run: Run) -> Run:
        extra = replace(Won(request, request.partition(".")[0], 2, 2), **fields)
        return replace(run, decisions=[*run.decisions, extra])

    return lie


def tell(request: str, **fields) -> Callable[[Run], Run]:
    return lambda run: replace(
        run, outcomes=[replace(told, **fields) if told.request == request else told for told in run.outcomes]
    )


def stamp(request: str, after_ns: int, bound: int = 0) -> Callable[[Run], Run]:
    def lie(run: Run) -> Run:
        changed = {"stamp_ns": OPENS_NS + after_ns, "bound_ns": bound}
        return replace(run, logs={
            name: [replace(one, **changed) if one.request == request else one for one in log]
            for name, log in run.logs.items()
        })  # fmt: skip

    return lie


def a_mark_that_was_not_kept(run: Run) -> Run:
    seen = Seen({"north": RegionSeen(1, "", OPENS_NS + 31)}, 0, 0)
    return replace(run, decisions=[seen, *run.decisions])


def before_the_beacon(run: Run) -> Run:
    """The same winners, in a sale whose terms name a round."""
    return replace(run, terms=terms(stock=2, beacon=True))


def with_a_beacon_that_nobody_named(run: Run) -> Run:
    return replace(run, decisions=[BeaconValue(1, ""), *run.decisions])


LIES = [
    (invariants.nobody_wins_before_every_entry_is_in_and_the_beacon_is_known, before_the_beacon),
    (invariants.nobody_wins_before_every_entry_is_in_and_the_beacon_is_known, with_a_beacon_that_nobody_named),
    (invariants.nobody_is_served_before_one_who_certainly_came_first, swap_winners),
    (invariants.nobody_is_served_before_one_who_certainly_came_first, stamp("south.0002", 0)),
    (invariants.whoever_truly_came_first_by_more_than_the_bound_is_served_first, swap_winners),
    (invariants.no_more_units_are_sold_than_the_stock, let_win("south.0002")),
    (invariants.no_more_units_are_sold_than_the_stock, let_win("south.0002", unit=0)),
    (invariants.no_more_units_are_sold_than_the_stock, let_win("south.0002", rank=7)),
    (invariants.no_buyer_wins_twice, let_win("south.0001")),
    (invariants.every_winner_was_logged_and_counts, let_win("south.0009")),
    (invariants.every_winner_was_logged_and_counts, let_win("south.0002", region="north")),
    (invariants.every_logged_request_has_exactly_one_outcome, lambda run: replace(run, outcomes=run.outcomes[1:])),
    (
        invariants.every_logged_request_has_exactly_one_outcome,
        lambda run: replace(run, outcomes=[*run.outcomes, run.outcomes[0]]),
    ),
    (
        invariants.every_logged_request_has_exactly_one_outcome,
        lambda run: replace(run, outcomes=[*run.outcomes, Outcome("north.0009", "lost", reason="closed")]),
    ),
    (invariants.winners_are_told_that_they_won_and_nobody_else_is, tell("south.0002", state="won", rank=0, unit=0)),
    (invariants.winners_are_told_that_they_won_and_nobody_else_is, tell("north.0001", rank=1)),
    (invariants.winners_are_told_that_they_won_and_nobody_else_is, tell("north.0001", state="lost", reason="closed")),
    (invariants.nobody_loses_without_a_stated_reason, tell("south.0002", reason=None)),
    (invariants.nobody_loses_without_a_stated_reason, tell("south.0001", of="north.0002")),
    (invariants.nobody_loses_without_a_stated_reason, tell("south.0002", reason="closed")),
    (invariants.nobody_loses_without_a_stated_reason, tell("south.0002", reason="cut_off")),
    (invariants.nobody_loses_without_a_stated_reason, tell("south.0002", reason="cancelled")),
    (invariants.nobody_loses_without_a_stated_reason, tell("south.0002", reason="halted")),
    (invariants.no_buyer_wins_twice, stamp("south.0001", 1)),
    (invariants.stamps_keep_their_bound_and_the_sales_hours, stamp("south.0002", 38, bound=3)),
    (invariants.stamps_keep_their_bound_and_the_sales_hours, stamp("south.0002", -3)),
    (invariants.stamps_keep_their_bound_and_the_sales_hours, stamp("south.0002", 43)),
    (invariants.no_stamp_follows_below_a_mark_that_was_seen, a_mark_that_was_not_kept),
]


@pytest.mark.parametrize(("promise", "lie"), LIES)
def test_a_broken_promise_is_noticed(promise: invariants.Invariant, lie: Callable[[Run], Run]) -> None:
    assert list(promise(a_run())) == []
    assert list(promise(lie(a_run())))


def test_every_promise_has_a_lie_that_breaks_it() -> None:
    assert {promise for promise, _ in LIES} == set(PROMISES)


def test_units_left_and_told_sold_out_is_noticed() -> None:
    log = {"north": [entry("north", 1, 3, "ann"), entry("north", 2, 4, "bob")], "south": []}
    run = Performance(Story(terms(stock=5), log), 0).run().finished()
    lie = replace(run, outcomes=[*run.outcomes[:1], Outcome("north.0002", "lost", reason="sold_out")])
    assert list(invariants.nobody_loses_without_a_stated_reason(lie))
