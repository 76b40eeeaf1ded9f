"""A stated local reference: the host's own REALTIME, believed to a stated bound because the operator says so.

For trying things out, and for a host that something else disciplines and somebody vouches for. It is a source like any
other: one "exchange" with the host's own clock. The page, the log and every bundle say that it was used.
"""

from typing import Final

from clockd.host import HostClock
from clockd.ntp.exchange import LOCAL_REFERENCE_ID, Exchange

LOCAL_STRATUM: Final = 10  # what chrony's `local` tells its clients: no reference behind this


class LocalReference:
    """This host's REALTIME as a source, stated to be within `bound_ns` of UTC."""

    name = "local reference"

    def __init__(self, host: HostClock, bound_ns: int) -> None:
        self._host, self._bound_ns = host, bound_ns

    async def ask(self, timeout_seconds: float) -> Exchange:  # noqa: ARG002 (the shape of a source)
        """REALTIME was read somewhere between two readings of RAW."""
        before_ns = self._host.raw_ns()
        realtime_ns = self._host.realtime_ns()
        return Exchange(
            address=("local", 0),
            sent_raw_ns=before_ns,
            server_received_ns=realtime_ns,
            server_sent_ns=realtime_ns,
            received_raw_ns=self._host.raw_ns(),
            distance_ns=self._bound_ns,
            stratum=LOCAL_STRATUM - 1,
            reference_id=LOCAL_REFERENCE_ID,
        )

    def close(self) -> None:
        """Nothing is open."""
