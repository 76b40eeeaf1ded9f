"""Connections that the intake gives away: uvicorn's own protocol and FastAPI serve them from there on.

The protocol is uvicorn's, with three things added: it is fed the bytes that were read already, before any that come
later; it notes when the last byte of each request came, by TCP_INFO, since its reads carry no receive times; and it
tells the application when requests are pipelined, since then nobody knows when one came.
"""

import asyncio
import socket
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from clockd.host import ReceivedAt
from service.gateway import problems
from service.gateway.answers import Answer
from service.gateway.intake import SLOWEST_REQUEST_SECONDS
from service.gateway.stamping import Stamper

EXTENSION: Final = "firstcome"
"""The ASGI extension in which a request's `Arrival` travels."""


class Arrival:
    """When a request came, as far as the connection can tell."""

    __slots__ = ("pipelined", "received")

    def __init__(self) -> None:
        self.received: ReceivedAt | None = None
        self.pipelined = False


class HandedOver(HttpToolsProtocol):
    """uvicorn's protocol on a connection that the intake has read from."""

    def __init__(self, already_read: bytes, stamper: Stamper, config: Config, state: ServerState) -> None:
        super().__init__(config=config, server_state=state, app_state={})
        self._already_read = already_read
        self._stamper = stamper
        self._arrival = Arrival()
        self._begun_in_read: list[Arrival] = []
        self._too_slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        already_read, self._already_read = self._already_read, b""
        self.data_received(already_read)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._begun_in_read.clear()
        carried_on = self._too_slow is not None
        super().data_received(data)
        if len(self._begun_in_read) + carried_on > 1:
            for arrival in (self._arrival, *self._begun_in_read):
                arrival.pipelined = True

    def on_message_begin(self) -> None:
        unanswered = self.cycle is not None and not self.cycle.response_complete
        super().on_message_begin()
        self._arrival = Arrival()
        self._arrival.pipelined = unanswered
        self._begun_in_read.append(self._arrival)
        self.scope["extensions"] = {EXTENSION: {"arrival": self._arrival}}
        self._too_slow = self.loop.call_later(SLOWEST_REQUEST_SECONDS, self._refuse, problems.request_timeout())

    def on_message_complete(self) -> None:
        self._in_time()
        self._arrival.received = self._stamper.last_data_received(self.transport.get_extra_info("socket"))
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(problems.bad_request(msg))

    def _in_time(self) -> None:
        if self._too_slow is not None:
            self._too_slow.cancel()
            self._too_slow = None

    def _refuse(self, answer: Answer) -> None:
        self._in_time()
        if not self.transport.is_closing():
            self.transport.write(answer.bytes(close=True))
            self.transport.close()


class Uvicorn:
    """Serves the connections that it is given with one application."""

    def __init__(self, app: Any, stamper: Stamper) -> None:
        self._config = Config(app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False)
        self._config.load()
        self._state = ServerState()
        self._stamper = stamper
        self._tasks: set[asyncio.Future[Any]] = set()

    def take(self, connected: socket.socket, already_read: bytes) -> None:
        """Serve a connection from here on."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._connect(loop, connected, already_read))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, loop: asyncio.AbstractEventLoop, connected: socket.socket, already_read: bytes) -> None:
        try:
            await loop.connect_accepted_socket(
                lambda: HandedOver(already_read, self._stamper, self._config, self._state), connected
            )
        except OSError:
            connected.close()

    def close(self) -> None:
        """End every connection."""
        for protocol in list(self._state.connections):
            protocol.shutdown()
