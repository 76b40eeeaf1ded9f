"""Ten times as many press as can be served: who is served then, how fast, and is anything lost?

The load is open (`openloop.py`): it does not slow down when answers do. No generator on the same two cores can begin
ten times what the gateway can serve at full speed, so the gateway is slowed for this: stopped and continued every
20 ms, so that it runs for a part of each. That is a host with a part of a core. Both loads, at capacity and at ten
times that, meet the same gateway, in turn; latencies hold the stops, and only their ratio is a finding.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import quantiles
from typing import Any, Final

from service.bench.frame import BenchmarkError, Effort, Found, Line, Plot, Reading, Rival, figure, take_turns
from service.bench.load import Asked, load
from service.bench.openloop import Pressed, press
from service.bench.stage import Stage, resident_mib, stage
from service.store import keys
from service.store.attempts import read_purchase
from service.store.chunks import line_in

TIMES: Final = 10
SLOWED_TO_PER_SECOND: Final = 1_000
CONNECTIONS: Final = 1_000
_PERIOD_SECONDS: Final = 0.02
_MINUTE_SECONDS: Final = 60.0
AT_CAPACITY: Final = "at capacity"
BEYOND: Final = f"at {TIMES}× capacity"


def measure(effort: Effort) -> Found:
    """Capacity first; then both loads in turn; then a minute of the greater one, watching memory."""
    with stage() as ours:
        sales = [ours.publish() for _ in range(3 + 2 * effort.rounds)]
        ours.end_arbiter()
        effort.tell("capacity at full speed")
        full = load(Asked(ours.port, _path(sales.pop()), ours.token), effort.seconds)
        share = min(0.5, max(0.02, SLOWED_TO_PER_SECOND / (full.requests / full.seconds)))
        lost: list[str] = []
        with slowed(ours.pid(), share):
            effort.tell(f"capacity at {share:.0%} of the time")
            slow = load(Asked(ours.port, _path(sales.pop()), ours.token), max(effort.seconds, 4.0))
            capacity = (slow.requests - slow.refused) / slow.seconds

            def loaded(times: float) -> list[Reading]:
                sale = sales.pop()
                pressed = press(ours.port, _path(sale), ours.token, times * capacity, effort.seconds * 2, CONNECTIONS)
                lost.extend(missing(ours, sale, pressed))
                return _readings(pressed, effort.seconds * 2)

            rounds = take_turns([Rival(AT_CAPACITY, lambda: loaded(1.0)), Rival(BEYOND, lambda: loaded(TIMES))], effort)
            seconds = 5.0 if effort.quick else _MINUTE_SECONDS
            effort.tell(f"{BEYOND} for {seconds:.0f} s")
            sale, memory = sales.pop(), _Memory(ours.pid())
            with memory:
                pressed = press(ours.port, _path(sale), ours.token, TIMES * capacity, seconds, CONNECTIONS)
            lost.extend(missing(ours, sale, pressed))
    figures = [
        figure("capacity of the slowed gateway", [capacity], "/s"),
        *rounds.figures(),
        rounds.ratio(
            "p99 of the accepted, beyond capacity against at it", (BEYOND, "p99"), (AT_CAPACITY, "p99"), "< 3"
        ),
        figure(f"memory after {seconds:.0f} s {BEYOND}, more than before", [memory.grown_mib], "MiB"),
    ]
    notes = [
        f"the gateway runs for {share:.0%} of the time; open loop on {CONNECTIONS:,} connections",
        f"acknowledged and found in the log in the last {seconds:.0f} s: {len(pressed.acknowledged):,}",
    ]
    plot = Plot(
        "overload-memory", f"A gateway {BEYOND}", "s", "MiB", [Line("memory in use", memory.at_seconds, memory.mib)]
    )
    return Found(figures, notes, [plot], lost)


def _path(sale: str) -> str:
    return f"/v1/sales/{sale}/purchases"


def _readings(pressed: Pressed, seconds: float) -> list[Reading]:
    if len(pressed.accepted_ms) < 100:
        raise BenchmarkError(f"only {len(pressed.accepted_ms)} were accepted, {pressed.refused} refused")
    accepted = quantiles(pressed.accepted_ms, n=100)
    return [
        Reading("begun", pressed.begun / seconds, "/s"),
        Reading("no connection was free", pressed.unsent / seconds, "/s"),
        Reading("accepted", len(pressed.accepted_ms) / seconds, "/s"),
        Reading("refused with 503 and Retry-After", pressed.refused / seconds, "/s"),
        Reading("p50", accepted[49], "ms"),
        Reading("p99", accepted[98], "ms"),
    ]


def missing(ours: Stage, sale: str, pressed: Pressed) -> list[str]:
    """What should never be: an acknowledged purchase that is not in the log under its number, a strange answer."""
    found = [f"{pressed.strange} answers were neither 202 nor 503 overloaded"] if pressed.strange else []
    with ours.store() as store:
        for start in range(0, len(pressed.acknowledged), 1_000):
            told = pressed.acknowledged[start : start + 1_000]
            pipeline: Any = store.pipeline(transaction=False)
            for _, seq in told:
                pipeline.xrange(keys.log(sale), min=f"{seq}-0", count=1)
            chunks: list[Any] = pipeline.execute()
            missing = sum(
                read_purchase(line_in(chunk, seq), purchase) is None
                for (purchase, seq), chunk in zip(told, chunks, strict=True)
            )
            if missing:
                found.append(f"{missing} acknowledged purchases are not in the log of {sale}")
    return found


@contextmanager
def slowed(pid: int, share: float) -> Iterator[None]:
    """A process runs for a part of the time only."""
    ending = threading.Event()

    def run() -> None:
        while not ending.is_set():
            time.sleep(_PERIOD_SECONDS * share)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(_PERIOD_SECONDS * (1 - share))
            os.kill(pid, signal.SIGCONT)

    slowing = threading.Thread(target=run)
    slowing.start()
    try:
        yield
    finally:
        ending.set()
        slowing.join()
        os.kill(pid, signal.SIGCONT)


class _Memory:
    """Watches a process's memory once a second. Use as a context manager."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ending = threading.Event()
        self._watch = threading.Thread(target=self._run)
        self.at_seconds: list[float] = [0.0]
        self.mib: list[float] = [resident_mib(pid)]

    def __enter__(self) -> None:
        self._watch.start()

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._watch.join()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._ending.wait(1.0):
            self.at_seconds.append(time.monotonic() - began)
            self.mib.append(resident_mib(self._pid))

    @property
    def grown_mib(self) -> float:
        """The most that it had, more than at the beginning."""
        return max(self.mib) - self.mib[0]
