"""How a purchase is told: the fields of an entry and its outcome, and what a caller's `Prefer` header asks for.

The pending answer is written by hand: it is the answer to nearly every call of a burst, and every part of it is an id,
a number or a word of ours, so there is nothing to escape.
"""

from typing import Final, NamedTuple

from model.vocabulary import BuyerId, Entry, Outcome, RequestId
from service.gateway.admission import Attempt
from service.gateway.answers import Answer, encode
from service.gateway.book import Sale
from service.gateway.turns import body_of, is_drawn, state_of
from service.store.attempts import purchase_id

LONGEST_WAIT_SECONDS: Final = 60.0
_RETRY_AFTER: Final = ("retry-after", "1")


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


class Pending(NamedTuple):
    """What is told of entries that are on disk and not decided yet, around id, buyer and number. Those that came at one
    moment, at one price, share it."""

    between: str
    before_seq: str
    behind: str

    def body(self, purchase: RequestId, buyer: BuyerId, seq: int) -> str:
        """One of them, as JSON."""
        return f'{{"id":"{purchase}{self.between}{buyer}{self.before_seq}{seq}{self.behind}'


def pending_at(sale: Sale, stamp_ns: int, bound_ns: int, price: int | None) -> Pending:
    """The same for everything that came at one moment, at one price."""
    bid = "" if price is None else f',"price":{price},"currency":"{sale.terms.currency}"'
    return Pending(
        f'","sale":"{sale.id}","buyer":"',
        f'","state":"pending","region":"{sale.region}","seq":',
        f',"stamp_ns":"{stamp_ns}","bound_ns":"{bound_ns}"{bid}}}',
    )


def pending_id(sale: Sale, attempt: Attempt, seq: int) -> RequestId | None:
    """The id of an attempt that was logged under a number just now; None where it has an outcome already, which is
    rare."""
    purchase = purchase_id(attempt.request, seq)
    return purchase if sale.standing.outcome(sale.region, seq, purchase, attempt.buyer) is None else None


def decided_body(sale: Sale, entry: Entry, outcome: Outcome) -> bytes:
    """An entry and its outcome, as JSON."""
    fields: dict[str, str | int] = {
        "id": entry.request,
        "sale": sale.id,
        "buyer": entry.buyer,
        "state": outcome.state,
        "region": sale.region,
        "seq": entry.seq,
        "stamp_ns": str(entry.stamp_ns),
        "bound_ns": str(entry.bound_ns),
    }
    told = {"reason": outcome.reason, "rank": outcome.rank, "unit": outcome.unit, "of": outcome.of}
    fields.update({name: value for name, value in told.items() if value is not None})
    if entry.price is not None:
        fields.update({"price": entry.price, "currency": sale.terms.currency})
    if outcome.price is not None:
        fields["pays"] = outcome.price
    return encode(fields)


def accepted(sale: Sale, request: str, body: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """202: on disk, not decided yet."""
    location = ("location", f"/v1/sales/{sale.id}/purchases/{request}")
    return Answer(202, body.encode("ascii"), (location, _RETRY_AFTER, *headers))


def pending(sale: Sale, entry: Entry, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """202 for an entry."""
    at = pending_at(sale, entry.stamp_ns, entry.bound_ns, entry.price)
    return accepted(sale, entry.request, at.body(entry.request, entry.buyer, entry.seq), headers)


def decided(sale: Sale, entry: Entry, outcome: Outcome, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """200: the outcome, for good."""
    location = ("content-location", f"/v1/sales/{sale.id}/purchases/{entry.request}")
    return Answer(200, decided_body(sale, entry, outcome), (location, *headers))


def is_told(sale: Sale, entry: Entry) -> bool:
    """Whether an entry has what its caller waits for: its outcome, in a reservation its place on the list."""
    return is_drawn(sale, entry) if sale.is_reservation else sale.outcome(entry) is not None


def tell_entry(sale: Sale, entry: Entry, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An entry as it stands: 200 with its outcome, or its place on a reservation's list; or 202."""
    if sale.is_reservation:
        return tell_turn(sale, entry, headers)
    outcome = sale.outcome(entry)
    return pending(sale, entry, headers) if outcome is None else decided(sale, entry, outcome, headers)


def tell_turn(sale: Sale, entry: Entry, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """The same, in a reservation."""
    body = body_of(sale, entry, state_of(sale, entry))
    if not is_drawn(sale, entry):
        return accepted(sale, entry.request, body.decode(), headers)
    return Answer(200, body, (("content-location", f"/v1/sales/{sale.id}/purchases/{entry.request}"), *headers))
