"""The load: `wrk` where it is installed, else a slower generator of our own that says so.

A generator must be faster than what it measures, or it measures itself. wrk is C and asks 100 000 times a second and
more on one core; ours is Python, and on two cores a fast server outruns it. Both keep a number of connections, one
request at a time on each (a closed loop): the next request goes out when the answer has come.
"""

import asyncio
import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import count
from typing import Final

import httptools
import uvloop

from service.bench.frame import BenchmarkError, Reading

WRK: Final = shutil.which("wrk")
GENERATOR: Final = (
    "load by wrk, one thread"
    if WRK
    else "NO wrk HERE: load by a generator in Python, slower than the gateway; install wrk for figures to be believed"
)
_prefixes = count()


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, again and again. Every purchase is of a buyer of its own."""

    port: int
    path: str
    token: str = ""
    method: str = "POST"
    purchases: int = 1
    """In a request: 1 is the purchase call, more the batch call, 0 a request without a body."""
    another_head: bool = False
    """Whether each request carries a header that no other has (an Idempotency-Key)."""
    connections: int = 64


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of a load. Latencies are from sending a request to its whole answer."""

    requests: int
    seconds: float
    p50_us: float
    p99_us: float
    max_us: float
    refused: int
    """Answers of 400 and above."""
    broken: int
    """Connections that failed, and answers that did not come."""

    def readings(self, each: int = 1, what: str = "requests/s") -> list[Reading]:
        """Rate and latency. `each`: how many of what is counted one request holds."""
        return [
            Reading(what, self.requests * each / self.seconds, "/s"),
            Reading("p50", self.p50_us / 1e3, "ms"),
            Reading("p99", self.p99_us / 1e3, "ms"),
        ]


def load(asked: Asked, seconds: float) -> Answers:
    """Ask for some seconds.

    Raises:
        BenchmarkError: nothing was answered, or wrk cannot run.
    """
    answers = _wrk(asked, seconds) if WRK else uvloop.run(_own(asked, seconds))
    if answers.requests == 0 or answers.broken > answers.requests // 100:
        raise BenchmarkError(f"{asked.path}: {answers.requests} answers, {answers.broken} connections broke")
    return answers


def all_taken(asked: Asked, seconds: float) -> Answers:
    """The same, where every answer must be a good one.

    Raises:
        BenchmarkError: some were refused.
    """
    answers = load(asked, seconds)
    if answers.refused:
        raise BenchmarkError(f"{asked.path}: {answers.refused} of {answers.requests} answers were refusals")
    return answers


def _wrk(asked: Asked, seconds: float) -> Answers:
    with as_file(files(__package__).joinpath("load.lua")) as script:
        command = [
            *(str(WRK), "--threads", "1", "--connections", str(asked.connections)),
            *("--duration", f"{max(1, round(seconds))}s", "--timeout", "10s", "--script", str(script)),
            *(f"http://127.0.0.1:{asked.port}", "--", asked.method, asked.path, asked.token, _prefix()),
            *("1" if asked.another_head else "0", str(asked.purchases)),
        ]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise BenchmarkError(f"wrk failed: {ran.stderr.strip() or ran.stdout.strip()}")
    return Answers(**json.loads(ran.stdout.splitlines()[-1]))


def _prefix() -> str:
    """Of the buyers of one run: no two runs share one, also not of two processes."""
    return f"{time.time_ns():x}-{next(_prefixes)}"


async def _own(asked: Asked, seconds: float) -> Answers:
    """The same as wrk, by this process."""
    head = f"{asked.method} {asked.path} HTTP/1.1\r\nhost: bench\r\n"
    head += f"authorization: Bearer {asked.token}\r\n" if asked.token else ""
    run = _Run(asked, head, _prefix(), time.perf_counter() + seconds)
    began = time.perf_counter()
    connections = [_Connection(run) for _ in range(asked.connections)]
    loop = asyncio.get_running_loop()
    for connection in connections:
        await loop.create_connection(lambda connection=connection: connection, "127.0.0.1", asked.port)  # type: ignore[misc]
    await asyncio.wait([connection.ended for connection in connections])
    took = sorted(run.took_us) or [0.0]
    return Answers(
        len(run.took_us),
        time.perf_counter() - began,
        took[len(took) // 2],
        took[len(took) * 99 // 100],
        took[-1],
        run.refused,
        run.broken,
    )


class _Run:
    """One run of our own generator, shared by its connections."""

    def __init__(self, asked: Asked, head: str, prefix: str, until: float) -> None:
        self._asked, self._head, self._prefix, self.until = asked, head, prefix, until
        self._numbers = count()
        self.took_us: list[float] = []
        self.refused = self.broken = 0

    def request(self) -> bytes:
        """The next request."""
        head = self._head
        if self._asked.another_head:
            head += f"idempotency-key: {self._prefix}-{next(self._numbers)}\r\n"
        if not self._asked.purchases:
            return f"{head}\r\n".encode()
        entries = [f'{{"buyer":"{self._prefix}-{next(self._numbers):09}"}}' for _ in range(self._asked.purchases)]
        body = entries[0] if self._asked.purchases == 1 else f'{{"purchases":[{",".join(entries)}]}}'
        return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


class _Connection(asyncio.Protocol):
    """One connection: asks again when it is answered, until the time is over."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._parser = httptools.HttpResponseParser(self)
        self._sent = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._run.took_us.append((time.perf_counter() - self._sent) * 1e6)
        self._run.refused += self._parser.get_status_code() >= 400
        self._parser = httptools.HttpResponseParser(self)
        if time.perf_counter() < self._run.until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.broken += exc is not None
        self.ended.set_result(None)

    def _ask(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._run.request())
