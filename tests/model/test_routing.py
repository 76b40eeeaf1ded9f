"""A buyer's home: the same for everybody who asks, and moved only where it must be."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.routing import home_region

NAMES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
REGIONS = st.lists(NAMES, min_size=1, max_size=7, unique=True)


@given(NAMES, REGIONS, st.randoms())
def test_a_home_hangs_on_no_order(buyer: str, regions: list[str], chance: object) -> None:
    shuffled = list(regions)
    chance.shuffle(shuffled)
    assert home_region(buyer, regions) == home_region(buyer, iter(shuffled)) in regions


@given(NAMES, REGIONS, NAMES)
def test_who_joins_takes_only_its_own(buyer: str, regions: list[str], joins: str) -> None:
    before, after = home_region(buyer, regions), home_region(buyer, [*regions, joins])
    assert after in (before, joins)


@given(NAMES, REGIONS.filter(lambda regions: len(regions) > 1), st.data())
def test_who_leaves_moves_only_its_own(buyer: str, regions: list[str], data: st.DataObject) -> None:
    leaves = data.draw(st.sampled_from(regions))
    before = home_region(buyer, regions)
    after = home_region(buyer, [region for region in regions if region != leaves])
    assert before in (after, leaves)


def test_homes_are_spread_evenly() -> None:
    homes = Counter(home_region(f"buyer-{number}", ["beijing", "shanghai", "singapore"]) for number in range(3_000))
    assert all(900 < times < 1_100 for times in homes.values())


def test_a_home_is_for_good() -> None:
    """Written down: whoever changes the hash moves everybody."""
    assert [home_region(f"buyer-{n}", ["north", "south", "west"]) for n in range(6)] == [
        *("south", "west", "north", "west", "west", "south"),
    ]


def test_nobody_is_at_home_nowhere() -> None:
    with pytest.raises(ValueError, match="empty"):
        home_region("ann", [])
