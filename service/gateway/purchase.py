"""The purchase call, from who asks for what to the answer. The intake and FastAPI run these very functions.

All calls of one turn of the event loop are gone through together, and leave for the store together. Nothing is
refused before the buyer's entry has been looked up, except what no retry of a logged purchase can be: a wrong token,
an unknown sale, a bad body, a request that is certainly too early; and except in overload, where a retry may be
repeated. So an attempt that may not be logged any more (too late, sold out, no safe clock) still goes to the store,
without a stamp, to find the entry of an earlier one.

A batch is the same call for many buyers at once: `batch.py`.
"""

import asyncio
import binascii
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from clockd.host import ReceivedAt
from model import guards
from model.vocabulary import BuyerId, Entry, RegionName, SaleId
from service.gateway import problems
from service.gateway.admission import Admission, Arrival, Attempt, Result, Sold
from service.gateway.answers import Answer
from service.gateway.batch import BatchAnswer
from service.gateway.bids import Bid, read_bid, read_bids, read_claimed_bid
from service.gateway.bodies import Buyers, read_batch, read_claim, read_purchase
from service.gateway.book import Book, Sale, Watch
from service.gateway.counts import Counts
from service.gateway.overload import Queue
from service.gateway.peers import MOST_AT_ONCE, NotSent, Peers
from service.gateway.refusals import Refused, refusal_of, why_not_logged
from service.gateway.request import Head
from service.gateway.routing import Elsewhere, RoutingSettings, home_of, route
from service.gateway.stamping import Stamper
from service.gateway.tokens import Scope, Tokens
from service.gateway.told import (
    accepted,
    decided,
    is_told,
    pending,
    pending_at,
    pending_id,
    preferred_wait,
    tell_entry,
    wait_applied,
)
from service.gateway.tracing import follow_traced

MOST_IN_FLIGHT: Final = 20_000
"""Purchases on their way to the store at once; beyond that new ones are refused, so that memory stays bounded."""
KEPT_IN_FLIGHT: Final = 64
"""So few are always worth taking, also in overload: the store has something to do while others are refused."""
REFUSED_AT_ONCE: Final = 32
"""In one turn of the loop: some 2 ms."""
_ID_BYTES: Final = 15
_ID_CHARACTERS: Final = 20
_IDS_AT_ONCE: Final = 256
_FOR_URLS: Final = bytes.maketrans(b"+/", b"-_")

Many: TypeAlias = Buyers | list[Bid | Answer]
"""What a batch asks for; where an entry is bad, its problem."""


@dataclass(slots=True)
class Call:
    """One call as it came in.

    `respond` gets the answer, once. `gone` is called by the connection when nobody is left to answer.
    """

    head: Head
    body: bytes
    received: ReceivedAt | None
    respond: Callable[[Answer], None]
    gone: Callable[[], None] | None = None
    stays: bool = False
    """Whether it was tried elsewhere already, and is served here now."""


class Purchases:
    """The purchase calls of one gateway process."""

    def __init__(
        self,
        region: RegionName,
        tokens: Tokens,
        book: Book,
        stamper: Stamper,
        admission: Admission,
        counts: Counts,
        peers: Peers | None = None,
    ) -> None:
        self._region = region
        self._counts = counts
        self._tokens = tokens
        self._book = book
        self._stamper = stamper
        self._admission = admission
        self.peers = peers or Peers(region, RoutingSettings())
        self._claims = self.peers.settings.home_claim
        self._forwarded: set[asyncio.Task[None]] = set()
        self._taken: list[Call] = []
        self._refusing: deque[tuple[Call, Answer]] = deque()
        self._queues: dict[SaleId, Queue] = {}
        self._new_ids = request_ids(region)
        self._loop = asyncio.get_running_loop()

    def authorize(self, authorization: bytes, scope: Scope) -> Answer | None:
        """Why a caller may not, or None where they may."""
        grant = self._tokens.grant(authorization)
        if grant is None:
            return problems.unauthorized()
        return None if scope in grant.scopes else problems.forbidden(scope)

    def find(self, sale_id: str) -> Sale | Answer:
        """A sale of this region, or the problem that it is none."""
        sale = self._book.sales.get(sale_id)
        if sale is not None:
            return sale
        terms = self._book.elsewhere.get(sale_id)
        if terms is not None:
            return problems.not_sold_here(self._region, terms.regions)
        return problems.unknown_sale(sale_id) if self._book.caught_up.is_set() else problems.store_gone()

    def take(self, call: Call) -> None:
        """Answer a call at the end of this turn of the loop, or once the store, or the arbiter, has spoken."""
        if not self._taken:
            self._loop.call_soon(self._turn)
        self._taken.append(call)

    def _turn(self) -> None:
        """All calls that came in this turn; what they send to the store goes together."""
        calls, self._taken = deque(self._taken), []
        refused: list[tuple[Call, Answer]] = []
        self._stamper.look()
        now_ns = self._stamper.host.raw_ns()
        try:
            while calls:
                call = calls.popleft()
                refusal = self._begin(call, now_ns)
                if refusal is not None:
                    refused.append((call, refusal))
        finally:
            for call in calls:  # those behind one that met a fault of ours have their turn all the same
                self.take(call)
            self._admission.flush()
        is_refusing = bool(self._refusing)
        self._refusing += refused
        if not is_refusing:
            self._refuse()

    def _refuse(self) -> None:
        """Tell some of those who are refused, while the store works for the others; and what it has said meanwhile is
        told before the next are: who is refused in a crowd waits for those who are not, and not the other way."""
        for _ in range(min(len(self._refusing), REFUSED_AT_ONCE)):
            call, refusal = self._refusing.popleft()
            self._counts.refused[refusal.slug] += 1
            call.respond(refusal)
        if self._refusing:
            self._loop.call_soon(self._refuse)

    def _begin(self, call: Call, now_ns: int) -> Answer | None:
        """Send a call on its way to the store, or give the refusal."""
        head = call.head
        sale = self._book.sales.get(head.sale)
        if sale is not None and self._is_overloaded(sale, call, now_ns):
            return problems.overloaded()
        refusal = self.authorize(head.authorization, "purchase")
        if refusal is not None:
            return refusal
        if sale is None:
            found = self.find(head.sale)
            assert isinstance(found, Answer)
            return found
        claim: RegionName | None = None
        price: int | None = None
        asked: BuyerId | Many | Answer
        if self._claims or sale.takes_bids:
            asked, price, claim = self._read(sale, call)
        else:
            asked = read_batch(call.body) if head.is_batch else read_purchase(call.body)
        if isinstance(asked, Answer):
            return asked
        if sale.is_routed and not call.stays:
            elsewhere = self._elsewhere(sale, head, asked, claim)
            if elsewhere is not None:
                return elsewhere if isinstance(elsewhere, Answer) else self._send_on(sale, call, elsewhere)
        arrival = self._arrival(sale, call.received, now_ns)
        if isinstance(asked, list):
            self._begin_batch(sale, call, asked, arrival, now_ns)
            return None
        if isinstance(arrival, Arrival):
            tell = partial(self._told, sale, call, None)
            attempt = Attempt(next(self._new_ids), asked, arrival, now_ns, tell, price)
        elif arrival.at_once:
            return arrival.answer
        else:
            tell = partial(self._told, sale, call, arrival.answer)
            attempt = Attempt("", asked, None, now_ns, tell, price)
        self._admission.add(sale.id, attempt, sale.script)
        return None

    def _read(self, sale: Sale, call: Call) -> tuple[BuyerId | Many | Answer, int | None, RegionName | None]:
        """Who asks where a body may say more than that; and the price that is bid, and the home that is claimed."""
        body, claim = call.body, None
        if call.head.is_batch:
            return read_bids(body, sale.terms) if sale.takes_bids else read_batch(body), None, None
        if not sale.takes_bids:
            buyer, claim = _read_claimed(body)
            return buyer, None, claim
        if self._claims:
            bid, claim = read_claimed_bid(body, sale.terms)
        else:
            bid = read_bid(body, sale.terms)
        return (bid.buyer, bid.price, claim) if isinstance(bid, Bid) else (bid, None, claim)

    def _begin_batch(self, sale: Sale, call: Call, batch: Many, arrival: Arrival | Refused, now_ns: int) -> None:
        """Every entry goes its own way, under one arrival."""
        refused = None if isinstance(arrival, Arrival) else arrival
        came = arrival if isinstance(arrival, Arrival) else None
        owed = None if refused is None else refused.answer
        answer = BatchAnswer(sale, len(batch), call.respond, self._counts, owed)
        tell, add = answer.tell, self._admission.add
        for index, asked in enumerate(batch):
            if isinstance(asked, Answer):
                problem = asked
            elif refused is not None and refused.at_once:
                problem = refused.answer
            else:
                buyer, price = asked if isinstance(asked, Bid) else (asked, None)
                request = "" if came is None else next(self._new_ids)
                add(sale.id, Attempt(request, buyer, came, now_ns, tell, price, index), sale.script)
                continue
            answer.refuse(index, problem)

    def _is_overloaded(self, sale: Sale, call: Call, now_ns: int) -> bool:
        """Whether there is no use in beginning with a call."""
        if self._admission.in_flight >= MOST_IN_FLIGHT:
            return True
        if call.received is None:
            return False
        queue = self._queues.get(sale.id)
        if queue is None:
            queue = self._queues[sale.id] = Queue(sale.terms.intake_grace_ns)
        in_kernel_ns = now_ns - call.received.raw_ns
        waits = self._counts.kernel_waits
        waits.buckets[in_kernel_ns.bit_length()] += 1
        waits.total += in_kernel_ns
        waited_ns = in_kernel_ns + self._admission.behind_ns(sale.id, now_ns)
        return queue.refuses(now_ns, waited_ns, call.head.is_batch, self._admission.in_flight < KEPT_IN_FLIGHT)

    def _elsewhere(
        self, sale: Sale, head: Head, asked: BuyerId | Many, claim: RegionName | None
    ) -> Elsewhere | Answer | None:
        """Where a call belongs, if not here. A batch has no home but a central sale's."""
        home: RegionName | Answer = sale.terms.central_region or self._region
        if isinstance(asked, str):
            home = home_of(sale.terms, asked, claim)
        if isinstance(home, Answer):
            return home
        return route(self.peers.settings, self._region, sale, home, head.was_routed, self.peers.is_up)

    def _send_on(self, sale: Sale, call: Call, elsewhere: Elsewhere) -> Answer | None:
        """Redirect the caller, or begin to ask for them; or the problem."""
        if elsewhere.redirects:
            self._counts.routed += 1
            query = call.head.query.decode("latin-1")
            call.respond(problems.redirected(self.peers.location(elsewhere.region, call.head.path, query)))
        elif len(self._forwarded) >= MOST_AT_ONCE:
            return problems.overloaded()
        else:
            task = self._loop.create_task(self._forward(sale, call, elsewhere.region), name="forward")
            self._forwarded.add(task)
            task.add_done_callback(self._forwarded.discard)
        return None

    async def _forward(self, sale: Sale, call: Call, region: RegionName) -> None:
        """Ask another region. Where it cannot be reached the purchase is looked at anew, knowing that."""
        answer = await self.peers.purchase(region, call.head, call.body)
        if isinstance(answer, Answer):
            self._counts.routed += 1
            call.respond(answer)
        elif isinstance(answer, NotSent):
            self.take(call)
        elif sale.terms.method == "ordered":
            call.stays = True
            self.take(call)
        else:
            call.respond(problems.store_gone())

    def _arrival(self, sale: Sale, received: ReceivedAt | None, now_ns: int) -> Arrival | Refused:
        """What may be logged of when a call came, or the refusal that is owed unless a buyer has an entry already."""
        over = refusal_of(sale)
        if over is not None:
            return Refused(over)
        terms = sale.terms
        stamped = self._stamper.stamp(received, terms.skew_bound_ns)
        if isinstance(stamped, str):
            return Refused(problems.clock_unsafe(stamped))
        (stamp_ns, bound_ns), clock = stamped
        bounds = self._counts.stamp_bounds
        bounds.buckets[bound_ns.bit_length()] += 1
        bounds.total += bound_ns
        if guards.certainly_early(stamp_ns, terms.skew_bound_ns, terms.entries_from_ns):
            wait_ns = terms.entries_from_ns - stamp_ns
            return Refused(
                problems.too_early(terms.stated["entries_from"], wait_ns), at_once=wait_ns > 3 * terms.skew_bound_ns
            )
        if guards.certainly_late(stamp_ns, terms.skew_bound_ns, terms.closes_ns):
            return Refused(problems.too_late(terms.stated["closes"]))
        if sale.is_isolated(now_ns):
            return Refused(problems.region_isolated(self._region))
        assert received is not None
        return Arrival(stamp_ns, bound_ns, clock, self._book.heard.before(received.raw_ns))

    def _told(self, sale: Sale, call: Call, refused: Answer | None, attempt: Attempt, result: Result) -> None:
        """The store has spoken about a call for one buyer."""
        if isinstance(result, int):
            self._counts.logged += 1
            if call.head.traceparent:
                follow_traced(sale, attempt.entry(result), call.head.traceparent)
            purchase = None if call.head.prefer else pending_id(sale, attempt, result)
            if purchase is not None and attempt.arrival is not None:
                at = pending_at(sale, attempt.arrival.stamp_ns, attempt.arrival.bound_ns, attempt.price)
                call.respond(accepted(sale, purchase, at.body(purchase, attempt.buyer, result)))
            else:
                self._answer_entry(sale, call, attempt.entry(result))
        elif isinstance(result, Sold):
            self._counts.logged += 1
            entry = attempt.entry(*result)
            if call.head.traceparent:
                follow_traced(sale, entry, call.head.traceparent)
            self._answer_entry(sale, call, entry)
        elif isinstance(result, Entry):
            self._counts.known += 1
            self._answer_entry(sale, call, result)
        else:
            refusal = why_not_logged(sale, result, refused)
            self._counts.refused[refusal.slug] += 1
            call.respond(refusal)

    def _answer_entry(self, sale: Sale, call: Call, entry: Entry) -> None:
        wait_seconds = preferred_wait(call.head.prefer)
        if wait_seconds and not is_told(sale, entry):
            self._wait(sale, call, entry, wait_seconds, wait_applied(wait_seconds))
        else:
            call.respond(tell_entry(sale, entry, wait_applied(wait_seconds)))

    def _wait(
        self, sale: Sale, call: Call, entry: Entry, wait_seconds: float, applied: tuple[tuple[str, str], ...]
    ) -> None:
        def tell(answer: Answer) -> None:
            timer.cancel()
            call.gone = None
            call.respond(answer)

        def time_is_up() -> None:
            give_up()
            call.gone = None
            call.respond(pending(sale, entry, applied))

        def gone() -> None:
            timer.cancel()
            give_up()

        if sale.is_reservation:
            drawn = Watch(partial(is_told, sale, entry), lambda: tell(tell_entry(sale, entry, applied)))
            give_up = sale.watch(drawn)
        else:
            give_up = sale.wait(entry, lambda outcome: tell(decided(sale, entry, outcome, applied)))
        timer = asyncio.get_running_loop().call_later(wait_seconds, time_is_up)
        call.gone = gone


def request_ids(region: RegionName) -> Iterator[str]:
    """Names for requests, up to their number: 120 random bits each, in 20 characters."""
    while True:
        text = binascii.b2a_base64(os.urandom(_ID_BYTES * _IDS_AT_ONCE), newline=False).translate(_FOR_URLS).decode()
        for start in range(0, len(text), _ID_CHARACTERS):
            yield f"{region}.{text[start : start + _ID_CHARACTERS]}"


def _read_claimed(body: bytes) -> tuple[BuyerId | Answer, RegionName | None]:
    """Who buys, or the problem; and the home that is claimed."""
    claimed = read_claim(body)
    return (claimed, None) if isinstance(claimed, Answer) else claimed
