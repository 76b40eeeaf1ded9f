"""The virtual machine's own word that it was moved or restored: the VMClock device, where there is one.

A machine that is snapshotted and restored, or migrated, does not notice: its oscillator is another one's from then on,
its time may be an hour late. A hypervisor that offers VMClock changes a marker in a shared page then. Where there is no
such device this cannot be noticed by the guest at all: see `docs/clock-page.md`, what no guest can see.

Layout (little-endian): magic u32 0x4B4C4356 @0, size u32 @4, version u16 @8, sequence u32 @12 (odd while it is being
written), marker u64 @16. Source: the VMClock ABI, linux/vmclock-abi.h.
"""

import mmap
import struct
from pathlib import Path
from typing import Final

DEVICE: Final = Path("/dev/vmclock0")
MAGIC: Final = 0x4B4C4356
BYTES: Final = 104
ATTEMPTS: Final = 100
_HEAD = struct.Struct("<II")
_SEQUENCE_AND_MARKER = struct.Struct("<IQ")
_AT: Final = 12


class Machine:
    """Reads the marker.

    Raises:
        OSError: there is no such device, or it cannot be mapped.
        ValueError: it is something else.
    """

    def __init__(self, device: Path = DEVICE) -> None:
        with device.open("rb", buffering=0) as file:
            self._map = mmap.mmap(file.fileno(), BYTES, access=mmap.ACCESS_READ)
        if _HEAD.unpack_from(self._map)[0] != MAGIC:
            self._map.close()
            raise ValueError(f"{device} is no VMClock")

    def marker(self) -> int:
        """Another number after the machine was moved or restored; 0 while it is being written, which is no number."""
        for _ in range(ATTEMPTS):
            sequence, marker = _SEQUENCE_AND_MARKER.unpack_from(self._map, _AT)
            if sequence % 2 == 0 and _SEQUENCE_AND_MARKER.unpack_from(self._map, _AT)[0] == sequence:
                return int(marker)
        return 0

    def close(self) -> None:
        """Unmap it."""
        self._map.close()


def find_machine(device: Path = DEVICE) -> Machine | None:
    """The device, where there is one."""
    try:
        return Machine(device)
    except (OSError, ValueError):
        return None
