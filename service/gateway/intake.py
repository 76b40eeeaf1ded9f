"""The public port: reads requests with the kernel's receive time, answers purchases, hands everything else over.

One connection, one request at a time. The time of a request is the receive time of its last byte, so a request has
one only when it is complete and nothing follows it: pipelined requests are refused, since the kernel tells the time
of the last byte read only. A request may come in pieces; it may not be chunked, carry two lengths, or dawdle.

A connection whose first unanswered request is anything but a purchase is handed over, with the bytes read so far, to
uvicorn's own protocol (`handover.py`), and stays there. One that is refused is closed only after its last bytes have
been read, so that the refusal is not lost to a reset.
"""

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Final

import httptools
import structlog

from clockd.host import RECEIVE_ANCILLARY_BYTES, SO_TIMESTAMPNS, ReceivedAt, receive_time_ns
from service.gateway import problems
from service.gateway.answers import Answer
from service.gateway.purchase import MAX_BODY_BYTES, Call, Purchases
from service.gateway.stamping import Stamper

_log = structlog.get_logger()

MAX_HEAD_BYTES: Final = 16_384
READ_BYTES: Final = 65_536
SLOWEST_REQUEST_SECONDS: Final = 10.0
LINGER_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 75.0
SWEEP_SECONDS: Final = 1.0
BACKLOG: Final = 4_096
ACCEPTED_AT_ONCE: Final = 128
ACCEPT_PAUSE_SECONDS: Final = 0.1
"""After a failure, such as too many open files, which the next turn of the loop would only meet again."""

_PURCHASE_PATH: Final = re.compile(rb"/v1/sales/([A-Za-z0-9._~-]{1,128})/purchases")

HandOver = Callable[[socket.socket, bytes], None]


class Connection:
    """One connection of the public port: bytes in, an answer out."""

    __slots__ = (
        "_answering",
        "_authorization",
        "_body",
        "_call",
        "_chunked",
        "_complete",
        "_half_closed",
        "_hand_over",
        "_head_bytes",
        "_intake",
        "_length",
        "_lingering",
        "_parser",
        "_prefer",
        "_refusal",
        "_sale",
        "_socket",
        "_stay",
        "_url",
        "_whole",
        "busy_since",
    )

    def __init__(self, connected: socket.socket, intake: "Intake") -> None:
        self._socket = connected
        self._intake = intake
        self._call: Call | None = None
        self._answering = self._half_closed = self._lingering = False
        self.busy_since = intake.time()
        """When the request, or the wait for one, began, by the loop's clock."""
        self._begin()

    def _begin(self) -> None:
        """Ready for the next request."""
        self._parser = httptools.HttpRequestParser(self)
        self._url = self._authorization = self._prefer = self._body = b""
        self._whole = b""
        self._length: bytes | None = None
        self._sale: str | None = None
        self._refusal: Answer | None = None
        self._chunked = self._complete = self._hand_over = self._stay = False
        self._head_bytes = 0

    def sweep(self, now: float) -> None:
        """End what has lasted too long: silence, a request that dawdles, a peer that does not hang up."""
        waited = now - self.busy_since
        if self._answering:
            return
        if self._lingering:
            if waited > LINGER_SECONDS:
                self.close()
        elif not self._whole:
            if waited > IDLE_SECONDS:
                self.close()
        elif waited > SLOWEST_REQUEST_SECONDS:
            self._answer(problems.request_timeout())

    # What the parser calls.

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        name = name.lower()
        if name == b"authorization":
            self._authorization = value
        elif name == b"content-length":
            if self._length is not None and self._length != value:
                self._refusal = problems.bad_request("Send one Content-Length.")
            self._length = value
        elif name == b"prefer":
            self._prefer = self._prefer + b"," + value if self._prefer else value
        elif name == b"transfer-encoding":
            self._chunked = True
        elif name == b"expect" and value.lower() == b"100-continue":
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_headers_complete(self) -> None:
        if self._complete:
            return
        if len(self._url) + self._head_bytes > MAX_HEAD_BYTES:
            self._refusal = problems.headers_too_large(MAX_HEAD_BYTES)
            return
        found = _PURCHASE_PATH.fullmatch(self._url.partition(b"?")[0])
        if found is None or self._parser.get_method() != b"POST":
            self._hand_over = True
            return
        self._sale = found[1].decode()
        if self._chunked:
            self._refusal = self._refusal or problems.length_required()
        elif self._length is not None and int(self._length) > MAX_BODY_BYTES:
            self._refusal = self._refusal or problems.too_large(MAX_BODY_BYTES)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_begin(self) -> None:
        if self._complete:
            self._refusal = problems.pipelined()

    def on_message_complete(self) -> None:
        self._complete = True
        self._stay = self._parser.should_keep_alive()

    # What the loop calls.

    def readable(self) -> None:
        """Bytes have come, or the end."""
        failed = False
        try:
            data, ancillary, _, _ = self._socket.recvmsg(READ_BYTES, RECEIVE_ANCILLARY_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, ancillary, failed = b"", [], True
        if not data:
            self._end_of_input(failed=failed)
            return
        if self._lingering:
            return
        if self._answering:
            self._refusal = problems.pipelined()
            return
        if not self._whole:
            self.busy_since = self._intake.time()
        self._whole = self._whole + data if self._whole else data
        self._parse(data)
        if self._hand_over:
            self._intake.hand_over(self, self._socket, self._whole)
        elif self._refusal is not None:
            self._answer(self._refusal)
        elif self._complete and not self._ends_with_body():
            self._answer(problems.pipelined())
        elif self._complete:
            kernel_ns = receive_time_ns(ancillary)
            self._take(None if kernel_ns is None else self._intake.moment(kernel_ns))
        elif self._sale is None and len(self._whole) > MAX_HEAD_BYTES:
            self._answer(problems.headers_too_large(MAX_HEAD_BYTES))

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._hand_over = self._sale is None
            if not self._hand_over:
                self._refusal = problems.bad_request("Purchases take no upgrade.")
        except httptools.HttpParserError as error:
            if self._refusal is None:
                self._refusal = (
                    problems.pipelined() if self._complete else problems.bad_request(f"This is not HTTP/1.1: {error}")
                )

    def _end_of_input(self, failed: bool) -> None:
        """The peer sends no more. It may still read: an answer that is being made is given."""
        if failed or not self._answering:
            self.close()
            return
        self._half_closed = True
        self._intake.stop_reading(self._socket)

    def _ends_with_body(self) -> bool:
        """Whether the last byte read is the request's. The parser passes over line ends that follow a body, and the
        kernel's time would be theirs.
        """
        request = self._whole.lstrip(b"\r\n")
        return len(request) == request.find(b"\r\n\r\n") + 4 + int(self._length or 0)

    def _take(self, received: ReceivedAt | None) -> None:
        assert self._sale is not None
        self._answering = True
        self._call = Call(self._sale, self._authorization, self._prefer, self._body, received, self._answer)
        self._intake.purchases.take(self._call)

    def _answer(self, answer: Answer) -> None:
        """The answer to the request that was read; then the next, or the end."""
        if self._socket.fileno() < 0:
            return
        late_refusal = self._refusal if self._answering else None
        keep = not answer.close and self._complete and self._stay and late_refusal is None and not self._half_closed
        self._call = None
        self._answering = False
        sent = self._send(answer.bytes(close=not keep and late_refusal is None))
        if late_refusal is not None:
            self._send(late_refusal.bytes(close=True))
        if keep and sent:
            self.busy_since = self._intake.time()
            self._begin()
        else:
            self._linger()

    def _linger(self) -> None:
        """Nothing more will be said; what the peer still sends is read and thrown away until it hangs up."""
        self._lingering = True
        self.busy_since = self._intake.time()
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()

    def _send(self, data: bytes) -> bool:
        """Answers are small: a peer that does not take one at once is not reading."""
        try:
            return self._socket.send(data) == len(data)
        except OSError:
            return False

    def close(self) -> None:
        """End the connection; nobody is left to answer."""
        if self._call is not None and self._call.gone is not None:
            self._call.gone()
        self._intake.forget(self, self._socket)
        self._socket.close()


class Intake:
    """The public port of one gateway process."""

    def __init__(self, purchases: Purchases, stamper: Stamper, hand_over: HandOver) -> None:
        self.purchases = purchases
        self._stamper = stamper
        self._hand_over = hand_over
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self.time = self._loop.time

    def listen(self, host: str, port: int) -> socket.socket:
        """Open the port; several processes of a region may share it.

        Raises:
            OSError: it cannot be opened.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
        self._loop.add_reader(listener.fileno(), self._accept, listener)
        self._loop.call_later(SWEEP_SECONDS, self._sweep)
        return listener

    def moment(self, kernel_ns: int) -> ReceivedAt | None:
        """The kernel's receive time as a moment on this host's raw clock."""
        return self._stamper.receive_times.raw_moment(kernel_ns)

    def hand_over(self, connection: Connection, connected: socket.socket, whole: bytes) -> None:
        """Give a connection away, with what was read of it."""
        self.forget(connection, connected)
        self._hand_over(connected, whole)

    def stop_reading(self, connected: socket.socket) -> None:
        """Ask for no more bytes of a connection that has none."""
        self._loop.remove_reader(connected.fileno())

    def forget(self, connection: Connection, connected: socket.socket) -> None:
        """Hear no more of a connection."""
        self._connections.discard(connection)
        if connected.fileno() >= 0:
            self._loop.remove_reader(connected.fileno())

    def close(self) -> None:
        """End every connection."""
        for connection in list(self._connections):
            connection.close()

    def _accept(self, listener: socket.socket) -> None:
        self._stamper.receive_times.sample()
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connected, _ = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                _log.warning("no connection can be accepted for a moment", error=str(error))
                self._loop.remove_reader(listener.fileno())
                self._loop.call_later(ACCEPT_PAUSE_SECONDS, self._accept_again, listener)
                return
            connected.setblocking(False)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(connected, self)
            self._connections.add(connection)
            self._loop.add_reader(connected.fileno(), connection.readable)

    def _accept_again(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    def _sweep(self) -> None:
        """Once a second: requests that dawdle, connections that say nothing."""
        now = self.time()
        for connection in list(self._connections):
            connection.sweep(now)
        self._loop.call_later(SWEEP_SECONDS, self._sweep)
