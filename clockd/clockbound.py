"""A ClockBound segment as a source, version 1 or 2: what another daemon says about the host's REALTIME.

ClockBound's own rules for a reader: REALTIME first, then CLOCK_MONOTONIC_COARSE; the bound of `as_of` grows with the
stated drift, rounded up; a time before `as_of` is a causality breach; after `void_after`, or in states other than
synchronized and free-running, there is none. Each segment is a source with one vote, and says nothing about its own.
Source: aws/clock-bound `clock-bound-shm` 2.0.2; layout: `docs/clock-page.md` and `page.py`.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clockd.host import HostClock
from clockd.ntp.exchange import STRATA, Exchange, Reason, Rejected
from clockd.page import MAGIC
from clockd.states import STATES, State
from model.clock import growth_ns

V1_BYTES: Final = 72
V2_BYTES: Final = 80
ATTEMPTS: Final = 100
CAUSALITY_NS: Final = 1000
TICK_NS: Final = 10_000_000  # CLOCK_MONOTONIC_COARSE is this late at most
_HEADER = struct.Struct("=2I I H H")
_V1 = struct.Struct("=qq qq q I i")
_V2 = struct.Struct("=qq qq q Q I i B")


@dataclass(frozen=True, slots=True)
class Segment:
    """What a segment says; `as_of_ns` and `void_after_ns` in CLOCK_MONOTONIC_COARSE."""

    as_of_ns: int
    void_after_ns: int
    bound_ns: int
    marker: int
    drift_ppb: int
    state: State


def parse(data: bytes) -> Segment | None:
    """A whole segment of version 1 or 2; None when this is none, or being written."""
    if len(data) < V1_BYTES or _HEADER.unpack_from(data)[:2] != MAGIC:
        return None
    _, _, size, version, generation = _HEADER.unpack_from(data)
    if generation == 0 or generation % 2 or len(data) < size:
        return None
    if version == 1 and size >= V1_BYTES:
        seconds, ns, void_seconds, void_ns, bound_ns, drift_ppb, status = _V1.unpack_from(data, 16)
        marker = 0
    elif version == 2 and size >= V2_BYTES:
        seconds, ns, void_seconds, void_ns, bound_ns, marker, drift_ppb, status, _ = _V2.unpack_from(data, 16)
    else:
        return None
    if not 0 <= status < len(STATES) or bound_ns < 0:
        return None
    second = 1_000_000_000
    return Segment(seconds * second + ns, void_seconds * second + void_ns, bound_ns, marker, drift_ppb, STATES[status])


def bound_at(segment: Segment, monotonic_coarse_ns: int) -> int | None:
    """How far REALTIME is off at most; None where ClockBound has no time."""
    if not segment.state.has_time or monotonic_coarse_ns >= segment.void_after_ns:
        return None
    elapsed_ns = monotonic_coarse_ns - segment.as_of_ns
    if elapsed_ns < -CAUSALITY_NS:
        return None
    return segment.bound_ns + growth_ns(max(elapsed_ns, 0) + TICK_NS, segment.drift_ppb)


class ClockBound:
    """Reads one segment."""

    def __init__(self, path: Path, host: HostClock) -> None:
        self.name = f"clockbound:{path}"
        self._path, self._host = path, host
        self._marker: int | None = None

    async def ask(self, timeout_seconds: float) -> Exchange | Rejected | None:  # noqa: ARG002 (the shape of a source)
        """What the segment says now, as an exchange with the host's own REALTIME."""
        segment = self._read()
        if segment is None:
            return None
        if self._marker not in {None, segment.marker}:
            self._marker = segment.marker
            return Rejected(Reason.DISRUPTED)
        self._marker = segment.marker
        host = self._host
        before_ns, realtime_ns, after_ns = host.raw_ns(), host.realtime_ns(), host.raw_ns()
        bound_ns = bound_at(segment, host.monotonic_coarse_ns())
        if bound_ns is None:
            return Rejected(Reason.LEAP if segment.state is not State.DISRUPTED else Reason.DISRUPTED)
        return Exchange(
            address=(self.name, 0),
            sent_raw_ns=before_ns,
            server_received_ns=realtime_ns,
            server_sent_ns=realtime_ns,
            received_raw_ns=after_ns,
            distance_ns=bound_ns,
            stratum=STRATA // 2,  # it does not say
            reference_id=0,
        )

    def close(self) -> None:
        """Nothing stays open between readings."""

    def _read(self) -> Segment | None:
        """A segment whose generation is the same after reading it as before."""
        for _ in range(ATTEMPTS):
            try:
                with self._path.open("rb", buffering=0) as file:
                    data = file.read(4096)
                    file.seek(0)
                    again = file.read(_HEADER.size)
            except OSError:
                return None
            if data[: _HEADER.size] == again and (segment := parse(data)):
                return segment
        return None
