"""The batch call beside the single one: purchases a second on one gateway process, every one of them with its outcome.

What limits a batch is the store, which does the same work for each purchase, however they came, and beside it the
gateway's own work. So the store alone is measured in the same rounds, and the plain endpoint, which says how fast the
machine is.
"""

from typing import Final

from service.bench.frame import Effort, Found, Reading, Rival, take_turns
from service.bench.load import GENERATOR, Asked, with_cost
from service.bench.purchase import STORE, store_alone
from service.bench.stage import stage
from service.bench.yardstick import PLAIN, PLAIN_RATE, goal_of, plain_endpoint

SINGLE: Final = "one purchase a call, 64 connections"
SIZES: Final = ((10, 32), (100, 8), (1_000, 3))
"""Purchases in a batch, and connections."""
RATE: Final = "purchases/s"


def measure(effort: Effort) -> Found:
    """Single calls, batches of three sizes, and the store alone, in turn."""
    with stage() as ours, plain_endpoint(effort.seconds) as plain:
        sales = [ours.publish() for _ in range((1 + len(SIZES)) * effort.rounds)]
        ours.end_arbiter()

        def load(purchases: int, connections: int) -> list[Reading]:
            path = f"/v1/sales/{sales.pop()}/purchases" + (":batch" if purchases > 1 else "")
            asked = Asked(ours.port, path, ours.token, purchases=purchases, connections=connections)
            return with_cost(asked, effort.seconds, ours.pid(), RATE)

        rivals = [Rival(SINGLE, lambda: load(1, 64))]
        for purchases, connections in SIZES:
            rivals.append(
                Rival(
                    _name(purchases, connections),
                    lambda purchases=purchases, connections=connections: load(purchases, connections),  # type: ignore[misc]
                )
            )
        rivals += [Rival(STORE, lambda: store_alone(ours, 500, 4, effort.seconds)), plain]
        rounds = take_turns(rivals, effort)
    largest = _name(*SIZES[-1])
    return Found(
        [
            *(rounds.figure(*both) for both in rounds.measured() if both != (largest, RATE)),
            rounds.figure(largest, RATE, "≥ 100,000"),
            rounds.ratio("the largest batches against single calls", (largest, RATE), (SINGLE, RATE)),
            rounds.ratio(
                "the largest batches against the plain endpoint", (largest, RATE), (PLAIN, PLAIN_RATE), goal_of(100_000)
            ),
            rounds.ratio("the largest batches against the store alone", (largest, RATE), (STORE, RATE)),
        ],
        [GENERATOR, "p50 and p99 are of whole batches"],
    )


def _name(purchases: int, connections: int) -> str:
    return f"batches of {purchases:,}, {connections} connections"
