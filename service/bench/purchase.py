"""The purchase call beside its rivals: requests a second, and how long one takes at 64 clients.

Ours is on disk before it is answered, stamped by the kernel, authenticated, and finds a buyer's earlier entry. The
rivals (`rivals.py`) decrement a number. The limit is what the store does when nothing else is asked of it: the same
script, called by nobody but this process.
"""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import redis

from model.wire import log_line_halves
from service.bench.frame import Effort, Found, Reading, Rival, take_turns
from service.bench.load import GENERATOR, Asked, all_taken
from service.bench.stage import Stage, plain_store, rival_server, stage
from service.store import keys
from service.store.scripts import source

OURS: Final = "firstcome"
OTHER_HEADS: Final = "firstcome, no two heads alike"
PLAIN: Final = "FastAPI + redis.asyncio, not durable"
DURABLE: Final = "FastAPI + redis.asyncio, durable"
NOTHING: Final = "FastAPI answering nothing"
STORE: Final = "the store alone, 500 purchases a call"
STORE_SINGLE: Final = "the store alone, 1 purchase a call, 64 in a pipeline"

RATE: Final = "requests/s"


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
        ports = {durable: opened.enter_context(rival_server(url)) for durable, url in urls.items()}
        for url in urls.values():
            with redis.Redis.from_url(url) as store:
                store.set("shoes", 10**12)

        def firstcome(another_head: bool) -> list[Reading]:
            path = f"/v1/sales/{sales.pop()}/purchases"
            asked = Asked(ours.port, path, ours.token, another_head=another_head)
            return all_taken(asked, effort.seconds).readings()

        def rival(port: int, path: str) -> list[Reading]:
            return all_taken(Asked(port, path), effort.seconds).readings()

        rounds = take_turns(
            [
                Rival(PLAIN, lambda: rival(ports[False], "/sales/shoes/purchases")),
                Rival(OURS, lambda: firstcome(another_head=False)),
                Rival(OTHER_HEADS, lambda: firstcome(another_head=True)),
                Rival(DURABLE, lambda: rival(ports[True], "/sales/shoes/purchases")),
                Rival(NOTHING, lambda: rival(ports[False], "/nothing")),
                Rival(STORE, lambda: store_alone(ours, 500, 4, effort.seconds)),
                Rival(STORE_SINGLE, lambda: store_alone(ours, 1, 64, effort.seconds)),
            ],
            effort,
        )
    return Found(
        [
            *rounds.figures(),
            rounds.ratio("purchases against the plain endpoint", (OURS, RATE), (PLAIN, RATE), "≥ 6"),
            rounds.ratio("the same, no two heads alike", (OTHER_HEADS, RATE), (PLAIN, RATE)),
            rounds.ratio("purchases against the durable endpoint", (OURS, RATE), (DURABLE, RATE)),
            rounds.ratio("our p99 against the plain endpoint's p50", (OURS, "p99"), (PLAIN, "p50"), "≤ 1"),
        ],
        [GENERATOR, "64 connections; gateway, store, clockd and load share the cores; the arbiter is not among them"],
    )


def store_alone(ours: Stage, purchases: int, in_pipeline: int, seconds: float) -> list[Reading]:
    """What the store takes when the words are made beforehand: nothing but its own work, and reading its replies."""
    sale, words = f"alone-{time.time_ns()}", []
    for number in range(200_000 if purchases > 1 else 50_000):
        request, buyer, stamp_ns = f"here.{number:030}", f"buyer-{number:09}", 1_800_000_000_000_000_000 + number
        halves = log_line_halves(request, buyer, stamp_ns, 1_000_000, "here-1/1", stamp_ns)
        words.append((request, buyer, str(stamp_ns), *halves))
    logged = 0
    took_seconds = 0.0
    with ours.store() as store:
        admit = store.script_load(source("admit"))
        names = [keys.log(sale), keys.buyers(sale), keys.requests(sale), keys.mark(sale), keys.stop(sale)]
        calls = [
            [word for entry in words[start : start + purchases] for word in entry]
            for start in range(0, len(words), purchases)
        ]
        for start in range(0, len(calls), in_pipeline):
            pipeline = store.pipeline(transaction=False)
            for arguments in calls[start : start + in_pipeline]:
                pipeline.evalsha(admit, len(names), *names, *arguments)
            began = time.perf_counter()
            logged += sum(len(replies) for replies in pipeline.execute())
            took_seconds += time.perf_counter() - began
            if took_seconds > seconds:
                break
        store.unlink(*names)
    return [Reading("purchases/s", logged / took_seconds, "/s")]
