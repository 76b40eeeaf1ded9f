"""Laws of the guards on plain integers, hunted twice: by chance, and along the branches of the code.

They are proved in `proofs/`, on terms. Here they are asked of the same functions on the integers (and names) that the
service gives them: that a comparison means on Python's integers, tuples and strings what the solver reads in it.

CrossHair runs each law symbolically, and so comes upon a case that one number in 2⁶⁴ makes. It is a bug hunter: what it
finds is checked on plain integers and fails the test; that it finds nothing, gives up or stumbles says nothing, since
its verdicts have differed between runs. So nothing here waits for its word.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model import guards

Law = Callable[..., None]


def a_place_is_the_later_of_stamp_and_opening(stamp: int, opens: int, _c: int, _d: int) -> None:
    assert guards.place_ns(stamp, opens) == max(stamp, opens)


def the_pot_is_who_could_have_been_first(a: int, earliest: int, window: int, _d: int) -> None:
    assert guards.in_pot(a, earliest, window) != guards.certainly_before(earliest, a, window)


def a_complete_pot_stays_complete(earliest: int, window: int, frontier: int, last: int) -> None:
    if guards.pot_is_complete(earliest, window, frontier, last):
        assert guards.pot_is_complete(earliest, window, frontier + 1, last)
        assert guards.everyone_is_heard(frontier, last) or guards.certainly_before(earliest, frontier, window)
    if guards.everyone_is_heard(frontier, last):
        assert guards.pot_is_complete(earliest, window, frontier, last)


def serving_order_is_that_of_tuples(a: int, m: int, b: int, n: int) -> None:
    assert guards.serves_before(a, m, b, n) == ((a, m) < (b, n))


def the_lesser_entry_is_that_of_tuples(a: int, m: int, b: int, n: int) -> None:
    assert guards.is_lesser_entry(a, m, b, n) == ((a, m) < (b, n))


def whoever_may_follow_a_higher_mark_may_follow_the_lower(stamp: int, low: int, high: int, _d: int) -> None:
    if guards.mark_may_rise(low, high) and guards.may_follow(stamp, high):
        assert guards.may_follow(stamp, low)


def nobody_is_both_early_and_late(stamp: int, skew: int, opens: int, closes: int) -> None:
    if skew >= 0 and opens <= closes:
        early = guards.certainly_early(stamp, skew, opens)
        late = guards.certainly_late(stamp, skew, closes)
        assert not (early and late)
        assert late == (stamp > guards.last_stamp_ns(closes, skew))


def a_round_that_may_be_named_is_unknown_while_anybody_enters(
    published: int, closes: int, skew: int, grace: int
) -> None:
    if guards.is_unknown_while_entering(published, closes, skew, grace) and skew >= 0 and grace >= 0:
        assert guards.last_stamp_ns(closes, skew) < guards.mark_after_grace_ns(published - skew, grace)


def rounds_come_a_period_apart(number: int, genesis: int, period: int, _d: int) -> None:
    later = guards.round_published_ns(number + 1, genesis, period)
    assert later - guards.round_published_ns(number, genesis, period) == period
    assert guards.round_published_ns(1, genesis, period) == genesis


def a_good_bound_is_within_the_sales(bound: int, skew: int, _c: int, _d: int) -> None:
    assert guards.bound_holds(bound, skew) == (0 <= bound <= skew)


def numbers_follow_one_by_one(seq: int, other: int, last: int, _d: int) -> None:
    assert guards.follows_in_log(last + 1, last)
    if guards.follows_in_log(seq, last):
        assert guards.follows_in_log(other, last) == (other == seq)
        assert guards.entry_counts(last, last)
        assert not guards.entry_counts(seq, last)


def units_are_sold_one_by_one(sold: int, stock: int, _c: int, _d: int) -> None:
    assert guards.in_stock(sold, stock) == (stock - sold >= 1)


def a_region_gives_some_and_keeps_the_rest(wanted: int, free: int, _c: int, _d: int) -> None:
    assert guards.may_give(wanted, free) == (0 < wanted <= free)


def a_grant_is_taken_by_whom_it_is_for_and_once(times: int, region: int, other: int, unit: int) -> None:
    assert guards.may_take(times) == (times == 0)
    assert not (guards.may_take(times) and guards.may_take(times + 1))
    assert guards.is_ones_own(region, other) == guards.is_ones_own(other, region) == (region == other)
    assert guards.is_next_to_sell(unit, other) == (unit == other)


def terms_cover_their_clocks(window: int, skew: int, grace: int, now: int) -> None:
    assert guards.window_covers_clocks(window, skew) == (window >= skew + skew)
    assert guards.grace_covers_clocks(grace, skew) == (grace > skew + skew)
    assert guards.mark_after_grace_ns(now, grace) + grace == now
    assert guards.silent_too_long(now, grace) == (now > grace)


LAWS: list[Law] = [law for law in list(globals().values()) if getattr(law, "__module__", "") == __name__]
numbers = st.integers(-(2**256), 2**256)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_law_holds_of_integers_by_chance(law: Law) -> None:
    near = st.integers(-3, 3)
    given(*[st.one_of(near, numbers)] * 4)(law)()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_law_holds_wherever_its_branches_lead(law: Law) -> None:
    pytest.importorskip("hypothesis_crosshair_provider", reason="CrossHair is not made for this machine")
    found: list[tuple[object, ...]] = []
    runs = 0

    def along(a: int, b: int, c: int, d: int) -> None:
        nonlocal runs
        runs += 1
        try:
            law(a, b, c, d)
        except AssertionError:
            found.append((a, b, c, d))
            raise

    how = settings(backend="crosshair", max_examples=10, derandomize=False, suppress_health_check=list(HealthCheck))
    try:
        how(given(numbers, numbers, numbers, numbers)(along))()
    except Exception as stumbled:  # noqa: BLE001  (whatever it says, only what it found counts)
        print("crosshair:", type(stumbled).__name__, stumbled)
    assert runs > 1
    for values in found:
        if all(type(value) is int for value in values):  # and not a symbol of the search
            law(*values)


@given(st.integers(), st.text(), st.integers(), st.text())
def test_names_are_compared_as_strings(a: int, name: str, b: int, other: str) -> None:
    """In the service a name is a string; the proofs read it as a number in the same order."""
    assert guards.serves_before(a, name, b, other) is ((a, name) < (b, other))
    assert guards.is_lesser_entry(a, name, b, other) is ((a, name) < (b, other))
    assert guards.serves_before(a, name, a, other) is (name < other)
