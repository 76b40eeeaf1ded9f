"""Advice about moving units: it adds up, never asks for more than there is, and leaves well alone."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from model.rebalance import HORIZON_NS, SMOOTHING_NS, Demand, largest_remainders, smoothed_mhz, transfers

REGIONS = st.lists(
    st.builds(Demand, st.integers(0, 400), st.integers(0, 50), st.integers(0, 10**7), st.booleans()), max_size=6
)
REMAINING_NS = st.integers(-(10**9), 10**11)


@given(st.integers(0, 10**7), st.lists(st.integers(0, 10**6), max_size=8))
def test_largest_remainders_add_up_and_are_as_near_as_can_be(total: int, weights: list[int]) -> None:
    parts, whole = largest_remainders(total, weights), sum(weights)
    assert sum(parts) == (total if whole else 0)
    for part, weight in zip(parts, weights, strict=True):
        assert not whole or abs(part * whole - total * weight) < whole


@given(st.integers(0, 1_000), st.lists(st.integers(0, 50), min_size=1, max_size=6))
def test_a_greater_weight_never_gets_less(total: int, weights: list[int]) -> None:
    parts = largest_remainders(total, weights)
    ordered = sorted(zip(weights, parts, strict=True))
    for (weight, part), (next_weight, next_part) in pairwise(ordered):
        assert weight == next_weight or part <= next_part


@given(REGIONS, REMAINING_NS)
def test_nobody_is_asked_for_more_than_it_has(regions: list[Demand], remaining_ns: int) -> None:
    given_away = [0] * len(regions)
    for move in transfers(regions, remaining_ns):
        assert move.units > 0
        assert move.donor != move.recipient
        assert regions[move.donor].is_reached
        assert regions[move.recipient].is_reached
        given_away[move.donor] += move.units
    assert all(given <= region.units for given, region in zip(given_away, regions, strict=True))


@given(REGIONS, REMAINING_NS)
def test_nobody_gives_and_gets_at_once_and_what_moves_is_enough(regions: list[Demand], remaining_ns: int) -> None:
    moves = transfers(regions, remaining_ns)
    assert {move.donor for move in moves}.isdisjoint(move.recipient for move in moves)
    for at, region in enumerate(regions):
        got = sum(move.units for move in moves if move.recipient == at)
        sellable = -(-region.asks_mhz * max(0, min(remaining_ns, HORIZON_NS)) // 10**12)
        assert not got or region.units + region.on_the_way + got <= sellable


@given(REGIONS, REMAINING_NS)
def test_once_all_has_arrived_nothing_more_has_to_move(regions: list[Demand], remaining_ns: int) -> None:
    """Otherwise units would wander for ever, and what is on its way is sold by nobody."""
    there = list(regions)
    for move in transfers(regions, remaining_ns):
        donor, recipient = there[move.donor], there[move.recipient]
        there[move.donor] = donor._replace(units=donor.units - move.units)
        there[move.recipient] = recipient._replace(units=recipient.units + move.units)
    settled = {move.donor for move in transfers(regions, remaining_ns)}
    again = transfers(there, remaining_ns)
    assert not {move.recipient for move in again} & settled


def test_where_nobody_asks_nothing_moves() -> None:
    assert transfers([Demand(50, 0, 0, True), Demand(0, 0, 0, True)], 10**10) == []
    assert transfers([], 10**10) == []


def test_units_go_to_where_they_are_asked_for() -> None:
    lopsided = [Demand(0, 0, 950_000, True), Demand(50, 0, 50_000, True)]
    [move] = transfers(lopsided, 60 * 10**9)
    assert (move.donor, move.recipient, move.units) == (1, 0, 48)  # of equal remainders the earlier gets more
    assert transfers([lopsided[0], lopsided[1]._replace(is_reached=False)], 60 * 10**9) == []
    assert transfers(lopsided, 0) == []


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(1, 10**11))
def test_demand_is_smoothed_between_what_was_known_and_what_is_new(known: int, asks: int, elapsed_ns: int) -> None:
    new = asks * 1_000 * 10**9 // elapsed_ns
    after = smoothed_mhz(known, asks, elapsed_ns)
    assert min(known, new) - 1 <= after <= max(known, new)
    if elapsed_ns >= SMOOTHING_NS:
        assert abs(after - new) <= abs(after - known) + 2
