"""`clockd serve`: answers NTP from this host's corrected clock, with this host's own bound as root dispersion.

Only a client's request (mode 3) is answered, with as many bytes as a plain one has: no loops between two servers, no
amplification. The kernel says when a request came. Without a safe time the answer says so (leap 3, stratum 0, no times)
and no client takes it. A request's own fields are copied to nothing but the origin, version and poll of its answer.
"""

import asyncio
import signal
import socket
from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog

from clockd.host import (
    RECEIVE_ANCILLARY_BYTES,
    SO_TIMESTAMPNS,
    HostClock,
    ReceiveTimes,
    receive_time_ns,
)
from clockd.local import LOCAL_STRATUM
from clockd.ntp.client import Server
from clockd.ntp.exchange import LOCAL_REFERENCE_ID, STRATA
from clockd.ntp.packet import CLIENT, PACKET_BYTES, SERVER, UNSYNCHRONIZED, VERSION, Packet, decode, encode, to_ntp
from clockd.reader import Reader, Reading, Stamp

PAGE_REFERENCE_ID: Final = int.from_bytes(b"PAGE", "big")
PRECISION: Final = -28  # 4 ns: more than rounding costs; the rest is in the dispersion
SAMPLE_EVERY_SECONDS: Final = 0.1
AT_ONCE: Final = 64  # datagrams per turn of the loop

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a server introduces itself."""

    stratum: int
    reference_id: int


class Truth(Protocol):
    """Where a server has its time from."""

    def received(self, kernel_ns: int | None) -> Stamp | None:
        """When a request came, by the kernel or by now at the latest."""

    def now(self) -> Stamp | None:
        """What time it is; None when that is not known."""

    def standing(self) -> Standing:
        """Stratum and reference of the last answer."""


class LocalTruth:
    """This host's REALTIME, stated to be within `bound_ns` of UTC."""

    def __init__(self, host: HostClock, bound_ns: int) -> None:
        self._host, self._bound_ns = host, bound_ns

    def received(self, kernel_ns: int | None) -> Stamp | None:
        """By this host's REALTIME."""
        return self.now() if kernel_ns is None else Stamp(self._host.from_kernel_ns(kernel_ns), self._bound_ns)

    def now(self) -> Stamp | None:
        """By this host's REALTIME."""
        return Stamp(self._host.realtime_ns(), self._bound_ns)

    def standing(self) -> Standing:
        """A local reference, and nothing behind it."""
        return Standing(LOCAL_STRATUM, LOCAL_REFERENCE_ID)


class PageTruth:
    """The time of this host's clock page."""

    def __init__(self, host: HostClock, reader: Reader, receive_times: ReceiveTimes) -> None:
        self._host, self._reader, self._receive_times = host, reader, receive_times
        self._reading: Reading = reader.read()

    def received(self, kernel_ns: int | None) -> Stamp | None:
        """By the page; the moment of asking where the kernel's time cannot be trusted: later, and later is sound."""
        self._reading = self._reader.read()
        moment = None if kernel_ns is None else self._receive_times.raw_moment(kernel_ns)
        return self._reading.stamp(*moment) if moment else self.now()

    def now(self) -> Stamp | None:
        """By the page as it was read for this request."""
        return self._reading.stamp(self._host.raw_ns())

    def standing(self) -> Standing:
        """One stratum below the page's sources."""
        local = self._reading.local_reference
        return Standing(self._reading.stratum, LOCAL_REFERENCE_ID if local else PAGE_REFERENCE_ID)


def answer(data: bytes, truth: Truth, kernel_ns: int | None) -> bytes | None:
    """The answer to a datagram; None when it is no client's request."""
    if len(data) < PACKET_BYTES:
        return None
    asked = decode(data)
    if asked.mode != CLIENT or not 1 <= asked.version <= VERSION:
        return None
    received, standing, now = truth.received(kernel_ns), truth.standing(), truth.now()
    if received is None or now is None or not 0 < standing.stratum < STRATA:
        return encode(_reply(asked, data[40:48]))
    reply = replace(
        _reply(asked, data[40:48]),
        leap=0,
        stratum=standing.stratum,
        root_dispersion_ns=max(received.bound_ns, now.bound_ns),
        reference_id=standing.reference_id,
        reference=to_ntp(now.utc_ns),
        receive=to_ntp(received.utc_ns),
    )
    head = encode(reply)[: PACKET_BYTES - 8]
    return head + to_ntp((truth.now() or now).utc_ns).to_bytes(8, "big")  # read last: the client waits less in vain


def _reply(asked: Packet, origin: bytes) -> Packet:
    """An answer that there is no time."""
    return Packet(
        leap=UNSYNCHRONIZED,
        version=asked.version,
        mode=SERVER,
        stratum=0,
        poll=asked.poll,
        precision=PRECISION,
        root_delay_ns=0,
        root_dispersion_ns=0,
        reference_id=0,
        reference=0,
        origin=origin,
        receive=0,
        transmit=0,
    )


def bind(listen: Server) -> socket.socket:
    """The socket to serve on.

    Raises:
        OSError: the address cannot be had.
    """
    family, kind, _, _, address = socket.getaddrinfo(
        listen.host, listen.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def answer_waiting(bound: socket.socket, truth: Truth) -> None:
    """Answer what is waiting on a socket, at most so much that the loop gets its turn."""
    for _ in range(AT_ONCE):
        try:
            data, ancillary, _, sender = bound.recvmsg(PACKET_BYTES * 8, RECEIVE_ANCILLARY_BYTES)
            reply = answer(data, truth, receive_time_ns(ancillary))
            if reply is not None:
                bound.sendto(reply, sender)
        except BlockingIOError:
            return
        except OSError as error:  # an earlier answer's port was closed, or the network is down: the client asks again
            log.debug("unsent", error=error.strerror)


async def serve(bound: socket.socket, truth: Truth, receive_times: ReceiveTimes) -> None:
    """Answer until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(bound, answer_waiting, bound, truth)
    log.info("serving", address=bound.getsockname())
    while not stop.is_set():
        receive_times.sample()
        try:
            async with asyncio.timeout(SAMPLE_EVERY_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue
    loop.remove_reader(bound)
    log.info("stopped")
