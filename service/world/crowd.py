"""Buyers: each presses at a moment of their own, over HTTP, and keeps what they were told.

A lean client on asyncio and httptools, so that one process can press thousands of times a second beside the system
that it presses on. Connections are kept and used again; not more are open at once than allowed. A buyer whose answer
got lost, or who was told 503, presses again, as a service would.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import httptools
import msgspec

ANSWER_TIMEOUT_SECONDS: Final = 60.0
RETRY_PAUSE_SECONDS: Final = 0.2
_decode: Final = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Press:
    """A buyer's plan: who, in which region, when (true time); in an auction, how much is bid."""

    buyer: str
    region: str
    at_ns: int
    price: int | None = None


@dataclass(slots=True)
class Pressed:
    """What became of a press. `attempts` are the (before, after) true times around each sending."""

    press: Press
    attempts: list[tuple[int, int]] = field(default_factory=list)
    answered_ns: int = 0
    status: int = 0
    """0 where no answer came at all."""
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def sent(self) -> tuple[int, int]:
        """Around the last sending."""
        return self.attempts[-1]


class _Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._answered: asyncio.Future[tuple[int, bytes]] | None = None
        self._body = b""
        self._keep = True
        self._parser = httptools.HttpResponseParser(self)
        self.transport: Any = None
        self.usable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.usable = True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.usable = False
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConnectionResetError("the connection ended before the answer"))

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        answered, self._answered = self._answered, None
        self._keep = self._parser.should_keep_alive()
        status = self._parser.get_status_code()
        body, self._body = self._body, b""
        self._parser = httptools.HttpResponseParser(self)
        if answered is not None and not answered.done():
            answered.set_result((status, body))
        if not self._keep:
            self.usable = False
            self.transport.close()

    def ask(self, request: bytes) -> tuple[asyncio.Future[tuple[int, bytes]], int, int]:
        """Send a request. Returns the answer to come, and the true times around the sending."""
        self._answered = asyncio.get_running_loop().create_future()
        before_ns = time.time_ns()
        self.transport.write(request)
        return self._answered, before_ns, time.time_ns()


class Crowd:
    """Buyers pressing on the regions of a world."""

    def __init__(
        self,
        ports: dict[str, int],
        sale: str,
        token: str,
        most_connections: int = 2_000,
        wait_seconds: int = 0,
        tries: int = 1,
        told: Callable[[Pressed], None] | None = None,
    ) -> None:
        self._ports = ports
        self._head = (
            f"POST /v1/sales/{sale}/purchases HTTP/1.1\r\nhost: world\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\n"
            + (f"prefer: wait={wait_seconds}\r\n" if wait_seconds else "")
            + "content-length: "
        )
        self._room = asyncio.Semaphore(most_connections)
        self._idle: dict[str, list[_Client]] = {region: [] for region in ports}
        self._tries = tries
        self._told = told

    async def press_all(self, presses: Iterable[Press]) -> list[Pressed]:
        """Everybody presses at their moment; returns once all have their answer, or none."""
        tasks = []
        for press in sorted(presses, key=lambda press: press.at_ns):
            pause_seconds = (press.at_ns - time.time_ns()) / 1e9
            if pause_seconds > 0.001:
                await asyncio.sleep(pause_seconds)
            await self._room.acquire()
            tasks.append(asyncio.create_task(self._press(press)))
        pressed = await asyncio.gather(*tasks)
        for clients in self._idle.values():
            for client in clients:
                client.transport.close()
        return list(pressed)

    async def _press(self, press: Press) -> Pressed:
        pressed = Pressed(press)
        bid = "" if press.price is None else f',"price":{press.price}'
        body = f'{{"buyer":"{press.buyer}"{bid}}}'
        request = f"{self._head}{len(body)}\r\n\r\n{body}".encode()
        try:
            for number in range(self._tries):
                if number:
                    await asyncio.sleep(RETRY_PAUSE_SECONDS * number)
                await self._try(pressed, request)
                if pressed.status not in (0, 503):
                    break
        finally:
            self._room.release()
        if self._told is not None:
            self._told(pressed)
        return pressed

    async def _try(self, pressed: Pressed, request: bytes) -> None:
        region = pressed.press.region
        try:
            client = await self._client(region)
            answered, before_ns, after_ns = client.ask(request)
            pressed.attempts.append((before_ns, after_ns))
            async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
                pressed.status, body = await answered
        except (OSError, TimeoutError):
            pressed.status, pressed.answer = 0, {}
            return
        pressed.answered_ns = time.time_ns()
        pressed.answer = _decode(body) if body else {}
        if client.usable:
            self._idle[region].append(client)

    async def _client(self, region: str) -> _Client:
        idle = self._idle[region]
        while idle:
            client = idle.pop()
            if client.usable:
                return client
        loop = asyncio.get_running_loop()
        _, opened = await loop.create_connection(_Client, "127.0.0.1", self._ports[region])
        return opened
