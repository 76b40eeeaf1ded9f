"""A notifier as a process: its turn, its port for monitoring, its work, until it is asked to end."""

import asyncio
import signal
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from service.evidence.office import Turn
from service.notify.counts import Counts
from service.notify.lanes import Patience
from service.notify.metrics import NotifierMetrics
from service.notify.notifier import Notifier
from service.notify.outbox import OutboxMovedError
from service.store import keys
from service.store.opening import Store, connect
from service.tasks import end
from service.watching.port import open_port

_log = structlog.get_logger()

_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 2.0
_TURN_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class NotifierSettings:
    """What a notifier is started with."""

    store_url: str
    """The arbiter's store."""
    allows_private: bool = False
    patience: Patience = field(default_factory=Patience)
    watched_at: tuple[str, int] | None = None


class MonitoringPortError(Exception):
    """The port for monitoring cannot be opened. The message says why."""


class NotifierProcess:
    """One process: at work while it has the turn."""

    def __init__(self, store: Store, settings: NotifierSettings) -> None:
        self.counts = Counts()
        self.notifier: Notifier | None = None
        """The work of this turn; None while another process has it, or the store is away."""
        self.store_answers = False
        self._store = store
        self._settings = settings
        self._turn = Turn(store, keys.NOTIFIER)

    async def run(self) -> None:
        """Turns of work without end. Whoever is started last is the one at work."""
        pause_seconds, seizes = _PAUSE_SECONDS, True
        while True:
            try:
                if seizes:
                    await self._turn.seize()
                    seizes = False
                if await self._turn.is_ours():
                    self.store_answers = True
                    pause_seconds = _PAUSE_SECONDS
                    await self._work()
                self.store_answers = True
                await asyncio.sleep(_TURN_SECONDS)
            except OutboxMovedError as moved:
                _log.info("another notifier is at work, too; looking again", reason=str(moved))
                await asyncio.sleep(_PAUSE_SECONDS)
            except (RedisError, OSError) as error:
                if pause_seconds == _PAUSE_SECONDS:
                    _log.warning("the store does not answer; trying again", error=str(error))
                self.store_answers = False
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    async def _work(self) -> None:
        """Until the turn is another's."""
        settings, store = self._settings, self._store
        allowance: Any = store
        await allowance.set(keys.NOTIFIER_ALLOWANCE, "private" if settings.allows_private else "public")
        self.notifier = Notifier(store, settings.patience, settings.allows_private, self.counts)
        _log.info("notifier at work", allows_private=settings.allows_private)
        tasks = [asyncio.create_task(self.notifier.work()), asyncio.create_task(self._keep_turn())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            _log.info("another notifier has taken over")
        finally:
            self.notifier = None
            await end(tasks)

    async def _keep_turn(self) -> None:
        """Returns when another process has the turn."""
        ours = True
        while ours:
            await asyncio.sleep(_TURN_SECONDS)
            ours = await self._turn.is_ours()

    def readiness(self) -> dict[str, str]:
        """What a notifier needs, by name."""
        return {"store": "ok" if self.store_answers else "does not answer"}


async def run_notifier(settings: NotifierSettings) -> None:
    """Notify until asked to end.

    Raises:
        MonitoringPortError: the port cannot be opened.
        ValueError: the store's URL is none.
    """
    store = connect(settings.store_url)
    process = NotifierProcess(store, settings)
    port: asyncio.Server | None = None
    try:
        if settings.watched_at is not None:
            try:
                port = await open_port(*settings.watched_at, NotifierMetrics(process), process.readiness)
            except OSError as error:
                raise MonitoringPortError(f"--metrics: {error.strerror or error}") from error
        await _until_ended(process.run())
    finally:
        if port is not None:
            port.close()
        await store.aclose()


async def _until_ended(work: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    working = asyncio.ensure_future(work)
    for end_signal in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(end_signal, working.cancel)
    try:
        await working
    except asyncio.CancelledError:
        return
