"""Where benchmarks run: a world of one region, sales in it, and the rivals' servers, all on this machine.

The gateway, its store and clockd are the shipped programs with the settings that a sale needs (`world/`). The arbiter
publishes the sales; where the gateway alone is the subject it is ended then, as if it ran on another machine: on two
cores shared with the load it would be measured too. What it costs beside the rest is a figure of its own.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis
from whenever import Instant, TimeDelta

from service import processes
from service.bench.frame import BenchmarkError
from service.store.embedded import SERVER_ENVIRONMENT, server_binary
from service.world.ports import free_port
from service.world.world import ARBITER, RegionPlan, World, WorldPlan

REGION: Final = "here"
GATEWAY: Final = f"gateway-{REGION}-0"
_START_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Stage:
    """A running system with one region and one gateway process."""

    world: World

    @property
    def port(self) -> int:
        """The gateway's public port."""
        return self.world.ports[REGION]

    @property
    def token(self) -> str:
        """A token with every scope."""
        return self.world.token

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """One call: its status, and its JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"authorization": f"Bearer {self.token}", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def publish(self, opens_in: float = 0.3, lobby: float = 0.0, stock: int = 1_000_000, **terms: Any) -> str:
        """Publish a sale that lasts for hours, and wait until entries are taken. Returns its id."""
        takes_from = (Instant.now() + TimeDelta(seconds=opens_in)).round("millisecond")
        opens = takes_from + TimeDelta(seconds=lobby)
        stated = {
            "title": f"Benchmark {time.time_ns()}",
            "stock": stock,
            "entries_from": takes_from.format_iso(),
            "opens": opens.format_iso(),
            "closes": (opens + TimeDelta(hours=12)).format_iso(),
            "regions": [REGION],
            "skew_bound_ns": "50000000",
            "cut_off_after_ns": "86400000000000",
            **terms,
        }
        status, answer = self.call("POST", "/v1/sales", stated)
        if status != 201:
            raise BenchmarkError(f"the sale was not published: {answer}")
        sale = str(answer["id"])
        wait_until(lambda: self.buy(sale, "the-first") in {200, 202}, "the sale to take entries")
        return sale

    def buy(self, sale: str, buyer: str) -> int:
        """One purchase; its status."""
        return self.call("POST", f"/v1/sales/{sale}/purchases", {"buyer": buyer})[0]

    def store(self) -> redis.Redis:
        """A client of the region's store."""
        return redis.Redis.from_url(self.world.stores[REGION], protocol=2)

    def pid(self, name: str = GATEWAY) -> int:
        """The process id of one of the world's processes."""
        return self.world.pid(name)

    def end_arbiter(self) -> None:
        """From here on there is no arbiter beside the gateway."""
        self.world.kill(ARBITER)


@contextmanager
def stage() -> Iterator[Stage]:
    """A fresh system, ended afterwards."""
    with World(WorldPlan((RegionPlan(REGION),))) as world:
        yield Stage(world)


def wait_until(condition: Any, what: str, seconds: float = _START_SECONDS) -> None:
    """Poll for a condition.

    Raises:
        BenchmarkError: it did not come true in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"waited for {what} in vain for {seconds:.0f} s")
        time.sleep(_POLL_SECONDS)


@contextmanager
def plain_store(folder: Path, durable: bool) -> Iterator[str]:
    """A store of the same kind as the gateway's, with or without its durability. Gives its URL."""
    folder.mkdir(parents=True)
    path = folder / "store.sock"
    settings = {
        "port": "0",
        "unixsocket": str(path),
        "dir": str(folder),
        "save": "",
        "daemonize": "no",
        **({"appendonly": "yes", "appendfsync": "always"} if durable else {"appendonly": "no"}),
    }
    command = [str(server_binary()), *(word for name, value in settings.items() for word in (f"--{name}", value))]
    server = processes.start(command, SERVER_ENVIRONMENT, output=subprocess.DEVNULL)
    try:
        wait_until(path.exists, "a store")
        yield f"unix://{path}"
    finally:
        processes.end([server])


@contextmanager
def rival_server(store_url: str) -> Iterator[tuple[int, int]]:
    """The rivals' application in one process of uvicorn, on a store. Gives its port and its process id."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "uvicorn", "service.bench.rivals:app", "--host", "127.0.0.1", "--port", str(port)),
        *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning", "--lifespan", "off"),
        *("--backlog", "4096"),
    ]
    server = processes.start(command, {"RIVAL_STORE": store_url})
    try:
        wait_until(lambda: listens(port), "a rival's server")
        yield port, server.pid
    finally:
        processes.end([server])


def listens(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used, its own and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Memory of a process that is in use now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
