"""One call to the store for all purchases of a turn of the event loop, a script call for each sale: group commit.

The store syncs its append-only file once per turn of its own loop, before it replies, so the more requests share a
call the less each pays for the disk, and for the way there. A reply means: on disk.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

import structlog
from redis.exceptions import RedisError

from model.vocabulary import Entry, SaleId
from model.wire import parse_log_line
from service.gateway.counts import Counts
from service.store import keys
from service.store.attempts import around, purchase_id, words
from service.store.lane import Call as LaneCall
from service.store.lane import Lane
from service.store.opening import Store

_log = structlog.get_logger()

MOST_AT_ONCE: Final = 500
"""Attempts of one call, which holds the store up meanwhile: about 2 ms."""
MOST_CALLS_AT_ONCE: Final = 4
"""More calls at once would only wait for each other's disk; fewer and larger ones share it."""


class Sold(NamedTuple):
    """This very attempt was logged under a number, and got a unit with it."""

    seq: int
    unit: int


class NotLogged(NamedTuple):
    """Nothing was logged. `why` is `unknown` (only looked up), `stopped`, `below` or `lost`, and where units are sold
    at the door also `empty`, `not_ready` or `stock_lost`; `what` tells more.
    """

    why: str
    what: str


class StoreGone(NamedTuple):
    """The store did not answer; the attempt may have been logged or not."""


Result: TypeAlias = int | Sold | Entry | NotLogged | StoreGone
"""The number under which this very attempt was logged (with the unit that it got), or the entry that its buyer had
before, or why there is none."""


class Arrival(NamedTuple):
    """What is logged of when a request came: its stamp, and the evidence for it. The purchases of a batch share one."""

    stamp_ns: int
    bound_ns: int
    clock: str
    heard_ns: int


@dataclass(slots=True)
class Attempt:
    """One purchase on its way to the log. Without an arrival it only looks the buyer's entry up."""

    request: str
    """What it is called, up to the number that it may get."""
    buyer: str
    arrival: Arrival | None
    since_raw_ns: int
    """When it was added, by this host's raw clock."""
    tell: "Callable[[Attempt, Result], None]"
    price: int | None = None
    """What is bid, in an auction."""
    place: int = 0
    """In its batch."""

    def entry(self, seq: int, unit: int | None = None) -> Entry:
        """The entry that it became, under a number."""
        assert self.arrival is not None
        return Entry(seq, purchase_id(self.request, seq), self.buyer, *self.arrival, unit, self.price)


Script: TypeAlias = Literal["admit", "sell"]
"""How a sale's attempts are logged: to be ordered, or each with a unit at once."""


class Waiting(NamedTuple):
    """A sale's attempts that no call has taken along yet."""

    script: Script
    attempts: deque[Attempt]


class Taken(NamedTuple):
    """A sale's attempts that one call takes along."""

    sale: SaleId
    script: Script
    attempts: list[Attempt]


class Admission:
    """Purchases of all sales of this process, on their way to the store."""

    def __init__(self, store: Store, counts: Counts, alongside: Callable[[], list[LaneCall]] = list) -> None:
        """`alongside` tells what else a call may take along; what becomes of that concerns nobody here."""
        self._counts = counts
        self._alongside = alongside
        self._free = [Lane(store) for _ in range(MOST_CALLS_AT_ONCE)]
        self._waiting: dict[SaleId, Waiting] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self.in_flight = 0

    def add(self, sale: SaleId, attempt: Attempt, script: Script = "admit") -> None:
        """Take an attempt along with the next call; `attempt.tell` is called once, after a `flush`.

        Args:
            script: by which the sale's attempts are logged; the same for all of a sale.
        """
        self.in_flight += 1
        waiting = self._waiting.get(sale)
        if waiting is None:
            waiting = self._waiting[sale] = Waiting(script, deque())
        waiting.attempts.append(attempt)

    def behind_ns(self, sale: SaleId, now_raw_ns: int) -> int:
        """For how long the first of a sale has waited here for a call that takes it along; 0 where none waits."""
        waiting = self._waiting.get(sale)
        return now_raw_ns - waiting.attempts[0].since_raw_ns if waiting else 0

    def flush(self) -> None:
        """Call the store for whoever waits; what does not fit waits for a call to come back."""
        while self._waiting and self._free:
            call = asyncio.ensure_future(self._call(self._free.pop(), self._next()))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    def _next(self) -> list[Taken]:
        """Who goes next, by sale. Sales take turns, so that a hot one keeps no other waiting."""
        taken: list[Taken] = []
        room = MOST_AT_ONCE
        while self._waiting and room:
            sale = next(iter(self._waiting))
            waiting = self._waiting.pop(sale)
            attempts = [waiting.attempts.popleft() for _ in range(min(len(waiting.attempts), room))]
            if waiting.attempts:
                self._waiting[sale] = waiting
            room -= len(attempts)
            taken.append(Taken(sale, waiting.script, attempts))
        return taken

    async def close(self) -> None:
        """End the connections; calls under way are lost to their callers."""
        for call in self._calls:
            call.cancel()
        for lane in self._free:
            await lane.close()

    async def _call(self, lane: Lane, taken: list[Taken]) -> None:
        began_ns = time.perf_counter_ns()
        try:
            calls = [(script, _names(sale, script), _words(attempts)) for sale, script, attempts in taken]
            replies = (await lane.call([*calls, *self._alongside()]))[: len(taken)]
        except (RedisError, OSError) as error:
            replies = [error] * len(taken)
            self._counts.store_failures += 1
        finally:
            self._free.append(lane)
            self._counts.store_calls.add(time.perf_counter_ns() - began_ns)
            self._counts.call_purchases.add(sum(len(attempts) for _, _, attempts in taken))
        self.flush()
        for (sale, _, attempts), reply in zip(taken, replies, strict=True):
            self.in_flight -= len(attempts)
            if isinstance(reply, Exception):
                _log.warning("the store did not take purchases", sale=sale, purchases=len(attempts), error=str(reply))
                results: Sequence[Result] = [StoreGone()] * len(attempts)
            else:
                results = _results(reply, len(attempts))
            for attempt, result in zip(attempts, results, strict=True):
                attempt.tell(attempt, result)


def _names(sale: SaleId, script: Script) -> list[str]:
    names = [keys.log(sale), keys.buyers(sale), keys.mark(sale), keys.stop(sale)]
    return names if script == "admit" else [*names, keys.stock(sale)]


def _words(attempts: list[Attempt]) -> list[str]:
    """Those that may be logged come first. A buyer may bid again at another price, so a bid is found again by both."""
    if any(attempt.arrival is None for attempt in attempts):
        attempts.sort(key=lambda attempt: attempt.arrival is None)
    lines, least_stamp_ns = [], 0
    arrival, price, line = None, None, None
    for attempt in attempts:
        if attempt.arrival is not arrival or attempt.price != price or line is None:
            arrival, price = attempt.arrival, attempt.price
            if arrival is None:
                break
            line = around(*arrival, price).line
            if arrival.stamp_ns < least_stamp_ns or not least_stamp_ns:
                least_stamp_ns = arrival.stamp_ns
        lines.append(line(attempt.request, attempt.buyer))
    if attempts[0].price is None:
        return words(least_stamp_ns, lines, [attempt.buyer for attempt in attempts])
    return words(least_stamp_ns, lines, [f"{attempt.buyer} {attempt.price}" for attempt in attempts])


def _results(reply: int | list[int | list[bytes]], attempts: int) -> Sequence[Result]:
    """What a script has said, for each attempt."""
    if isinstance(reply, int):
        return range(reply - attempts + 1, reply + 1)
    return [told if isinstance(told, int) else _result(told) for told in reply]


def _result(reply: list[bytes]) -> Result:
    """Everything but a number of its own."""
    if reply[0] == b"sold":
        return Sold(int(reply[1]), int(reply[2]))
    if reply[0] == b"known":
        try:
            return parse_log_line(reply[1])
        except ValueError:
            return NotLogged("lost", "its line is not well formed")
    return NotLogged(reply[0].decode(), reply[1].decode() if len(reply) > 1 else "")
