"""One server, asked over a connected UDP socket; the kernel says when a request left and a reply came. Decides nothing.

A name may have many addresses, of both families: one is asked at a time, and after it has not answered, or has denied
us, the next one; when all have had their turn the name is resolved again. They have one voice, being one operator's.
The socket stays open from one exchange to the next. A receive time that cannot be trusted is replaced by the moment of
reading: later, and later is sound. Likewise a sending time is replaced by the moment just before: earlier, and sound.
"""

import asyncio
import secrets
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from clockd.host import (
    RECEIVE_ANCILLARY_BYTES,
    SO_TIMESTAMPNS,
    HostClock,
    ReceiveTimes,
    receive_time_ns,
    suspended_ns,
)
from clockd.ntp.exchange import PERHAPS_FORGED, Address, Asked, Exchange, Reason, Rejected, judge
from clockd.ntp.packet import pivot_ns, request

LARGEST_DATAGRAM_BYTES: Final = 1024  # anything longer than a packet is dropped; this much tells
SUSPENDED_NS: Final = 1_000_000
SAMPLE_FIRST_SECONDS: Final = 0.011  # a receive time counts only if REALTIME − RAW is known from well before it
SO_TIMESTAMPING: Final = 37  # asm-generic/socket.h; also the type of the control message
SENDING_TIMES: Final = 1 << 1 | 1 << 4 | 1 << 11  # linux/net_tstamp.h: TX_SOFTWARE, SOFTWARE, OPT_TSONLY
ERROR_ANCILLARY_BYTES: Final = 256
_TIMESPEC = struct.Struct("@qq")


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
        trusts_local: whether a server whose reference is its own local clock counts.
    """

    def __init__(
        self,
        server: Server,
        host: HostClock,
        receive_times: ReceiveTimes,
        drift_ppb: int,
        *,
        trusts_local: bool = False,
    ) -> None:
        self.name = str(server)
        self.rejected: Counter[str] = Counter()
        self._server, self._host, self._receive_times = server, host, receive_times
        self._drift_ppb, self._trusts_local = drift_ppb, trusts_local
        self._socket: socket.socket | None = None
        self._address: Address = ("", 0)
        self._untried: list[tuple[int, Address]] = []
        self._denied: set[str] = set()

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
                connected = self._socket or await self._open()
                if connected is None:
                    return Rejected(Reason.KISS_DENY)
                answer = await self._ask(connected)
        if isinstance(answer, Rejected) and answer.reason is Reason.KISS_DENY:
            self._denied.add(self._address[0])
            answer = None  # the other addresses of the name may still answer; `_open` says when there is none
        if answer is None:
            self.close()
        if suspended_ns(self._host) - slept_ns > SUSPENDED_NS:
            return None
        return answer

    def close(self) -> None:
        """Close the socket; the next exchange opens another, to the next address."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _open(self) -> socket.socket | None:
        """A socket to the next address; None when every address has said never to be asked again."""
        if not self._untried:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(self._server.host, self._server.port, type=socket.SOCK_DGRAM)
            known = [(family, (str(address[0]), int(address[1]))) for family, _, _, _, address in found]
            self._untried = [each for each in known if each[1][0] not in self._denied]
            if not self._untried:
                return None
        family, address = self._untried.pop(0)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        with suppress(OSError):  # a kernel without it: the moment before sending serves
            self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, SENDING_TIMES)
        self._socket.connect(address)
        self._address = address
        return self._socket

    async def _ask(self, connected: socket.socket) -> Exchange | Rejected:
        self._receive_times.sample()
        await asyncio.sleep(SAMPLE_FIRST_SECONDS)
        self._drop_leftovers(connected)
        transmit = secrets.token_bytes(8)
        packet = request(transmit)
        asked = Asked(self._address, transmit, self._host.raw_ns())
        connected.send(packet)
        while True:
            asked = self._with_sending_time(connected, asked)
            verdict = self._receive(connected, asked)
            if isinstance(verdict, Rejected):
                self.rejected[verdict.reason] += 1
                if verdict.reason not in PERHAPS_FORGED:
                    return verdict
            elif verdict is not None:
                return verdict
            else:
                await _readable(connected)

    def _drop_leftovers(self, connected: socket.socket) -> None:
        """Sending times of questions that nobody waits for any more; replies to them fail by their origin."""
        with suppress(BlockingIOError):
            while True:
                connected.recvmsg(0, ERROR_ANCILLARY_BYTES, socket.MSG_ERRQUEUE)

    def _with_sending_time(self, connected: socket.socket, asked: Asked) -> Asked:
        """When the request left, by the kernel where it says so: not later than it did."""
        try:
            _, ancillary, _, _ = connected.recvmsg(0, ERROR_ANCILLARY_BYTES, socket.MSG_ERRQUEUE)
        except BlockingIOError:
            return asked
        kernel_ns = _sending_time_ns(ancillary)
        moment = None if kernel_ns is None else self._receive_times.raw_moment(kernel_ns)
        if moment is None:
            return asked
        return replace(asked, sent_raw_ns=max(asked.sent_raw_ns, moment.raw_ns - moment.uncertainty_ns))

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
            trusts_local=self._trusts_local,
        )


def _sending_time_ns(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """The kernel's time of sending (CLOCK_REALTIME of the machine): the first of three timespecs, by software."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPING and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds * 1_000_000_000 + nanoseconds) or None
    return None


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
