"""The sales that this region knows: their terms, what was decided, and who here waits to hear it.

One task tails the region's store from the start: the terms, the arbiter's pulse, and the decision log of every sale
that is not over. A gateway that was restarted reads the same streams again and knows the same.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from redis.exceptions import RedisError

from model.outcomes import Standing
from model.terms import Terms, read_terms
from model.vocabulary import Entry, Outcome, RegionName, SaleId
from model.wire import parse_canonical, parse_decision_line
from service import pulse
from service.gateway.admission import Script
from service.gateway.stamping import Heard, Stamper
from service.store import keys
from service.store.opening import Store
from service.store.streams import wait_for_more

_log = structlog.get_logger()

_TAIL_WAIT_MS: Final = 1_000
_PAUSE_SECONDS: Final = 0.1
PULSE_GOOD_NS: Final = 3_000_000_000
"""A pulse older than this says nothing about who waits."""

Waiter = Callable[[Outcome], None]


@dataclass(eq=False, slots=True)
class Watch:
    """Somebody who wants to be told, once, when something is the case."""

    is_due: Callable[[], bool]
    tell: Callable[[], None]


@dataclass(slots=True)
class Sale:
    """One sale, as this gateway knows it."""

    id: SaleId
    terms: Terms
    region: RegionName
    standing: Standing = field(init=False)
    lines: list[bytes] = field(default_factory=list)
    """The decision log so far."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced by a new one, when records come."""
    _waiters: dict[str, tuple[Entry, list[Waiter]]] = field(default_factory=dict)
    _watches: set[Watch] = field(default_factory=set)
    script: Script = field(init=False)
    """How its attempts are logged."""
    is_reservation: bool = field(init=False)
    """Whether units are held first (`turns.py`)."""
    is_routed: bool = False
    """Whether its purchases can belong to other regions (`routing.py`)."""
    takes_bids: bool = field(init=False)
    """Whether whoever enters says a price."""
    counted_raw_ns: int = 0
    """When, by this host's raw clock, the arbiter last said how far it had read this region's log."""

    def __post_init__(self) -> None:
        self.standing = Standing(self.terms)
        self.script = "admit" if self.terms.method == "ordered" else "sell"
        self.takes_bids = self.terms.kind == "auction"
        self.is_reservation = self.terms.kind == "reservation"

    def is_isolated(self, now_raw_ns: int) -> bool:
        """Whether the arbiter has not been heard for so long that it may be about to cut this region off: what is
        logged now might not count.
        """
        return 2 * (now_raw_ns - self.counted_raw_ns) > self.terms.cut_off_after_ns

    @property
    def is_sealed(self) -> bool:
        """Whether nobody but who has made a bid may see it: an auction that is not decided yet."""
        return self.takes_bids and not self.standing.over

    def outcome(self, entry: Entry) -> Outcome | None:
        """What became of an entry of this region, for good; None while that is not known."""
        return self.standing.outcome_of(self.region, entry)

    def wait(self, entry: Entry, tell: Waiter) -> Callable[[], None]:
        """Have `tell` called once with the outcome. Returns how to give up waiting."""
        _, waiters = self._waiters.setdefault(entry.request, (entry, []))
        waiters.append(tell)

        def give_up() -> None:
            if tell in waiters:
                waiters.remove(tell)
            if not waiters:
                self._waiters.pop(entry.request, None)

        return give_up

    def watch(self, watch: Watch) -> Callable[[], None]:
        """Have it told once it is due, after the next records or later ones. Returns how to give up waiting."""
        self._watches.add(watch)
        return lambda: self._watches.discard(watch)

    async def until(self, is_due: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is the case by what is decided. Returns False where it was not in time."""
        if is_due():
            return True
        due: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        give_up = self.watch(Watch(is_due, lambda: None if due.done() else due.set_result(True)))
        try:
            return await asyncio.wait_for(due, seconds)
        except TimeoutError:
            return False
        finally:
            give_up()

    def learn(self, lines: list[tuple[bytes, bytes]]) -> None:
        """The next records of the decision log, with the winner beside each; tells those whose outcome they are."""
        for line, winner in lines:
            self.standing.apply(parse_decision_line(len(self.lines), line), winner.decode() or None)
            self.lines.append(line)
        told = [(request, self.outcome(entry)) for request, (entry, _) in self._waiters.items()]
        for request, outcome in told:
            if outcome is not None:
                _, waiters = self._waiters.pop(request)
                for tell in list(waiters):
                    tell(outcome)
        for watch in [watch for watch in self._watches if watch.is_due()]:
            self._watches.discard(watch)
            watch.tell()
        self.changed.set()
        self.changed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many callers of this gateway wait for an outcome."""
        return len(self._watches) + sum(len(waiters) for _, waiters in self._waiters.values())

    @property
    def won(self) -> int:
        """How many have a unit for good, as far as decisions name them."""
        return self.standing.holds.confirmed if self.is_reservation else len(self.standing.winners)


class Book:
    """All sales of a region, kept up to date."""

    def __init__(
        self,
        region: RegionName,
        store: Store,
        stamper: Stamper,
        is_routed: Callable[[Terms], bool] = lambda terms: False,  # noqa: ARG005
    ) -> None:
        self.region = region
        self._is_routed = is_routed
        self.sales: dict[SaleId, Sale] = {}
        self.elsewhere: dict[SaleId, Terms] = {}
        """Sales that are not sold in this region."""
        self.heard = Heard()
        self.pulse: pulse.Pulse | None = None
        self.pulsed = asyncio.Event()
        """Set when a pulse came; whoever waits for one clears it."""
        self.store_answers = False
        self.caught_up = asyncio.Event()
        """Set once everything that was there at the start has been read."""
        self._learned = asyncio.Event()
        self._store = store
        self._stamper = stamper
        self._after = {keys.SALES: "0-0", keys.PULSE: "0-0"}

    async def tail(self) -> None:
        """Follow the region's store without end."""
        while True:
            try:
                wait_ms = _TAIL_WAIT_MS if self.caught_up.is_set() else 1
                found = await wait_for_more(self._store, self._after, wait_ms)
            except (RedisError, OSError) as error:
                if self.store_answers:
                    _log.warning("the region's store does not answer; trying again", error=str(error))
                self.store_answers = False
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self.store_answers = True
            if not found:
                self.caught_up.set()
            for key, some in found.items():
                self._after[key] = some[-1][0]
                self._learn(key, some)

    async def known(self, sale: SaleId) -> None:
        """Wait until a sale that the arbiter has published is known here too."""
        while sale not in self.sales and sale not in self.elsewhere:
            await self._learned.wait()

    def waits(self, sale: SaleId) -> bool:
        """Whether somebody in any region waits for a decision, as the last pulse said."""
        latest = self.heard.latest()
        if self.pulse is None or latest is None or self._stamper.host.raw_ns() - latest[0] > PULSE_GOOD_NS:
            return False
        return sale in self.pulse.waiting

    def _learn(self, key: str, some: list[tuple[str, bytes, bytes]]) -> None:
        if key == keys.PULSE:
            self.pulse = pulse.decode(some[-1][1])
            read_raw_ns = self._stamper.host.raw_ns()
            self.heard.record(read_raw_ns, self.pulse.earliest_ns)
            self._note_counted(self.pulse, read_raw_ns)
            self.pulsed.set()
        elif key == keys.SALES:
            for _, line, _ in some:
                self._open(line)
            self._learned.set()
            self._learned = asyncio.Event()
        else:
            sale = next(sale for sale in self.sales.values() if keys.decisions(sale.id) == key)
            sale.learn([(line, winner) for _, line, winner in some])
            if sale.standing.over:
                del self._after[key]
                _log.info("sale over", sale=sale.id, state=sale.standing.state, decisions=len(sale.lines))

    def _note_counted(self, heard: pulse.Pulse, read_raw_ns: int) -> None:
        """A pulse that was read late, as by a gateway that has just started, says nothing newer than itself."""
        now = self._stamper.now()
        age_ns = 0 if now is None else max(0, now.utc_ns - now.bound_ns - heard.latest_ns)
        for sale_id in heard.counted:
            sale = self.sales.get(sale_id)
            if sale is not None:
                sale.counted_raw_ns = read_raw_ns - age_ns

    def _open(self, line: bytes) -> None:
        terms = read_terms(parse_canonical(line))
        sale = Sale(terms.sale(), terms, self.region, is_routed=self._is_routed(terms))
        sale.counted_raw_ns = self._stamper.host.raw_ns()  # its first pulse is on its way
        if self.region not in terms.regions:
            self.elsewhere[sale.id] = terms
        elif sale.id not in self.sales:
            self.sales[sale.id] = sale
            self._after[keys.decisions(sale.id)] = "0-0"
            _log.info("sale known", sale=sale.id, opens=terms.stated["opens"], stock=terms.stock)
