"""A load that does not wait for answers: so many requests a second are begun, whatever becomes of those before.

That is how a crowd presses, and the only load under which a queue can grow without end. Each connection has one
request at a time, since ours is a service that refuses pipelined ones; a request that is due while no connection is
free is counted as such and left out. Latency is from sending to the moment when the kernel got the answer's last byte:
a generator that is busy itself reads answers late, and that is no fault of who answered.

A process of its own, so that it does not share an interpreter with what watches: python -m service.bench.openloop
PORT PATH TOKEN RATE SECONDS CONNECTIONS; it says what came of it as one line of JSON.
"""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Final

import httptools
import uvloop

from clockd.host import RECEIVE_ANCILLARY_BYTES, SO_TIMESTAMPNS, receive_time_ns
from service.bench.frame import BenchmarkError

_READ_BYTES: Final = 65_536
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


class _Connection:
    """One connection: free, or with one request under way."""

    def __init__(self, port: int, pressed: Pressed, free: "list[_Connection]", answered: asyncio.Event) -> None:
        self._pressed, self._free, self._answered = pressed, free, answered
        self._parser = httptools.HttpResponseParser(self)
        self._sent_ns = self._heard_ns = 0
        self._body = b""
        self._retry_after = False
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)
        free.append(self)

    def ask(self, request: bytes) -> None:
        """Send a request."""
        self._sent_ns = time.time_ns()
        self._socket.send(request)

    def _readable(self) -> None:
        data, ancillary, _, _ = self._socket.recvmsg(_READ_BYTES, RECEIVE_ANCILLARY_BYTES)
        self._heard_ns = receive_time_ns(ancillary) or time.time_ns()
        if data:
            self._parser.feed_data(data)
        else:  # it stays under way, which is told at the end
            asyncio.get_running_loop().remove_reader(self._socket.fileno())

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: ARG002
        self._retry_after |= name == b"retry-after"

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        took_ms = (self._heard_ns - self._sent_ns) / 1e6
        status = self._parser.get_status_code()
        if status == 202:
            answer = json.loads(self._body)
            self._pressed.accepted_ms.append(took_ms)
            self._pressed.acknowledged.append((answer["id"], answer["seq"]))
        elif status == 503 and self._retry_after and b":overloaded" in self._body:
            self._pressed.refused += 1
        else:
            self._pressed.strange += 1
        self._body, self._retry_after = b"", False
        self._parser = httptools.HttpResponseParser(self)
        self._free.append(self)
        self._answered.set()


async def _press(port: int, path: str, token: str, rate: float, seconds: float, connections: int) -> Pressed:
    pressed, free, answered = Pressed(), list[_Connection](), asyncio.Event()
    for _ in range(connections):
        _Connection(port, pressed, free, answered)
    head = f"POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\ncontent-length: "
    prefix = f"{time.time_ns():x}"
    began, due = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - began) < seconds:
        now_due = int(rate * elapsed)
        for number in range(due, now_due):
            if free:
                body = f'{{"buyer":"{prefix}-{number}"}}'
                free.pop().ask(f"{head}{len(body)}\r\n\r\n{body}".encode())
                pressed.begun += 1
            else:
                pressed.unsent += now_due - number
                break
        due = now_due
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
