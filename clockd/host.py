"""This host's clocks, real or simulated: the only place under clockd and gateways where a clock is read.

What each clock is for: CLOCK_MONOTONIC_RAW is the oscillator that nobody steers, everything is extrapolated on it.
CLOCK_REALTIME may be stepped or slewed at any moment; the kernel stamps received packets with it, so it is read only to
turn such a stamp into a RAW moment. CLOCK_MONOTONIC_COARSE is ClockBound's time base. CLOCK_BOOTTIME − CLOCK_MONOTONIC
is the time spent suspended, during which RAW stands still.

A simulated host is this machine with a worse oscillator: its REALTIME is off by an offset, and REALTIME and RAW run
fast or slow by a drift. It is a pure function of the machine's clocks, so all processes of one simulated host agree.
Its boot id carries the simulation: a page written by one simulated host is another boot's page to every other.

`ReceiveTimes` turns the kernel's receive times into RAW moments, or says that it cannot. Next: `reader.py`.
"""

import socket
import struct
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from clockd.fate import Fate
from model.clock import lead_change_ns, realtime_lead_ns, receive_moment

SO_TIMESTAMPNS: Final = 35  # asm-generic/socket.h; also the type of the control message that carries the time
RECEIVE_ANCILLARY_BYTES: Final = 64  # room for one timespec in recvmsg's ancillary buffer
CLOCK_MONOTONIC_COARSE: Final = 6  # linux/time.h; Python names the other four
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
PPB: Final = 1_000_000_000

__all__ = ["Fate", "HostClock", "RealClock", "ReceiveTimes", "ReceivedAt", "SimulatedClock", "open_host_clock"]

_TIMESPEC = struct.Struct("@qq")
_clock_ns = time.clock_gettime_ns
_RAW: Final = time.CLOCK_MONOTONIC_RAW
_REALTIME: Final = time.CLOCK_REALTIME
_BOOTTIME: Final = time.CLOCK_BOOTTIME


class HostClock(Protocol):
    """The clocks of one host, each in nanoseconds since its own zero."""

    @property
    def boot_id(self) -> str:
        """Which boot of which host: readings of two boots have nothing to do with each other."""

    def raw_ns(self) -> int:
        """CLOCK_MONOTONIC_RAW: never steered, stands still in suspend."""

    def realtime_ns(self) -> int:
        """CLOCK_REALTIME: Unix time as this host believes it, uncorrected."""

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC: slewed by whoever disciplines the host, stands still in suspend."""

    def monotonic_coarse_ns(self) -> int:
        """CLOCK_MONOTONIC_COARSE: CLOCK_MONOTONIC at the last tick of the kernel, up to 10 ms ago."""

    def boottime_ns(self) -> int:
        """CLOCK_BOOTTIME: CLOCK_MONOTONIC and the time spent suspended."""

    def from_kernel_ns(self, kernel_realtime_ns: int) -> int:
        """A receive time by the kernel, as this host's CLOCK_REALTIME would have told it."""


def _this_boot() -> str:
    return BOOT_ID.read_text(encoding="ascii").strip()


@dataclass(frozen=True, slots=True)
class RealClock:
    """The clocks of this machine as they are."""

    boot_id: str = field(default_factory=_this_boot)

    def raw_ns(self) -> int:
        return _clock_ns(_RAW)

    def realtime_ns(self) -> int:
        return _clock_ns(_REALTIME)

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def monotonic_coarse_ns(self) -> int:
        return _clock_ns(CLOCK_MONOTONIC_COARSE)

    def boottime_ns(self) -> int:
        return _clock_ns(_BOOTTIME)

    def from_kernel_ns(self, kernel_realtime_ns: int) -> int:
        return kernel_realtime_ns


@dataclass(frozen=True, slots=True)
class SimulatedClock(RealClock):
    """This machine with a worse oscillator, and perhaps a fate: `fate.py`.

    Args:
        offset_ns: how far REALTIME is ahead when RAW of the machine reads `since_ns`.
        drift_ppb: how much faster REALTIME and RAW run, in (−10⁹, 10⁹).
        since_ns: the machine's CLOCK_MONOTONIC_RAW from which the drift adds up.
        fate: the file that says when it was stepped, when it slept, and at which rate it ran from when.
    """

    offset_ns: int = 0
    drift_ppb: int = 0
    since_ns: int = 0
    fate: Path | None = None
    _fate: Fate | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        simulation = f"{self.offset_ns},{self.drift_ppb},{self.since_ns}" + (f",{self.fate}" if self.fate else "")
        object.__setattr__(self, "boot_id", f"{self.boot_id}/{simulation}")
        object.__setattr__(self, "_fate", self.fate and Fate(self.fate))

    def raw_ns(self) -> int:
        raw_ns = _clock_ns(_RAW)
        return raw_ns + self._gained_ns(raw_ns) - self._befallen_ns(raw_ns)[1]

    def realtime_ns(self) -> int:
        raw_ns = _clock_ns(_RAW)
        return _clock_ns(_REALTIME) + self.offset_ns + self._gained_ns(raw_ns) + self._befallen_ns(raw_ns)[0]

    def monotonic_ns(self) -> int:
        return time.monotonic_ns() - self._befallen_ns(_clock_ns(_RAW))[1]

    def monotonic_coarse_ns(self) -> int:
        return _clock_ns(CLOCK_MONOTONIC_COARSE) - self._befallen_ns(_clock_ns(_RAW))[1]

    def from_kernel_ns(self, kernel_realtime_ns: int) -> int:
        raw_then_ns = _clock_ns(_RAW) - (_clock_ns(_REALTIME) - kernel_realtime_ns)
        gained_ns = self._gained_ns(raw_then_ns)
        return kernel_realtime_ns + self.offset_ns + gained_ns + self._befallen_ns(raw_then_ns)[0]

    def _gained_ns(self, raw_ns: int) -> int:
        befallen_ns = self._fate.gained_ns(raw_ns) if self._fate else 0
        return self.drift_ppb * (raw_ns - self.since_ns) // PPB + befallen_ns

    def _befallen_ns(self, raw_ns: int) -> tuple[int, int]:
        """Added to REALTIME, and slept."""
        return self._fate.until(raw_ns) if self._fate else (0, 0)


def open_host_clock(spec: str) -> HostClock:
    """The host clock that a `--host-clock` flag asks for.

    Args:
        spec: `real`, or `simulated:offset_ns=40000000,drift_ppb=20000,since_ns=123,fate=/tmp/fate`; offset and drift
            default to 0, a drift needs its `since_ns`, and without `fate` nothing befalls it.

    Raises:
        ValueError: one line that says what is wrong with the spec.
    """
    kind, _, rest = spec.partition(":")
    if spec == "real":
        return RealClock()
    if kind != "simulated":
        raise ValueError(f"host clock {spec!r}: say 'real' or 'simulated:offset_ns=…,drift_ppb=…,since_ns=…,fate=…'")
    said: dict[str, str] = {}
    for part in filter(None, rest.split(",")):
        name, _, text = part.partition("=")
        if name not in {"offset_ns", "drift_ppb", "since_ns", "fate"} or name in said:
            raise ValueError(f"host clock {spec!r}: {name!r} is not one of offset_ns, drift_ppb, since_ns, fate, once")
        said[name] = text
    fate = Path(said.pop("fate")) if said.get("fate") else None
    values: dict[str, int] = {}
    for name, text in said.items():
        try:
            values[name] = int(text)
        except ValueError:
            raise ValueError(f"host clock {spec!r}: {name} is not an integer: {text!r}") from None
    if not -PPB < values.get("drift_ppb", 0) < PPB:
        raise ValueError(f"host clock {spec!r}: drift_ppb must lie between -{PPB} and {PPB}")
    if values.get("drift_ppb") and "since_ns" not in values:
        raise ValueError(f"host clock {spec!r}: a drift needs since_ns, the CLOCK_MONOTONIC_RAW from which it adds up")
    try:
        return SimulatedClock(
            offset_ns=values.get("offset_ns", 0),
            drift_ppb=values.get("drift_ppb", 0),
            since_ns=values.get("since_ns", 0),
            fate=fate,
        )
    except OSError as error:
        raise ValueError(f"host clock {spec!r}: {error.strerror}") from error


def suspended_ns(host: HostClock) -> int:
    """How long this host has been suspended since boot, to well under a millisecond, and never less than it was.

    The two clocks differ by a constant between suspends, but cannot be read at one moment; the least of three
    differences is one in which nothing came between the two readings.
    """
    return min(-host.monotonic_ns() + host.boottime_ns() for _ in range(3))


def receive_time_ns(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
    """The kernel's receive time (CLOCK_REALTIME of the machine) in what `recvmsg` returned; None when there is none."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return None


class ReceivedAt(NamedTuple):
    """A moment on this host's RAW clock, known to ± `uncertainty_ns`."""

    raw_ns: int
    uncertainty_ns: int


SAMPLE_EVERY_NS: Final = 10_000_000
SAMPLES_LAST_NS: Final = 8_000_000_000  # longer than any request waits in the kernel and is still of use
JUMP_NS: Final = 1_000_000  # chrony's fastest slew, 83 000 ppm, stays below this between two samples


class ReceiveTimes:
    """Turns the kernel's receive times into RAW moments, watching REALTIME − RAW so that no step gets into them.

    A receive time is in REALTIME. Its age by REALTIME is also its age by RAW, unless REALTIME was steered against RAW
    in between. So `sample()` records REALTIME − RAW now and then, and a moment counts only if the difference has hardly
    changed since well before that moment; what it changed is part of the uncertainty. A step back may also make an old
    packet look younger than the step, so for as long as the step is wide (at most as long as samples last) nothing
    before it is told from what came after it, and there is no moment. A step there and back within 10 ms is not seen.

    Args:
        attempts: how often both clocks are read for each comparison, of which the tightest counts. More of them are
            surer by some 100 ns, and cost as many microseconds.
        bracket_ns: a reading that took no longer than twice this is taken as it is; 0: always the tightest of all.
    """

    __slots__ = (
        "_attempts",
        "_bracket_ns",
        "_from_kernel_ns",
        "_next_sample_raw_ns",
        "_raw_ns",
        "_realtime_ns",
        "_samples",
        "_trusted_from_raw_ns",
        "steps",
    )

    def __init__(self, host: HostClock, attempts: int = 4, bracket_ns: int = 5_000) -> None:
        self._attempts, self._bracket_ns = attempts, bracket_ns
        self._raw_ns, self._realtime_ns, self._from_kernel_ns = host.raw_ns, host.realtime_ns, host.from_kernel_ns
        self._samples: deque[tuple[int, int, int]] = deque()  # RAW, REALTIME − RAW, ± of both; oldest first
        self._next_sample_raw_ns = host.raw_ns()
        self._trusted_from_raw_ns = self._next_sample_raw_ns
        self.steps = 0
        """Jumps of REALTIME that were seen."""
        self.sample()

    def sample(self) -> None:
        """Record REALTIME − RAW; call it on every turn of the loop, it does nothing more than once in 10 ms."""
        if self._raw_ns() < self._next_sample_raw_ns:
            return
        before_ns, realtime_ns, after_ns = self._read_again()
        difference_ns, plus_minus_ns = realtime_lead_ns(before_ns, realtime_ns, after_ns)
        raw_ns = realtime_ns - difference_ns
        samples = self._samples
        if samples and abs(difference_ns - samples[-1][1]) > JUMP_NS:
            self.steps += 1
            step_ns = abs(difference_ns - samples[-1][1])
            self._trusted_from_raw_ns = raw_ns + min(step_ns, SAMPLES_LAST_NS)
            samples.clear()
        samples.append((raw_ns, difference_ns, plus_minus_ns))
        while len(samples) > 2 and samples[2][0] < raw_ns - SAMPLES_LAST_NS:
            samples.popleft()  # two stay that are older: one of them is well before whatever came since
        self._next_sample_raw_ns = raw_ns + SAMPLE_EVERY_NS

    def raw_moment(self, kernel_realtime_ns: int) -> ReceivedAt | None:
        """The RAW moment of a kernel receive time, or None when it cannot be told safely.

        None means: REALTIME jumped (by more than 1 ms) since, the time lies in the future, or nothing was sampled in
        the 10 ms before it, or earlier.
        """
        before_ns, realtime_now_ns, after_ns = self._raw_ns(), self._realtime_ns(), self._raw_ns()
        if after_ns - before_ns > 2 * self._bracket_ns:
            before_ns, realtime_now_ns, after_ns = self._read_again()
        difference_now_ns, plus_minus_ns = realtime_lead_ns(before_ns, realtime_now_ns, after_ns)
        received_ns = self._from_kernel_ns(kernel_realtime_ns)
        raw_ns = received_ns - difference_now_ns
        if received_ns > realtime_now_ns + plus_minus_ns or raw_ns < self._trusted_from_raw_ns:
            return None
        well_before_ns = raw_ns - SAMPLE_EVERY_NS
        change_ns = 0
        for sampled_raw_ns, difference_ns, sampled_plus_minus_ns in reversed(self._samples):
            changed_ns = lead_change_ns(difference_now_ns, difference_ns, sampled_plus_minus_ns)
            if changed_ns > change_ns:
                change_ns = changed_ns
                if change_ns > JUMP_NS:
                    return None
            if sampled_raw_ns <= well_before_ns:
                return ReceivedAt(*receive_moment(received_ns, difference_now_ns, plus_minus_ns, change_ns))
        return None

    def _read_again(self) -> tuple[int, int, int]:
        """RAW, REALTIME, RAW: of a few readings the one that took least."""
        readings = [(self._raw_ns(), self._realtime_ns(), self._raw_ns()) for _ in range(self._attempts)]
        return min(readings, key=lambda reading: reading[2] - reading[0])
