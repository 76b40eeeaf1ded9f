"""When a request arrived, by this host's corrected clock, and how sure that is.

Python reads bytes that have waited in the kernel for up to hundreds of milliseconds; only the kernel knows when they
came. The listening socket carries SO_TIMESTAMPNS, so the intake gets the receive time of a request's last byte; on a
connection that was handed over, TCP_INFO tells how long ago the last data came, to one tick of the kernel. Either
becomes a moment on this host's raw clock, and the clock page says what UTC that is and with what bound. Where any of
it cannot be told there is no stamp.

Proxies and TLS terminators in front are outside the claim: a stamp is the arrival at *this* host's kernel.
"""

import socket
import struct
import time
from collections import deque
from typing import Final

from clockd.host import HostClock, ReceivedAt, ReceiveTimes
from clockd.reader import Reader, Stamp

_TCP_INFO_BYTES: Final = 56
_LAST_DATA_RECEIVED: Final = struct.Struct("44xI")
"""`tcpi_last_data_recv`, milliseconds, at byte 44 of `struct tcp_info` (Linux, since 2.4)."""

_CLOCK_MONOTONIC_COARSE: Final = 6
TICK_NS: Final = int(time.clock_getres(_CLOCK_MONOTONIC_COARSE) * 1e9)
"""One tick of this kernel, which is how finely TCP counts time."""
_MILLISECOND_NS: Final = 1_000_000


class Stamper:
    """This host's clock, as the gateway uses it."""

    def __init__(self, host: HostClock, reader: Reader) -> None:
        self.host = host
        self.reader = reader
        self.receive_times = ReceiveTimes(host)

    def stamp(self, received: ReceivedAt | None, skew_bound_ns: int) -> tuple[Stamp, str] | str:
        """The stamp of a request and the evidence for it (`<host>/<update>`); or why there is none.

        Args:
            received: when its last byte came; None where the kernel could not tell.
            skew_bound_ns: ε of the sale; a stamp that is less sure is none.
        """
        if received is None:
            return "the kernel did not tell when the request came, or the host's clock was stepped meanwhile"
        reading = self.reader.read()
        stamp = reading.stamp(received.raw_ns, received.uncertainty_ns)
        if stamp is None:
            return f"its clock is {reading.reason or 'void'}"
        if stamp.bound_ns > skew_bound_ns:
            return f"its clock is sure to {stamp.bound_ns} ns, and the sale asks for {skew_bound_ns} ns"
        return stamp, f"{reading.host}/{reading.update}"

    def now(self) -> Stamp | None:
        """This moment, or None without a safe clock."""
        return self.reader.read().stamp(self.host.raw_ns())

    def last_data_received(self, connected: socket.socket) -> ReceivedAt | None:
        """When the last data came in on a connection, to a tick of the kernel; None where that cannot be told."""
        try:
            info = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        except OSError:
            return None
        if len(info) < _LAST_DATA_RECEIVED.size:
            return None
        (age_ms,) = _LAST_DATA_RECEIVED.unpack_from(info)
        return ReceivedAt(self.host.raw_ns() - age_ms * _MILLISECOND_NS, TICK_NS + _MILLISECOND_NS)


class Heard:
    """The arbiter's heartbeats as they were read, to tell which was the last before a request arrived."""

    KEPT: Final = 64

    def __init__(self) -> None:
        self._heard: deque[tuple[int, int]] = deque(maxlen=self.KEPT)

    def record(self, read_raw_ns: int, arbiter_ns: int) -> None:
        """A heartbeat was read at `read_raw_ns` of this host; it was sent at `arbiter_ns` of the arbiter's clock."""
        self._heard.append((read_raw_ns, arbiter_ns))

    def before(self, raw_ns: int) -> int:
        """The arbiter's time in the last heartbeat read before a moment; 0 where there was none."""
        for read_raw_ns, arbiter_ns in reversed(self._heard):
            if read_raw_ns < raw_ns:
                return arbiter_ns
        return 0

    def latest(self) -> tuple[int, int] | None:
        """The newest heartbeat: (raw time of reading, arbiter's time)."""
        return self._heard[-1] if self._heard else None
