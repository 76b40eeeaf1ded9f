"""The clock daemon: an offset and a bound for this host's clock that are true, or none at all.

For any Python program on the host, one line: `clockd.read()`, what UTC can be now, or None.

The rooms. What reads: `host` (this machine's clocks, real or simulated; `fate` is what befalls a simulated one),
`machine` (the virtual machine's marker), `reader` (what a program asks), `page` (the shared-memory bytes;
`docs/clock-page.md`). What decides, pure: `tracking` (what is believed), `states` (the four states), `polling` (when to
ask), `leap` (leap seconds), `keeper` (all of these together, the daemon without its hands). Sources, one shape: `ntp/`
(servers), `chrony`, `ptp`, `clockbound`, `local` (a stated reference). What carries out: `daemon` (the loop),
`publishing` (a belief as a page), `journal`, `server` (NTP for others), `log`. For people: `command`, `options`,
`report`. The arithmetic is the model's: `model/track.py`, `model/polygon.py`, `model/clock.py`.
"""

from pathlib import Path

from clockd.host import RealClock
from clockd.reader import Reader
from model.clock import Interval

__all__ = ["read"]


def read(page: str | Path = "/run/clockd/page") -> Interval | None:
    """What UTC can be at this moment, in nanoseconds since 1970; None where there is no safe time.

    Opens the page each time; a program that asks often keeps a `clockd.reader.Reader`.
    """
    reader = Reader(Path(page), RealClock())
    try:
        return reader.now()
    finally:
        reader.close()
