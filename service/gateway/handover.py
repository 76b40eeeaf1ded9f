"""Connections that the intake gives away: uvicorn's own protocol and FastAPI serve them from there on.

The protocol is uvicorn's, with four things added: it is fed the bytes that were read already, before any that come
later; it notes when the last byte of each request came, by the kernel's receive time of the read (`transport.py`); it
tells the application when requests are pipelined, since then nobody knows when one came; and it refuses what the
intake would, in the same words: headers without end, requests that dawdle, what is not HTTP.
"""

import asyncio
import logging
import socket
from typing import Any, Final

from httptools import HttpParserError
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from clockd.host import ReceivedAt
from service.gateway import problems
from service.gateway.answers import Answer
from service.gateway.intake import IDLE_SECONDS, SLOWEST_REQUEST_SECONDS
from service.gateway.request import MAX_HEAD_BYTES
from service.gateway.stamping import Stamper
from service.gateway.transport import TimedTransport

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

    transport: TimedTransport

    def __init__(self, already_read: bytes, config: Config, state: ServerState) -> None:
        super().__init__(config=config, server_state=state, app_state={})
        self._already_read = already_read
        self._arrival = Arrival()
        self._is_one_in_read = False
        """Whether the read that is being parsed has bytes of a request already."""
        self._too_slow: asyncio.TimerHandle | None = None
        self._last_chunk: bytes | None = None
        """Of the body, in this read."""
        self._head_bytes = 0
        self._head_read_bytes: int | None = None
        """Read so far of a head that is not complete; None where there is none."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        already_read, self._already_read = self._already_read, b""
        self.data_received(already_read)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._last_chunk = None
        self._is_one_in_read = self._too_slow is not None
        super().data_received(data)
        self._arrival.pipelined |= not _ends_with(data, self._last_chunk)
        if self._head_read_bytes is not None:
            self._head_read_bytes += len(data)
            if self._head_read_bytes > MAX_HEAD_BYTES:
                self._refuse(problems.headers_too_large(MAX_HEAD_BYTES))

    def on_message_begin(self) -> None:
        self._head_bytes = self._head_read_bytes = 0
        unanswered = self.cycle is not None and not self.cycle.response_complete
        super().on_message_begin()
        # The time of a read is that of its last byte, so not of a request that ends earlier. The last one in it has its
        # time, and was waited for if those before it were answered by their heads alone, as an unknown sale is.
        self._arrival.pipelined |= self._is_one_in_read
        self._arrival = Arrival()
        self._arrival.pipelined = unanswered
        self._is_one_in_read = True
        self._last_chunk = None
        self.scope["extensions"] = {EXTENSION: {"arrival": self._arrival}}
        self._too_slow = self.loop.call_later(SLOWEST_REQUEST_SECONDS, self._refuse, problems.request_timeout())

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_read_bytes = None
        if len(self.url) + self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(problems.headers_too_large(MAX_HEAD_BYTES))
            raise HttpParserError("headers too large")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._last_chunk = body
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_time()
        self._arrival.received = self.transport.received
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


def _ends_with(data: bytes, chunk: bytes | None) -> bool:
    """Whether a read ended with its chunk of a body, and not with line ends behind it, whose time would be another."""
    return chunk is None or (data.endswith(chunk) and chunk.strip(b"\r\n") != b"")


class Uvicorn:
    """Serves the connections that it is given with one application."""

    def __init__(self, app: Any, stamper: Stamper) -> None:
        # As patient with a quiet connection as the intake is: whose first call was not a purchase is no other caller.
        self._config = Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=int(IDLE_SECONDS),
        )
        self._config.load()
        logging.getLogger("uvicorn.error").disabled = True  # the caller is told; a fault of ours is logged by the app
        self._state = ServerState()
        self._stamper = stamper

    def take(self, connected: socket.socket, already_read: bytes, received: ReceivedAt | None) -> None:
        """Serve a connection from here on; the last of what was read already came when it says there."""
        protocol = HandedOver(already_read, self._config, self._state)
        TimedTransport(asyncio.get_running_loop(), connected, protocol, self._stamper.receive_times, received)

    def close(self) -> None:
        """End every connection."""
        for protocol in list(self._state.connections):
            protocol.shutdown()
