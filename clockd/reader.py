"""What a program on this host asks: what time was it then, and how sure is that? The gateways use just this.

A reader maps the page (`page.py`) and extrapolates on CLOCK_MONOTONIC_RAW by `model/clock.py`. It is given a time only
if everything that the page rests on still holds; otherwise there is none, with one word for why:

    missing    no file             torn       half written, or the checksum is wrong
    unreadable no permission, or no file at all but a folder
    foreign    no page of ours     unwritten  the daemon has not published yet
    version    a newer layout      boot       of another boot, or another simulated host
    machine    the virtual machine was moved or restored since (where there is a VMClock)
    suspended  the host slept since; RAW stood still, so the page would be early
    void       the last publication is 1000 s ago, or a leap second has come
    unknown, disrupted             the daemon itself says that there is none

A page is picked up by itself when it appears or is replaced, within 100 ms. While a writer is in the middle of an
update the page read before stays good: it is an older statement, but a true one.
"""

import mmap
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

from clockd.host import HostClock, suspended_ns
from clockd.machine import Machine, find_machine
from clockd.page import GENERATION_WORD, PAGE_BYTES, boot_hash, unpack
from clockd.states import State, Why
from model.clock import Interval, Line, stamp

__all__ = ["Reader", "Reading", "Stamp", "State"]

FOLLOW_EVERY_NS: Final = 100_000_000  # how often the file is looked at again
SUSPENDED_NS: Final = 1_000_000  # no suspend is this short; two clocks are read within it
ATTEMPTS: Final = 100


class Stamp(NamedTuple):
    """A moment in UTC: |`utc_ns` − true time| ≤ `bound_ns`."""

    utc_ns: int
    bound_ns: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What the page said when it was read.

    At RAW `as_of_raw_ns`, UTC − RAW was within `bound_ns` of `utc_minus_raw_ns`, and `page.Page` says more. `reason` is
    empty when there is a time, and one word for why not otherwise (the other fields then are what is known, and nothing
    to count on).
    """

    state: State
    reason: str
    host: str = ""
    update: int = 0
    utc_minus_raw_ns: int = 0
    as_of_raw_ns: int = 0
    bound_ns: int = 0
    rate_ppt: int = 0
    rate_bound_ppt: int = 0
    drift_ppb: int = 0
    wander_ppt_s: int = 0
    void_after_raw_ns: int = 0
    published_raw_ns: int = 0
    sources: int = 0
    agreeing: int = 0
    stratum: int = 0
    local_reference: bool = False
    why: Why = Why.NOTHING
    _line: Line = field(init=False, repr=False, compare=False)  # made once per page, not once per stamp

    def __post_init__(self) -> None:
        known = Line(self.as_of_raw_ns, self.utc_minus_raw_ns, self.bound_ns, self.rate_ppt, self.rate_bound_ppt)
        object.__setattr__(self, "_line", known)

    def stamp(self, raw_ns: int, uncertainty_ns: int = 0) -> Stamp | None:
        """The UTC of a moment on the RAW clock, known to ± `uncertainty_ns`; None when there is no safe time."""
        if self.reason or raw_ns > self.void_after_raw_ns:
            return None
        return Stamp(*stamp(self._line, raw_ns, uncertainty_ns, self.drift_ppb, self.wander_ppt_s))

    def interval(self, raw_ns: int) -> Interval | None:
        """What UTC can have been at that moment; None when there is no safe time."""
        if self.reason or raw_ns > self.void_after_raw_ns:
            return None
        utc_ns, bound_ns = stamp(self._line, raw_ns, 0, self.drift_ppb, self.wander_ppt_s)
        return Interval(utc_ns - bound_ns, utc_ns + bound_ns)


class Reader:
    """Reads one page; not to be shared between threads.

    Args:
        path: where `clockd run --page` writes; it need not exist yet.
        host: the clock of this host, the same as the daemon's.
        machine: the virtual machine's marker; found by itself where there is one.
    """

    def __init__(self, path: Path, host: HostClock, machine: Machine | None = None) -> None:
        self._path, self._host = path, host
        self._boot = boot_hash(host.boot_id)
        self._machine = machine or find_machine()
        self._marker = 0
        self._map: mmap.mmap | None = None
        self._generations: memoryview | None = None
        self._file = (0, 0)  # device and inode of what is mapped
        self._generation = 0
        self._suspended_ns = 0
        self._follow_at_ns = 0
        self._reading = Reading(State.UNKNOWN, "missing")

    def read(self) -> Reading:
        """What the page says now. An unchanged page costs two clock reads and a look at its generation."""
        now_ns = self._host.monotonic_ns()
        if now_ns >= self._follow_at_ns:
            self._follow_at_ns = now_ns + FOLLOW_EVERY_NS
            self._follow()
        elif self._generations is not None and self._generations[GENERATION_WORD] != self._generation:
            self._copy()
        reading = self._reading
        if reading.reason:
            return reading
        if self._host.boottime_ns() - now_ns - self._suspended_ns > SUSPENDED_NS:
            return self._after_suspend(reading)
        if self._machine is not None and self._machine.marker() != self._marker:
            return _without_time(reading, "machine")
        return reading

    def now(self) -> Interval | None:
        """What UTC can be at this very moment; None when there is no safe time."""
        return self.read().interval(self._host.raw_ns())

    def close(self) -> None:
        """Let go of the page; a later `read` opens it again."""
        if self._generations is not None:
            self._generations.release()
        if self._map is not None:
            self._map.close()
        self._map = self._generations = None
        self._file, self._generation, self._follow_at_ns = (0, 0), 0, 0

    def _after_suspend(self, reading: Reading) -> Reading:
        """The quick comparison may have been interrupted between two clocks; this one decides."""
        if suspended_ns(self._host) - self._suspended_ns <= SUSPENDED_NS:
            return reading
        self._reading = _without_time(reading, "suspended")
        return self._reading

    def _follow(self) -> None:
        """Look at the file again, whatever was known: it may have come, gone, been replaced, or be void."""
        try:
            status = self._path.stat()
        except OSError:
            self.close()
            self._reading = Reading(State.UNKNOWN, "missing")
            return
        if self._map is None or self._file != (status.st_dev, status.st_ino):
            self.close()
            self._reading = Reading(State.UNKNOWN, "missing")
            if not self._open():
                return
        self._copy()
        if not self._reading.reason and self._host.raw_ns() > self._reading.void_after_raw_ns:
            self._reading = _without_time(self._reading, "void")

    def _open(self) -> bool:
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_size < PAGE_BYTES:
                    self._reading = Reading(State.UNKNOWN, "foreign")
                    return False
                self._map = mmap.mmap(file.fileno(), PAGE_BYTES, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            return False
        except OSError:
            self._reading = Reading(State.UNKNOWN, "unreadable")
            return False
        self._file = (status.st_dev, status.st_ino)
        self._generations = memoryview(self._map).cast("H")
        return True

    def _copy(self) -> None:
        """Take the page over, if it can be had whole."""
        assert self._map is not None
        assert self._generations is not None
        for _ in range(ATTEMPTS):
            generation = self._generations[GENERATION_WORD]
            data = self._map[:PAGE_BYTES]
            if generation % 2 == 0 and generation == self._generations[GENERATION_WORD]:
                self._generation = generation
                self._take(data)
                return
        if self._reading.reason:
            self._reading = Reading(State.UNKNOWN, "torn")

    def _take(self, data: bytes) -> None:
        page = unpack(data)
        if isinstance(page, str):
            self._reading = Reading(State.UNKNOWN, page)
            return
        self._suspended_ns, self._marker = page.suspended_ns, page.marker
        reading = Reading(
            state=page.state,
            reason="",
            host=page.host,
            update=page.update,
            utc_minus_raw_ns=page.utc_minus_raw_ns,
            as_of_raw_ns=page.as_of_raw_ns,
            bound_ns=page.bound_ns,
            rate_ppt=page.rate_ppt,
            rate_bound_ppt=page.rate_bound_ppt,
            drift_ppb=page.drift_ppb,
            wander_ppt_s=page.wander_ppt_s,
            void_after_raw_ns=page.void_after_raw_ns,
            published_raw_ns=page.published_raw_ns,
            sources=page.sources,
            agreeing=page.agreeing,
            stratum=page.stratum,
            local_reference=page.local_reference,
            why=page.why,
        )
        if page.boot != self._boot:
            reading = _without_time(reading, "boot")
        elif not page.state.has_time:
            reading = replace(reading, reason=str(page.state))
        self._reading = reading


def _without_time(reading: Reading, reason: str) -> Reading:
    return replace(reading, state=State.UNKNOWN, reason=reason)
