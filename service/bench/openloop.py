"""A load that does not wait for answers: so many requests a second are begun, whatever becomes of those before.

That is how a crowd presses, and the only load under which a queue can grow without end. Each connection has one
request at a time, since ours is a service that refuses pipelined ones; a request that is due while no connection is
free is counted as such and left out. Latency is from sending to the whole answer.

A process of its own, so that it does not share an interpreter with what watches: python -m service.bench.openloop
PORT PATH TOKEN RATE SECONDS CONNECTIONS; it says what came of it as one line of JSON.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import httptools
import uvloop

from service.bench.frame import BenchmarkError

_TICK_SECONDS: Final = 0.001
_LAST_ANSWERS_SECONDS: Final = 5.0


@dataclass(slots=True)
class Pressed:
    """What came of it."""

    begun: int = 0
    unsent: int = 0
    """Due, but no connection was free."""
    refused: int = 0
    """503 with Retry-After."""
    strange: int = 0
    """Any other answer, a refusal without Retry-After, or none at all."""
    accepted_ms: list[float] = field(default_factory=list)
    """How long each took that was accepted, in order."""
    refused_ms: list[float] = field(default_factory=list)
    acknowledged: list[tuple[str, int]] = field(default_factory=list)
    """Id and number of each that was accepted."""


def press(port: int, path: str, token: str, rate: float, seconds: float, connections: int) -> Pressed:
    """Press from a process of its own.

    Raises:
        BenchmarkError: it did not end well.
    """
    words = [str(word) for word in (port, path, token, rate, seconds, connections)]
    command = [sys.executable, "-m", "service.bench.openloop", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise BenchmarkError(f"the open-loop load failed: {ran.stderr.strip()[-300:]}")
    return Pressed(**json.loads(ran.stdout))


class _Connection(asyncio.Protocol):
    """One connection: free, or with one request under way."""

    def __init__(self, pressed: Pressed, free: "list[_Connection]", answered: asyncio.Event) -> None:
        self._pressed, self._free, self._answered = pressed, free, answered
        self._parser = httptools.HttpResponseParser(self)
        self._sent_seconds = 0.0
        self._body = b""
        self._retry_after = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._free.append(self)

    def ask(self, request: bytes) -> None:
        self._sent_seconds = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: ARG002
        self._retry_after |= name == b"retry-after"

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        took_ms = (time.perf_counter() - self._sent_seconds) * 1e3
        status = self._parser.get_status_code()
        if status == 202:
            answer = json.loads(self._body)
            self._pressed.accepted_ms.append(took_ms)
            self._pressed.acknowledged.append((answer["id"], answer["seq"]))
        elif status == 503 and self._retry_after and b":overloaded" in self._body:
            self._pressed.refused += 1
            self._pressed.refused_ms.append(took_ms)
        else:
            self._pressed.strange += 1
        self._body, self._retry_after = b"", False
        self._parser = httptools.HttpResponseParser(self)
        self._free.append(self)
        self._answered.set()


async def _press(port: int, path: str, token: str, rate: float, seconds: float, connections: int) -> Pressed:
    pressed, free, answered = Pressed(), list[_Connection](), asyncio.Event()
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(pressed, free, answered), "127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\ncontent-length: "
    prefix = f"{time.time_ns():x}"
    began, due = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - began) < seconds:
        while due < rate * elapsed:
            due += 1
            if free:
                body = f'{{"buyer":"{prefix}-{due}"}}'
                free.pop().ask(f"{head}{len(body)}\r\n\r\n{body}".encode())
                pressed.begun += 1
            else:
                pressed.unsent += 1
        await asyncio.sleep(_TICK_SECONDS)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_ANSWERS_SECONDS):
            while len(free) < connections:
                answered.clear()
                await answered.wait()
    pressed.strange += connections - len(free)
    return pressed


if __name__ == "__main__":
    _, port, path, token, rate, seconds, connections = sys.argv
    found = uvloop.run(_press(int(port), path, token, float(rate), float(seconds), int(connections)))
    sys.stdout.write(json.dumps(asdict(found)))
