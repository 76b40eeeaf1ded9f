"""How long a decision takes beyond what the rule itself needs, in a world of real gateways at real distances.

The rule needs, for the draw that serves a request: that every region's clock has passed *earliest waiting place + W*
by the intake grace, that the last region's mark has travelled to the arbiter, and that the decision has travelled
to the winner's region. That much is computed from the logs, draw by draw, with the lottery of `model/`, and from how
far each region's clock, here as far away from its reference as its region, was behind this machine's. The rest is ours:
heartbeats, rounds, disks, Python.

A decision has arrived when it lies in the winner's region's store, where a process of its own tails it. Everybody
wins, so every request is measured. Clocks, gateways, lines and buyers share this machine's cores with the arbiter.
"""

import asyncio
import contextlib
import multiprocessing
import tempfile
import time
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
import redis
from whenever import Instant, TimeDelta

from clockd.host import RealClock
from clockd.reader import Reader
from model.guards import place_ns
from model.lottery import WindowLottery, ticket
from model.terms import Terms, read_terms
from model.wire import parse_canonical, parse_log_line
from service.bench.frame import Effort, Found, Reading, Rival, take_turns
from service.bench.stage import processor_seconds, wait_until
from service.export import export
from service.store import keys
from service.store.opening import connect
from service.world.crowd import Crowd, Press
from service.world.world import ARBITER, RegionPlan, World, WorldPlan

REGIONS: Final = (
    RegionPlan("near", 0.001),
    RegionPlan("middle", 0.010),
    RegionPlan("far", 0.030),
)
RATES: Final = (100, 1_000, 5_000)
SKEW_BOUND_NS: Final = 50_000_000
_AHEAD_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.1


def measure(effort: Effort) -> Found:
    """All rates in turn."""
    rates = RATES[:2] if effort.quick else RATES
    with World(WorldPlan(REGIONS)) as world:
        rounds = take_turns(
            [Rival(f"{rate:,} requests/s", partial(_at_rate, world, rate, effort.seconds)) for rate in rates],
            effort,
        )
    figures = [
        rounds.figure(f"{rate:,} requests/s", what, "≤ 10" if (rate, what) == (1_000, "p99") else "")
        for rate in rates
        for what in ("p50", "p99", "clocks apart", "decided", "arbiter's processor")
    ]
    return Found(
        figures,
        [
            "milliseconds beyond W + intake grace + one way there and back; regions 1, 10 and 30 ms away, ε 50 ms",
            "a region's clock that is behind holds its mark back by that: taken off; the lines' own timers are not",
        ],
    )


def _at_rate(world: World, rate: int, seconds: float) -> list[Reading]:
    """One sale at one rate."""
    terms = _publish(world, stock=2 * int(rate * seconds) + 10)
    sale = terms.sale()
    context = multiprocessing.get_context("spawn")
    ended, heard = context.Event(), context.SimpleQueue()
    arbiter = world.pid(ARBITER)
    tails = [
        context.Process(target=_tail, args=(world.stores[plan.name], sale, plan.name, ended, heard), daemon=True)
        for plan in REGIONS
    ]
    for tail in tails:
        tail.start()
    for _ in tails:
        heard.get()
    before, began = processor_seconds(arbiter), time.monotonic()
    pressed, behind_ns = asyncio.run(_press(world, terms, rate, seconds))
    wait_until(lambda: _decided(world, sale) >= pressed, "every decision", 60)
    busy = (processor_seconds(arbiter) - before) / (time.monotonic() - began)
    _call(world, "POST", f"/v1/sales/{sale}/cancel", {"reason": "measured"})
    wait_until(lambda: _is_over(world, sale), "the last record", 60)
    ended.set()
    arrivals = dict(heard.get() for _ in tails)
    for tail in tails:
        tail.join()
    beyond = sorted(asyncio.run(_beyond_need(world, terms, arrivals, behind_ns)))
    return [
        Reading("p50", beyond[len(beyond) // 2] / 1e6, "ms"),
        Reading("p99", beyond[int(len(beyond) * 0.99)] / 1e6, "ms"),
        Reading("clocks apart", (max(behind_ns.values()) - min(behind_ns.values())) / 1e6, "ms"),
        Reading("decided", len(beyond), "requests"),
        Reading("arbiter's processor", 100 * busy, "% of a core"),
    ]


async def _press(world: World, terms: Terms, rate: int, seconds: float) -> tuple[int, dict[str, int]]:
    """Everybody presses at their moment. Returns how many were logged, and how far each region's clock was behind this
    machine's meanwhile: the median.
    """
    count = int(rate * seconds)
    names = [plan.name for plan in REGIONS]
    presses = [
        Press(f"buyer-{at}", names[at % len(names)], terms.opens_ns + at * 1_000_000_000 // rate) for at in range(count)
    ]
    looking = asyncio.create_task(_look_at_clocks(world))
    pressed = await Crowd(world.ports, terms.sale(), world.token, most_connections=400).press_all(presses)
    looking.cancel()
    behind_ns = await looking
    return sum(each.status == 202 for each in pressed), {name: int(median(seen)) for name, seen in behind_ns.items()}


async def _look_at_clocks(world: World) -> dict[str, list[int]]:
    """How far each region's clock is behind this machine's, looked at until cancelled."""
    host = RealClock()
    readers = {plan.name: Reader(world.page(plan.name), host) for plan in REGIONS}
    behind_ns: dict[str, list[int]] = {name: [] for name in readers}
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            for name, reader in readers.items():
                said = reader.read().stamp(host.raw_ns())
                if said is not None:
                    behind_ns[name].append(time.time_ns() - said.utc_ns)
            await asyncio.sleep(_LOOK_SECONDS)
    return behind_ns


async def _beyond_need(
    world: World, terms: Terms, arrivals: dict[str, list[int]], behind_ns: dict[str, int]
) -> list[int]:
    """For each request that won: when its decision arrived in its region, beyond what the rule needs."""
    store = connect(world.stores[ARBITER])
    try:
        with tempfile.TemporaryDirectory(prefix="firstcome-bench-") as folder:
            bundle = Path(folder) / "bundle"
            await export(terms.sale(), store, {}, bundle)
            seed = bytes.fromhex(parse_canonical((bundle / "seed.json").read_bytes().strip())["seed"])
            logged = [
                parse_log_line(line)
                for region in terms.regions
                for line in (bundle / f"regions/{region}.jsonl").read_bytes().splitlines()
            ]
            kinds = [parse_canonical(line) for line in (bundle / "decisions.jsonl").read_bytes().splitlines()]
    finally:
        await store.aclose()
    buyers = {entry.request: entry.buyer for entry in logged}
    lottery = WindowLottery[str](terms.tie_window_ns, lambda request: ticket(seed, terms.sale(), buyers[request]))
    for entry in logged:
        lottery.offer(place_ns(entry.stamp_ns, terms.opens_ns), entry.request)
    there_ns = max(int(plan.distance_seconds * 1e9) + behind_ns[plan.name] for plan in REGIONS)
    back_ns = {plan.name: int(plan.distance_seconds * 1e9) for plan in REGIONS}
    beyond = []
    for index, record in enumerate(kinds):
        if record["type"] != "won":
            continue
        earliest_ns = lottery.earliest_place_ns() or 0
        drawn = lottery.draw(terms.last_stamp_ns + 1, terms.last_stamp_ns)
        assert drawn == record["request"]
        region = record["region"]
        need_ns = earliest_ns + terms.tie_window_ns + terms.intake_grace_ns + there_ns + back_ns[region]
        beyond.append(arrivals[region][index] - need_ns)
    return beyond


def _tail(url: str, sale: str, region: str, ended: Event, heard: Any) -> None:
    """A process that tails one region's copy of the decision log: when each record came, by its index."""
    came: list[int] = []
    with redis.Redis.from_url(url, protocol=2) as store:
        heard.put(region)
        while not ended.is_set() or came == []:
            found: Any = store.xread({keys.decisions(sale): f"{len(came)}-0"}, block=200)
            now_ns = time.time_ns()
            for _, some in found or ():
                came.extend([now_ns] * len(some))
    heard.put((region, came))


def _publish(world: World, stock: int) -> Terms:
    opens = (Instant.now() + TimeDelta(seconds=_AHEAD_SECONDS)).round("millisecond")
    stated = {
        "title": f"Benchmark {time.time_ns()}",
        "stock": stock,
        "opens": opens.format_iso(),
        "closes": (opens + TimeDelta(hours=2)).format_iso(),
        "regions": [plan.name for plan in REGIONS],
        "skew_bound_ns": str(SKEW_BOUND_NS),
        "cut_off_after_ns": "60000000000",
    }
    sale = _call(world, "POST", "/v1/sales", stated)["id"]
    with redis.Redis.from_url(world.stores[ARBITER], protocol=2) as store:
        entries: Any = store.xrange(keys.ARBITER_SALES)
    known = (read_terms(parse_canonical(fields[keys.LINE])) for _, fields in entries)
    return next(terms for terms in known if terms.sale() == sale)


def _call(world: World, method: str, path: str, body: Any) -> Any:
    url = f"http://127.0.0.1:{world.ports[REGIONS[0].name]}{path}"
    answer = httpx.request(method, url, json=body, headers={"authorization": f"Bearer {world.token}"}, timeout=30)
    answer.raise_for_status()
    return answer.json()


def _decided(world: World, sale: str) -> int:
    """How many have won."""
    with redis.Redis.from_url(world.stores[ARBITER], protocol=2) as store:
        entries: Any = store.xrange(keys.ledger(sale))
    return sum(b'"type":"won"' in fields[keys.LINE] for _, fields in entries)


def _is_over(world: World, sale: str) -> bool:
    with redis.Redis.from_url(world.stores[ARBITER], protocol=2) as store:
        last: Any = store.xrevrange(keys.ledger(sale), count=1)
    return bool(last) and b'"type":"closed"' in last[0][1][keys.LINE]
