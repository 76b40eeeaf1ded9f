"""The purchase call, from who asks for what to the answer. The intake and FastAPI run these very functions.

Nothing is refused before the buyer's entry has been looked up, except what no retry of a logged purchase can be: a
wrong token, an unknown sale, a bad body, a request that is certainly too early. So an attempt that may not be logged
any more (too late, sold out, no safe clock) still goes to the store, without a stamp, to find the entry of an earlier
one.
"""

import asyncio
import os
from base64 import b32hexencode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from clockd.host import ReceivedAt
from clockd.reader import Stamp
from model import guards
from model.vocabulary import Entry, Outcome, RegionName, is_id
from service.gateway import problems
from service.gateway.admission import Admission, Attempt, Logged, NotLogged, Result, StoreGone
from service.gateway.answers import Answer, encode
from service.gateway.book import Book, Sale
from service.gateway.stamping import Stamper
from service.gateway.tokens import Scope, Tokens

MAX_BODY_BYTES: Final = 16_384
LONGEST_WAIT_SECONDS: Final = 60.0
MOST_IN_FLIGHT: Final = 20_000
"""Purchases on their way to the store at once; beyond that new ones are refused, so that memory stays bounded."""
_RETRY_AFTER: Final = ("retry-after", "1")


class PurchaseBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a purchase says: who buys, by a pseudonym of the merchant's."""

    buyer: str


_decode: Final = msgspec.json.Decoder(PurchaseBody).decode


@dataclass(slots=True)
class Call:
    """One purchase call as it came in.

    `respond` gets the answer, once. `gone` is called by the connection when nobody is left to answer.
    """

    sale: str
    authorization: bytes
    prefer: bytes
    body: bytes
    received: ReceivedAt | None
    respond: Callable[[Answer], None]
    gone: Callable[[], None] | None = None


class Purchases:
    """The purchase call of one gateway process."""

    def __init__(self, region: RegionName, tokens: Tokens, book: Book, stamper: Stamper, admission: Admission) -> None:
        self._region = region
        self._tokens = tokens
        self._book = book
        self._stamper = stamper
        self._admission = admission

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
        """Answer a call, now or once the store, or the arbiter, has spoken."""
        refusal = self.authorize(call.authorization, "purchase")
        if refusal is not None:
            call.respond(refusal)
            return
        sale = self.find(call.sale)
        if isinstance(sale, Answer):
            call.respond(sale)
            return
        body = _read_body(call.body)
        if isinstance(body, Answer):
            call.respond(body)
            return
        if self._admission.in_flight >= MOST_IN_FLIGHT:
            call.respond(problems.overloaded())
            return
        stamped = self._stamp(sale, call.received)
        if isinstance(stamped, _Refused) and stamped.at_once:
            call.respond(stamped.answer)
            return
        request = f"{self._region}.{b32hexencode(os.urandom(15)).decode()}"
        if isinstance(stamped, _Refused):
            refused = stamped.answer
            attempt = Attempt(request, body.buyer, None, "", 0, lambda result: self._told(sale, call, result, refused))
        else:
            stamp, clock = stamped
            assert call.received is not None
            heard_ns = self._book.heard.before(call.received.raw_ns)
            attempt = Attempt(
                request, body.buyer, stamp, clock, heard_ns, lambda result: self._told(sale, call, result, None)
            )
        self._admission.add(sale.id, attempt)

    def _stamp(self, sale: Sale, received: ReceivedAt | None) -> "tuple[Stamp, str] | _Refused":
        """A stamp that may be logged, or the refusal that is owed unless the buyer has an entry already."""
        over = refusal_of(sale)
        if over is not None:
            return _Refused(over)
        terms = sale.terms
        stamped = self._stamper.stamp(received, terms.skew_bound_ns)
        if isinstance(stamped, str):
            return _Refused(problems.clock_unsafe(stamped))
        stamp_ns = stamped[0].utc_ns
        if guards.certainly_early(stamp_ns, terms.skew_bound_ns, terms.entries_from_ns):
            wait_ns = terms.entries_from_ns - stamp_ns
            return _Refused(
                problems.too_early(terms.stated["entries_from"], wait_ns), at_once=wait_ns > 3 * terms.skew_bound_ns
            )
        if guards.certainly_late(stamp_ns, terms.skew_bound_ns, terms.closes_ns):
            return _Refused(problems.too_late(terms.stated["closes"]))
        return stamped

    def _told(self, sale: Sale, call: Call, result: Result, refused: Answer | None) -> None:
        """The store has spoken."""
        match result:
            case StoreGone():
                call.respond(problems.store_gone())
            case Logged(entry):
                self._answer_entry(sale, call, entry)
            case NotLogged("unknown") if refused is not None:
                call.respond(refused)
            case NotLogged("below"):
                call.respond(problems.overloaded())
            case NotLogged("stopped", reason):
                call.respond(refusal_of(sale) or _stopped(sale, reason))
            case _:
                call.respond(problems.store_gone())

    def _answer_entry(self, sale: Sale, call: Call, entry: Entry) -> None:
        outcome = sale.outcome(entry)
        wait_seconds = preferred_wait(call.prefer)
        applied = wait_applied(wait_seconds)
        if outcome is not None:
            call.respond(decided(sale, entry, outcome, applied))
        elif not wait_seconds:
            call.respond(pending(sale, entry, applied))
        else:
            self._wait(sale, call, entry, wait_seconds, applied)

    def _wait(
        self, sale: Sale, call: Call, entry: Entry, wait_seconds: float, applied: tuple[tuple[str, str], ...]
    ) -> None:
        def tell(outcome: Outcome) -> None:
            timer.cancel()
            call.gone = None
            call.respond(decided(sale, entry, outcome, applied))

        def time_is_up() -> None:
            give_up()
            call.gone = None
            call.respond(pending(sale, entry, applied))

        def gone() -> None:
            timer.cancel()
            give_up()

        give_up = sale.wait(entry, tell)
        timer = asyncio.get_running_loop().call_later(wait_seconds, time_is_up)
        call.gone = gone


@dataclass(frozen=True, slots=True)
class _Refused:
    """What the caller gets unless the buyer has an entry.

    `at_once` where no entry can be there yet: two hosts of a region differ by 2ε at most, and neither lets anybody in
    whose stamp is more than ε early.
    """

    answer: Answer
    at_once: bool = False


def refusal_of(sale: Sale) -> Answer | None:
    """Why a sale takes no more entries, as far as decisions tell; None while it may."""
    standing = sale.standing
    if sale.region in standing.cut_offs:
        return problems.region_cut_off(sale.region)
    match standing.lost_reason():
        case "sold_out":
            return problems.sold_out(standing.sold_out_at)
        case "cancelled":
            return problems.cancelled(standing.cancelled or "")
        case "halted":
            return problems.halted()
        case "closed":
            return problems.too_late(sale.terms.stated["closes"])
        case _:
            return None


def _stopped(sale: Sale, reason: str) -> Answer:
    """The store was stopped before this process heard why."""
    match reason:
        case "cancelled":
            return problems.cancelled("see the sale's events")
        case "halted":
            return problems.halted()
        case "cut_off":
            return problems.region_cut_off(sale.region)
        case _:
            return problems.sold_out(None)


def _read_body(body: bytes) -> PurchaseBody | Answer:
    try:
        purchase = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return problems.invalid([field_and_rule(str(error))])
    if not is_id(purchase.buyer):
        return problems.invalid([("buyer", "is 1 to 128 of A-Z a-z 0-9 . _ ~ -")])
    return purchase


def field_and_rule(message: str) -> tuple[str, str]:
    """Which field a decoding error is about, and what it says."""
    rule, found, path = message.partition(" - at `$.")
    if found:
        return path.rstrip("`"), rule
    for marker in ("required field `", "unknown field `"):
        _, found, rest = rule.partition(marker)
        if found:
            return rest.partition("`")[0], rule
    return "", rule


def preferred_wait(prefer: bytes) -> float | None:
    """Seconds of `Prefer: wait=N` (RFC 7240), at most a minute; None where it is not asked for."""
    for preference in prefer.split(b","):
        name, _, value = preference.partition(b";")[0].partition(b"=")
        if name.strip().lower() == b"wait" and value.strip().strip(b'"').isdigit():
            return min(float(value.strip().strip(b'"')[:4]), LONGEST_WAIT_SECONDS)
    return None


def wait_applied(wait_seconds: float | None) -> tuple[tuple[str, str], ...]:
    """The header that says which wait was granted."""
    return () if wait_seconds is None else (("preference-applied", f"wait={int(wait_seconds)}"),)


def purchase_path(sale: Sale, entry: Entry) -> str:
    """Where a purchase can be asked for."""
    return f"/v1/sales/{sale.id}/purchases/{entry.request}"


def _fields(sale: Sale, entry: Entry, state: str) -> dict[str, str | int]:
    return {
        "id": entry.request,
        "sale": sale.id,
        "buyer": entry.buyer,
        "state": state,
        "region": sale.region,
        "seq": entry.seq,
        "stamp_ns": str(entry.stamp_ns),
        "bound_ns": str(entry.bound_ns),
    }


def pending(sale: Sale, entry: Entry, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """202: on disk, not decided yet."""
    location = ("location", purchase_path(sale, entry))
    return Answer(202, encode(_fields(sale, entry, "pending")), (location, _RETRY_AFTER, *headers))


def decided(sale: Sale, entry: Entry, outcome: Outcome, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """200: the outcome, for good."""
    fields = _fields(sale, entry, outcome.state)
    told = {"reason": outcome.reason, "rank": outcome.rank, "unit": outcome.unit, "of": outcome.of}
    fields.update({name: value for name, value in told.items() if value is not None})
    return Answer(200, encode(fields), (("content-location", purchase_path(sale, entry)), *headers))
