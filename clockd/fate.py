"""What befalls a simulated host while it runs: its wall clock is stepped, it sleeps, its oscillator runs at another
rate from then on. For worlds and tests only.

All processes of one simulated host share a file (`--host-clock simulated:fate=PATH`), and whoever plays fate appends to
it: at which reading of the machine's CLOCK_MONOTONIC_RAW what was added to the host's REALTIME, for how long it has
slept, or how much faster it runs from then on. The host's clocks (`host.py`) are then still a pure function of the
machine's clocks and of this file.

To let a host sleep: stop its processes (SIGSTOP), let real time pass, tell `slept` how much, let them go on (SIGCONT).
RAW and MONOTONIC have stood still then, REALTIME and BOOTTIME have gone on, as after a real suspend.

    0 number of events u64 · then per event: machine's RAW i64, added to REALTIME i64, slept i64, all in nanoseconds,
    faster by so many ppb i64
"""

import mmap
import os
import struct
from pathlib import Path
from typing import Final

_COUNT = struct.Struct("@Q")
_EVENT = struct.Struct("@qqqq")
MOST_EVENTS: Final = 100
PPB: Final = 1_000_000_000
BYTES: Final = _COUNT.size + MOST_EVENTS * _EVENT.size


class Fate:
    """What has befallen a host so far.

    Raises:
        OSError: the file cannot be had. It is made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size < BYTES:
                os.truncate(file, BYTES)
            self._map = mmap.mmap(file, BYTES)
        finally:
            os.close(file)

    def stepped(self, machine_raw_ns: int, by_ns: int) -> None:
        """From this reading of the machine's RAW on, REALTIME is ahead by so much more."""
        self._append(machine_raw_ns, by_ns, 0, 0)

    def slept(self, machine_raw_ns: int, for_ns: int) -> None:
        """At this reading of the machine's RAW a sleep of this length ended."""
        self._append(machine_raw_ns, 0, for_ns, 0)

    def drifts(self, machine_raw_ns: int, by_ppb: int) -> None:
        """From this reading of the machine's RAW on, REALTIME and RAW run faster by so much more."""
        self._append(machine_raw_ns, 0, 0, by_ppb)

    def until(self, machine_raw_ns: int) -> tuple[int, int]:
        """What was added to REALTIME and for how long the host has slept, up to a reading of the machine's RAW."""
        stepped_ns = slept_ns = 0
        for at_ns, step_ns, sleep_ns, _ in self._events():
            if at_ns <= machine_raw_ns:
                stepped_ns, slept_ns = stepped_ns + step_ns, slept_ns + sleep_ns
        return stepped_ns, slept_ns

    def gained_ns(self, machine_raw_ns: int) -> int:
        """What the host has gained by running at other rates, up to a reading of the machine's RAW."""
        return sum(ppb * max(0, machine_raw_ns - at_ns) // PPB for at_ns, _, _, ppb in self._events())

    def _events(self) -> list[tuple[int, int, int, int]]:
        return [_EVENT.unpack_from(self._map, _COUNT.size + number * _EVENT.size) for number in range(self._count())]

    def _count(self) -> int:
        return int(_COUNT.unpack_from(self._map, 0)[0])

    def _append(self, *event: int) -> None:
        count = self._count()
        if count == MOST_EVENTS:
            raise OSError(0, f"a host can bear {MOST_EVENTS} events")
        _EVENT.pack_into(self._map, _COUNT.size + count * _EVENT.size, *event)
        _COUNT.pack_into(self._map, 0, count + 1)
