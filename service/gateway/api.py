"""What every call but the hot path does, over the parts of one gateway process, and without a framework's routes.

Bodies are read with a limit before anything looks at them. Whatever ends a call early is a `Refusal` with the problem
document that says why. Next: `app.py`, where the calls are declared.
"""

import asyncio
from dataclasses import replace
from typing import Annotated, Any, Final

import msgspec
import structlog
from fastapi import Request
from redis.exceptions import RedisError
from starlette.responses import Response

from model.outcomes import Standing
from model.terms import Terms
from service.gateway import problems, reserved
from service.gateway.answers import Answer, encode
from service.gateway.bodies import field_and_rule
from service.gateway.book import Book, Sale
from service.gateway.handover import EXTENSION, Arrival
from service.gateway.peers import Unknown
from service.gateway.publishing import ANSWER_TIMEOUT_SECONDS, ArbiterDoor
from service.gateway.purchase import Call, Purchases
from service.gateway.request import MAX_BODY_BYTES, ROUTED_HEADER, Head, is_marked_as_routed
from service.gateway.routing import route_lookup
from service.gateway.stamping import Stamper
from service.gateway.times import ZoneError, in_zone, told_in_zone, utc, zone_name
from service.gateway.tokens import Tokens
from service.gateway.told import decided, pending, preferred_wait, wait_applied
from service.store.attempts import find_purchase
from service.store.opening import Store

_log = structlog.get_logger()

PULSE_FRESH_NS: Final = 5_000_000_000
ALL_READY: Final = dict.fromkeys(("clock", "store", "arbiter"), "ok")
"""What a gateway needs, all of it there."""


class _CancelBody(msgspec.Struct, forbid_unknown_fields=True):
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


_decode_cancel: Final = msgspec.json.Decoder(_CancelBody).decode
_decode_terms: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Refusal(Exception):  # noqa: N818
    """An answer that ends a call early."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def response(answer: Answer) -> Response:
    """An answer as Starlette's."""
    close = {"connection": "close"} if answer.close else {}
    return Response(answer.body, answer.status, {**dict(answer.headers), **close}, answer.content_type)


async def read_body(request: Request, limit_bytes: int) -> bytes:
    if "transfer-encoding" in request.headers:
        raise Refusal(problems.length_required())
    if int(request.headers.get("content-length", "0")) > limit_bytes:
        raise Refusal(problems.too_large(limit_bytes))
    return await request.body()


def preference(request: Request) -> bytes:
    """What the caller prefers, as in one header."""
    return ",".join(request.headers.getlist("prefer")).encode("latin-1")


def _zone(tz: str | None) -> str | None:
    """The zone in which a caller wants times."""
    try:
        return None if tz is None else zone_name(tz)
    except ZoneError as error:
        raise Refusal(problems.invalid([("tz", str(error))])) from error


def _readable(nanoseconds: int, zone: str | None) -> str:
    """An instant in a caller's zone, or in UTC."""
    return utc(nanoseconds) if zone is None else in_zone(nanoseconds, zone)


def _in_zone(answer: Answer, zone: str | None) -> Answer:
    """An answer with its instants readable in a zone."""
    if zone is None:
        return answer
    return replace(answer, body=encode(told_in_zone(msgspec.json.decode(answer.body), zone)))


def _winners(terms: Terms, standing: Standing) -> dict[str, int]:
    """How many have won. Where units are sold at the door no decision names them, so it is known once all are sold. Of
    a reservation also how many units are held, how many wait for one, and how many places are left on the list."""
    if terms.kind == "reservation":
        holds, goes_on = standing.holds, standing.state == "open"
        return {
            "winners": holds.confirmed,
            "confirmed": holds.confirmed,
            "held": holds.held if goes_on else 0,
            "waiting": holds.waiting if goes_on else 0,
            "places_left": terms.places - holds.drawn if goes_on else 0,
        }
    if terms.method == "ordered":
        return {"winners": len(standing.winners)}
    return {} if standing.sold_out_at is None else {"winners": terms.stock}


def _price(terms: Terms, standing: Standing) -> dict[str, str | int]:
    """What units went for in an auction that is over: at a uniform price what all pay, else the least that one pays."""
    last = next(reversed(standing.winners.values()), None) if standing.over else None
    if last is None or last.price is None:
        return {}
    return {"clearing_price": last.price, "currency": terms.currency}


def _was_routed(request: Request) -> bool:
    return ROUTED_HEADER in request.headers or is_marked_as_routed(request.url.query.encode("latin-1"))


class Api:
    """What the calls of one gateway process work on."""

    def __init__(
        self, tokens: Tokens, book: Book, stamper: Stamper, purchases: Purchases, store: Store, door: ArbiterDoor
    ) -> None:
        self.book = book
        self.purchases = purchases
        self._tokens = tokens
        self._stamper = stamper
        self._store = store
        self._door = door

    def allow(self, request: Request, *scopes: str) -> str:
        """The name of the caller, if their token has one of the scopes."""
        grant = self._tokens.grant(request.headers.get("authorization", "").encode("latin-1"))
        if grant is None:
            raise Refusal(problems.unauthorized())
        if grant.scopes.isdisjoint(scopes):
            raise Refusal(problems.forbidden(" or ".join(scopes)))
        return grant.name

    def allow_to_see_entries(self, request: Request, sale: Sale) -> None:
        """While bids are sealed they are shown to nobody but callers who speak for buyers."""
        if sale.is_sealed:
            self.allow(request, "purchase")

    def has_scope(self, request: Request, scope: str) -> bool:
        """Whether the caller's token has a scope."""
        grant = self._tokens.grant(request.headers.get("authorization", "").encode("latin-1"))
        return grant is not None and scope in grant.scopes

    def find(self, sale: str) -> Sale:
        """A sale of this region."""
        found = self.purchases.find(sale)
        if isinstance(found, Answer):
            raise Refusal(found)
        return found

    async def publish(self, request: Request, key: str | None) -> Answer:
        caller = self.allow(request, "publish")
        try:
            stated = _decode_terms(await read_body(request, MAX_BODY_BYTES))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return problems.invalid([field_and_rule(str(error))])
        except RecursionError:
            return problems.invalid([("", "is nested too deeply")])
        published = await self._door.publish(stated, caller, key)
        if isinstance(published, Answer):
            return published
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
                await self.book.known(published)
        except TimeoutError:
            return problems.arbiter_gone(f"Sale {published} is published, but this region has not heard of it yet.")
        return Answer(201, encode(self.show(published, None)), (("location", f"/v1/sales/{published}"),))

    async def cancel(self, request: Request, sale: str) -> Answer:
        self.allow(request, "operate")
        self.find(sale)
        try:
            reason = _decode_cancel(await read_body(request, MAX_BODY_BYTES)).reason
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return problems.invalid([field_and_rule(str(error))])
        problem = await self._door.cancel(sale, reason)
        return problem or Answer(200, encode({"id": sale, "state": "cancelled", "reason": reason}))

    def show(self, sale_id: str, zone: str | None) -> dict[str, Any]:
        """A sale as its readers see it, its times in a zone where one is asked for."""
        zone = _zone(zone)
        if sale_id in self.book.elsewhere:
            terms = self.book.elsewhere[sale_id]
            shown: dict[str, Any] = {"id": sale_id, "state": self._time_state(terms)}
        else:
            sale = self.find(sale_id)
            terms, standing = sale.terms, sale.standing
            state = standing.state if standing.state != "open" else self._time_state(terms, standing)
            shown = {"id": sale_id, "state": state, **_winners(terms, standing), **_price(terms, standing)}
            reason = standing.halted or standing.cancelled or standing.closed
            if reason is None and standing.sold_out_at is not None:
                reason = "sold_out"
            if reason is not None:
                shown["reason"] = reason
            elif standing.is_complete and terms.beacon is not None:
                shown["awaits"] = {
                    "round": terms.beacon.number,
                    "published": _readable(terms.beacon.published_ns, zone),
                }
        instants = {"opens": terms.opens_ns, "closes": terms.closes_ns, "entries_from": terms.entries_from_ns}
        times = {
            field: terms.stated[field] if zone is None else in_zone(instant, zone)
            for field, instant in instants.items()
        }
        return {**shown, "seed_commitment": terms.seed_commitment, **times, "terms": terms.stated}

    def show_all(self, zone: str | None) -> dict[str, Any]:
        """Every sale of this region, in the order of their publication."""
        zone = _zone(zone)
        return {"sales": [self.show(sale, zone) for sale in self.book.sales]}

    def _time_state(self, terms: Terms, standing: Standing | None = None) -> str:
        """By this host's clock; without one, and of a sale elsewhere once it is past, by what is known all the same."""
        now = self._stamper.now()
        if now is None:
            return "open" if standing is not None and standing.decisions else "scheduled"
        if standing is None and now.utc_ns > terms.last_stamp_ns:
            return "closed"
        return "open" if now.utc_ns >= terms.opens_ns else "scheduled"

    async def purchase(self, request: Request, sale: str, is_batch: bool = False) -> Answer:
        arrival: Arrival | None = request.scope.get("extensions", {}).get(EXTENSION, {}).get("arrival")
        authorization = request.headers.get("authorization", "").encode("latin-1")
        traceparent = request.headers.get("traceparent", "").encode("latin-1")
        query = request.url.query.encode("latin-1")
        head = Head(
            *(sale, authorization, preference(request), is_batch),
            traceparent=traceparent,
            query=query,
            idempotency_key=request.headers.get("idempotency-key", "").encode("latin-1"),
            was_routed=_was_routed(request),
        )
        body = await read_body(request, head.longest_body_bytes)
        if arrival is not None and arrival.pipelined:
            return problems.pipelined()
        if "upgrade" in request.headers and "upgrade" in request.headers.get("connection", "").lower():
            return problems.bad_request("Purchases take no upgrade.")
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        call = Call(
            head,
            body,
            None if arrival is None else arrival.received,
            lambda answer: None if answered.done() else answered.set_result(answer),
        )
        self.purchases.take(call)
        try:
            return await answered
        finally:
            if not answered.done() and call.gone is not None:
                call.gone()

    async def status(self, request: Request, sale_id: str, purchase: str, tz: str | None = None) -> Answer:
        self.allow(request, "purchase", "audit", "operate")
        zone = _zone(tz)
        sale = self.find(sale_id)
        self.allow_to_see_entries(request, sale)
        elsewhere = await self.elsewhere(request, sale, purchase)
        if elsewhere is not None:
            return elsewhere
        if sale.is_reservation:
            return _in_zone(await self._status_of_reserved(request, sale, purchase), zone)
        try:
            found = await find_purchase(self._store, sale_id, purchase)
        except (RedisError, OSError):
            return problems.store_gone()
        if found is None:
            return problems.unknown_purchase(purchase, self.book.region)
        entry = found.entry
        outcome = sale.outcome(entry)
        wait_seconds = preferred_wait(preference(request))
        applied = wait_applied(wait_seconds)
        if outcome is None and wait_seconds:
            told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            give_up = sale.wait(entry, lambda result: None if told.done() else told.set_result(result))
            try:
                outcome = await asyncio.wait_for(told, wait_seconds)
            except TimeoutError:
                outcome = None
            finally:
                give_up()
        if outcome is not None:
            return _in_zone(decided(sale, entry, outcome, applied), zone)
        return _in_zone(Answer(200, pending(sale, entry).body, (("retry-after", "1"), *applied)), zone)

    async def _status_of_reserved(self, request: Request, sale: Sale, purchase: str) -> Answer:
        wait_seconds = preferred_wait(preference(request))
        try:
            found = await reserved.find(self._store, sale, purchase)
        except (RedisError, OSError):
            return problems.store_gone()
        if found is None:
            return problems.unknown_purchase(purchase, self.book.region)
        shown = await reserved.show(sale, found, wait_seconds)
        return replace(shown, headers=(*shown.headers, *wait_applied(wait_seconds)))

    async def elsewhere(self, request: Request, sale: Sale, purchase: str, body: bytes = b"") -> Answer | None:
        """What another region says to a call about a purchase that was made there; None where it is served here."""
        peers = self.purchases.peers
        found = route_lookup(peers.settings, self.book.region, sale, purchase, _was_routed(request))
        if found is None:
            return None
        path, query = request.url.path, request.url.query
        if found.redirects:
            return problems.redirected(peers.location(found.region, path, query))
        told = {name: request.headers.get(name, "").encode("latin-1") for name in ("authorization", "traceparent")}
        told["prefer"] = preference(request)
        answer = await peers.ask(found.region, request.method, path, query, told, body)
        if isinstance(answer, Unknown) and request.method != "GET":
            return problems.store_gone()
        return answer if isinstance(answer, Answer) else problems.home_unavailable(found.region, has_peer=True)

    def clock(self, tz: str | None = None) -> dict[str, Any]:
        """The interval in which UTC is now, by this host."""
        zone = _zone(tz)
        reading = self._stamper.reader.read()
        raw_ns = self._stamper.host.raw_ns()
        interval = reading.interval(raw_ns)
        shown: dict[str, Any] = {
            "state": reading.state.value,
            "host": reading.host,
            "update": str(reading.update),
            "sources": reading.sources,
            "agreeing": reading.agreeing,
            "local_reference": reading.local_reference,
        }
        if interval is None:
            return {**shown, "reason": reading.reason or "void"}
        middle_ns = (interval.earliest_ns + interval.latest_ns) // 2
        return {
            **shown,
            "earliest_ns": str(interval.earliest_ns),
            "latest_ns": str(interval.latest_ns),
            "bound_ns": str((interval.latest_ns - interval.earliest_ns) // 2),
            "utc": utc(middle_ns),
            **({} if zone is None else {"local": in_zone(middle_ns, zone)}),
        }

    def readiness(self) -> dict[str, str]:
        """What a purchase needs, each by name: "ok", or what is wrong."""
        latest = self.book.heard.latest()
        silent = latest is None or self._stamper.host.raw_ns() - latest[0] > PULSE_FRESH_NS
        reading = self._stamper.reader.read()
        return {
            "clock": "ok" if self._stamper.now() is not None else f"no safe clock: {reading.reason or 'void'}",
            "store": "ok" if self.book.store_answers else "does not answer",
            "arbiter": "no heartbeat is heard" if silent else "ok",
        }
