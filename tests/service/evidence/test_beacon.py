"""A beacon's rounds are verified alike by service and audit: real ones, ones of the tests' own, and forgeries."""

import asyncio
import json
import sys
from dataclasses import replace

import pytest

from model.beacon import CHAINED, UNCHAINED, Round
from model.vocabulary import BeaconValue
from proofs.audit import beacon as audits
from service.evidence.beacon import is_genuine, is_signed
from tests.beacons import PUBLISHED, OwnBeacon, Published

INFINITY = {UNCHAINED: "c0" + "00" * 47, CHAINED: "c0" + "00" * 95}


def verdicts(named: Round, value: BeaconValue) -> set[bool]:
    """What service and audit say."""
    limit = sys.getrecursionlimit()
    try:
        return {is_signed(named, value), audits.is_signed(named, value)}
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda each: f"{each.round.chain.name} {each.round.number}")
def test_a_round_that_was_published_is_genuine(published: Published) -> None:
    assert verdicts(published.round, published.value) == {True}


@pytest.mark.parametrize("published", [PUBLISHED[0], PUBLISHED[5]], ids=["unchained", "chained"])
def test_no_other_round_nor_key_nor_signature_is(published: Published) -> None:
    named, value = published.round, published.value
    of_another_round = next(
        each.value.signature
        for each in PUBLISHED
        if each.round.chain.scheme == named.chain.scheme and each.value != value
    )
    others = [
        (replace(named, number=named.number + 1), value),
        (
            replace(
                named, chain=replace(named.chain, public_key=OwnBeacon(1, scheme=named.chain.scheme).chain.public_key)
            ),
            value,
        ),
        (named, replace(value, signature=of_another_round)),
        (named, replace(value, signature=INFINITY[named.chain.scheme])),
        (named, replace(value, signature="ff" * (len(value.signature) // 2))),
        (named, replace(value, signature="00" * (len(value.signature) // 2))),
        (replace(named, chain=replace(named.chain, public_key=b"\xff" * len(named.chain.public_key))), value),
    ]
    if value.previous_signature:
        others.append((named, replace(value, previous_signature=value.signature)))
    for other, told in others:
        assert verdicts(other, told) == {False}


def test_an_infinite_key_signs_nothing() -> None:
    """Infinity pairs with infinity like any key with its signatures: whoever names such a key could sign all rounds."""
    for scheme, other in ((UNCHAINED, CHAINED), (CHAINED, UNCHAINED)):
        chain = replace(OwnBeacon(1, scheme=scheme).chain, public_key=bytes.fromhex(INFINITY[other]))
        assert verdicts(Round(chain, 1), BeaconValue(1, INFINITY[scheme])) == {False}


@pytest.mark.parametrize("scheme", [UNCHAINED, CHAINED])
def test_a_process_of_its_own_says_the_same(scheme: str) -> None:
    beacon = OwnBeacon(1, scheme=scheme)
    named, value = Round(beacon.chain, 3), beacon.value(3)

    async def ask() -> list[bool]:
        return [
            await is_genuine(named, value),
            await is_genuine(named, replace(value, signature=OwnBeacon(1, scheme=scheme, secret=7).value(3).signature)),
            await is_genuine(named, replace(value, signature="no hex")),
        ]

    assert asyncio.run(ask()) == [True, False, False]


def test_what_is_nested_deeply_is_still_an_error_after_an_audit_has_verified() -> None:
    """The library raises Python's recursion limit when it is imported; with that, this would end the process."""
    assert audits.is_signed(PUBLISHED[0].round, PUBLISHED[0].value)
    assert sys.getrecursionlimit() < 10_000
    with pytest.raises(RecursionError):
        json.loads("[" * 100_000)
