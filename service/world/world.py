"""Starts a whole system on this machine and ends it: regions with store, clockd and gateways, the arbiter, the lines.

    reference ══(delay)══ clockd ─ page ─ gateways ─ region's store ══(delay)══ arbiter ─ arbiter's store

Every process is the shipped program with the flags that an operator would give. Everything that was started ends with
the world, also when it is interrupted or its own process is killed. Files lie in one folder, a log for each process.
"""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import redis

from clockd.host import Fate, RealClock
from service import processes
from service.gateway.tokens import SCOPES, new_token, token_table
from service.store import keys
from service.store.embedded import EmbeddedStore
from service.world.distance import Line, write_lines
from service.world.ports import Ports

READY_TIMEOUT_SECONDS: Final = 60.0
ARBITER: Final = "arbiter"
NOTIFIER: Final = "notifier"
_POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class RegionPlan:
    """A region of the world to be.

    `distance_seconds` is one way to the arbiter and to the reference. Its hosts' clock is off by `offset_ns` and
    gains `drift_ppb`.
    """

    name: str
    distance_seconds: float = 0.001
    offset_ns: int = 0
    drift_ppb: int = 0
    gateways: int = 1
    store_url: str = ""
    """A store that is there already; "" for an embedded one."""


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """A world to be. The arbiter is in the first of the nearest regions, and uses its clock."""

    regions: tuple[RegionPlan, ...]
    poll_seconds: int = 1
    max_drift_ppb: int = 50_000
    max_wander_ppt_s: int = 10_000
    valid_seconds: int = 1_000
    references: int = 1
    """Time servers that every region's clock is asked of."""
    has_fates: bool = False
    """Whether things can befall the hosts of regions and the time servers while they run: `fate`."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """Public port by region; any free one where none is given."""
    routing: tuple[str, ...] = ()
    """More flags of every gateway, such as `--routing forward`. Every one knows the other regions as its peers."""
    notifier: tuple[str, ...] | None = None
    """More flags of the notifier, such as `--allow-private`; None: there is none."""
    beacons: tuple[str, ...] = ()
    """URLs of servers of a public beacon; the arbiter's own choice where none is given."""
    folder: Path | None = None
    """Where everything lies; None: a temporary folder that goes with the world."""


class WorldError(Exception):
    """The world did not come up. The message says which process, and where its log is."""


@dataclass(slots=True)
class _Process:
    command: list[str]
    child: subprocess.Popen[bytes]


class World:
    """A running system. Use as a context manager."""

    def __init__(self, plan: WorldPlan) -> None:
        self.plan = plan
        self.folder = plan.folder or Path(tempfile.mkdtemp(prefix="firstcome-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.stores: dict[str, str] = {}
        """By region, and for the arbiter: the URL of the store itself, without distance."""
        self.embedded: dict[str, EmbeddedStore] = {}
        self._ports = Ports()
        self.ports = {region.name: plan.ports.get(region.name) or self._ports.take() for region in plan.regions}
        self.ways: dict[str, dict[str, int]] = {}
        """By region: the port, on this machine, at which its gateways reach each other region, as far as it is."""
        self.watched: dict[str, int] = {}
        """The port for monitoring of each process that has one of its own: every `clockd-<region>`, the arbiter, the
        notifier."""
        self.token = new_token()
        """A token with every scope."""
        self._processes: dict[str, _Process] = {}
        self._opened = ExitStack()
        self._since_ns = RealClock().raw_ns()

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions' names."""
        return tuple(region.name for region in self.plan.regions)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything, and forget it where the folder was temporary."""
        processes.end([process.child for process in self._processes.values()])
        self._opened.close()
        self._ports.close()
        if self.plan.folder is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name: str) -> None:
        """Start a process again after it has ended. Names are those of `process_names`."""
        self._processes[name].child.wait()
        self._run(name, self._processes[name].command)

    def start_twin(self, name: str, twin: str) -> None:
        """Start another process just like `name`, to be called `twin`; monitoring asks it at a port of its own."""
        command = [*self._processes[name].command]
        if name in self.watched:
            self.watched[twin] = self._ports.take()
            command[command.index("--metrics") + 1] = f"127.0.0.1:{self.watched[twin]}"
        self._run(twin, command)

    def wait_for_end(self, name: str, timeout_seconds: float) -> int:
        """The status with which a process ends by itself.

        Raises:
            subprocess.TimeoutExpired: it did not.
        """
        return self._processes[name].child.wait(timeout_seconds)

    def kill(self, name: str) -> None:
        """SIGKILL, and wait for the end."""
        self._processes[name].child.kill()
        self._processes[name].child.wait()

    def send(self, name: str, what: signal.Signals) -> None:
        """Send a signal, such as SIGSTOP."""
        os.kill(self._processes[name].child.pid, what)

    def pid(self, name: str) -> int:
        """The process id of a process, for those who want to see what it uses."""
        return self._processes[name].child.pid

    def is_running(self, name: str) -> bool:
        """Whether a process has not ended."""
        return self._processes[name].child.poll() is None

    @property
    def process_names(self) -> tuple[str, ...]:
        """Every process: `reference-<n>`, `lines-<region>`, `arbiter`, `clockd-<region>`, `gateway-<region>-<n>`,
        `notary-<region>`, `notary`, the arbiter's, and `notifier`, where there is one.
        """
        return tuple(self._processes)

    def page(self, region: str) -> Path:
        """The clock page of a region's hosts."""
        return self.folder / f"{region}.page"

    def journal(self, region: str) -> Path:
        """The clock journal of a region's hosts."""
        return self.folder / f"{region}-clock.jsonl"

    def host_clock(self, region: str) -> str:
        """The clock of a region's hosts, as a `--host-clock` flag."""
        plan = next(plan for plan in self.plan.regions if plan.name == region)
        if self.plan.has_fates:
            fate = f",fate={self._fate_path(region)}"
        elif plan.offset_ns == 0 and plan.drift_ppb == 0:
            return "real"
        else:
            fate = ""
        return f"simulated:offset_ns={plan.offset_ns},drift_ppb={plan.drift_ppb},since_ns={self._since_ns}{fate}"

    def fate(self, name: str) -> Fate:
        """What befalls the hosts of a region, or a time server `reference-<n>`, in a world with fates."""
        return Fate(self._fate_path(name))

    def _fate_path(self, name: str) -> Path:
        return self.folder / f"{name}.fate"

    def wait_until_ready(self) -> None:
        """Until every region's gateways have clock, store and arbiter, and every notary has shown its key.

        Raises:
            WorldError: they did not in time.
        """
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        with redis.Redis.from_url(self.stores[ARBITER], protocol=2) as arbiter:
            while not (arbiter.exists(keys.ARBITER_KEY) and arbiter.hlen(keys.REGION_KEYS) == len(self.regions)):
                self._check_alive()
                if time.monotonic() > deadline:
                    raise WorldError(f"the notaries have not shown their keys; see the logs in {self.folder}")
                time.sleep(_POLL_SECONDS)
        for region in self.regions:
            answer = ""
            while not (answer := _readiness(self.ports[region])).startswith("200"):
                self._check_alive()
                if time.monotonic() > deadline:
                    raise WorldError(f"region {region} is not ready: {answer}; see the logs in {self.folder}")
                time.sleep(_POLL_SECONDS)

    def _start(self) -> None:
        for region in self.plan.regions:
            self._open_store(region.name, region.store_url)
        self._open_store(ARBITER, "")
        (self.folder / "tokens.toml").write_text(token_table(self.token, "world", SCOPES))
        references = [self._start_reference(number) for number in range(self.plan.references)]
        servers, near_arbiter, to_regions = self._start_lines(references)
        for region in self.plan.regions:
            self._start_clock(region, servers[region.name])
        for region in self.plan.regions:
            for number in range(region.gateways):
                self._start_gateway(region, number, near_arbiter[region.name])
        self._start_arbiter(to_regions)
        self._start_notaries(to_regions)
        if self.plan.notifier is not None:
            self._start_notifier(self.plan.notifier)
        self.wait_until_ready()

    def _open_store(self, name: str, url: str) -> None:
        if not url:
            self.embedded[name] = self._opened.enter_context(EmbeddedStore(self.folder / f"store-{name}"))
            url = self.embedded[name].url
        self.stores[name] = url

    def _start_lines(self, references: list[int]) -> tuple[dict[str, list[int]], dict[str, str], dict[str, str]]:
        """Each region's lines. By region: its ports for the references, its way to the arbiter's store, the way to its
        own.
        """
        servers: dict[str, list[int]] = {}
        near_arbiter: dict[str, str] = {}
        to_regions: dict[str, str] = {}
        for region in self.plan.regions:
            servers[region.name] = [self._ports.take(socket.SOCK_DGRAM) for _ in references]
            lines = [
                Line("packets", str(near_port), str(far_port), region.distance_seconds)
                for near_port, far_port in zip(servers[region.name], references, strict=True)
            ]
            for ways, near, far in (
                (near_arbiter, f"{region.name}-arbiter", self.stores[ARBITER]),
                (to_regions, f"arbiter-{region.name}", self.stores[region.name]),
            ):
                if far.startswith("unix://"):
                    path = self.folder / f"{near}.sock"
                    lines.append(Line("stream", str(path), far.removeprefix("unix://"), region.distance_seconds))
                    far = f"unix://{path}"  # noqa: PLW2901
                ways[region.name] = far
            others = [other for other in self.plan.regions if other is not region]
            self.ways[region.name] = {other.name: self._ports.take() for other in others}
            lines += [
                Line("stream", f":{self.ways[region.name][other.name]}", f":{self.ports[other.name]}", far_seconds)
                for other in others
                if (far_seconds := region.distance_seconds + other.distance_seconds)
            ]
            plan = self.folder / f"lines-{region.name}.json"
            write_lines(plan, lines)
            self._run(f"lines-{region.name}", [sys.executable, "-m", "service.world.distance", str(plan)])
        return servers, near_arbiter, to_regions

    def _start_reference(self, number: int) -> int:
        """A time server whose clock is this machine's: the truth of this world."""
        port, name = self._ports.take(socket.SOCK_DGRAM), f"reference-{number}"
        clock = f"simulated:fate={self._fate_path(name)}" if self.plan.has_fates else "real"
        listen = ["--listen", f"127.0.0.1:{port}", "--local-reference", "--host-clock", clock]
        self._run(name, [sys.executable, "-m", "clockd", "serve", *listen])
        return port

    def _start_clock(self, region: RegionPlan, servers: list[int]) -> None:
        name = f"clockd-{region.name}"
        self.watched[name] = self._ports.take()
        self._run(
            name,
            [
                *(sys.executable, "-m", "clockd", "run"),
                *(word for server in servers for word in ("--server", f"127.0.0.1:{server}")),
                *("--metrics", f"127.0.0.1:{self.watched[name]}", "--valid-seconds", str(self.plan.valid_seconds)),
                *("--max-wander-ppt-s", str(self.plan.max_wander_ppt_s)),
                *("--page", str(self.page(region.name)), "--host", f"{region.name}-1"),
                *("--poll-seconds", str(self.plan.poll_seconds), "--allow-fast-polling"),
                *("--max-drift-ppb", str(self.plan.max_drift_ppb), "--host-clock", self.host_clock(region.name)),
                *("--journal", str(self.journal(region.name))),
            ],
        )

    def _start_gateway(self, region: RegionPlan, number: int, arbiter_store: str) -> None:
        self._run(
            f"gateway-{region.name}-{number}",
            [
                *(sys.executable, "-m", "service.command", "gateway", "--region", region.name),
                *("--listen", f"127.0.0.1:{self.ports[region.name]}", "--store", self.stores[region.name]),
                *("--arbiter-store", arbiter_store, "--tokens", str(self.folder / "tokens.toml")),
                *("--page", str(self.page(region.name)), "--host-clock", self.host_clock(region.name)),
                *self.plan.routing,
                *(
                    word
                    for other, port in self.ways[region.name].items()
                    for word in ("--peer", f"{other}=http://127.0.0.1:{port}")
                ),
                *(("--counts", str(self.folder / f"counts-{region.name}")) if region.gateways > 1 else ()),
            ],
        )

    def _start_arbiter(self, to_regions: Mapping[str, str]) -> None:
        home = min(self.plan.regions, key=lambda region: region.distance_seconds)
        flags = [word for name, url in to_regions.items() for word in ("--region", f"{name}={url}")]
        flags += [word for url in self.plan.beacons for word in ("--beacon", url)]
        self.watched[ARBITER] = self._ports.take()
        self._run(
            ARBITER,
            [
                *(sys.executable, "-m", "service.command", "arbiter", "--store", self.stores[ARBITER], *flags),
                *("--page", str(self.page(home.name)), "--host-clock", self.host_clock(home.name)),
                *("--metrics", f"127.0.0.1:{self.watched[ARBITER]}"),
            ],
        )

    def _start_notaries(self, to_regions: Mapping[str, str]) -> None:
        ours = [sys.executable, "-m", "service.command", "notary"]
        for region in self.regions:
            flags = [
                "--region",
                region,
                "--store",
                self.stores[region],
                "--key",
                str(self.folder / f"region-{region}.key"),
            ]
            self._run(f"notary-{region}", [*ours, *flags, "--journal", str(self.journal(region))])
        stores = [word for name, url in to_regions.items() for word in ("--region-store", f"{name}={url}")]
        flags = ["--store", self.stores[ARBITER], "--key", str(self.folder / f"{ARBITER}.key")]
        self._run("notary", [*ours, "--arbiter", *flags, *stores])

    def _start_notifier(self, flags: tuple[str, ...]) -> None:
        self.watched[NOTIFIER] = self._ports.take()
        ours = [sys.executable, "-m", "service.command", "notifier", "--store", self.stores[ARBITER]]
        self._run(NOTIFIER, [*ours, "--metrics", f"127.0.0.1:{self.watched[NOTIFIER]}", *flags])

    def _run(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = _Process(command, processes.start(command, output=log))

    def _check_alive(self) -> None:
        for name, process in self._processes.items():
            if process.child.poll() is not None:
                log = (self.folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
                raise WorldError(f"{name} ended with status {process.child.returncode}: {log[-1] if log else ''}")


def _readiness(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return f"{answer.status} {answer.read().decode()}"
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()
