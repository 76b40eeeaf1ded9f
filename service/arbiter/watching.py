"""An arbiter that monitoring can ask: its port is open from before its store answers until it ends.

While there is no arbiter yet, because its store does not answer, the port is there and says so: a process that waits
is not a process that is gone.
"""

import asyncio
from collections.abc import Iterable

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from clockd.host import HostClock
from service.arbiter.metrics import ArbiterMetrics
from service.arbiter.process import ArbiterProcess, ArbiterSettings, run_arbiter
from service.watching.port import open_port


class MonitoringPortError(Exception):
    """The port for monitoring cannot be opened. The message says why."""


class _Coming(Collector):
    """The arbiter's metrics, once there is one."""

    def __init__(self) -> None:
        self.process: ArbiterProcess | None = None
        self._metrics: ArbiterMetrics | None = None

    def started(self, process: ArbiterProcess) -> None:
        self.process, self._metrics = process, ArbiterMetrics(process)

    def collect(self) -> Iterable[Metric]:
        return self._metrics.collect() if self._metrics is not None else ()

    def readiness(self) -> dict[str, str]:
        return self.process.readiness() if self.process is not None else {"store": "does not answer"}


async def watch_arbiter(settings: ArbiterSettings, host: HostClock, watched_at: tuple[str, int] | None) -> None:
    """Run an arbiter, and answer monitoring about it where that is asked for.

    Raises:
        FencedError: another arbiter has taken over.
        MonitoringPortError: the port cannot be opened.
    """
    coming = _Coming()
    port: asyncio.Server | None = None
    if watched_at is not None:
        try:
            port = await open_port(*watched_at, coming, coming.readiness)
        except OSError as error:
            raise MonitoringPortError(f"--metrics: {error.strerror or error}") from error
    try:
        await run_arbiter(settings, host, coming.started)
    finally:
        if port is not None:
            port.close()
