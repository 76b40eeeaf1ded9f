"""A whole sale, from full region logs to everybody's outcome: how many requests a second, and how cost and memory grow.

The road is the shipped one: the arbiter's process reads the logs from the regions' stores, checks, chains and keeps
every line, decides, records and closes; then every outcome is derived from what was kept, as it is for a bundle. What
the bundle's other files cost, all hashed as its seal wants them, is told beside it. The logs are full before the clock
starts and marks are past the closing, so all requests wait until the last log is read: the arbiter's hardest case.
Stock is a hundredth of the requests.

Beside it, in the same round, the floor: the hash chain alone, which no order of work can avoid, in a bare loop; and the
plain endpoint, which says how fast the machine is.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from typing import Final

from model.vocabulary import SaleId
from service.bench.arbiter_stage import ArbiterStage, arbiter_stage, peak_mib, running_seconds, seconds_of
from service.bench.frame import BenchmarkError, Effort, Figure, Found, Line, Plot, Reading, Rival, take_turns
from service.bench.yardstick import PLAIN, PLAIN_RATE, goal_of, plain_endpoint
from service.evidence.bundle import Content, Nothing, Recipe, finished
from service.store.opening import Store, connect

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES: Final = (1_000, 20_000)
STOCK_SHARE: Final = 100
SALES_A_ROUND: Final = {1_000: 10, 10_000: 3}
"""Small sales are run several times a round, or the noise of one would be all there is to see."""

FEW: Final = 10
"""Requests of a sale that costs hardly more than its opening and closing."""
SALES_OF_FEW: Final = 5

WALL: Final = "whole path"
PROCESSOR: Final = "processor time a request"
BEYOND: Final = f"each beyond a sale of {FEW}"
ARBITER: Final = "of it the arbiter"
OUTCOMES: Final = "of it outcomes"
SEALING: Final = "beside it the sealed bundle"
PEAK: Final = "arbiter's peak memory"
FLOOR: Final = "the hash chain alone"


def measure(effort: Effort) -> Found:
    """All sizes in turn."""
    sizes = QUICK_SIZES if effort.quick else SIZES
    effort = Effort(min(effort.rounds, 3), effort.seconds, effort.quick, effort.tell)
    with arbiter_stage() as stage, plain_endpoint(effort.seconds) as plain:
        names = {size: f"{size:,} requests" for size in sizes}
        rounds = take_turns(
            [*(Rival(names[size], partial(_sales, stage, size)) for size in sizes), plain],
            effort,
        )
    most = names[sizes[-1]]
    goals = {WALL: "≥ 150,000", PEAK: "< 400"}
    figures: list[Figure] = [rounds.figure(most, what, goal) for what, goal in goals.items()]
    figures += [
        rounds.figure(names[size], what)
        for size in sizes
        for what in (PROCESSOR, BEYOND, ARBITER, OUTCOMES, SEALING, FLOOR)
    ]
    figures += [
        rounds.ratio(
            f"{BEYOND}, {names[large]} against {names[small]}",
            (names[large], BEYOND),
            (names[small], BEYOND),
            "≤ 1.2",
        )
        for small, large in pairwise(sizes)
    ]
    figures += [
        rounds.figure(PLAIN, PLAIN_RATE),
        rounds.ratio("the whole path against the plain endpoint", (most, WALL), (PLAIN, PLAIN_RATE), goal_of(150_000)),
        rounds.ratio("the whole path against its hash chain alone", (most, PROCESSOR), (most, FLOOR)),
    ]

    def line(name: str, what: str) -> Line:
        return Line(name, sizes, [rounds.figure(names[size], what).median for size in sizes])

    return Found(
        figures,
        [
            "three regions, stock a hundredth of the requests; logs are full before the clock starts",
            f"a sale of {FEW} requests, which is opened and closed like any, is what the larger are measured beyond",
            "the floor hashes lines of the same length in a bare loop; the sale's chain cannot be cheaper",
        ],
        [
            Plot(
                "growth-of-cost", "What a request costs, from 10³ to 10⁶ of them", "requests in the sale", "µs",
                [line("whole path", PROCESSOR), line("beyond its opening", BEYOND), line("hash chain alone", FLOOR)],
                True,
            ),
            Plot(
                "growth-of-memory", "The arbiter's memory when all of them wait", "requests in the sale", "MiB",
                [line("peak", PEAK)], True,
            ),
        ],
    )  # fmt: skip


def _sales(stage: ArbiterStage, requests: int) -> list[Reading]:
    """Some sales of one size, one after the other; a fresh arbiter, so that its peak is that of this size."""
    stage.kill()
    stage.start()
    each = SALES_A_ROUND.get(requests, 1)
    _, few_arbiters, few_outcomes, _ = _sum(_sale(stage, FEW) for _ in range(SALES_OF_FEW))
    walls, arbiters, outcomes, sealings = _sum(_sale(stage, requests) for _ in range(each))
    total = requests * each
    beyond = arbiters + outcomes - (few_arbiters + few_outcomes) * each / SALES_OF_FEW
    line = b"x" * 205
    _, floor = seconds_of(lambda: _chain(line, min(total, 200_000)))
    return [
        Reading(WALL, total / walls, "requests/s"),
        Reading(PROCESSOR, (arbiters + outcomes) / total * 1e6, "µs"),
        Reading(BEYOND, beyond / (total - FEW * each) * 1e6, "µs"),
        Reading(ARBITER, arbiters / total * 1e6, "µs"),
        Reading(OUTCOMES, outcomes / total * 1e6, "µs"),
        Reading(SEALING, sealings / total * 1e6, "µs"),
        Reading(FLOOR, floor / min(total, 200_000) * 1e6, "µs"),
        Reading(PEAK, peak_mib(stage.pid), "MiB"),
    ]


def _sum(sales: Iterable[tuple[float, float, float, float]]) -> tuple[float, ...]:
    return tuple(sum(column) for column in zip(*sales, strict=True))


def _sale(stage: ArbiterStage, requests: int) -> tuple[float, float, float, float]:
    """One sale. Returns: wall seconds, and processor seconds of the arbiter, of the outcomes, of the bundle."""
    terms = stage.publish(stock=max(1, requests // STOCK_SHARE))
    with stage.stopped():
        stage.fill(terms, requests)
        stage.raise_marks(terms)
        before = running_seconds(stage.pid)
    decided, _ = seconds_of(lambda: stage.wait_until_over(terms))
    arbiter = running_seconds(stage.pid) - before
    told, telling = seconds_of(lambda: asyncio.run(_outcomes(stage, terms.sale(), requests)))
    _, sealing = seconds_of(lambda: asyncio.run(_bundle(stage, terms.sale())))
    stage.forget(terms)
    return decided + told, arbiter, telling, sealing


async def _outcomes(stage: ArbiterStage, sale: SaleId, requests: int) -> None:
    """Every outcome, derived and counted."""
    async with connect(stage.urls["arbiter"]) as store:
        content = await _content(sale, store)
        told = sum([len(lines) async for lines in content.outcomes()])
    if told != requests:
        raise BenchmarkError(f"{told} outcomes of {requests} requests")


async def _bundle(stage: ArbiterStage, sale: SaleId) -> None:
    """The bundle into hashes, as its seal wants it."""
    async with connect(stage.urls["arbiter"]) as store:
        await (await _content(sale, store)).pour(Nothing())


async def _content(sale: SaleId, store: Store) -> Content:
    of = await finished(sale, store)
    return Content(of, Recipe(dict(of.standing.counted), {}, {}, {}), store)


def _chain(line: bytes, lines: int) -> None:
    digest, sha256 = bytes(32), hashlib.sha256
    for _ in range(lines):
        digest = sha256(digest + line).digest()
