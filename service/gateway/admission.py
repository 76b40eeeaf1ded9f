"""One script call to the store for all purchases of a turn of the event loop: group commit.

The store syncs its append-only file once per turn of its own loop, before it replies, so the more requests share a
call the less each pays for the disk. A reply means: on disk.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import structlog
from redis.exceptions import RedisError

from clockd.reader import Stamp
from model.vocabulary import Entry, SaleId
from model.wire import log_line_halves, parse_log_line
from service.store import keys
from service.store.opening import Store
from service.store.scripts import script

_log = structlog.get_logger()

MOST_IN_ONE_CALL: Final = 500
"""Attempts of one script call, which holds the store up meanwhile: about 2 ms."""
MOST_CALLS_AT_ONCE: Final = 4
"""More calls at once would only wait for each other's disk; fewer and larger ones share it."""


class Logged(NamedTuple):
    """The buyer's entry is in the log: `is_new` where this very attempt put it there."""

    entry: Entry
    is_new: bool


class NotLogged(NamedTuple):
    """Nothing was logged. `why` is `unknown` (only looked up), `stopped`, `below` or `lost`; `what` tells more."""

    why: str
    what: str


class StoreGone(NamedTuple):
    """The store did not answer; the attempt may have been logged or not."""


Result = Logged | NotLogged | StoreGone


class Attempt(NamedTuple):
    """One purchase on its way to the log. Without a stamp it only looks the buyer's entry up."""

    request: str
    buyer: str
    stamp: Stamp | None
    clock: str
    heard_ns: int
    tell: Callable[[Result], None]


class Admission:
    """Purchases of all sales of this process, on their way to the store."""

    def __init__(self, store: Store) -> None:
        self._admit = script(store, "admit")
        self._waiting: dict[SaleId, list[Attempt]] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._flush_is_due = False
        self.in_flight = 0

    def add(self, sale: SaleId, attempt: Attempt) -> None:
        """Take an attempt along with the next call; `attempt.tell` is called once."""
        self.in_flight += 1
        self._waiting.setdefault(sale, []).append(attempt)
        if not self._flush_is_due:
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Call the store for whoever waits; what does not fit waits for a call to come back. Sales take turns."""
        self._flush_is_due = False
        while self._waiting and len(self._calls) < MOST_CALLS_AT_ONCE:
            sale = next(iter(self._waiting))
            attempts = self._waiting.pop(sale)
            if len(attempts) > MOST_IN_ONE_CALL:
                self._waiting[sale] = attempts[MOST_IN_ONE_CALL:]
            call = asyncio.ensure_future(self._call(sale, attempts[:MOST_IN_ONE_CALL]))
            self._calls.add(call)
            call.add_done_callback(self._called)

    def _called(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._flush()

    async def _call(self, sale: SaleId, attempts: list[Attempt]) -> None:
        words: list[str] = []
        for attempt in attempts:
            if attempt.stamp is None:
                words += (attempt.request, attempt.buyer, "", "", "")
            else:
                stamp = attempt.stamp
                before, after = log_line_halves(
                    attempt.request, attempt.buyer, stamp.utc_ns, stamp.bound_ns, attempt.clock, attempt.heard_ns
                )
                words += (attempt.request, attempt.buyer, str(stamp.utc_ns), before, after)
        try:
            replies: Any = await self._admit(
                keys=[keys.log(sale), keys.buyers(sale), keys.requests(sale), keys.mark(sale), keys.stop(sale)],
                args=words,
            )
        except (RedisError, OSError) as error:
            _log.warning("the store did not take purchases", sale=sale, purchases=len(attempts), error=str(error))
            replies = None
        self.in_flight -= len(attempts)
        results = [
            StoreGone() if replies is None else _result(attempt, replies[position])
            for position, attempt in enumerate(attempts)
        ]
        for attempt, result in zip(attempts, results, strict=True):
            attempt.tell(result)


def _result(attempt: Attempt, reply: list[bytes]) -> Result:
    why = reply[0]
    if why == b"logged" and attempt.stamp is not None:
        stamp = attempt.stamp
        entry = Entry(
            int(reply[1]), attempt.request, attempt.buyer, stamp.utc_ns, stamp.bound_ns, attempt.clock, attempt.heard_ns
        )
        return Logged(entry, is_new=True)
    if why == b"known":
        try:
            entry = parse_log_line(reply[1])
        except ValueError:
            return NotLogged("lost", "its line is not well formed")
        return Logged(entry, is_new=entry.request == attempt.request)
    return NotLogged(why.decode(), reply[1].decode() if len(reply) > 1 else "")
