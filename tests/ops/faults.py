"""Faults of many kinds, one after the other, each in a fresh local world: how long until ops are notified, and how
often they are paged.

Run: make faults (some ten minutes; `python -m tests.ops.faults drift` for one). What it prints is the table of
docs/ops/faults.md. Tests run the drift alone.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis

from clockd.host import RealClock
from service import processes
from service.world.world import ARBITER, RegionPlan, World, WorldPlan
from tests.ops.monitoring import Buyers, Monitoring, publish
from tests.patience import until

SECOND_NS = 1_000_000_000
SETTLE_SECONDS = 4.0
"""How long everything is watched before the fault: counters need a value to rise from."""
AFTERWARDS_SECONDS = 12.0
"""How long it is watched after the first notification: for pages that should have been inhibited."""
EAST, WEST = "east", "west"


@dataclass(frozen=True)
class Fault:
    """One kind of fault, done to the region `west` or to the arbiter."""

    name: str
    what: str
    alert: str
    """The alert that must be notified."""
    do: Callable[[World, str], object]
    skew_ms: float = 50.0
    plan: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """What came of a fault. Seconds are from the fault on."""

    notified_seconds: float
    first_refusal_seconds: float | None
    """Of a purchase, for want of a safe clock; None where none was refused until the notification and 12 s after it."""
    refused_before: int
    taken: int
    pages: tuple[str, ...]
    """Alerts that paged somebody."""
    warnings: tuple[str, ...]


def _raw_ns() -> int:
    return RealClock().raw_ns()


def drift(world: World, _: str) -> None:
    """The oscillator runs 400 ppm faster at once: within what is stated of its drift, far beyond its wander."""
    world.fate(WEST).drifts(_raw_ns(), 400_000)


def lose_every_source(world: World, _: str) -> None:
    for number in range(world.plan.references):
        world.kill(f"reference-{number}")


def lose_a_source(world: World, _: str) -> None:
    world.kill("reference-2")


def let_a_source_lie(world: World, _: str) -> None:
    world.fate("reference-1").stepped(_raw_ns(), SECOND_NS)


def step_the_wall_clock(world: World, _: str) -> None:
    world.fate(WEST).stepped(_raw_ns(), 3600 * SECOND_NS)


def sleep_for_two_seconds(world: World, _: str) -> None:
    mine = [name for name in world.process_names if name in {"clockd-west", "gateway-west-0"}]
    for name in mine:
        world.send(name, signal.SIGSTOP)
    time.sleep(2)
    world.fate(WEST).slept(_raw_ns(), 2 * SECOND_NS)
    for name in mine:
        world.send(name, signal.SIGCONT)


def kill_clockd(world: World, _: str) -> None:
    world.kill("clockd-west")


def stop_clockd(world: World, _: str) -> None:
    """It hangs: alive for the kernel, silent for everybody else."""
    world.send("clockd-west", signal.SIGSTOP)


def lose_the_page(world: World, _: str) -> None:
    world.page(WEST).unlink()


def trust_a_wrong_clock(world: World, _: str) -> None:
    """Somebody starts clockd with --local-reference on a host that is off by three seconds."""
    world.kill("clockd-west")
    world.fate(WEST).stepped(_raw_ns(), 3 * SECOND_NS)
    words = [sys.executable, "-m", "clockd", "run", "--local-reference", "--page", str(world.page(WEST))]
    words += ["--host-clock", world.host_clock(WEST), "--host", "west-1"]
    words += ["--metrics", f"127.0.0.1:{world.watched['clockd-west']}"]
    world.page(WEST).unlink()
    _started.append(processes.start(words))


def kill_the_gateway(world: World, _: str) -> None:
    world.kill("gateway-west-0")


def freeze_the_store(world: World, _: str) -> None:
    os.kill(world.embedded[WEST].pid, signal.SIGSTOP)
    _frozen.append(world.embedded[WEST].pid)


def kill_the_arbiter(world: World, _: str) -> None:
    world.kill(ARBITER)


def cut_the_line(world: World, _: str) -> None:
    world.send("lines-west", signal.SIGSTOP)


def tamper(world: World, sale: str) -> None:
    """An entry of a region's log is gone."""
    with redis.Redis.from_url(world.stores[WEST]) as client:
        last = client.xrevrange(f"{{{sale}}}:log", count=1)[0][0]
        client.xdel(f"{{{sale}}}:log", last)


_started: list[processes.subprocess.Popen[bytes]] = []
_frozen: list[int] = []

WIDE = {"max_drift_ppb": 1_000_000}
FAULTS = (
    Fault("drift", "an oscillator leaves its rate by 400 ppm", "ClockWanders", drift, plan=WIDE),
    Fault("sources", "every source is gone", "ClockBoundHigh", lose_every_source, 12.0, WIDE),
    Fault("source", "one of three sources is gone", "ClockSourceLost", lose_a_source),
    Fault("liar", "one of three sources lies by a second", "ClockFalseticker", let_a_source_lie),
    Fault("step", "the wall clock is set by an hour", "ClockStepped", step_the_wall_clock),
    Fault("sleep", "the host sleeps for two seconds", "ClockDisrupted", sleep_for_two_seconds),
    Fault("clockd", "clockd is killed", "ClockDaemonDown", kill_clockd),
    Fault("hang", "clockd hangs", "ClockDaemonDown", stop_clockd),
    Fault("page", "the clock page is deleted", "ClockUnsafe", lose_the_page),
    Fault("wrong", "a host off by 3 s is taken for true", "ClocksContradict", trust_a_wrong_clock),
    Fault("gateway", "a region's gateway is killed", "GatewayDown", kill_the_gateway),
    Fault("store", "a region's store hangs", "StoreDown", freeze_the_store),
    Fault("arbiter", "the arbiter is killed", "ArbiterDown", kill_the_arbiter),
    Fault("line", "the line to a region is cut", "RegionLagging", cut_the_line),
    Fault("log", "an entry of a region's log is deleted", "SaleHalted", tamper),
)


def meet(fault: Fault, folder: Path, afterwards_seconds: float = AFTERWARDS_SECONDS) -> Seen:
    """Do it, and see what is notified."""
    plan = WorldPlan(
        (RegionPlan(EAST), RegionPlan(WEST)), references=3, has_fates=True, folder=folder / "world", **fault.plan
    )
    with World(plan) as world, Monitoring(world, folder / "monitoring") as monitoring:
        sale = publish(world, fault.skew_ms)
        with Buyers(world, WEST, sale) as buyers:
            told = monitoring.receiver.notified
            until(lambda: buyers.taken > 10, what="ten purchases")
            time.sleep(SETTLE_SECONDS)
            assert not told, told
            buyers.refused.clear()
            began = time.monotonic()
            try:
                fault.do(world, sale)
                until(lambda: any(each.alert == fault.alert for each in told), 90, fault.alert)
                time.sleep(afterwards_seconds)
            finally:
                for pid in _frozen:
                    os.kill(pid, signal.SIGCONT)
                _frozen.clear()
                processes.end(_started)
                _started.clear()
        notified = next(each for each in told if each.alert == fault.alert)
        assert all("<error" not in each.summary for each in told), told
        refused = [at for at, why in buyers.refused if why == "clock_unsafe" and at > began]
        return Seen(
            notified.at - began,
            min(refused) - began if refused else None,
            sum(at < notified.at for at in refused),
            buyers.taken,
            tuple(dict.fromkeys(each.alert for each in told if each.severity == "page" and each.status == "firing")),
            tuple(dict.fromkeys(each.alert for each in told if each.severity == "warning" and each.status == "firing")),
        )


def main(names: list[str]) -> None:
    """Print the table."""
    print("| fault | told by | after | first purchase refused for the clock | paged | warned |")
    print("|---|---|---|---|---|---|")
    for fault in FAULTS:
        if names and fault.name not in names:
            continue
        with tempfile.TemporaryDirectory(prefix="firstcome-faults-") as folder:
            seen = meet(fault, Path(folder))
        first = "none" if seen.first_refusal_seconds is None else f"after {seen.first_refusal_seconds:.1f} s"
        print(
            f"| {fault.what} | {fault.alert} | {seen.notified_seconds:.1f} s | {first} |"
            f" {', '.join(seen.pages) or '–'} | {', '.join(seen.warnings) or '–'} |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
