"""The promises of an auction: kept by every run of the model, and each one broken by the lie it is there to catch."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import auction_invariants, invariants
from model.auction_invariants import AUCTION_PROMISES
from model.invariants import Invariant, Run
from model.vocabulary import Entry, RegionSeen, Seen, Won
from tests.auction_stories import auction_terms, auctions, bid, perform
from tests.stories import OPENS_NS, Story


@given(auctions(), st.integers(0, 2**32))
def test_every_run_keeps_every_promise(story: Story, delivery: int) -> None:
    run = perform(story, delivery).finished()
    for promise in AUCTION_PROMISES:
        assert list(promise(run)) == [], promise.__name__


def a_run(pricing: str = "uniform", stock: int = 2) -> Run:
    """Ann bids 50 and then 70, bob and eve 60, bob long before her, joe 40: of two units ann and bob get one each."""
    logs = {
        "north": [bid("north", 1, 3, "ann", 50), bid("north", 2, 5, "bob", 60), bid("north", 3, 38, "joe", 40)],
        "south": [bid("south", 1, 20, "ann", 70), bid("south", 2, 36, "eve", 60)],
    }
    arrivals = {one.request: one.stamp_ns for log in logs.values() for one in log}
    stated = auction_terms(stock=stock, pricing=pricing, reserve_price=30)
    return perform(Story(stated, logs, true_arrival_ns=arrivals), 1).finished()


def at_first_price() -> Run:
    return a_run("first_price")


Lie = Callable[[Run], Run]


def changed(request: str, **fields: object) -> Lie:
    """A bid, as logged."""

    def altered(entry: Entry) -> Entry:
        return replace(entry, **fields) if entry.request == request else entry  # type: ignore[arg-type]

    return lambda run: replace(run, logs={name: [altered(one) for one in log] for name, log in run.logs.items()})


def won(winner: str, **fields: object) -> Lie:
    """A winner, as decided."""
    return lambda run: replace(
        run,
        decisions=[
            replace(one, **fields) if isinstance(one, Won) and one.request == winner else one  # type: ignore[arg-type]
            for one in run.decisions
        ],
    )


def to_eve_instead(run: Run) -> Run:
    named = {"request": "south.0002", "region": "south"}
    return won("north.0002", **named)(run)


def swapped(run: Run) -> Run:
    first, second = run.winners
    other = {first: replace(second, rank=0, unit=0), second: replace(first, rank=1, unit=1)}
    return replace(run, decisions=[other.get(one, one) if isinstance(one, Won) else one for one in run.decisions])


def without(request: str) -> Lie:
    return lambda run: replace(
        run, decisions=[one for one in run.decisions if not (isinstance(one, Won) and one.request == request)]
    )


def before_anybody_was_heard(run: Run) -> Run:
    """Looks that are no later than the end."""

    def held_back(seen: Seen) -> Seen:
        marks = {name: replace(one, mark_ns=min(one.mark_ns, OPENS_NS)) for name, one in seen.regions.items()}
        return replace(seen, regions=marks)

    return replace(run, decisions=[held_back(one) if isinstance(one, Seen) else one for one in run.decisions])


def with_a_look_between(run: Run) -> Run:
    at = next(at for at, one in enumerate(run.decisions) if isinstance(one, Won))
    look = Seen({"north": RegionSeen(3, "", OPENS_NS + 90)}, 0, 0)
    return replace(run, decisions=[*run.decisions[: at + 1], look, *run.decisions[at + 1 :]])


def told(request: str, **fields: object) -> Lie:
    return lambda run: replace(
        run,
        outcomes=[replace(one, **fields) if one.request == request else one for one in run.outcomes],  # type: ignore[arg-type]
    )


LIES: list[tuple[Invariant, Lie]] = [
    (auction_invariants.no_losing_bid_is_higher_than_a_winning_one, swapped),
    (auction_invariants.no_losing_bid_is_higher_than_a_winning_one, changed("south.0002", price=61)),
    (auction_invariants.no_losing_bid_is_higher_than_a_winning_one, changed("north.0003", price=99)),
    (auction_invariants.of_equal_bids_none_is_served_before_one_that_certainly_came_first, to_eve_instead),
    (auction_invariants.of_equal_bids_one_that_truly_came_first_by_more_than_the_bound_is_served_first, to_eve_instead),
    (auction_invariants.units_are_left_only_where_every_bid_won, without("north.0002")),
    (auction_invariants.nobody_pays_more_than_they_bid, won("north.0002", price=61)),
    (auction_invariants.nobody_pays_more_than_they_bid, won("north.0002", price=29)),
    (auction_invariants.nobody_pays_more_than_they_bid, won("south.0001", price=None)),
    (auction_invariants.what_winners_pay_is_as_the_terms_say, won("south.0001", price=61)),
    (auction_invariants.what_winners_pay_is_as_the_terms_say, changed("south.0002", price=59)),
    (auction_invariants.no_bid_is_below_the_reserve, changed("north.0003", price=29)),
    (auction_invariants.no_bid_is_below_the_reserve, changed("north.0003", price=None)),
    (auction_invariants.nothing_is_decided_before_every_bid_is_in, before_anybody_was_heard),
    (auction_invariants.whoever_won_won_in_one_go, with_a_look_between),
    (invariants.no_buyer_wins_twice, won("south.0001", request="north.0001", region="north")),
    (invariants.winners_are_told_that_they_won_and_nobody_else_is, told("south.0001", price=59)),
    (invariants.nobody_loses_without_a_stated_reason, told("south.0002", reason="sold_out")),
    (invariants.nobody_loses_without_a_stated_reason, told("south.0002", reason="closed")),
    (invariants.nobody_loses_without_a_stated_reason, without("north.0002")),
    (invariants.nobody_loses_without_a_stated_reason, told("north.0001", of="north.0002")),
]


@pytest.mark.parametrize(("promise", "lie"), LIES)
def test_a_broken_promise_is_noticed(promise: Invariant, lie: Lie) -> None:
    assert list(promise(a_run())) == []
    assert list(promise(lie(a_run())))


def test_at_first_price_each_pays_its_own() -> None:
    run = at_first_price()
    assert [list(promise(run)) for promise in AUCTION_PROMISES] == [[] for _ in AUCTION_PROMISES]
    assert list(auction_invariants.what_winners_pay_is_as_the_terms_say(won("south.0001", price=69)(run)))


def test_units_may_be_left_where_every_bid_won() -> None:
    run = a_run(stock=7)
    assert [list(promise(run)) for promise in AUCTION_PROMISES] == [[] for _ in AUCTION_PROMISES]
    assert {one.price for one in run.winners} == {30}


def test_every_promise_has_a_lie() -> None:
    of_auctions = {promise for promise in AUCTION_PROMISES if promise.__module__ == auction_invariants.__name__}
    assert of_auctions == {promise for promise, _ in LIES if promise in of_auctions}
