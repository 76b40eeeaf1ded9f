"""Units as ranges: what is written is read back, and nothing gets lost when they are sold and given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.units import count, each, read_units, split_last, units_text, without_first
from model.vocabulary import Units


@st.composite
def some_units(draw: st.DrawFn, most: int = 6) -> Units:
    """Ranges without a common unit, in any order: so they stand in a share that has taken grants."""
    edges = sorted(draw(st.sets(st.integers(0, 60), max_size=2 * most)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    return tuple(draw(st.permutations(pairs)))


@given(some_units())
def test_units_that_are_written_are_read_back(units: Units) -> None:
    assert read_units(units_text(units)) == units
    assert count(units) == len(list(each(units)))


@given(some_units(), st.integers(-1, 80))
def test_what_is_kept_and_what_is_given_are_all_in_their_order(units: Units, wanted: int) -> None:
    kept, given_away = split_last(units, wanted)
    assert [*each(kept), *each(given_away)] == list(each(units))
    assert count(given_away) == max(0, min(wanted, count(units)))


@given(some_units())
def test_units_are_sold_from_the_front_one_by_one(units: Units) -> None:
    sold, left = list[int](), units
    while left:
        sold.append(left[0][0])
        left = without_first(left)
    assert sold == list(each(units))


@given(some_units(), st.lists(st.integers(0, 9), max_size=12))
def test_whoever_sells_in_front_and_whoever_gives_at_the_back_never_meet(units: Units, wanted: list[int]) -> None:
    gone, left = list[int](), units
    for some in wanted:
        if some == 0 and left:
            gone.append(left[0][0])
            left = without_first(left)
        else:
            left, given_away = split_last(left, some)
            gone.extend(each(given_away))
    assert sorted([*gone, *each(left)]) == sorted(each(units))


@pytest.mark.parametrize(
    "text", ["1", "1-", "-1", "01-2", "1-02", "2-1", "1-2,", ",1-2", "1-2 ,3-4", "1-123456789", "١-٢", "1-2\n", "a-b"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"ranges of units|ends before it begins"):
        read_units(text)


def test_nothing_is_written_as_nothing() -> None:
    assert (units_text(()), read_units("")) == ("", ())
    with pytest.raises(IndexError):
        without_first(())
