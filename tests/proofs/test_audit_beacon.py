"""The audit of a sale whose draw waited for a beacon: the value is verified, and every lie about it is found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.beacon import value_of
from model.vocabulary import Seen
from proofs.audit import audit
from proofs.findings import Finding
from tests import oracle
from tests.beacons import OwnBeacon
from tests.stories import BEACON, OPENS_NS, Performance, Story, entry, seal, terms, write_bundle

Lie = Callable[[dict[str, Any]], None]


def a_sale(ending: str = "close", **about: Any) -> Performance:
    """Two units, three buyers who tie: the beacon's value says who goes without."""
    logs = {
        "north": [entry("north", 1, 3, "ann"), entry("north", 2, 4, "bob")],
        "south": [entry("south", 1, 5, "eve")],
    }
    return Performance(Story(terms(stock=2, beacon=True, **about), logs, ending=ending), 3).run()


def first(folder: Path) -> Finding:
    return audit(folder).findings[0]


def edit(folder: Path, lie: Lie, file: str = "seed.json") -> Path:
    """Tell `seed.json` otherwise, as a careful forger would."""
    told = json.loads((folder / file).read_bytes())
    lie(told)
    (folder / file).write_bytes(json.dumps(told, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return seal(folder)


def test_a_sale_with_a_beacon_passes_and_the_oracle_agrees(tmp_path: Path) -> None:
    performance = a_sale()
    folder = write_bundle(tmp_path, performance)
    report = audit(folder)
    assert report.findings == ()
    assert (report.kinds["complete"], report.kinds["beacon"], report.winners) == (1, 1, 2)
    assert BEACON.chain.hash() in " ".join(report.not_checked)
    reading = oracle.read_bundle(folder)
    assert [each["request"] for each in reading.decisions if each["type"] == "won"] == [
        won.request for won in performance.finished().winners
    ]


def swap(**fields: Any) -> Lie:
    return lambda told: told["beacon"].update(fields)


OTHER = OwnBeacon(BEACON.chain.genesis_s, secret=99).value(60)
LIES: list[tuple[Lie, str]] = [
    (swap(signature=OTHER.signature, value=value_of(OTHER).hex()), "the beacon's chain has signed the round"),
    (swap(signature=OTHER.signature), "the beacon's value is the SHA-256 of its signature"),
    (swap(value="00" * 32), "the beacon's value is the SHA-256 of its signature"),
    (swap(round=61), "the beacon's round is the one that the terms name"),
    (swap(chain="00" * 32), "the beacon's chain is the one that the terms name"),
    (swap(signature="ab"), "the beacon's signature has the form of its scheme"),
    (swap(signature=7), "a beacon's signatures are text"),
    (swap(more=1), "a beacon's entry states chain, round, signature, value"),
    (lambda told: told.update(beacon=7), "a beacon's entry states chain, round, signature, value"),
    (lambda told: told.pop("beacon"), "the beacon's value is the one that the seed's file tells"),
]


@pytest.mark.parametrize(("lie", "rule"), LIES)
def test_a_lie_about_the_value_is_found(tmp_path: Path, lie: Lie, rule: str) -> None:
    assert first(edit(write_bundle(tmp_path, a_sale()), lie)).rule.startswith(rule)


def test_another_rounds_value_is_found_in_the_decision_log(tmp_path: Path) -> None:
    """Both files agree with each other, and neither with the terms."""
    folder = write_bundle(tmp_path, a_sale())
    right, wrong = BEACON.value(60).signature, BEACON.value(61).signature
    decisions = (folder / "decisions.jsonl").read_text()
    (folder / "decisions.jsonl").write_text(decisions.replace(right, wrong))
    assert first(seal(folder)).file == "decisions.jsonl"


def test_a_value_that_was_never_entered_is_found(tmp_path: Path) -> None:
    performance = a_sale()
    value = json.loads((write_bundle(tmp_path / "one", performance) / "seed.json").read_bytes())["beacon"]
    cancelled = write_bundle(tmp_path / "other", cancelled_sale())
    assert audit(cancelled).findings == ()
    found = first(edit(cancelled, lambda told: told.update(beacon=value)))
    assert found.rule == "a beacon's value that the seed's file tells was entered"


def cancelled_sale() -> Performance:
    """An operator ends it while the round is waited for."""
    logs = {"north": [entry("north", 1, 3, "ann")], "south": []}
    performance = Performance(Story(terms(stock=2, beacon=True), logs), 3)
    for decision in performance.steps():
        if type(decision).__name__ == "Complete":
            break
    performance.story = Story(performance.story.terms, logs, ending="cancel")
    for _ in performance._interfere():
        pass
    return performance.run()


def test_a_log_whose_end_was_seen_after_the_round_is_an_alarm(tmp_path: Path) -> None:
    performance = a_sale()
    assert performance.story.terms.beacon is not None
    published_ns = performance.story.terms.beacon.published_ns
    assert not any("beacon" in alarm for alarm in audit(write_bundle(tmp_path / "early", performance)).alarms)
    late = [
        Seen(each.regions, OPENS_NS, published_ns + 10**9) if isinstance(each, Seen) else each
        for each in performance.decisions
    ]
    performance.decisions = late
    report = audit(write_bundle(tmp_path / "late", performance))
    assert report.findings == ()
    assert any("1.0 s after the beacon's round" in alarm for alarm in report.alarms)
