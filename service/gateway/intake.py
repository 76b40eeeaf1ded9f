"""The public port: reads requests with the kernel's receive time, answers purchases, hands everything else over.

One connection, one request at a time: pipelined requests are refused, since the kernel tells the time of the last
byte read only. What a request is, and which heads are known already: `request.py`. What a purchase is: `purchase.py`.

A connection whose first unanswered request is anything but a purchase is handed over, with the bytes read so far, to
uvicorn's own protocol (`handover.py`), and stays there. One that is refused is closed only after its last bytes have
been read, so that the refusal is not lost to a reset.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, TypeAlias

import structlog

from clockd.host import RECEIVE_ANCILLARY_BYTES, SO_TIMESTAMPNS, ReceivedAt, receive_time_ns
from service.gateway import problems
from service.gateway.answers import Answer
from service.gateway.purchase import Call, Purchases
from service.gateway.request import Head, IncomingRequest, KnownHeads
from service.gateway.stamping import Stamper

_log = structlog.get_logger()

READ_BYTES: Final = 65_536
SLOWEST_REQUEST_SECONDS: Final = 10.0
SLOWEST_READER_SECONDS: Final = 10.0
"""For an answer that did not fit into the connection at once: those of batches are long."""
LINGER_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 75.0
SWEEP_SECONDS: Final = 1.0
BACKLOG: Final = 4_096
ACCEPTED_AT_ONCE: Final = 128
ACCEPT_PAUSE_SECONDS: Final = 0.1
"""After a failure, such as too many open files, which the next turn of the loop would only meet again."""

Ancillary: TypeAlias = list[tuple[int, int, bytes]]
HandOver = Callable[[socket.socket, bytes, ReceivedAt | None], None]


class Connection:
    """One connection of the public port: bytes in, an answer out."""

    __slots__ = (
        "_answering",
        "_call",
        "_half_closed",
        "_intake",
        "_keeps",
        "_late_refusal",
        "_lingering",
        "_request",
        "_socket",
        "_unsent",
        "busy_since",
    )

    def __init__(self, connected: socket.socket, intake: "Intake") -> None:
        self._socket = connected
        self._intake = intake
        self._request: IncomingRequest | None = None
        """What has come of a request that did not come whole under a known head."""
        self._call: Call | None = None
        self._unsent: memoryview | None = None
        """Of an answer that the peer has not taken yet."""
        self._late_refusal: Answer | None = None
        """Of bytes that came before the answer to the request."""
        self._answering = self._half_closed = self._lingering = self._keeps = False
        self.busy_since = intake.time()
        """When the request, or the wait for one, began, by the loop's clock."""

    def sweep(self, now: float) -> None:
        """End what has lasted too long: silence, a request that dawdles, a peer that does not read or hang up."""
        waited = now - self.busy_since
        if self._unsent is not None:
            if waited > SLOWEST_READER_SECONDS:
                self.close()
        elif self._answering:
            return
        elif self._lingering:
            if waited > LINGER_SECONDS:
                self.close()
        elif self._request is None:
            if waited > IDLE_SECONDS:
                self.close()
        elif waited > SLOWEST_REQUEST_SECONDS:
            self._answer(problems.request_timeout())

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
        elif self._lingering:
            return
        elif self._answering:
            self._late_refusal = problems.pipelined()
        elif self._request is None and (known := self._intake.known_heads.match(data)) is not None:
            self._take(*known, ancillary)
        else:
            self._read_on(data, ancillary)

    def _read_on(self, data: bytes, ancillary: Ancillary) -> None:
        """Bytes of a request that is not known by its head, or comes in pieces."""
        request = self._request
        if request is None:
            self.busy_since = self._intake.time()
            request = self._request = IncomingRequest(self._go_on)
        request.feed(data)
        if request.is_foreign:
            self._intake.hand_over(self, self._socket, request.whole, self._moment(ancillary))
        elif request.refusal is not None:
            self._keeps = False
            self._answer(request.refusal)
        elif request.complete:
            head = request.head()
            if request.is_plain and self._intake.purchases.authorize(head.authorization, "purchase") is None:
                self._intake.known_heads.remember(request.whole, head)
            self._take(head, request.body, ancillary)

    def _go_on(self) -> None:
        self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take(self, head: Head, body: bytes, ancillary: Ancillary) -> None:
        self._answering, self._keeps = True, head.keeps
        self._call = Call(head, body, self._moment(ancillary), self._answer)
        self._intake.purchases.take(self._call)

    def _moment(self, ancillary: Ancillary) -> ReceivedAt | None:
        """When the last byte of a read came; None where the kernel did not tell."""
        kernel_ns = receive_time_ns(ancillary)
        return None if kernel_ns is None else self._intake.moment(kernel_ns)

    def _end_of_input(self, failed: bool) -> None:
        """The peer sends no more. It may still read: an answer that is being made is given."""
        if failed or not self._answering:
            self.close()
            return
        self._half_closed = True
        self._intake.stop_reading(self._socket)

    def _answer(self, answer: Answer) -> None:
        """The answer to the request that was read; then the next, or the end."""
        if self._socket.fileno() < 0:
            return
        self._call = None
        late_refusal = self._late_refusal
        keeps = self._keeps and not answer.close and late_refusal is None and not self._half_closed
        data = answer.bytes(close=not keeps and late_refusal is None)
        if late_refusal is not None:
            data += late_refusal.bytes(close=True)
        self._keeps = keeps
        sent = self._send(data)
        if sent == len(data):
            self._answered()
        elif sent < 0:
            self._linger()
        else:
            self.busy_since = self._intake.time()
            self._unsent = memoryview(data)[sent:]
            self._intake.tell_when_writable(self._socket, self._send_rest)

    def _send_rest(self) -> None:
        """The peer takes more of a long answer."""
        assert self._unsent is not None
        sent = self._send(self._unsent)
        self._unsent = self._unsent[max(sent, 0) :]
        if sent < 0 or not self._unsent:
            self._unsent = None
            self._intake.stop_writing(self._socket)
            self._keeps &= sent >= 0 and self._late_refusal is None and not self._half_closed
            self._answered()

    def _answered(self) -> None:
        """The answer is on its way."""
        self._request = None
        self._answering = False
        if self._keeps:
            self.busy_since = self._intake.time()
        else:
            self._linger()

    def _linger(self) -> None:
        """Nothing more will be said; what the peer still sends is read and thrown away until it hangs up."""
        self._lingering = True
        self._answering = False
        self.busy_since = self._intake.time()
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()

    def _send(self, data: bytes | memoryview) -> int:
        """How many bytes the kernel took; −1 where the peer is gone."""
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return -1

    def close(self) -> None:
        """End the connection; nobody is left to answer."""
        if self._call is not None and self._call.gone is not None:
            self._call.gone()
        if self._unsent is not None:
            self._unsent = None
            self._intake.stop_writing(self._socket)
        self._intake.forget(self, self._socket)
        self._socket.close()


class Intake:
    """The public port of one gateway process."""

    def __init__(self, purchases: Purchases, stamper: Stamper, hand_over: HandOver) -> None:
        self.purchases = purchases
        self.known_heads = KnownHeads()
        self._stamper = stamper
        self._hand_over = hand_over
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self.time = self._loop.time
        self.moment: Final = stamper.receive_times.raw_moment
        """The kernel's receive time as a moment on this host's raw clock."""

    @property
    def connections(self) -> int:
        """How many are open here; those that were handed over are not counted."""
        return len(self._connections)

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

    def hand_over(
        self, connection: Connection, connected: socket.socket, whole: bytes, received: ReceivedAt | None
    ) -> None:
        """Give a connection away, with what was read of it, and when the last of that came."""
        self.forget(connection, connected)
        self._hand_over(connected, whole, received)

    def stop_reading(self, connected: socket.socket) -> None:
        """Ask for no more bytes of a connection that has none."""
        self._loop.remove_reader(connected.fileno())

    def tell_when_writable(self, connected: socket.socket, tell: Callable[[], None]) -> None:
        """Call `tell` whenever a connection can take more."""
        self._loop.add_writer(connected.fileno(), tell)

    def stop_writing(self, connected: socket.socket) -> None:
        """Call it no more."""
        self._loop.remove_writer(connected.fileno())

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
