"""Several clockds and chronyds ask the same three servers at the same time; how sure each says that it is.

The servers are chronyds of this machine, directly or behind a path of a stated delay. Every client polls at the same
fixed interval. chrony's bound is its own: |system time| + root dispersion + root delay/2. Ours is the page's. Both are
read at the same moments, evenly over whole polls, so that neither is seen only when it has just heard something.

This machine's REALTIME is the servers' clock, so each of our intervals is also checked against the truth.
"""

import asyncio
import getpass
import socket
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clockd.chrony import Tracking, parse, request
from clockd.host import RealClock
from clockd.reader import Reader
from tests.clockd.conftest import Spawn
from tests.clockd.test_processes import answers
from tests.patience import until

LOOK_EVERY_SECONDS = 0.05
BURST_SECONDS = 8  # both begin with a burst of four questions, 2 s apart
PATH = """
import asyncio, socket, sys

class Way(asyncio.DatagramProtocol):
    def __init__(self, far, seconds):
        self.far, self.seconds = far, seconds
    def connection_made(self, transport):
        self.near = transport
    def datagram_received(self, data, sender):
        asyncio.get_running_loop().call_later(self.seconds, self.ask, data, sender)
    def ask(self, data, sender):
        asyncio.get_running_loop().create_task(self.through(data, sender))
    async def through(self, data, sender):
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
            far.setblocking(False)
            far.connect(("127.0.0.1", self.far))
            await loop.sock_sendall(far, data)
            reply = await loop.sock_recv(far, 1024)
        loop.call_later(self.seconds, self.near.sendto, reply, sender)

async def main(near, far, seconds):
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: Way(far, seconds), local_addr=("127.0.0.1", near))
    await asyncio.Event().wait()

asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
"""


@dataclass(frozen=True)
class Bench:
    """Where and how the clients run."""

    spawn: Spawn
    clockd: Spawn
    port: Callable[[], int]
    folder: Path
    chronyd: str
    poll_seconds: int


@dataclass
class Bounds:
    """What one client said of itself."""

    name: str
    bounds_ns: list[int] = field(default_factory=list)

    @property
    def median_ns(self) -> float:
        return statistics.median(self.bounds_ns)

    @property
    def p95_ns(self) -> float:
        return statistics.quantiles(self.bounds_ns, n=20)[-1]

    def __str__(self) -> str:
        return f"{self.name}: median {self.median_ns:.0f} ns, p95 {self.p95_ns:.0f} ns of {len(self.bounds_ns)}"


def start_servers(bench: Bench, one_way_seconds: float) -> list[int]:
    """Three chronyds that serve this machine's clock; where to ask them."""
    ports = []
    for number in range(3):
        at, conf = bench.port(), bench.folder / f"server{number}.conf"
        conf.write_text(
            f"local stratum {5 + number}\nport {at}\nbindaddress 127.0.0.1\nallow 127.0.0.1\ncmdport 0\n"
            f"bindcmdaddress /\npidfile {bench.folder}/server{number}.pid\n"
        )
        bench.spawn(bench.chronyd, "-x", "-d", "-U", "-u", getpass.getuser(), "-f", str(conf))
        if one_way_seconds:
            near = bench.port()
            bench.spawn(sys.executable, "-c", PATH, str(near), str(at), str(one_way_seconds))
            at = near
        until(lambda at=at: answers(f"127.0.0.1:{at}"))  # type: ignore[misc]  # a default binds the loop's value
        ports.append(at)
    return ports


def start_chrony(bench: Bench, servers: list[int], ppm: str) -> int:
    """A chronyd that is told how wrong its oscillator may be; where it takes commands."""
    command, poll, conf = bench.port(), bench.poll_seconds.bit_length() - 1, bench.folder / f"client{ppm}.conf"
    lines = [f"server 127.0.0.1 port {at} minpoll {poll} maxpoll {poll} iburst" for at in servers]
    lines += [f"maxclockerror {ppm}", "port 0", f"cmdport {command}", "bindcmdaddress 127.0.0.1"]
    conf.write_text("\n".join([*lines, f"pidfile {bench.folder}/client{ppm}.pid\n"]))
    bench.spawn(bench.chronyd, "-x", "-d", "-U", "-u", getpass.getuser(), "-f", str(conf))
    return command


def start_clockd(bench: Bench, servers: list[int], name: str, *stated: str) -> Path:
    """A clockd with what is stated of its oscillator; its page."""
    page, poll = bench.folder / f"page-{name}", str(bench.poll_seconds)
    flags = [flag for at in servers for flag in ("--server", f"127.0.0.1:{at}")]
    polls = ("--poll-seconds", poll, "--max-poll-seconds", poll, "--allow-fast-polling")
    bench.clockd("run", *flags, *polls, *stated, "--page", str(page), "--journal", str(page.with_suffix(".jsonl")))
    return page


def compare(
    bench: Bench, one_way_seconds: float, chrony_ppm: tuple[str, ...], ours: Mapping[str, tuple[str, ...]], seconds: int
) -> tuple[dict[str, Bounds], dict[str, Bounds]]:
    """What each of the chronyds (by its stated ppm) and each of the clockds (by name) said for a while."""
    servers = start_servers(bench, one_way_seconds)
    ports = {ppm: start_chrony(bench, servers, ppm) for ppm in chrony_ppm}
    host = RealClock()
    readers = {name: Reader(start_clockd(bench, servers, name, *stated), host) for name, stated in ours.items()}
    theirs_said = {ppm: Bounds(f"chrony told {ppm} ppm") for ppm in ports}
    ours_said = {name: Bounds(f"clockd, {name}") for name in ours}
    for reader in readers.values():
        until(lambda reader=reader: not reader.read().reason)  # type: ignore[misc]
    for command in ports.values():
        until(lambda command=command: asyncio.run(tracking(command)))  # type: ignore[misc]
    begin = time.monotonic() + BURST_SECONDS + 3 * bench.poll_seconds
    end = begin + max(seconds, 6 * bench.poll_seconds)
    while (now := time.monotonic()) < end:
        for ppm, command in ports.items():
            said = asyncio.run(tracking(command))
            if said is not None and now > begin:
                theirs_said[ppm].bounds_ns.append(abs(said.correction_ns) + said.distance_ns)
        for name, reader in readers.items():
            before, known, after = host.realtime_ns(), reader.now(), host.realtime_ns()
            assert known is not None
            assert known.earliest_ns <= after
            assert before <= known.latest_ns
            if now > begin:
                ours_said[name].bounds_ns.append((known.latest_ns - known.earliest_ns + 1) // 2)
        asyncio.run(asyncio.sleep(LOOK_EVERY_SECONDS))  # how often all are looked at; nothing is waited for
    for reader in readers.values():
        reader.close()
    for each in (*theirs_said.values(), *ours_said.values()):
        print(f"path {2000 * one_way_seconds:.0f} ms, polls {bench.poll_seconds} s, {each}")
    return theirs_said, ours_said


async def tracking(port: int) -> Tracking | None:
    """What a chronyd says of itself; None when it is not synchronised."""
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class Answer(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
            if not received.done():
                received.set_result(data)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Answer, remote_addr=("127.0.0.1", port), family=socket.AF_INET
    )
    try:
        transport.sendto(request(1))
        said = parse(await asyncio.wait_for(received, 1), 1, trusts_local=True)
        return said if isinstance(said, Tracking) else None
    except (TimeoutError, OSError):
        return None
    finally:
        transport.close()
