"""The region's store is killed under load: nobody who was told 202 is missing afterwards, and it all goes on."""

import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis
import uvloop

from model.wire import parse_log_line
from service.store import keys
from service.world.crowd import Crowd, Press, Pressed
from service.world.world import RegionPlan, World, WorldPlan
from tests.patience import until
from tests.service.caller import Gateway
from tests.service.sales import publish, terms

PER_SECOND = 400
SECONDS = 3.0
KILLS = 2


def press(world: World, sale: str, buyers: list[str], tries: int) -> list[Pressed]:
    """Buyers press one after the other, evenly."""
    start_ns = time.time_ns()
    plan = [Press(buyer, "alone", start_ns + int(index * 1e9 / PER_SECOND)) for index, buyer in enumerate(buyers)]

    async def run() -> list[Pressed]:
        return await Crowd(world.ports, sale, world.token, tries=tries).press_all(plan)

    return uvloop.run(run())


def test_a_store_that_is_killed_loses_nobody_who_was_told_yes() -> None:
    with World(WorldPlan(regions=(RegionPlan("alone"),))) as world, ThreadPoolExecutor(1) as executor:
        gateway = Gateway(world.ports["alone"], world.token)
        buyers = [f"buyer-{number}" for number in range(int(PER_SECOND * SECONDS))]
        sale = publish(gateway, terms(0.5, stock=1_000_000, regions=["alone"]))
        until(lambda: gateway.buy(sale, "first").status == 202)
        pressing = executor.submit(press, world, sale, buyers, 1)
        store = world.embedded["alone"]
        for _ in range(KILLS):
            seen = store.pid
            until(lambda: gateway.buy(sale, f"witness-{time.monotonic_ns()}").status == 202)
            os.kill(seen, signal.SIGKILL)
            until(lambda seen=seen: store.pid != seen)
        pressed = pressing.result()
        statuses = Counter(one.status for one in pressed)
        assert set(statuses) == {202, 503}, statuses
        problems = {one.answer["type"].rpartition(":")[2] for one in pressed if one.status == 503}
        assert problems <= {"outcome_unknown", "overloaded"}
        assert "outcome_unknown" in problems

        until(lambda: gateway.call("GET", "/readyz").status == 200)
        told = {one.answer["id"]: one.answer for one in pressed if one.status == 202}
        entries = log(world, sale)
        for request, answer in told.items():
            entry = entries[request]
            assert (entry.seq, entry.buyer) == (answer["seq"], answer["buyer"])
            assert (str(entry.stamp_ns), str(entry.bound_ns)) == (answer["stamp_ns"], answer["bound_ns"])

        unsure = [one.press.buyer for one in pressed if one.status == 503]
        again = press(world, sale, unsure, 1)
        assert {one.status for one in again} <= {200, 202}
        by_buyer = {entry.buyer: entry.request for entry in entries.values()}
        for one in again:
            assert one.answer["id"] == by_buyer.get(one.press.buyer, one.answer["id"])
        buyers_in_log = Counter(entry.buyer for entry in log(world, sale).values())
        assert set(buyers_in_log.values()) == {1}
        assert set(buyers) <= set(buyers_in_log)
        outcome = gateway.buy(sale, "buyer-0", prefer="wait=20")
        assert (outcome.status, outcome.json["state"]) == (200, "won")


def log(world: World, sale: str) -> dict[str, Any]:
    """The region's log, by request; numbered without gaps."""
    with redis.Redis.from_url(world.stores["alone"], protocol=2) as client:
        found: Any = client.xrange(keys.log(sale))
    entries = [parse_log_line(line) for _, fields in found for line in fields[b"l"].split(b"\n")]
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    return {entry.request: entry for entry in entries}
