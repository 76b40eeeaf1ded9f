"""A beacon's rounds: what the world publishes of them comes out, and terms may name only rounds that nobody knows."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.beacon import CHAINED, KNOWN, UNCHAINED, Chain, Round, draw_key, read_round, value_of
from model.stated import TermsError
from model.terms import read_terms
from model.vocabulary import BeaconValue
from tests.beacons import DEFAULT, PUBLISHED, QUICKNET, OwnBeacon, Published
from tests.model.test_terms import PROPOSED

CLOSES_S = 1_795_781_100
"""Of `PROPOSED`."""
ENTERED_NS = CLOSES_S * 10**9 + 2 * 50_000_000 + 200_000_000


def test_a_chains_hash_is_the_one_that_the_world_knows_it_by() -> None:
    assert QUICKNET.hash() == "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
    assert DEFAULT.hash() == "8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce"
    assert PUBLISHED[3].round.chain.hash() == "af8b6fc95693b058a3a59efe586eb31c2c352fe00cf40c62a427d87c34f7a235"


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda each: f"{each.round.chain.name} {each.round.number}")
def test_a_published_rounds_value_is_its_randomness(published: Published) -> None:
    assert published.round.wrong_with(published.value) is None
    assert value_of(published.value).hex() == published.randomness


def test_the_draw_key_is_the_hash_of_seed_and_value() -> None:
    keys = {draw_key(bytes([number]) * 32, published.value) for number in range(3) for published in PUBLISHED}
    assert len(keys) == 3 * len(PUBLISHED)
    assert all(len(key) == 32 for key in keys)


@pytest.mark.parametrize(
    "value",
    [
        BeaconValue(60, "ab" * 48),
        BeaconValue(61, "ab" * 47),
        BeaconValue(61, "AB" * 48),
        BeaconValue(61, "ab" * 48, "cd" * 48),
        BeaconValue(61, "ab" * 48 + "\n"),
        BeaconValue(61, ""),
    ],
)
def test_a_value_of_another_form_is_refused(value: BeaconValue) -> None:
    assert Round(QUICKNET, 61).wrong_with(value) is not None
    assert Round(QUICKNET, 61).wrong_with(BeaconValue(61, "ab" * 48)) is None


def test_the_first_round_of_a_chained_scheme_signs_the_groups_hash() -> None:
    first, second = OwnBeacon(1, scheme=CHAINED).value(1), OwnBeacon(1, scheme=CHAINED).value(2)
    chain = OwnBeacon(1, scheme=CHAINED).chain
    assert first.previous_signature == chain.genesis_seed.hex()
    assert second.previous_signature == first.signature
    assert Round(chain, 1).wrong_with(first) is None
    assert Round(chain, 1).wrong_with(BeaconValue(1, first.signature, first.signature)) is not None


@given(st.integers(0, 2**62), st.integers(1, 100_000), st.integers(1, 2**33))
def test_the_round_after_a_moment_is_the_first_one_later(moment_ns: int, period_s: int, genesis_s: int) -> None:
    chain = Chain(UNCHAINED, QUICKNET.public_key, period_s, genesis_s, bytes(32), "x")
    number = chain.round_after(moment_ns)
    assert Round(chain, number).published_ns > moment_ns
    assert number == 1 or Round(chain, number - 1).published_ns <= moment_ns


# In terms.


def beacon(**stated: Any) -> dict[str, Any]:
    return dict(read_terms({**PROPOSED, "beacon": stated}).stated["beacon"])


def wrong(**stated: Any) -> str:
    with pytest.raises(TermsError) as raised:
        read_terms({**PROPOSED, "beacon": stated})
    assert [breach.field for breach in raised.value.breaches] == ["beacon"]
    return raised.value.breaches[0].rule


def test_a_known_chain_is_named_by_name_or_hash_and_stated_whole() -> None:
    for chain in KNOWN:
        by_name, by_hash = beacon(chain=chain.name), beacon(chain=chain.hash())
        assert by_name == by_hash == beacon(**by_name)
        assert by_name["public_key"] == chain.public_key.hex()
        assert Round(chain, by_name["round"]).published_ns > ENTERED_NS + 5 * 10**9
        assert Round(chain, by_name["round"] - 1).published_ns <= ENTERED_NS + 5 * 10**9
    terms = read_terms({**PROPOSED, "beacon": {"chain": "quicknet"}})
    assert read_terms(terms.stated) == terms
    assert terms.beacon == Round(QUICKNET, terms.stated["beacon"]["round"])


def test_a_round_that_somebody_who_enters_may_know_is_refused() -> None:
    least = QUICKNET.round_after(ENTERED_NS)
    assert beacon(chain="quicknet", round=least)["round"] == least
    for number in (least - 1, least - 100, 1):
        assert f"{least} or later" in wrong(chain="quicknet", round=number)
    assert "within a day" in wrong(chain="quicknet", round=least + 30_000)
    exactly = OwnBeacon(CLOSES_S, 1).chain  # published at closing, a second later, and so on
    assert beacon(**Round(exactly, 2).stated())["round"] == 2
    assert "2 or later" in wrong(**Round(exactly, 1).stated())


@pytest.mark.parametrize(
    "changes",
    [
        {"chain": "fastnet"},
        {"chain": 7},
        {"chain": "00" * 32},
        {"round": 0},
        {"round": True},
        {"round": "7"},
        {"round": 2**53},
        {"scheme": "pedersen-bls-unchained"},
        {"public_key": "ab"},
        {"public_key": 7},
        {"period_s": 0},
        {"period_s": 10**6},
        {"genesis_s": -1},
        {"genesis_seed": "zz" * 32},
        {"name": ""},
        {"name": "quicknet"},
        {"more": 1},
    ],
)
def test_a_chain_that_is_not_what_its_hash_says_is_refused(changes: dict[str, Any]) -> None:
    chain = OwnBeacon(CLOSES_S - 100).chain
    stated = Round(chain, 120).stated()
    assert beacon(**stated) == stated
    assert wrong(**{**stated, **changes})


@pytest.mark.parametrize("value", [7, "quicknet", [], {}, {"round": 7}])
def test_what_is_no_beacon_is_refused(value: Any) -> None:
    with pytest.raises(TermsError):
        read_terms({**PROPOSED, "beacon": value})


def test_a_known_chain_cannot_be_given_another_key() -> None:
    stated = {**read_terms({**PROPOSED, "beacon": {"chain": "quicknet"}}).stated["beacon"]}
    assert wrong(**{**stated, "public_key": OwnBeacon(1).chain.public_key.hex()})
    assert wrong(**{**stated, "chain": "quicknet", "public_key": OwnBeacon(1).chain.public_key.hex()})


def test_which_round_a_missing_number_means_does_not_hang_on_who_reads() -> None:
    assert read_round({"chain": "quicknet"}, 0) == Round(QUICKNET, 1)
