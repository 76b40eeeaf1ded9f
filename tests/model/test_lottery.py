"""The window lottery against the definition, and its promises as laws."""

import hashlib
import hmac
import itertools
import random
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.lottery import WindowLottery, order, ticket, ticket_drawer
from tests import oracle


@dataclass(eq=False)
class Lot:
    """A request of a finished list; known by identity, as `order` returns the same objects."""

    stamp_ns: int
    ticket: int


def positions(places: list[int], tickets: list[int], window: int) -> list[int]:
    lots = [Lot(place, drawn) for place, drawn in zip(places, tickets, strict=True)]
    at = {id(lot): position for position, lot in enumerate(lots)}
    return [at[id(lot)] for lot in order(lots, window)]


few = st.integers(-8, 8)
hostile = st.one_of(few, st.integers(-(2**300), 2**300), st.sampled_from([0, -1, 2**63, -(2**63), 2**40, 10**18]))
crowds = st.lists(st.tuples(few, st.integers(0, 3)), max_size=12)
odd_crowds = st.lists(st.tuples(hostile, hostile), max_size=12)
windows = st.one_of(st.integers(0, 6), st.sampled_from([0, 2**64, 2**400]))


@given(st.one_of(crowds, odd_crowds), windows)
@example([(0, 0)] * 6, 0)
@example([(place, -place) for place in range(9)], 1)
def test_order_is_the_definition(crowd: list[tuple[int, int]], window: int) -> None:
    places, tickets = [place for place, _ in crowd], [drawn for _, drawn in crowd]
    assert positions(places, tickets, window) == oracle.serving_order(places, tickets, window)


@pytest.mark.parametrize(
    "arranged", [sorted, lambda places: sorted(places, reverse=True), list], ids=["up", "down", "mixed"]
)
@pytest.mark.parametrize("window", [0, 1, 3, 50, 10**6])
def test_order_is_the_definition_for_a_larger_crowd(arranged, window: int) -> None:
    chance = random.Random(window)
    places = arranged([chance.randrange(200) for _ in range(250)])
    tickets = [chance.randrange(100) for _ in places]
    assert positions(places, tickets, window) == oracle.serving_order(places, tickets, window)


def test_chains_of_overlapping_windows_are_no_tie_as_a_whole() -> None:
    # 0 ~ 1 ~ 2 ~ 3 pairwise, yet 0 certainly before 2: the lowest tickets come last and must wait.
    assert positions([0, 1, 2, 3], [4, 3, 2, 1], 1) == [1, 0, 3, 2]


@given(crowds, st.integers(0, 6))
def test_promise_1_never_inverts_what_the_clocks_can_prove(crowd: list[tuple[int, int]], window: int) -> None:
    places = [place for place, _ in crowd]
    assert oracle.allowed(positions(places, [drawn for _, drawn in crowd], window), places, window)


@given(crowds.filter(bool), st.integers(0, 6), st.data())
def test_promise_4_earlier_is_never_worse(crowd: list[tuple[int, int]], window: int, data: st.DataObject) -> None:
    places, tickets = [place for place, _ in crowd], [drawn for _, drawn in crowd]
    moved = data.draw(st.integers(0, len(crowd) - 1))
    earlier = [*places]
    earlier[moved] -= data.draw(st.integers(0, 20))
    assert positions(earlier, tickets, window).index(moved) <= positions(places, tickets, window).index(moved)


SHAPES = {0: 1, 1: 1, 2: 2, 3: 5, 4: 14}
"""In how many ways n places can be certainly before each other: the Catalan numbers count semiorders."""


def small_crowds(size: int) -> list[tuple[list[int], int]]:
    """Places and a window for every way in which that many places can overlap, sorted; several for most."""
    windows = ((0, 4), (1, 5), (3, 10))
    return [
        ([*places], window)
        for window, last in windows
        for places in itertools.combinations_with_replacement(range(last), size)
    ]


@pytest.mark.parametrize("size", range(5))
def test_small_crowds_are_of_every_shape(size: int) -> None:
    shapes = {
        tuple(one + window < other for one, other in itertools.combinations(places, 2))
        for places, window in small_crowds(size)
    }
    assert len(shapes) == SHAPES[size]


@cache
def served(crowd: tuple[tuple[int, int], ...], window: int) -> tuple[int, ...]:
    """Tickets in the order in which they are served. No two are equal, so where a request stands in a list has no say
    (below), and a crowd that is written in another order is the same: each is asked about once."""
    places, tickets = zip(*crowd, strict=True) if crowd else ((), ())
    return tuple(tickets[at] for at in positions([*places], [*tickets], window))


@pytest.mark.parametrize("size", range(5))
def test_promise_3_every_allowed_order_comes_out_for_some_tickets(size: int) -> None:
    for places, window in small_crowds(size):
        reached = {
            tuple(tickets.index(drawn) for drawn in served(tuple(sorted(zip(places, tickets, strict=True))), window))
            for tickets in itertools.permutations(range(size))
        }
        allowed = {order for order in itertools.permutations(range(size)) if oracle.allowed(order, places, window)}
        assert reached == allowed, (places, window)


@pytest.mark.parametrize("size", range(1, 5))
def test_promise_4_earlier_is_never_worse_for_any_small_crowd(size: int) -> None:
    """Every crowd of up to four, all tickets without a tie and, as equal ones go by position, all moves to the left."""
    moves = 0
    for places, window in small_crowds(size):
        for tickets in itertools.permutations(range(size)):
            crowd = [*zip(places, tickets, strict=True)]
            ranks = served(tuple(sorted(crowd)), window)
            for moved, (place, drawn) in enumerate(crowd):
                for earlier in range(place):
                    again = served(tuple(sorted([*crowd[:moved], (earlier, drawn), *crowd[moved + 1 :]])), window)
                    assert again.index(drawn) <= ranks.index(drawn), (crowd, window, moved, earlier)
                    moves += 1
    assert moves > size


@given(crowds, st.integers(0, 6), st.randoms(use_true_random=False))
def test_position_in_the_list_has_no_say_when_tickets_differ(crowd, window: int, chance: random.Random) -> None:
    lots = [Lot(place, number * 7 % 13) for number, (place, _) in enumerate(crowd)]
    shuffled = chance.sample(lots, len(lots))
    assert [id(lot) for lot in order(lots, window)] == [id(lot) for lot in order(shuffled, window)]


def test_the_same_objects_come_back_once_each() -> None:
    chance = random.Random(1)
    lots = [Lot(chance.randrange(10**9), chance.getrandbits(256)) for _ in range(100_000)]
    served = order(lots, 10**6)
    assert {id(lot) for lot in served} == {id(lot) for lot in lots}
    assert len(served) == len(lots)
    assert all(a.stamp_ns <= b.stamp_ns + 10**6 for a, b in itertools.pairwise(served))


def test_nobody_and_a_negative_window() -> None:
    assert order([], 5) == []
    with pytest.raises(ValueError, match="at least 0 ns"):
        order([Lot(1, 1)], -1)


def test_a_ticket_is_the_hmac_of_sale_and_buyer() -> None:
    expected = hmac.new(b"key", b"sale\nbuyer", hashlib.sha256).hexdigest()
    assert ticket(b"key", "sale", "buyer") == int(expected, 16)


@given(crowds, st.integers(0, 5), st.randoms(use_true_random=False))
def test_draws_from_a_stream_are_those_of_the_finished_list(crowd, window: int, chance: random.Random) -> None:
    """Offered in any order that the frontier allows, drawn from whenever: the same order, and nothing is left."""
    tickets = [drawn for _, drawn in crowd]
    lottery = WindowLottery[int](window, lambda name: tickets[name])
    undelivered, served = set(range(len(crowd))), []
    frontier = -100
    while undelivered or lottery.earliest_place_ns() is not None:
        for name in chance.sample(sorted(undelivered), min(len(undelivered), chance.randrange(4))):
            undelivered.remove(name)
            lottery.offer(crowd[name][0], name)
        frontier = max(frontier, min((crowd[name][0] for name in undelivered), default=100) - chance.randrange(3))
        while (name := lottery.draw(frontier, 100)) is not None:
            served.append(name)
        if not undelivered:
            frontier = 101
    assert served == oracle.serving_order([place for place, _ in crowd], tickets, window)


def test_a_pot_waits_until_nobody_can_join_it() -> None:
    lottery = WindowLottery[str](4, len)
    lottery.offer(10, "first")
    assert lottery.draw(14, 99) is None
    assert lottery.draw(15, 99) == "first"
    lottery.offer(98, "last")
    assert lottery.draw(99, 99) is None
    assert lottery.draw(100, 99) == "last"


def test_withdrawn_requests_are_not_drawn() -> None:
    lottery = WindowLottery[str](4, len)
    slot = lottery.offer(10, "withdrawn")
    lottery.offer(10, "stays behind")
    lottery.withdraw(slot)
    assert lottery.draw(15, 99) == "stays behind"
    assert lottery.earliest_place_ns() is None


@given(st.binary(max_size=80), st.text(max_size=20), st.lists(st.text(max_size=20), max_size=3))
def test_tickets_of_one_sale_are_those_of_each_buyer_alone(key: bytes, sale: str, buyers: list[str]) -> None:
    draw = ticket_drawer(key, sale)
    assert [draw(buyer) for buyer in buyers] == [ticket(key, sale, buyer) for buyer in buyers]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=60),
    st.integers(0, 20),
    st.integers(1, 6),
    st.randoms(use_true_random=False),
)
def test_a_pot_that_keeps_only_who_may_be_served_serves_the_same(
    crowd: list[tuple[int, int]], window: int, most: int, chance: random.Random
) -> None:
    """Ties of tickets among them, names in no order of arrival, and frontiers that rise step by step."""
    names = [f"{chance.randrange(10**6):06}-{at}" for at in range(len(crowd))]
    tickets = {name: drawn for name, (_, drawn) in zip(names, crowd, strict=True)}
    served = []
    for limit in (None, most):
        lottery = WindowLottery[str](window, tickets.__getitem__, limit)
        lottery.offer_all([place for place, _ in crowd], names)
        drawn: list[str] = []
        for frontier in range(60):
            while len(drawn) < most and (name := lottery.draw(frontier, 100)) is not None:
                drawn.append(name)
        served.append(drawn)
    assert served[0] == served[1]
