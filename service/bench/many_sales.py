"""Many sales at once, sales that nobody buys from, and sales that are over: what they cost the arbiter.

A hundred sales, each with a full log, are let go at the same moment. Fair rounds mean that the first is not done long
before the last; the spread says how fair. Then the same arbiter has a hundred sales that are open and idle, and a
hundred that are over: its share of a core, and how many commands it asks of a region's store.
"""

import time
from functools import partial
from typing import Any, Final

import redis

from model.terms import Terms
from service.bench.arbiter_stage import ArbiterStage, arbiter_stage, running_seconds
from service.bench.frame import Effort, Found, Reading, Rival, take_turns
from service.bench.stage import wait_until

SALES: Final = (1, 10, 100)
QUICK_SALES: Final = (1, 10)
REQUESTS: Final = 100_000
"""Of all sales together."""
QUICK_REQUESTS: Final = 10_000
_LONG_SECONDS: Final = 240.0


def measure(effort: Effort) -> Found:
    """All numbers of sales in turn."""
    many = QUICK_SALES if effort.quick else SALES
    requests = QUICK_REQUESTS if effort.quick else REQUESTS
    effort = Effort(min(effort.rounds, 3), effort.seconds, effort.quick, effort.tell)
    with arbiter_stage() as stage:
        rivals = [Rival("no sale", partial(_cost, stage, effort.seconds, "idle"))]
        rivals += [Rival(f"{count} sales", partial(_sales, stage, count, requests, effort.seconds)) for count in many]
        rounds = take_turns(rivals, effort)
    most = f"{many[-1]} sales"
    return Found(
        [
            *rounds.figures(),
            rounds.ratio(f"requests/s of {most} against one", (most, "together"), ("1 sales", "together")),
        ],
        [
            f"{requests:,} requests in all; a sale's turn ends when its last record is there",
            "idle: open, nobody waits; over: every region has been told; commands are those of one region's store",
        ],
    )


def _sales(stage: ArbiterStage, count: int, requests: int, seconds: float) -> list[Reading]:
    sales = [stage.publish(stock=5) for _ in range(count)]
    idle = _cost(stage, seconds, "idle")
    with stage.stopped():
        for terms in sales:
            stage.fill(terms, requests // count)
            stage.raise_marks(terms)
    began, ends = time.monotonic(), dict[str, float]()
    wait_until(lambda: _note_ends(stage, sales, ends) == count, "every sale to end", _LONG_SECONDS)
    took = sorted(end - began for end in ends.values())
    over = _cost(stage, seconds, "over")
    for terms in sales:
        stage.forget(terms)
    return [
        Reading("together", requests / took[-1], "requests/s"),
        Reading("the first to end, of the last's time", 100 * took[0] / took[-1], "%"),
        *idle,
        *over,
    ]


def _note_ends(stage: ArbiterStage, sales: list[Terms], ends: dict[str, float]) -> int:
    """Note when each sale ended. Returns how many have."""
    for terms in sales:
        if terms.sale() not in ends and stage.is_over(terms):
            ends[terms.sale()] = time.monotonic()
    return len(ends)


def _cost(stage: ArbiterStage, seconds: float, when: str) -> list[Reading]:
    """What the arbiter costs while nothing happens."""
    # Sales that have just begun or ended are settled first.
    time.sleep(2.5)
    store = stage.stores[stage.regions[0]]
    commands, used, began = _commands(store), running_seconds(stage.pid), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return [
        Reading(f"{when}: arbiter's processor", 100 * (running_seconds(stage.pid) - used) / took, "% of a core"),
        Reading(f"{when}: commands to a region", (_commands(store) - commands) / took, "/s"),
    ]


def _commands(store: redis.Redis) -> int:
    """Commands that a store has taken since it started; scripts' own commands are among them."""
    info: Any = store.info("stats")
    return int(info["total_commands_processed"])
