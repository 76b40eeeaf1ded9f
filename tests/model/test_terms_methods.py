"""The fields of terms that say how a sale is sold: every rule by the field that breaks it, and shares that add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.folds import new_fold
from model.shards import ShardedFold
from model.terms import Terms, read_terms
from model.units import count, each
from tests.model.test_terms import PROPOSED, breaches

QUOTAS = {"beijing": 5, "shanghai": 3, "singapore": 2}


def sharded(**changes: object) -> Terms:
    return read_terms({**PROPOSED, "method": "sharded", "quotas": QUOTAS, **changes})


def test_a_sharded_sale_begins_with_shares_that_are_all_of_the_stock() -> None:
    terms = sharded()
    assert (terms.quotas, terms.rebalances, terms.central_region) == (QUOTAS, True, None)
    assert [terms.share(region) for region in terms.regions] == [((0, 4),), ((5, 7),), ((8, 9),)]
    assert terms.stated["rebalance"] is True
    assert read_terms(terms.stated) == terms
    assert sharded(rebalance=False).rebalances is False
    assert isinstance(new_fold(terms, b""), ShardedFold)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6).filter(lambda quotas: sum(quotas) > 0))
def test_shares_are_the_stock_each_unit_once(quotas: list[int]) -> None:
    regions = [f"r{number}" for number in range(len(quotas))]
    terms = sharded(stock=sum(quotas), regions=regions, quotas=dict(zip(regions, quotas, strict=True)))
    assert [unit for region in regions for unit in each(terms.share(region))] == list(range(terms.stock))
    assert [count(terms.share(region)) for region in regions] == quotas


def test_a_central_sale_has_all_of_its_stock_in_one_region() -> None:
    terms = read_terms({**PROPOSED, "method": "central", "central_region": "shanghai"})
    assert (terms.central_region, terms.rebalances) == ("shanghai", False)
    assert [terms.share(region) for region in terms.regions] == [(), ((0, 9),), ()]
    assert read_terms({**PROPOSED, "method": "central"}).central_region == "beijing"
    assert read_terms(terms.stated) == terms


def test_an_ordered_sale_knows_nothing_of_it() -> None:
    terms = read_terms(PROPOSED)
    assert (terms.method, terms.quotas, terms.rebalances, terms.central_region) == ("ordered", {}, False, None)
    assert "quotas" not in terms.stated
    assert "rebalance" not in terms.stated


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"method": "lottery"}, "method"),
        ({"method": "sharded"}, "quotas"),
        ({"method": "sharded", "quotas": {**QUOTAS, "beijing": 6}}, "quotas"),
        ({"method": "sharded", "quotas": {**QUOTAS, "beijing": -5}}, "quotas"),
        ({"method": "sharded", "quotas": {**QUOTAS, "beijing": "5"}}, "quotas"),
        ({"method": "sharded", "quotas": {**QUOTAS, "beijing": True}}, "quotas"),
        ({"method": "sharded", "quotas": {**QUOTAS, "mars": 0}}, "quotas"),
        ({"method": "sharded", "quotas": {"beijing": 5, "shanghai": 5}}, "quotas"),
        ({"method": "sharded", "quotas": [5, 3, 2]}, "quotas"),
        ({"method": "sharded", "quotas": QUOTAS, "rebalance": "no"}, "rebalance"),
        ({"method": "sharded", "quotas": QUOTAS, "central_region": "beijing"}, "central_region"),
        ({"method": "central", "central_region": "mars"}, "central_region"),
        ({"method": "central", "quotas": QUOTAS}, "quotas"),
        ({"method": "central", "rebalance": False}, "rebalance"),
        ({"quotas": QUOTAS}, "quotas"),
        ({"rebalance": True}, "rebalance"),
        ({"method": "central", "entries_from": "2026-11-27T19:59:00+08:00[Asia/Shanghai]"}, "entries_from"),
    ],
)
def test_a_rule_that_is_broken_is_named_by_its_field(changes: dict[str, object], field: str) -> None:
    assert breaches(**changes) == [field]


@given(st.dictionaries(st.sampled_from([*QUOTAS, "mars"]), st.integers(-1, 9) | st.none() | st.booleans() | st.text()))
def test_quotas_are_either_the_stock_or_refused(quotas: dict[str, object]) -> None:
    broken = breaches(method="sharded", quotas=quotas)
    assert set(broken) <= {"quotas"}
    if not broken:
        terms = sharded(quotas=quotas)
        assert sum(terms.quotas.values()) == terms.stock
        assert list(terms.quotas) == list(terms.regions)
