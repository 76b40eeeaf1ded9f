"""What it costs to know the time, and how sure: one read of the clock page, beside what the system itself takes for it.

The page is a real daemon's, which goes on publishing meanwhile. Beside it, in the same rounds: Python's own `time_ns`,
which tells no bound, and a reader that opens the file anew each time, which is what a page saves.
"""

import time
from collections.abc import Callable
from typing import Final

from clockd.host import RealClock
from clockd.reader import Reader
from service.bench.frame import BenchmarkError, Effort, Found, Reading, Rival, take_turns
from service.bench.stage import REGION, stage

PAGE: Final = "the clock page: an interval that holds UTC"
SYSTEM: Final = "time.time_ns: no bound"
ANEW: Final = "the clock page, opened anew for every read"
COST: Final = "processor time a read"
_AT_ONCE: Final = 1_000


def measure(effort: Effort) -> Found:
    """Three ways to the time, in turn."""
    with stage() as ours:
        host, path = RealClock(), ours.world.page(REGION)
        reader = Reader(path, host)

        def read() -> None:
            if reader.now() is None:
                raise BenchmarkError("the clock page has no time")

        def read_anew() -> None:
            again = Reader(path, host)
            if again.now() is None:
                raise BenchmarkError("the clock page has no time")
            again.close()

        rounds = take_turns(
            [
                Rival(PAGE, lambda: _cost(read, effort.seconds)),
                Rival(SYSTEM, lambda: _cost(time.time_ns, effort.seconds)),
                Rival(ANEW, lambda: _cost(read_anew, effort.seconds)),
            ],
            effort,
        )
        reader.close()
    return Found(
        [
            rounds.figure(PAGE, COST, "≤ 2"),
            rounds.figure(SYSTEM, COST),
            rounds.figure(ANEW, COST),
            rounds.ratio("the page against time.time_ns", (PAGE, COST), (SYSTEM, COST)),
        ],
        ["a loop around the read is part of each"],
    )


def _cost(read: Callable[[], object], seconds: float) -> list[Reading]:
    """The processor time of one read, over some seconds of them."""
    until, reads = time.monotonic() + min(seconds, 2.0), 0
    began_ns = time.process_time_ns()
    while time.monotonic() < until:
        for _ in range(_AT_ONCE):
            read()
        reads += _AT_ONCE
    return [Reading(COST, (time.process_time_ns() - began_ns) / reads / 1_000, "µs")]
