"""One region, as the arbiter reaches it: what is new goes there, marks and then logs come back, round after round.

A round is a batch of commands in one order, and the order is the promise: stops before marks, marks before logs. A
mark says that no stamp below it will follow, so a log that is read after it holds everything below it. A log that was
not read to its end in this round counts for nothing until it was.

Rounds do not wait for each other (`pipe.py`): one task sends the next when it is due (`pace.py`), another takes
replies in the order of sending, so a mark travels for one way, however far the region. Neither waits for a
disk: what replies say is kept and delivered by a third (`delivering.py`). A round therefore reads on from what was
known when it was sent; what an earlier one has brought meanwhile is passed over. A log that has more
than a round brings is read by one round at a time, each sale for a fair share.

A region that cannot be reached costs the others nothing: its link tries again with growing pauses, and what it missed
is pushed by number when it is back. Every round reads the last known entry of a log again (`reading.py`), so one that
lost entries and grew others in their place is seen at once; after a restart of its server it is checked number by
number and head by head. A contradiction halts that sale; the others go on.
"""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

import structlog
from redis.exceptions import RedisError, ResponseError

from model.clock import Interval
from model.vocabulary import Contradiction, RegionName, SaleId
from service.arbiter.arbiter import Arbiter
from service.arbiter.delivering import Delivering
from service.arbiter.ledger import Ledger
from service.arbiter.pace import BUSY_NS, IDLE_NS, marks_matter_in_ns, pace_ns
from service.arbiter.pipe import Pipe
from service.arbiter.reading import LogReading, check_log, is_no_log, mark_ns
from service.arbiter.run import SaleRun
from service.arbiter.telling import Push, Telling
from service.store import keys
from service.store.chunks import CHUNK_LINES, FEWEST_CHUNKS, LINES_AT_ONCE, MOST_CHUNKS
from service.store.opening import Store
from service.tasks import end as end_tasks

_log = structlog.get_logger()

LINES_A_ROUND: Final = 4_096
"""Shared by the sales that a round reads; a round of so many takes some 20 ms to be worked through."""
FEWEST_LINES_OF_A_SALE: Final = 128
MOST_UNDER_WAY: Final = 96
"""Rounds that may be under way: at one every 4 ms, a region may be 380 ms away, there and back, without delay."""
SPARE_UNDER_WAY: Final = 3
"""Rounds beyond those that the way there and back can hold; more would only wait here for each other, and grow old."""
SOON_OF_PACE: Final = 4
"""A log that is due within a fourth of its pace goes along with another that is due now."""
WATCH_MS: Final = 250
"""How long the store is asked to wait for an entry in a quiet log; then logs that became quiet meanwhile join."""
_PAUSE_SECONDS: Final = 0.02
_LONGEST_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Round:
    """What was asked, in the order of the replies."""

    sent_raw_ns: int
    told: int
    """Replies to what was told; the pushes come first."""
    pushes: list[Push]
    stops: list[SaleId]
    readings: list[LogReading]

    @property
    def replies(self) -> int:
        return self.told + (1 + len(self.readings) if self.readings else 0)


class RegionLink:
    """The arbiter's side of one region."""

    def __init__(self, region: RegionName, store: Store, ledger: Ledger, arbiter: Arbiter) -> None:
        self.region = region
        self.news = asyncio.Event()
        """Set when there is something to tell or to read at once."""
        self.telling = Telling(region, ledger, arbiter)
        self._store = store
        self._arbiter = arbiter
        self._ledger = ledger
        self._reachable = False
        self._server_run = ""
        self._read_raw_ns: dict[SaleId, int] = {}
        """When each sale's log was asked for last."""
        self._brought_raw_ns: dict[SaleId, int] = {}
        """When each sale's log has brought entries last."""
        self._known: dict[SaleId, tuple[int, bytes]] = {}
        """The last entry of each log, its number and line, as far as replies have come."""
        self._being_read: dict[SaleId, int] = {}
        """How many rounds that read a sale's log are under way."""
        self._lines_in_chunk: dict[SaleId, int] = {}
        """How many lines each log's chunks had when they were read last."""
        self._fastest_ns = 0
        """The fastest that a round has been answered of late; 0 while none has."""
        self._has_more: set[SaleId] = set()
        """Sales whose log had more than the last round brought; one round at a time reads on there."""

    async def run(self) -> None:
        """Rounds without end."""
        pause_seconds = 0.05
        while True:
            try:
                await self._meet()
                pause_seconds = 0.05
                await self._rounds()
            except (RedisError, OSError) as error:
                if self._reachable:
                    _log.warning("region lost; trying again", region=self.region, error=str(error))
                self._reachable = False
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    async def _meet(self) -> None:
        """After a lost connection: learn what the region has, and check what it had if its server is another."""
        server_run = (await self._store.info("server"))["run_id"]
        await self.telling.start_over(self._store)
        self._read_raw_ns.clear()
        self._known.clear()
        self._being_read.clear()
        self._has_more.clear()
        if self._server_run not in ("", server_run):
            for run in self._open_runs():
                await check_log(self._store, self.region, run)
        self._server_run = server_run
        for run in self._open_runs():
            stop = None if run.stop_reason is not None else await self._store.get(keys.stop(run.sale))
            if stop == b"halted":
                run.halt(
                    Contradiction("", f"region {self.region} was stopped by an arbiter that found a contradiction")
                )
            elif stop == b"fenced":
                run.fence(self.region, "an operator had it stopped, and the arbiter that was told ended since")

    @property
    def is_reachable(self) -> bool:
        """Whether the region's store was reached and is not lost yet."""
        return self._reachable

    def _open_runs(self) -> list[SaleRun]:
        return [run for run in self._arbiter.runs.values() if run.counts(self.region)]

    def forget(self, sale: SaleId) -> None:
        """A sale is finished, and everybody has been told."""
        self.telling.forget(sale)
        for known in (self._read_raw_ns, self._brought_raw_ns, self._known, self._being_read, self._lines_in_chunk):
            known.pop(sale, None)
        self._has_more.discard(sale)

    def read_soon(self, sale: SaleId) -> None:
        """Something was written to a sale's log on the arbiter's behalf."""
        self._read_raw_ns.pop(sale, None)
        self.news.set()

    async def _rounds(self) -> None:
        """Send and take until the connection is lost."""
        pipe = await Pipe.open(self._store)
        under_way: deque[_Round] = deque()
        sent, taken = asyncio.Event(), asyncio.Event()
        self._reachable = True
        _log.info("region reached", region=self.region)
        sending = asyncio.create_task(self._send_rounds(pipe, under_way, sent, taken), name=f"to {self.region}")
        brought = Delivering(self.region, self._ledger, self._arbiter)
        taking = asyncio.create_task(
            self._take_rounds(pipe, under_way, sent, taken, brought), name=f"from {self.region}"
        )
        watching = asyncio.create_task(self._watch_quiet(), name=f"watch {self.region}")
        delivering = asyncio.create_task(brought.work(), name=f"deliver {self.region}")
        try:
            await asyncio.wait([sending, taking, watching, delivering], return_when=asyncio.FIRST_COMPLETED)
            sending.cancel()
            taking.cancel()
            # What was taken is worked through: lines that are kept and not delivered would be kept twice.
            brought.end()
            await asyncio.wait([delivering])
        finally:
            await end_tasks([sending, taking, watching, delivering])
            await pipe.hang_up()
        for task in (delivering, sending, watching, taking):
            if not task.cancelled():
                task.result()

    async def _watch_quiet(self) -> None:
        """Have logs that are read seldom read at once when an entry comes."""
        while True:
            now, now_raw_ns = self._arbiter.now(), self._arbiter.raw_ns()
            quiet = {
                keys.log(run.sale).encode(): run
                for run in self._open_runs()
                if self._pace_ns(run, now, now_raw_ns) == IDLE_NS
            }
            found: Any = None
            if quiet:
                positions: Any = {key: f"{self._known_entry(run)[0]}-0" for key, run in quiet.items()}
                # Whatever is wrong with a log, the next round says it.
                with contextlib.suppress(ResponseError):
                    found = await self._store.xread(positions, count=1, block=WATCH_MS)
            for key, _ in found or ():
                self._read_raw_ns.pop(quiet[key].sale, None)
            if found:
                self.news.set()
            await asyncio.sleep(_PAUSE_SECONDS if quiet else WATCH_MS / 1_000)

    async def _send_rounds(
        self, pipe: Pipe, under_way: deque[_Round], sent: asyncio.Event, taken: asyncio.Event
    ) -> None:
        while True:
            self.news.clear()
            commands, asked, due_in_ns = self._next_round(self._arbiter.raw_ns())
            if commands:
                await pipe.send(commands)
                under_way.append(asked)
                sent.set()
            while len(under_way) >= self._most_under_way():
                taken.clear()
                await taken.wait()
            waker = asyncio.get_running_loop().call_later(due_in_ns / 1e9, self.news.set)
            await self.news.wait()
            waker.cancel()

    def _most_under_way(self) -> int:
        return min(SPARE_UNDER_WAY + self._fastest_ns // BUSY_NS, MOST_UNDER_WAY)

    def _next_round(self, now_raw_ns: int) -> tuple[list[Any], _Round, int]:
        """The commands of the next round, what they are, and how long until another is due."""
        commands, pushes, stops = self.telling.commands()
        told = len(commands)
        due, due_in_ns = self._due(now_raw_ns)
        at_most = max(FEWEST_LINES_OF_A_SALE, min(LINES_AT_ONCE, LINES_A_ROUND // max(len(due), 1)))
        readings = [LogReading(run, self._known_entry(run), self._chunks(run.sale, at_most)) for run in due]
        if readings:
            commands.append(("MGET", *(keys.mark(run.sale) for run in due)))
        for reading in readings:
            sale = reading.run.sale
            self._read_raw_ns[sale] = now_raw_ns
            self._being_read[sale] = self._being_read.get(sale, 0) + 1
            commands.append(reading.command())
        return commands, _Round(now_raw_ns, told, pushes, stops, readings), due_in_ns

    def _due(self, now_raw_ns: int) -> tuple[list[SaleRun], int]:
        """The sales whose logs are to be read now, and how long until something else is due.

        Whoever is due soon goes along with one who is due, so that a hundred quiet sales are not a hundred rounds.
        """
        now = self._arbiter.now()
        due, soon, next_ns = [], [], self._arbiter.pulse_due_in_ns(self.region)
        for run in self._arbiter.runs.values():
            if not run.counts(self.region):
                continue
            if run.sale in self._has_more:
                if not self._being_read.get(run.sale):
                    due.append(run)
                continue
            pace = self._pace_ns(run, now, now_raw_ns)
            due_in_ns = self._read_raw_ns.get(run.sale, 0) + pace - now_raw_ns
            if now is not None and run.wants_marks(now):
                matters_in_ns = marks_matter_in_ns(run, now) - self._way_ns
                next_ns = min(next_ns, matters_in_ns) if matters_in_ns > 0 else next_ns
            if due_in_ns <= 0:
                due.append(run)
                due_in_ns = pace
            elif due_in_ns <= pace // SOON_OF_PACE:
                soon.append(run)
            next_ns = min(next_ns, due_in_ns)
        return (due + soon if due else due), next_ns

    @property
    def _way_ns(self) -> int:
        """One way to the region, about."""
        return self._fastest_ns // 2

    def _pace_ns(self, run: SaleRun, now: Interval | None, now_raw_ns: int) -> int:
        silent_ns = now_raw_ns - self._brought_raw_ns.get(run.sale, 0)
        return pace_ns(run, self.region, now, silent_ns, self._way_ns)

    def _chunks(self, sale: SaleId, lines: int) -> int:
        """How many chunks of a log to ask for, to be brought about so many lines."""
        return min(max(lines // self._lines_in_chunk.get(sale, CHUNK_LINES), FEWEST_CHUNKS), MOST_CHUNKS)

    def _known_entry(self, run: SaleRun) -> tuple[int, bytes]:
        known = self._known.get(run.sale)
        if known is None:
            known = run.fold.delivered(self.region).seq, run.last_lines.get(self.region, b"")
        return known

    async def _take_rounds(
        self, pipe: Pipe, under_way: deque[_Round], sent: asyncio.Event, taken: asyncio.Event, brought: Delivering
    ) -> None:
        while True:
            while not under_way and pipe.is_open:
                sent.clear()
                await sent.wait()
            answers = await pipe.replies(under_way[0].replies if under_way else 1)
            asked = under_way.popleft()
            taken.set()
            took_ns = self._arbiter.raw_ns() - asked.sent_raw_ns
            self._fastest_ns = min(took_ns, self._fastest_ns + self._fastest_ns // 1_024 or took_ns)
            for answer in answers[: asked.told]:
                if isinstance(answer, RedisError):
                    raise answer
            await self.telling.heard(asked.pushes, answers)
            self.telling.stopped.update(asked.stops)
            if asked.readings:
                self._read(asked.readings, answers[asked.told], answers[asked.told + 1 :], brought)
                await brought.room()

    def _read(self, readings: list[LogReading], marks: Any, logs: list[Any], brought: Delivering) -> None:
        for answer in (marks, *logs):
            if isinstance(answer, RedisError) and not is_no_log(answer):
                raise answer
        for reading, mark, found in zip(readings, marks, logs, strict=True):
            sale = reading.run.sale
            self._being_read[sale] = self._being_read.get(sale, 1) - 1
            if not reading.run.counts(self.region):
                continue
            try:
                lines, at_end = reading.lines(self.region, self._known_entry(reading.run), found)
                if lines:
                    self._lines_in_chunk[sale] = max(len(lines) // len(found), 1)
                    self._brought_raw_ns[sale] = self._arbiter.raw_ns()
                    self._known[sale] = self._known_entry(reading.run)[0] + len(lines), lines[-1]
                if at_end:
                    self._has_more.discard(sale)
                else:
                    self._has_more.add(sale)
                    self.news.set()
                is_end = at_end and sale in self.telling.stopped
                new_mark_ns = mark_ns(self.region, mark) if at_end else None
                brought.bring(reading.run, lines, new_mark_ns, is_end)
            except Contradiction as finding:
                brought.find(reading.run, finding)
