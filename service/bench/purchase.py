"""The purchase call beside its rivals: requests a second, and how long one takes at 64 clients.

Ours is on disk before it is answered, stamped by the kernel, authenticated, and finds a buyer's earlier entry. The
rivals (`rivals.py`) decrement a number. The limit is what the store does when nothing else is asked of it: the same
script, called by nobody but this process. All gateway processes of a region share one store, and a hot sale has one log
there: how many of them it keeps up with says whether that log would have to be cut in parts.
"""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import redis

from service.bench.frame import Effort, Found, Reading, Rival, figure, take_turns
from service.bench.load import COST, GENERATOR, Asked, with_cost
from service.bench.stage import Stage, plain_store, rival_server, stage
from service.bench.yardstick import PLAIN, PLAIN_PATH
from service.gateway.admission import MOST_CALLS_AT_ONCE
from service.store import keys
from service.store.attempts import around, words
from service.store.scripts import source

OURS: Final = "firstcome"
OTHER_HEADS: Final = "firstcome, no two heads alike"
DURABLE: Final = "FastAPI + redis.asyncio, durable"
NOTHING: Final = "FastAPI answering nothing"
STORE: Final = "the store alone, 500 purchases a call"
STORE_SINGLE: Final = "the store alone, 1 purchase a call, 64 in a pipeline"
A_CALL: Final = 16
"""A gateway's calls have some 20 in them under 64 clients, by its own metric: fewer is the harder case."""
TWO_GATEWAYS: Final = 2 * MOST_CALLS_AT_ONCE
"""Calls that two gateway processes have under way."""
STORE_AS_CALLED: Final = f"the store alone, {A_CALL} purchases a call, {TWO_GATEWAYS} in a pipeline, as of two gateways"

RATE: Final = "requests/s"
STORE_RATE: Final = "purchases/s"


def measure(effort: Effort) -> Found:
    """All rivals in turn."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="firstcome-bench-")))
        ours = opened.enter_context(stage())
        sales = [ours.publish() for _ in range(2 * effort.rounds)]
        ours.end_arbiter()
        urls = {
            durable: opened.enter_context(plain_store(folder / f"durable-{durable}", durable))
            for durable in (False, True)
        }
        servers = {durable: opened.enter_context(rival_server(url)) for durable, url in urls.items()}
        for url in urls.values():
            with redis.Redis.from_url(url) as store:
                store.set("shoes", 10**12)

        def firstcome(another_head: bool) -> list[Reading]:
            path = f"/v1/sales/{sales.pop()}/purchases"
            asked = Asked(ours.port, path, ours.token, another_head=another_head)
            return with_cost(asked, effort.seconds, ours.pid())

        def rival(durable: bool, path: str) -> list[Reading]:
            port, pid = servers[durable]
            return with_cost(Asked(port, path), effort.seconds, pid)

        rounds = take_turns(
            [
                Rival(PLAIN, lambda: rival(False, PLAIN_PATH)),
                Rival(OURS, lambda: firstcome(another_head=False)),
                Rival(OTHER_HEADS, lambda: firstcome(another_head=True)),
                Rival(DURABLE, lambda: rival(True, PLAIN_PATH)),
                Rival(NOTHING, lambda: rival(False, "/nothing")),
                Rival(STORE, lambda: store_alone(ours, 500, 4, effort.seconds)),
                Rival(STORE_AS_CALLED, lambda: store_alone(ours, A_CALL, TWO_GATEWAYS, effort.seconds)),
                Rival(STORE_SINGLE, lambda: store_alone(ours, 1, 64, effort.seconds)),
            ],
            effort,
        )
    # A process whose core is its own logs 1 / (its processor time for each); the store's rate has its syncs in it.
    both = zip(rounds.values(STORE_AS_CALLED, STORE_RATE), rounds.values(OURS, COST), strict=True)
    kept_up_with = [purchases_per_second * cost_us / 1e6 for purchases_per_second, cost_us in both]
    return Found(
        [
            *rounds.figures(),
            figure("gateway processes that one store keeps up with, in one hot sale", kept_up_with, "", "≥ 2"),
            rounds.ratio("purchases against the plain endpoint", (OURS, RATE), (PLAIN, RATE), "≥ 6"),
            rounds.ratio("the same, no two heads alike", (OTHER_HEADS, RATE), (PLAIN, RATE)),
            rounds.ratio("purchases against the durable endpoint", (OURS, RATE), (DURABLE, RATE)),
            rounds.ratio("the plain server's processor time for each, against ours", (PLAIN, COST), (OURS, COST)),
            rounds.ratio("our p99 against the plain endpoint's p50", (OURS, "p99"), (PLAIN, "p50"), "≤ 1"),
        ],
        [GENERATOR, "64 connections; gateway, store, clockd and load share the cores; the arbiter is not among them"],
    )


def store_alone(ours: Stage, purchases: int, in_pipeline: int, seconds: float) -> list[Reading]:
    """What the store takes when the words are made beforehand: nothing but its own work, and reading its replies."""
    sale, stamp_ns = f"alone-{time.time_ns()}", 1_800_000_000_000_000_000
    buyers = [f"buyer-{number:09}" for number in range(200_000 if purchases > 1 else 50_000)]
    lines = [
        around(stamp_ns + number, 1_000_000, "here-1/1", stamp_ns + number).line(f"here.{number:020}", buyer)
        for number, buyer in enumerate(buyers)
    ]
    logged = 0
    took_seconds = 0.0
    with ours.store() as store:
        admit = store.script_load(source("admit"))
        names = [keys.log(sale), keys.buyers(sale), keys.mark(sale), keys.stop(sale)]
        calls = [
            words(stamp_ns, lines[start : start + purchases], buyers[start : start + purchases])
            for start in range(0, len(lines), purchases)
        ]
        for start in range(0, len(calls), in_pipeline):
            pipeline = store.pipeline(transaction=False)
            for arguments in calls[start : start + in_pipeline]:
                pipeline.evalsha(admit, len(names), *names, *arguments)
            began = time.perf_counter()
            logged = pipeline.execute()[-1]
            took_seconds += time.perf_counter() - began
            if took_seconds > seconds:
                break
        store.unlink(*names)
    return [Reading(STORE_RATE, logged / took_seconds, "/s")]
