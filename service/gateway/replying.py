"""Confirming a reserved unit, and giving it back: from who says so to the answer.

What a holder says is stamped like a purchase and logged in the region of the purchase, once: what was said first
stands. It is worth what the arbiter makes of it. A confirmation is acknowledged, with 200, only once it is decided;
202 says that it is logged. Whether it came in time is the model's to say (`model/reservation.py`): certainly before
the hold was over. What is not certainly in time is refused here already, and nothing is logged.

The buyer is compared before anything else is told, and the purchase looked up before anything is refused, so that a
repeated call finds what the first one did.
"""

from typing import Annotated, Any, Final

import msgspec
from fastapi import FastAPI, Header, Query, Request
from redis.exceptions import RedisError
from starlette.responses import Response

from model import guards
from model.holds import Turn
from model.replies import reply_line_halves
from model.vocabulary import ID_FORM, BuyerId, Reply, ReplyKind, is_id
from service.gateway import openapi, problems, schemas
from service.gateway.admission import Arrival
from service.gateway.answers import Answer
from service.gateway.api import Api, preference, read_body, response
from service.gateway.bodies import field_and_rule
from service.gateway.book import Sale
from service.gateway.handover import EXTENSION
from service.gateway.handover import Arrival as ReadArrival
from service.gateway.request import MAX_BODY_BYTES
from service.gateway.reserved import Found, find
from service.gateway.stamping import Stamper
from service.gateway.times import utc
from service.gateway.told import preferred_wait, wait_applied
from service.gateway.turns import body_of
from service.store import keys
from service.store.opening import Store
from service.store.scripts import script


class _Confirmation(msgspec.Struct, forbid_unknown_fields=True):
    buyer: str


_decode: Final = msgspec.json.Decoder(_Confirmation).decode
_WANTED: Final[dict[ReplyKind, tuple[str, str | None]]] = {"confirm": ("won", None), "release": ("lost", "released")}
"""State and reason of who got what they said."""

Headers = tuple[tuple[str, str], ...]


class Replies:
    """What holders of units say, in one gateway process."""

    def __init__(self, api: Api, stamper: Stamper, store: Store) -> None:
        self._api = api
        self._stamper = stamper
        self._store = store
        self._script = script(store, "reply")

    async def confirm(self, request: Request, sale_id: str, purchase: str) -> Answer:
        """Confirm a purchase for the buyer in the body."""
        self._api.allow(request, "purchase")
        sale = self._api.find(sale_id)
        body = await read_body(request, MAX_BODY_BYTES)
        try:
            buyer = _decode(body).buyer
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return problems.invalid([field_and_rule(str(error))])
        return await self._say(request, sale, purchase, "confirm", buyer, body)

    async def release(self, request: Request, sale_id: str, purchase: str, buyer: str) -> Answer:
        """Give a purchase back for a buyer."""
        self._api.allow(request, "purchase")
        sale = self._api.find(sale_id)
        await read_body(request, MAX_BODY_BYTES)
        return await self._say(request, sale, purchase, "release", buyer, b"")

    async def _say(
        self, request: Request, sale: Sale, purchase: str, says: ReplyKind, buyer: BuyerId, body: bytes
    ) -> Answer:
        came: ReadArrival | None = request.scope.get("extensions", {}).get(EXTENSION, {}).get("arrival")
        if came is not None and came.pipelined:
            return problems.pipelined()
        if not is_id(buyer):
            return problems.invalid([("buyer", "is 1 to 128 of A-Z a-z 0-9 . _ ~ -")])
        elsewhere = await self._api.elsewhere(request, sale, purchase, body)
        if elsewhere is not None:
            return elsewhere
        if not sale.is_reservation:
            return problems.not_a_reservation()
        wait_seconds = preferred_wait(preference(request))
        try:
            found = await find(self._store, sale, purchase)
            if found is None:
                return problems.unknown_purchase(purchase, sale.region)
            if found.entry.buyer != buyer:
                return problems.not_yours()
            said = await self._log(sale, found, says, came)
            return said if isinstance(said, Answer) else await _told(sale, said, says, wait_seconds)
        except (RedisError, OSError):
            return problems.store_gone()

    async def _log(self, sale: Sale, found: Found, says: ReplyKind, came: ReadArrival | None) -> Found | Answer:
        """Have it logged that a holder says this, unless it was said before; or why not."""
        state = found.state(sale)
        if found.reply is not None or state["state"] != "held":
            return found
        turn = sale.standing.holds.turns[found.entry.request]
        arrival = self._arrival(sale, turn, says, came)
        if isinstance(arrival, Answer):
            return arrival
        purchase, stamp = found.entry.request, str(arrival.stamp_ns)
        names = [keys.log(sale.id), keys.replies(sale.id), keys.mark(sale.id), keys.stop(sale.id)]
        told: Any = await self._script(keys=names, args=[purchase, stamp, *reply_line_halves(says, purchase, *arrival)])
        if isinstance(told, int):
            return Found(found.entry, Reply(told, says, purchase, *arrival))
        if told[0] == b"below":
            return problems.overloaded()
        again = await find(self._store, sale, purchase)
        if again is None:
            return problems.store_gone()
        if again.reply is not None or again.state(sale)["state"] != "held":
            return again
        return _stopped(sale, turn, told[1])

    def _arrival(self, sale: Sale, turn: Turn, says: ReplyKind, came: ReadArrival | None) -> Arrival | Answer:
        """What may be logged of when it came."""
        if sale.region in sale.standing.cut_offs:
            return problems.region_cut_off(sale.region)
        skew_bound_ns = sale.terms.skew_bound_ns
        received = None if came is None else came.received
        self._stamper.look()
        stamped = self._stamper.stamp(received, skew_bound_ns)
        if isinstance(stamped, str):
            return problems.clock_unsafe(stamped)
        (stamp_ns, bound_ns), clock = stamped
        if says == "confirm" and not guards.confirms_in_time(stamp_ns, skew_bound_ns, turn.until_ns):
            return problems.hold_expired(utc(turn.until_ns))
        if sale.is_isolated(self._stamper.host.raw_ns()):
            return problems.region_isolated(sale.region)
        assert received is not None
        return Arrival(stamp_ns, bound_ns, clock, self._api.book.heard.before(received.raw_ns))


async def _told(sale: Sale, found: Found, says: ReplyKind, wait_seconds: float | None) -> Answer:
    """What came of it, or that it is logged."""
    entry = found.entry
    applied = wait_applied(wait_seconds)
    is_said = found.reply is not None and found.reply.says == says
    if is_said and wait_seconds:
        await sale.until(lambda: sale.outcome(entry) is not None, wait_seconds)
    now = found.state(sale)
    where = f"/v1/sales/{sale.id}/purchases/{entry.request}"
    if (now["state"], now.get("reason")) == _WANTED[says]:
        return Answer(200, body_of(sale, entry, now), (("content-location", where), *applied))
    if now["state"] == "lost":
        turn = sale.standing.holds.turns.get(entry.request)
        expired = turn is not None and now["reason"] == "expired"
        return problems.hold_expired(utc(turn.until_ns)) if turn and expired else _not_held(now)
    if not is_said:
        return _not_held(now)
    return Answer(202, body_of(sale, entry, now), (("location", where), ("retry-after", "1"), *applied))


def _not_held(now: dict[str, Any]) -> Answer:
    return problems.not_held(now["state"], now.get("reason"))


def _stopped(sale: Sale, turn: Turn, why: bytes) -> Answer:
    """The store was stopped, or lost its line, before this process heard why."""
    match why.partition(b":")[0]:
        case b"cut_off":
            return problems.region_cut_off(sale.region)
        case b"cancelled":
            return problems.cancelled("see the sale's events")
        case b"halted":
            return problems.halted()
        case b"sold_out" | b"closed":
            return problems.hold_expired(utc(turn.until_ns))
        case _:
            return problems.store_gone()


_PREFER: Final = Header(description="wait=N: answer once it is decided, if that is in N s")


def add_reply_calls(app: FastAPI, replies: Replies) -> None:
    """The calls of this page."""

    @app.post(
        "/v1/sales/{sale}/purchases/{purchase}/confirm",
        responses=openapi.CONFIRM,
        openapi_extra=openapi.body(schemas.CONFIRM_BODY),
    )
    async def confirm_a_purchase(
        request: Request,
        sale: str,
        purchase: str,
        prefer: Annotated[str | None, _PREFER] = None,  # noqa: ARG001
    ) -> Response:
        """Confirm that a held unit is wanted. 202 once that is logged; 200 once it is decided: only then it is sold.

        Repeating it is safe. Whoever is told that the hold expired has no unit, and is to be refunded.
        """
        return response(await replies.confirm(request, sale, purchase))

    @app.delete("/v1/sales/{sale}/purchases/{purchase}", responses=openapi.RELEASE)
    async def give_a_purchase_back(
        request: Request,
        sale: str,
        purchase: str,
        buyer: Annotated[str, Query(description="whose purchase it is", json_schema_extra={"pattern": f"^{ID_FORM}$"})],
        prefer: Annotated[str | None, _PREFER] = None,  # noqa: ARG001
    ) -> Response:
        """Give a held unit back: it goes to the next in line. 202 once that is logged, 200 once it is decided."""
        return response(await replies.release(request, sale, purchase, buyer))
