"""A running ptp4l as a source: what it says about the clock that it measures, over its management socket.

ptp4l measures how far its clock (REALTIME with software timestamps, a network card's clock with hardware ones) is from
the grandmaster's, and how long packets take. A defensible bound: the grandmaster's stated accuracy, plus the whole mean
path delay (one way may take nothing and the other all), plus |offset| (it may have been steered by that since, or a
packet may have been late by that), plus what the clock drifts since the last Sync. That is a statement, not a proof:
ptp4l filters, and does not say what it filtered away. Accuracy "unknown" (0xFE) is no bound, unless the operator states
one. After a change of grandmaster the next report does not count: the servo still follows the last one.

The grandmaster counts TAI if it says so (then UTC is that less the current offset, which must be valid), and UTC
otherwise. Source: IEEE 1588-2008 clauses 13, 15, table 6; linuxptp's `tlv.h`. Debian's 3.1.1 has no read-only socket.
"""

import asyncio
import os
import secrets
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clockd.host import HostClock
from clockd.ntp.exchange import Exchange, Reason, Rejected
from model.clock import growth_ns

MANAGEMENT: Final = 0x0D
GET, RESPONSE = 0, 2
TIME_STATUS, CURRENT, PARENT, PROPERTIES, PORT = 0xC000, 0x2001, 0x2002, 0x2003, 0x2004
DATA_BYTES: Final = {TIME_STATUS: 50, CURRENT: 18, PARENT: 32, PROPERTIES: 4, PORT: 26}
FOLLOWS: Final = (8, 9)  # uncalibrated, in which a free-running ptp4l stays, and slave
UTC_VALID, PTP_TIMESCALE, LEAP_59, LEAP_61 = 0x04, 0x08, 0x02, 0x01
_STEPS_NS: Final = (
    *(25, 100, 250),
    *(1000, 2500, 10_000, 25_000, 100_000, 250_000),
    *(10**6, 2_500_000, 10**7, 25 * 10**6, 10**8, 250 * 10**6),
    *(10**9, 10**10),
)
ACCURACIES_NS: Final = {0x20 + number: nanoseconds for number, nanoseconds in enumerate(_STEPS_NS)}
PTP_REFERENCE_ID: Final = int.from_bytes(b"PTP\0", "big")
SECOND_NS: Final = 1_000_000_000
SYNC_AGE_NS: Final = 10 * SECOND_NS  # no Sync for so long: it has lost its master, whatever its state says
_HEADER = struct.Struct(">BBHBBHQI10sHBB10sBBBB")
_TLV = struct.Struct(">HHH")


@dataclass(frozen=True, slots=True)
class Report:
    """What ptp4l says: its clock less the grandmaster's was `offset_ns` when the Sync of `ingress_ns` came."""

    offset_ns: int
    ingress_ns: int
    path_delay_ns: int
    steps_removed: int
    accuracy: int
    grandmaster: bytes
    utc_offset_ns: int | None
    leap: int


def question(identifier: int, sequence: int) -> bytes:
    """A management GET to every port."""
    every = b"\xff" * 10
    tlv = _TLV.pack(0x0001, 2 + DATA_BYTES[identifier], identifier) + bytes(DATA_BYTES[identifier])
    length = _HEADER.size + len(tlv)
    own = bytes(8) + struct.pack(">H", os.getpid() & 0xFFFF)
    head = _HEADER.pack(MANAGEMENT, 2, length, 0, 0, 0, 0, 0, own, sequence, 4, 0x7F, every, 0, 0, GET, 0)
    return head + tlv


def answer(data: bytes, sequence: int) -> tuple[int, bytes] | None:
    """Which data set an answer carries, and it; None when this is no answer to that question."""
    if len(data) < _HEADER.size + _TLV.size or data[0] & 0x0F != MANAGEMENT:
        return None
    fields = _HEADER.unpack_from(data)
    kind, length, identifier = _TLV.unpack_from(data, _HEADER.size)
    body = data[_HEADER.size + _TLV.size :]
    if fields[9] != sequence or fields[15] & 0x0F != RESPONSE or kind != 0x0001 or length != len(body) + 2:
        return None
    if identifier not in DATA_BYTES or len(body) < DATA_BYTES[identifier]:
        return None
    return identifier, body


def report(sets: Mapping[int, bytes]) -> Report | Rejected:
    """The data sets together; why they are no time."""
    if set(sets) != set(DATA_BYTES):
        return Rejected(Reason.LENGTH)
    status, current, parent, properties = sets[TIME_STATUS], sets[CURRENT], sets[PARENT], sets[PROPERTIES]
    offset_ns, ingress_ns = struct.unpack_from(">qq", status)
    (present,) = struct.unpack_from(">i", status, 38)
    steps, _, delay = struct.unpack_from(">Hqq", current)
    utc_seconds, flags = struct.unpack_from(">hB", properties)
    if sets[PORT][10] not in FOLLOWS or not present or ingress_ns == 0 or delay == 0:
        return Rejected(Reason.LEAP)
    if flags & PTP_TIMESCALE and not flags & UTC_VALID:
        return Rejected(Reason.TIMESCALE)
    return Report(
        offset_ns=offset_ns,
        ingress_ns=ingress_ns,
        path_delay_ns=-(-delay >> 16),
        steps_removed=steps,
        accuracy=parent[19],
        grandmaster=status[42:50],
        utc_offset_ns=utc_seconds * SECOND_NS if flags & PTP_TIMESCALE else None,
        leap=1 if flags & LEAP_61 else 2 if flags & LEAP_59 else 0,
    )


def distance_ns(said: Report, age_ns: int, drift_ppb: int, stated_accuracy_ns: int | None) -> int | Rejected:
    """How far the grandmaster's time, as ptp4l tells it, can be from UTC."""
    accuracy_ns = ACCURACIES_NS.get(said.accuracy, stated_accuracy_ns)
    if accuracy_ns is None:
        return Rejected(Reason.ACCURACY)
    if not 0 <= age_ns <= SYNC_AGE_NS or said.path_delay_ns < 0:
        return Rejected(Reason.STALE)
    return accuracy_ns + said.path_delay_ns + abs(said.offset_ns) + growth_ns(age_ns, drift_ppb)


class Ptp:
    """Asks one ptp4l.

    Args:
        path: of its management socket.
        stated_accuracy_ns: the grandmaster's, where it does not say; None: then there is no bound.
        clock: of the network card that ptp4l measures with, `/dev/ptp0`; None for REALTIME (software timestamps).

    Raises:
        OSError: that is no clock.
    """

    def __init__(
        self, path: Path, host: HostClock, drift_ppb: int, stated_accuracy_ns: int | None, clock: Path | None = None
    ) -> None:
        self.name = f"ptp:{path}"
        self._path, self._host, self._drift_ppb, self._stated_ns = path, host, drift_ppb, stated_accuracy_ns
        self._clock = os.open(clock, os.O_RDONLY | os.O_CLOEXEC) if clock else None
        self._grandmaster: bytes | None = None
        try:
            self.clock_ns()
        except OSError:
            self.close()
            raise

    async def ask(self, timeout_seconds: float) -> Exchange | Rejected | None:
        """One report, as an exchange with the clock that ptp4l measures."""
        with suppress(OSError):
            async with asyncio.timeout(timeout_seconds):
                return self._judge(await self._ask())
        return None

    def close(self) -> None:
        """Let go of the network card's clock."""
        if self._clock is not None:
            os.close(self._clock)
            self._clock = None

    def _judge(self, sets: Mapping[int, bytes]) -> Exchange | Rejected:
        said = report(sets)
        if isinstance(said, Rejected):
            return said
        changed = self._grandmaster not in {None, said.grandmaster}
        self._grandmaster = said.grandmaster
        if changed:
            return Rejected(Reason.GRANDMASTER)
        before_ns, clock_ns, after_ns = self._host.raw_ns(), self.clock_ns(), self._host.raw_ns()
        within_ns = distance_ns(said, clock_ns - said.ingress_ns, self._drift_ppb, self._stated_ns)
        if isinstance(within_ns, Rejected):
            return within_ns
        utc_ns = clock_ns - said.offset_ns - (said.utc_offset_ns or 0)
        return Exchange(
            address=(self.name, 0),
            sent_raw_ns=before_ns,
            server_received_ns=utc_ns,
            server_sent_ns=utc_ns,
            received_raw_ns=after_ns,
            distance_ns=within_ns,
            stratum=min(1 + said.steps_removed, 15),
            reference_id=PTP_REFERENCE_ID,
            leap=said.leap,
        )

    def clock_ns(self) -> int:
        """The clock that ptp4l measures, now; nanoseconds since its own zero."""
        if self._clock is None:
            return self._host.realtime_ns()
        return time.clock_gettime_ns((~self._clock << 3) | 3)  # linux/posix-timers.h: FD_TO_CLOCKID

    async def _ask(self) -> dict[int, bytes]:
        """All data sets, one after the other."""
        loop, own = asyncio.get_running_loop(), self._path.parent / f"clockd.{os.getpid()}.{secrets.token_hex(4)}"
        sets: dict[int, bytes] = {}
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
            asking.setblocking(False)
            try:
                asking.bind(str(own))
                asking.connect(str(self._path))
                for identifier in DATA_BYTES:
                    sequence = secrets.randbits(16)
                    await loop.sock_sendall(asking, question(identifier, sequence))
                    while (said := answer(await loop.sock_recv(asking, 2048), sequence)) is None or said[
                        0
                    ] != identifier:
                        continue
                    sets[identifier] = said[1]
            finally:
                own.unlink(missing_ok=True)
        return sets
