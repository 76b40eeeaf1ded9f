"""A running chronyd as a source: what it says about the host's REALTIME, over its command protocol.

chronyd knows how far REALTIME is off (`correction`) and bounds what it does not know by root delay/2 + root dispersion,
"assuming the stratum-1 computer is correct". REALTIME may be slewed while we ask, so it is read before and after, and
both count. One trap: a chronyd that has no source but serves `local` says leap 0, delay 0, dispersion 0, which is a
bound of nothing while nothing is synchronised; its reference id 127.127.1.x gives it away, and it does not count unless
the operator says so.

Command protocol 6, big-endian, read only: UDP port 323 of localhost, or the Unix socket, to which a client must bind a
path of its own. Floats are rounded outward by one unit of their last place. Source: chrony's `candm.h`, `util.c`.
"""

import asyncio
import os
import secrets
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clockd.host import HostClock
from clockd.ntp.exchange import LOCAL_CLOCK, ROOT_DISTANCE_NS, STRATA, Exchange, Reason, Rejected
from clockd.ntp.packet import UNSYNCHRONIZED

TRACKING: Final = 33
TRACKING_REPLY: Final = 5
REQUEST_BYTES: Final = 104  # a request is padded to its reply, against amplification; 103 are refused
REPLY_BYTES: Final = 104
SECOND_NS: Final = 1_000_000_000
_REQUEST = struct.Struct(">BBBBHHIII")
_REPLY = struct.Struct(">4xHHH6xI8xI20xHH")
_FLOATS = struct.Struct(">9I")  # from byte 68: correction … root delay, root dispersion, interval


@dataclass(frozen=True, slots=True)
class Tracking:
    """What chronyd says: UTC − REALTIME is within `distance_ns` of `correction_ns`."""

    correction_ns: int
    distance_ns: int
    stratum: int
    leap: int
    reference_id: int


def request(sequence: int) -> bytes:
    """Ask for the tracking report."""
    return _REQUEST.pack(6, 1, 0, 0, TRACKING, 0, sequence, 0, 0).ljust(REQUEST_BYTES, b"\0")


def parse(data: bytes, sequence: int, *, trusts_local: bool) -> Tracking | Rejected | None:
    """A report; why it does not count; or None when this is no answer to that request."""
    if len(data) < REPLY_BYTES or data[:2] != b"\x06\x02":
        return None
    command, reply, status, echoed, reference_id, stratum, leap = _REPLY.unpack_from(data)
    if (command, reply, status, echoed) != (TRACKING, TRACKING_REPLY, 0, sequence):
        return None
    floats = _FLOATS.unpack_from(data, 68)
    low, high = float_ns(floats[0])
    delay_ns, dispersion_ns = float_ns(floats[6])[1], float_ns(floats[7])[1]
    distance_ns = -(-delay_ns // 2) + dispersion_ns + (high - low)
    if reference_id >> 16 == LOCAL_CLOCK and not trusts_local:
        return Rejected(Reason.LOCAL_REFERENCE)
    if leap == UNSYNCHRONIZED:
        return Rejected(Reason.LEAP)
    if not 0 < stratum < STRATA:
        return Rejected(Reason.STRATUM)
    if delay_ns < 0 or dispersion_ns < 0 or distance_ns >= ROOT_DISTANCE_NS:
        return Rejected(Reason.ROOT_DISTANCE)
    return Tracking(low, distance_ns, stratum, leap, reference_id)


def float_ns(bits: int) -> tuple[int, int]:
    """chrony's 32-bit float of seconds as nanoseconds: 7 bits of exponent, 25 of coefficient, both signed.

    The true value was rounded to the nearest coefficient: it lies between these two, rounded outward.
    """
    exponent, coefficient = bits >> 25, bits & 0x1FFFFFF
    exponent -= 128 if exponent >= 64 else 0
    coefficient -= 1 << 25 if coefficient >= 1 << 24 else 0
    shift = exponent - 25
    ends = []
    for end in (coefficient - 1, coefficient + 1) if coefficient else (0, 0):
        scaled = end * SECOND_NS
        ends.append((scaled << shift, scaled << shift) if shift >= 0 else (scaled >> -shift, -(-scaled >> -shift)))
    return ends[0][0], ends[1][1]


class Chrony:
    """Asks one chronyd.

    Args:
        where: a Unix socket's path, or (address, port) of its command port.
    """

    def __init__(self, where: Path | tuple[str, int], host: HostClock, *, trusts_local: bool = False) -> None:
        self.name = f"chrony:{where}" if isinstance(where, Path) else f"chrony:{where[0]}:{where[1]}"
        self._where, self._host, self._trusts_local = where, host, trusts_local

    async def ask(self, timeout_seconds: float) -> Exchange | Rejected | None:
        """One report, as an exchange with the host's own REALTIME."""
        with suppress(OSError):
            async with asyncio.timeout(timeout_seconds):
                with self._open() as asking:
                    return await self._ask(asking)
        return None

    def close(self) -> None:
        """Nothing stays open between reports."""

    def _open(self) -> "_Asking":
        return _Asking(self._where)

    async def _ask(self, asking: "_Asking") -> Exchange | Rejected:
        loop, host, sequence = asyncio.get_running_loop(), self._host, secrets.randbits(32)
        before_ns = host.raw_ns()
        ahead_before_ns = host.realtime_ns() - before_ns  # too large by the time between the readings: outward below
        slack_ns = host.raw_ns() - before_ns
        await loop.sock_sendall(asking.socket, request(sequence))
        while (
            said := parse(await loop.sock_recv(asking.socket, 1024), sequence, trusts_local=self._trusts_local)
        ) is None:
            continue
        again_ns = host.raw_ns()
        ahead_after_ns = host.realtime_ns() - again_ns
        after_ns = host.raw_ns()
        slack_ns = max(slack_ns, after_ns - again_ns)
        if isinstance(said, Rejected):
            return said
        return Exchange(
            address=(self.name, 0),
            sent_raw_ns=before_ns,
            server_received_ns=before_ns + max(ahead_before_ns, ahead_after_ns) + said.correction_ns,
            server_sent_ns=after_ns + min(ahead_before_ns, ahead_after_ns) + said.correction_ns,
            received_raw_ns=after_ns,
            distance_ns=said.distance_ns + slack_ns,
            stratum=said.stratum,
            reference_id=said.reference_id,
            leap=said.leap,
        )


class _Asking:
    """A socket for one report; of the Unix kind it needs a path of its own, which goes with it."""

    def __init__(self, where: Path | tuple[str, int]) -> None:
        self._path: Path | None = None
        if isinstance(where, Path):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._path = where.parent / f"clockd.{os.getpid()}.{secrets.token_hex(4)}.sock"
        else:
            self.socket = socket.socket(socket.AF_INET6 if ":" in where[0] else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.setblocking(False)
            if self._path:
                self.socket.bind(str(self._path))
                self._path.chmod(0o666)  # chronyd answers as another user
            self.socket.connect(str(where) if isinstance(where, Path) else where)
        except OSError:
            self.__exit__()
            raise

    def __enter__(self) -> "_Asking":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        if self._path:
            self._path.unlink(missing_ok=True)
