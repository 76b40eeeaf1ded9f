"""When a request arrived, by this host's corrected clock, and how sure that is.

Python reads bytes that have waited in the kernel for up to hundreds of milliseconds; only the kernel knows when they
came. The listening socket carries SO_TIMESTAMPNS, and its connections with it, so each read tells when its last byte
was received. That becomes a moment on this host's raw clock, and the clock page says what UTC that is and with what
bound. Where any of it cannot be told there is no stamp.

Proxies and TLS terminators in front are outside the claim: a stamp is the arrival at *this* host's kernel.
"""

from collections import deque
from typing import Final

from clockd.host import HostClock, ReceivedAt, ReceiveTimes
from clockd.reader import Reader, Reading, Stamp
from model.vocabulary import is_id


class Stamper:
    """This host's clock, as the gateway uses it."""

    def __init__(self, host: HostClock, reader: Reader) -> None:
        self.host = host
        self.reader = reader
        self.receive_times = ReceiveTimes(host)
        self._reading: Reading | None = None
        self._clock = ""
        """The evidence that the page names, `<host>/<update>`; "" where no log line can hold it."""
        self.look()

    def look(self) -> None:
        """Read the clock page, once for all requests that have come so far: what it says after they came holds for
        each of them, whatever happens to the clock next.
        """
        reading = self.reader.read()
        if reading is not self._reading:
            self._reading = reading
            self._clock = f"{reading.host}/{reading.update}" if is_id(reading.host) else ""

    def stamp(self, received: ReceivedAt | None, skew_bound_ns: int) -> tuple[Stamp, str] | str:
        """The stamp of a request and the evidence for it (`<host>/<update>`), by the page as of the last `look`; or
        why there is none.

        Args:
            received: when its last byte came, before that look; None where the kernel could not tell.
            skew_bound_ns: ε of the sale; a stamp that is less sure is none.
        """
        if received is None:
            return "the kernel did not tell when the request came, or the host's clock was stepped meanwhile"
        reading = self._reading
        assert reading is not None
        stamp = reading.stamp(*received)
        if stamp is None:
            return f"its clock is {reading.reason or 'void'}"
        if not self._clock:
            return f"its clock page names the host {reading.host!r}, which no log line can hold: rename it for clockd"
        if stamp.bound_ns > skew_bound_ns:
            return f"its clock is sure to {stamp.bound_ns} ns, and the sale asks for {skew_bound_ns} ns"
        return stamp, self._clock

    def now(self) -> Stamp | None:
        """This moment, or None without a safe clock."""
        return self.reader.read().stamp(self.host.raw_ns())


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
