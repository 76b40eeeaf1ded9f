"""Distance on loopback: proxies that hold every byte and every packet back for the one-way delay of a real line.

One process carries the lines of one region. TCP and unix streams keep their order, since each byte waits equally long;
NTP packets wait with a jitter of their own, so that the two ways of an exchange differ as they do in a real network.

Run: python -m service.world.distance LINES.json
"""

import asyncio
import json
import random
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

JITTER: Final = 0.1
"""Of the delay: how much longer a packet may take, evenly spread."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `kind` is `stream` (between unix sockets, or TCP ports of 127.0.0.1) or `packets` (UDP ports)."""

    kind: str
    near: str
    """What the line is reached at: the socket's path, `:` and the TCP port, or the UDP port."""
    far: str
    """Where it leads."""
    delay_seconds: float
    """One way."""


def write_lines(path: Path, lines: list[Line]) -> None:
    """Write the file that the process reads."""
    path.write_text(json.dumps([asdict(line) for line in lines]))


class _Stream(asyncio.Protocol):
    """One end of a proxied connection; what it hears, the other end says after the delay."""

    def __init__(self, delay_seconds: float, connected: Callable[["_Stream"], None] | None = None) -> None:
        self._delay_seconds = delay_seconds
        self._connected = connected
        self._loop = asyncio.get_running_loop()
        self._early: list[bytes] = []
        self.transport: Any = None
        self.other: _Stream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if self._connected is not None:
            self._connected(self)

    def join(self, other: "_Stream") -> None:
        """From now on what is heard here is said there."""
        self.other = other
        for data in self._early:
            self._loop.call_later(self._delay_seconds, other.say, data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)
        else:
            self._loop.call_later(self._delay_seconds, self.other.say, data)

    def say(self, data: bytes) -> None:
        """What was heard at the other end; nobody listens any more where this one has hung up since."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self.other is not None:
            self._loop.call_later(self._delay_seconds, self.other.transport.close)


async def _serve_stream(line: Line) -> asyncio.AbstractServer:
    """The listening end, which the caller must keep: one that nobody holds is collected, and refuses connections."""
    loop = asyncio.get_running_loop()
    joining: set[asyncio.Task[None]] = set()

    async def join(near: _Stream) -> None:
        try:
            if line.far.startswith(":"):
                _, far = await loop.create_connection(
                    lambda: _Stream(line.delay_seconds), "127.0.0.1", int(line.far[1:])
                )
            else:
                _, far = await loop.create_unix_connection(lambda: _Stream(line.delay_seconds), line.far)
        except OSError:
            near.transport.close()
            return
        far.join(near)
        near.join(far)

    def connected(near: _Stream) -> None:
        task = loop.create_task(join(near))
        joining.add(task)
        task.add_done_callback(joining.discard)

    if line.near.startswith(":"):
        port = int(line.near[1:])
        return await loop.create_server(lambda: _Stream(line.delay_seconds, connected), "127.0.0.1", port)
    return await loop.create_unix_server(lambda: _Stream(line.delay_seconds, connected), line.near)


class _Packets(asyncio.DatagramProtocol):
    """The near port: each client gets a port of its own towards the far end."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._loop = asyncio.get_running_loop()
        self._random = random.Random(line.near)
        self._ways: dict[Any, asyncio.Task[Any]] = {}
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._loop.call_later(self._delay(), self._forward, data, addr)

    def _delay(self) -> float:
        return self._line.delay_seconds * (1 + JITTER * self._random.random())

    def _forward(self, data: bytes, client: Any) -> None:
        if client not in self._ways:
            self._ways[client] = self._loop.create_task(self._open(client))
        self._ways[client].add_done_callback(lambda way: way.result().sendto(data))

    async def _open(self, client: Any) -> asyncio.DatagramTransport:
        transport, _ = await self._loop.create_datagram_endpoint(
            lambda: _Back(self, client), remote_addr=("127.0.0.1", int(self._line.far))
        )
        return transport

    def back(self, data: bytes, client: Any) -> None:
        """A reply goes back to the client that asked, after the delay."""
        self._loop.call_later(self._delay(), self.transport.sendto, data, client)


class _Back(asyncio.DatagramProtocol):
    def __init__(self, packets: _Packets, client: Any) -> None:
        self._packets = packets
        self._client = client

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ARG002
        self._packets.back(data, self._client)


async def _serve(lines: list[Line]) -> None:
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    for end_signal in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(end_signal, ending.set)
    listening = []
    for line in lines:
        if line.kind == "stream":
            listening.append(await _serve_stream(line))
        else:
            await loop.create_datagram_endpoint(lambda line=line: _Packets(line), ("127.0.0.1", int(line.near)))  # type: ignore[misc]
    await ending.wait()
    for server in listening:
        server.close()


if __name__ == "__main__":
    uvloop.run(_serve([Line(**line) for line in json.loads(Path(sys.argv[1]).read_text())]))
