"""One server, asked over a connected UDP socket; the kernel says when the reply came. Decides nothing.

The socket stays open from one exchange to the next and is opened anew, the name resolved again, after a server has not
answered. A receive time that cannot be trusted is replaced by the moment of reading: later, and later is sound.
"""

import asyncio
import secrets
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from clockd.host import (
    RECEIVE_ANCILLARY_BYTES,
    SO_TIMESTAMPNS,
    HostClock,
    ReceiveTimes,
    receive_time_ns,
    suspended_ns,
)
from clockd.ntp.exchange import PERHAPS_FORGED, Address, Asked, Exchange, Rejected, judge
from clockd.ntp.packet import pivot_ns, request

LARGEST_DATAGRAM_BYTES: Final = 1024  # anything longer than a packet is dropped; this much tells
SUSPENDED_NS: Final = 1_000_000
SAMPLE_FIRST_SECONDS: Final = 0.011  # a receive time counts only if REALTIME − RAW is known from well before it


@dataclass(frozen=True, slots=True)
class Server:
    """A server as the operator names it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Client:
    """Asks one server, one exchange at a time.

    Args:
        drift_ppb: how much this host's oscillator may be off.
    """

    def __init__(self, server: Server, host: HostClock, receive_times: ReceiveTimes, drift_ppb: int) -> None:
        self.name = str(server)
        self._server = server
        self.rejected: Counter[str] = Counter()
        self._host, self._receive_times, self._drift_ppb = host, receive_times, drift_ppb
        self._socket: socket.socket | None = None
        self._address: Address = ("", 0)

    async def ask(self, timeout_seconds: float) -> Exchange | Rejected | None:
        """One exchange.

        Returns:
            The exchange; or the server's own reply, rejected; or None when none came in time, the server could not be
            reached or the host was suspended meanwhile.
        """
        slept_ns = suspended_ns(self._host)
        answer: Exchange | Rejected | None = None
        with suppress(OSError):  # no route, no such name, port closed, no reply in time: no exchange
            async with asyncio.timeout(timeout_seconds):
                answer = await self._ask(self._socket or await self._open())
        if answer is None:
            self.close()
        if suspended_ns(self._host) - slept_ns > SUSPENDED_NS:
            return None
        return answer

    def close(self) -> None:
        """Close the socket; the next exchange opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _open(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._server.host, self._server.port, type=socket.SOCK_DGRAM)
        family, _, _, _, address = found[0]
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.connect(address)
        self._address = (str(address[0]), int(address[1]))
        return self._socket

    async def _ask(self, connected: socket.socket) -> Exchange | Rejected:
        self._receive_times.sample()
        await asyncio.sleep(SAMPLE_FIRST_SECONDS)
        transmit = secrets.token_bytes(8)
        packet = request(transmit)
        asked = Asked(self._address, transmit, self._host.raw_ns())
        connected.send(packet)
        while True:
            verdict = self._receive(connected, asked)
            if isinstance(verdict, Rejected):
                self.rejected[verdict.reason] += 1
                if verdict.reason not in PERHAPS_FORGED:
                    return verdict
            elif verdict is not None:
                return verdict
            await _readable(connected)

    def _receive(self, connected: socket.socket, asked: Asked) -> Exchange | Rejected | None:
        try:
            data, ancillary, _, _ = connected.recvmsg(LARGEST_DATAGRAM_BYTES, RECEIVE_ANCILLARY_BYTES)
        except BlockingIOError:
            return None
        received_raw_ns = self._host.raw_ns()
        kernel_ns = receive_time_ns(ancillary)
        moment = None if kernel_ns is None else self._receive_times.raw_moment(kernel_ns)
        if moment is not None:
            received_raw_ns = min(received_raw_ns, moment.raw_ns + moment.uncertainty_ns)
        return judge(
            asked,
            data,
            self._address,  # the socket is connected: the kernel lets nobody else through
            received_raw_ns=received_raw_ns,
            pivot_ns=pivot_ns(self._host.realtime_ns()),
            drift_ppb=self._drift_ppb,
        )


async def _readable(watched: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(watched, wake)
    try:
        await ready
    finally:
        loop.remove_reader(watched)
