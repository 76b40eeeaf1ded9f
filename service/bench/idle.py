"""What a system of one region costs while nothing happens: no sale, open sales that nobody enters, a decided one.

Processor time of whole processes over some seconds, as a share of one core. Heartbeats run once a second while
nobody waits; the arbiter's pulse comes in between. Notaries, one of the region and one of the arbiter, look at what has
grown, and hand clock journals on.
"""

from collections.abc import Iterable
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from service.bench.frame import Effort, Figure, Found, figure
from service.bench.stage import GATEWAY, REGION, Stage, stage, wait_until
from service.world.world import ARBITER

MANY: Final = 100


def measure(effort: Effort) -> Found:
    """One state after the other: what was published stays."""
    many = 10 if effort.quick else MANY
    with stage() as ours:
        figures = _watch(ours, "no sale", effort)
        decided = ours.publish(stock=1)
        wait_until(lambda: ours.call("GET", f"/v1/sales/{decided}")[1]["state"] == "closed", "the sale's end")
        figures += _watch(ours, "a decided sale", effort)
        for number in range(many):
            sale = ours.publish()
            path = f"/v1/sales/{sale}"
            wait_until(lambda path=path: ours.call("GET", path)[1]["winners"] == 1, "the first buyer to win")
            if number == 0:
                figures += _watch(ours, "an open sale that nobody enters", effort)
        figures += _watch(ours, f"{many} open sales that nobody enters", effort)
    return Found(figures, ["100 % is one core, all the time"])


def _watch(ours: Stage, state: str, effort: Effort) -> list[Figure]:
    """Shares of a core in slices of a second."""
    pids = {
        "gateway": (ours.pid(GATEWAY),),
        "store": (ours.world.embedded[REGION].pid,),
        "arbiter": (ours.pid(ARBITER),),
        "notaries": (ours.pid(f"notary-{REGION}"), ours.pid("notary")),
    }
    shares: dict[str, list[float]] = {name: [] for name in pids}
    effort.tell(state)
    for _ in range(3 if effort.quick else 10):
        before = {name: _busy_seconds(some) for name, some in pids.items()}
        began = monotonic()
        sleep(1.0)
        for name, some in pids.items():
            shares[name].append((_busy_seconds(some) - before[name]) / (monotonic() - began) * 100)
    return [figure(f"{state}: {name}", values, "% of a core") for name, values in shares.items()]


def _busy_seconds(pids: Iterable[int]) -> float:
    """Time on a processor of all threads of some processes; finer than the ticks of /proc/<pid>/stat."""
    threads = [thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
