"""Sales whose units are sold at the door, end to end: by shares that follow demand, and from one region's stock.

Crowds press while the arbiter, a gateway and a store die under them. The bundle must then have each unit in one place,
whoever was told of a unit must have just that one, and the decision log must replay.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from model import wire
from model.replay import replay
from model.shards import ShardedFold
from service.store import keys
from service.world.world import ARBITER, World
from tests.worlds import Outing, store, until

Publish = Callable[..., Outing]


def replayed(sale: Outing) -> ShardedFold:
    """The exported sale, decided again by the model; every unit is in one place."""
    folder = sale.export()
    logs = {name: (folder / f"regions/{name}.jsonl").read_bytes().splitlines() for name in sale.terms.regions}
    decisions = [
        wire.parse_decision_line(index, line)
        for index, line in enumerate((folder / "decisions.jsonl").read_bytes().splitlines())
    ]
    *_, (_, fold) = replay(sale.terms, b"", lambda name, first, last: logs[name][first - 1 : last], decisions)
    assert isinstance(fold, ShardedFold)
    assert fold.account().stock == sale.terms.stock
    return fold


def told_units(sale: Outing) -> Counter[int]:
    """The units that buyers were told they have; one who pressed twice was told the same."""
    units: dict[str, int] = {}
    for pressed in sale.pressed:
        if pressed.status == 200:
            assert pressed.answer["state"] == "won", pressed.answer
            assert units.setdefault(pressed.press.buyer, pressed.answer["unit"]) == pressed.answer["unit"]
    return Counter(units.values())


def outcomes(sale: Outing) -> dict[str, dict[str, Any]]:
    lines = (sale.folder / "outcomes.jsonl").read_bytes().splitlines()
    return {each["request"]: each for each in map(wire.parse_canonical, lines)}


def keeps_its_word(sale: Outing, fold: ShardedFold) -> None:
    """Whoever was told of a unit has it in the bundle, and nobody else has."""
    sold = {unit: request for share in fold.shares.values() for unit, request in share.sold.items()}
    known = outcomes(sale)
    assert known == {request: {"request": request, "state": "won", "unit": unit} for unit, request in sold.items()}
    assert set(told_units(sale)) <= set(sold)
    assert set(told_units(sale).values()) <= {1}
    for pressed in sale.pressed:
        if pressed.status == 200:
            assert sold[pressed.answer["unit"]] == pressed.answer["id"]


def test_shares_follow_demand(world: World, publish: Publish) -> None:
    """95 of 100 buyers are in one region, which has half of the stock."""
    quotas = {"north": 200, "south": 200}
    stated = {"method": "sharded", "quotas": quotas, "regions": ("north", "south"), "stock": 400, "skew_ms": 40}
    follows = publish(opens_in=1, lasts=8, **stated)
    stays = publish(opens_in=1, lasts=4, rebalance=False, **stated)
    buyers = [(f"buyer-{n}", "north" if n % 20 else "south", 0.05 + n / 200) for n in range(600)]
    pressing = follows.in_background(buyers, tries=8)
    stays.press(buyers)
    pressing.result()
    until(stays.is_over)
    until(follows.is_over)
    kept, moved = replayed(stays), replayed(follows)
    print(f"\nof 400 units sold: {moved.sold} where units follow demand, {kept.sold} where they stay")
    last_ns = max(pressed.answered_ns for pressed in follows.pressed if pressed.status == 200)
    print(f"the last of them {(last_ns - follows.terms.opens_ns) / 1e9:.2f} s after the opening")
    assert kept.sold < 260
    assert moved.sold >= 396
    assert [decision["type"] for decision in follows.of_type("sold_out", "closed")] == ["sold_out", "closed"]
    for sale, fold in ((follows, moved), (stays, kept)):
        keeps_its_word(sale, fold)
