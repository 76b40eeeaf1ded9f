"""What being watched costs a purchase: the counting on its way, and monitoring that asks every second.

The counting is so little that two servers, with and without it, cannot be told apart on a shared machine. So the very
additions that `purchase.py` makes for a purchase are made by themselves, some hundred thousand times, and their
processor time is held against that of a whole purchase of the same round.
"""

import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Final

from service.bench.frame import Effort, Found, Reading, Rival, take_turns
from service.bench.load import COST, GENERATOR, Asked, with_cost
from service.bench.stage import Stage, stage
from service.gateway.counts import Counts

OURS: Final = "firstcome"
ASKED: Final = "firstcome, asked for its metrics every second"
COUNTING: Final = "counting alone"
_TIMES: Final = 200_000
_ASK_SECONDS: Final = 1.0


def measure(effort: Effort) -> Found:
    """Both in turn, and the counting by itself."""
    with stage() as ours:
        sales = [ours.publish() for _ in range(2 * effort.rounds)]
        ours.end_arbiter()

        def purchases() -> list[Reading]:
            return with_cost(
                Asked(ours.port, f"/v1/sales/{sales.pop()}/purchases", ours.token), effort.seconds, ours.pid()
            )

        def watched() -> list[Reading]:
            ending = threading.Event()
            asking = threading.Thread(target=_ask, args=(ours, ending.wait))
            asking.start()
            try:
                return purchases()
            finally:
                ending.set()
                asking.join()

        turns = [Rival(OURS, purchases), Rival(ASKED, watched), Rival(COUNTING, lambda: [_counting()])]
        rounds = take_turns(turns, effort)
    return Found(
        [
            *rounds.figures(),
            rounds.ratio(
                "counting, as a part of a purchase's processor time", (COUNTING, COST), (OURS, COST), "≤ 0.02"
            ),
            rounds.ratio("a purchase's processor time when asked every second", (ASKED, COST), (OURS, COST)),
        ],
        [
            GENERATOR,
            "the second ratio is of two servers' processor time on a shared machine: its spread is the machine's",
        ],
    )


def _ask(ours: Stage, waits: Callable[[float], bool]) -> None:
    url = f"http://127.0.0.1:{ours.port}/metrics"
    while not waits(_ASK_SECONDS):
        asked = urllib.request.Request(url, headers={"authorization": f"Bearer {ours.token}"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            answer.read()


def _counting() -> Reading:
    """The additions of one purchase, less the loop around them."""
    counts, now_ns, received_ns, bound_ns = Counts(), 5_000_000, 1_000, 1_200_000
    began_ns = time.process_time_ns()
    for _ in range(_TIMES):
        in_kernel_ns = now_ns - received_ns
        waits = counts.kernel_waits
        waits.buckets[in_kernel_ns.bit_length()] += 1
        waits.total += in_kernel_ns
        bounds = counts.stamp_bounds
        bounds.buckets[bound_ns.bit_length()] += 1
        bounds.total += bound_ns
        counts.logged += 1
    counted_ns = time.process_time_ns()
    for _ in range(_TIMES):
        in_kernel_ns = now_ns - received_ns
    looped_ns = time.process_time_ns() - counted_ns
    return Reading(COST, (counted_ns - began_ns - looped_ns) / _TIMES / 1_000, "µs")
