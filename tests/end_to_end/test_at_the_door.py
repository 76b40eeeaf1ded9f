"""Sales whose units are sold at the door, end to end: by shares that follow demand, and from one region's stock.

Crowds press while the arbiter, a gateway and a store die under them. The bundle must then have each unit in one place,
whoever was told of a unit must have just that one, and the decision log must replay.
"""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model import wire
from model.replay import replay
from model.shards import ShardedFold
from proofs.audit.receipt import audit_receipt
from service.store import keys
from service.world.world import ARBITER, World
from tests.patience import until
from tests.worlds import Outing, length, store
from tests.worlds import fence as fence_token

Publish = Callable[..., Outing]


def replayed(sale: Outing) -> ShardedFold:
    """The exported sale, which the audit must pass, decided again by the model; every unit is in one place."""
    sale.finish()
    folder = sale.folder
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


def kill_arbiter(world: World) -> None:
    """Kill the arbiter, and have another take over."""
    token = fence_token(world)
    world.kill(ARBITER)
    world.start(ARBITER)
    until(lambda: fence_token(world) > token)


def sells_more(sale: Outing) -> None:
    before = sale.logged("north")
    until(lambda: sale.logged("north") > before + 20 or sale.is_over())


def test_nothing_is_lost_or_doubled_when_arbiter_gateway_and_store_die(world: World, publish: Publish) -> None:
    """Units are on their way between three regions all the time, and everything dies under them. Last, an arbiter that
    was stopped for a while goes on beside the one that has taken over."""
    quotas = {"north": 20, "south": 360, "west": 20}
    sale = publish(opens_in=1, lasts=60, method="sharded", quotas=quotas, stock=400)
    chance = random.Random(8)
    buyers = [(f"buyer-{n}", chance.choice(["north", "west"]), chance.uniform(0, 4)) for n in range(700)]
    pressing = sale.in_background(buyers + buyers[::10], tries=24)
    sells_more(sale)
    os.kill(world.embedded["south"].pid, signal.SIGKILL)
    kill_arbiter(world)
    sells_more(sale)
    os.kill(world.embedded["west"].pid, signal.SIGKILL)
    world.kill("gateway-north-1")
    world.start("gateway-north-1")
    token = fence_token(world)
    world.send(ARBITER, signal.SIGSTOP)
    world.start_twin(ARBITER, "arbiter-twin")
    until(lambda: fence_token(world) > token)
    world.send(ARBITER, signal.SIGCONT)
    os.kill(world.embedded["north"].pid, signal.SIGKILL)
    pressing.result()
    until(sale.is_over)
    fold = replayed(sale)
    assert fold.sold == 400
    assert sum(len(share.granted) for share in fold.shares.values()) >= 2
    assert not fold.on_the_way
    assert {pressed.status for pressed in sale.pressed} <= {200, 409, 503}
    keeps_its_word(sale, fold)


def test_a_central_stock_is_sold_from_one_region(world: World, publish: Publish) -> None:
    """Requests of all regions travel there. The arbiter dies meanwhile; one sale is sold out, another ends by time with
    units left."""
    short = publish(opens_in=1, lasts=20, method="central", central_region="south", stock=100)
    long = publish(opens_in=1, lasts=2, method="central", central_region="south", stock=100)
    few = long.in_background([(f"buyer-{n}", world.regions[n % 3], n / 40) for n in range(60)], tries=9)
    many = short.in_background([(f"buyer-{n}", world.regions[n % 3], n / 100) for n in range(200)], tries=9)
    until(lambda: short.logged("south") > 20)
    kill_arbiter(world)
    many.result()
    few.result()
    for sale, reason in ((short, "sold_out"), (long, "time")):
        until(sale.is_over)
        fold = replayed(sale)
        assert (fold.sold == 100) == (reason == "sold_out")
        assert fold.sold >= len(told_units(sale)) > 10
        assert sale.of_type("closed")[-1]["reason"] == reason
        keeps_its_word(sale, fold)
    late = short.call("POST", "/purchases", "south", json={"buyer": "late"})
    assert (late.status_code, late.json()["type"].rpartition(":")[2]) == (409, "sold_out")


def fence(sale: Outing, region: str) -> tuple[int, str]:
    answer = sale.call("POST", "/fence", json={"region": region, "reason": "data centre lost"})
    return answer.status_code, answer.json().get("type", "").rpartition(":")[2]


def test_what_a_fenced_region_has_left_is_sold_elsewhere(world: World, publish: Publish) -> None:
    quotas = {"north": 50, "south": 0, "west": 100}
    sale = publish(opens_in=3, lasts=12, method="sharded", quotas=quotas, stock=150)
    assert fence(sale, "mars") == (422, "invalid")
    world.kill("lines-west")
    until(lambda: fence(sale, "west") == (503, "region_unreachable"))
    world.start("lines-west")
    with store(world, "west") as client:
        assert client.get(keys.stop(sale.sale)) is None
        until(lambda: fence(sale, "west") == (200, ""))
        assert client.get(keys.stop(sale.sale)) == b"fenced"
    assert fence(sale, "west") == (200, "")
    refused = sale.in_background([("too-late", "west", 0.5)], tries=1)
    sale.press([(f"buyer-{n}", "north" if n % 4 else "south", n / 100) for n in range(200)], tries=6)
    assert [pressed.status for pressed in refused.result()] == [503]
    until(sale.is_over)
    fold = replayed(sale)
    assert fold.sold == 150
    assert fold.fenced_out == {"west"}
    assert [(each["region"], each["seq"]) for each in sale.of_type("fenced")] == [("west", 1)]
    assert sum(1 for each in sale.of_type("reissued")) >= 1
    keeps_its_word(sale, fold)
    assert fence(sale, "north") == (409, "already_decided")


def test_what_a_region_sells_behind_a_dead_line_stays_sold(world: World, publish: Publish) -> None:
    """It is cut off once everybody else was heard; nobody else ever sells its share."""
    quotas = {"north": 10, "south": 10, "west": 10}
    sale = publish(opens_in=1, lasts=5, cut_off_ms=6_000, method="sharded", quotas=quotas, stock=30)
    sale.press([("counted", "west", 0.1)])
    until(lambda: counted(world, sale) == 2)
    world.kill("lines-west")
    sale.press([("beyond", "west", 0.2), *((f"buyer-{n}", "north", 0.6 + n / 20) for n in range(25))])
    until(lambda: sale.of_type("cut_off"))
    world.start("lines-west")
    fold = replayed(sale)
    [cut_off] = sale.of_type("cut_off")
    assert (cut_off["region"], cut_off["seq"]) == ("west", 2)
    assert fold.shares["west"].sold.keys() == {20}
    assert len(fold.shares["north"].sold) + len(fold.shares["south"].sold) <= 20
    known = outcomes(sale)
    for pressed in sale.pressed:
        if pressed.status == 200:
            assert known[pressed.answer["id"]]["unit"] == pressed.answer["unit"]
    assert {pressed.press.buyer for pressed in sale.pressed if pressed.status == 200} >= {"counted", "beyond"}


def counted(world: World, sale: Outing) -> int:
    """How many lines of the far region the arbiter has copied."""
    return length(world, ARBITER, keys.copied_log(sale.sale, "west"))


def test_a_receipt_of_a_unit_shows_it_in_the_entry(world: World, publish: Publish, tmp_path: Path) -> None:
    sale = publish(opens_in=1, lasts=3, method="central", central_region="north", stock=10)
    [pressed] = sale.press([("ada", "north", 0.1)])
    replayed(sale)
    path = tmp_path / "receipt.json"
    shown = sale.call("GET", f"/purchases/{pressed.answer['id']}/receipt")
    path.write_bytes(shown.content)
    report = audit_receipt(path, sale.folder)
    assert report.findings == []
    assert report.outcome == {"request": pressed.answer["id"], "state": "won", "unit": 0}


def test_a_lost_stock_halts_the_sale_and_is_never_set_up_anew(world: World, publish: Publish) -> None:
    quotas = {"north": 10, "south": 10, "west": 10}
    sale = publish(opens_in=1, lasts=20, method="sharded", quotas=quotas, stock=30)
    sale.press([(f"buyer-{n}", region, 0.1) for n, region in enumerate(["north", "south", "west"])], tries=3)
    with store(world, "south") as client:
        client.delete(keys.stock(sale.sale))
        until(sale.is_over)
        assert not client.exists(keys.stock(sale.sale))
    fold = replayed(sale)
    assert fold.sold == 3
    [halted] = sale.of_type("halted")
    assert "region south" in halted["reason"]
    assert f"{{{sale.sale}}}:stock" in halted["reason"]
    keeps_its_word(sale, fold)
