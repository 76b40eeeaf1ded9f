"""From a reference in the outbox to what is sent: the body, and the id that a receiver knows it by.

    {"type": "purchase.lost", "timestamp": "2026-11-27T12:00:01.500Z", "data": {"sale": …, "number": 17, "purchases":
     [{"id": "shanghai.…", "buyer": …, "region": "shanghai", "state": "lost", "reason": "sold_out"}, …]}}

A purchase looks as in `GET …/purchases/{id}`. The body depends on the sale and the number alone, so whoever sends it
again, a restarted notifier or a replay months later, sends the same bytes under the same id.
"""

import hashlib
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from whenever import Instant

from model.outcomes import Standing
from model.terms import Terms
from model.vocabulary import (
    BuyerId,
    Cancelled,
    Closed,
    Confirmed,
    Decision,
    Entry,
    Expired,
    Halted,
    Held,
    Listed,
    Outcome,
    RegionName,
    Released,
    RequestId,
    Won,
)
from model.wire import parse_decision_line
from service.notify.outbox import Message, Ranges, each
from service.notify.reading import read_entry
from service.notify.webhooks import WebhookId
from service.store import keys
from service.store.chunks import ChunkedLines
from service.store.opening import Store
from service.store.streams import read_range

_encode: Final = msgspec.json.Encoder().encode
BODIES_KEPT: Final = 8
_RECORDS_AT_ONCE: Final = 1_000

Fields = dict[str, Any]


def message_id(webhook: WebhookId, sale: str, number: int) -> str:
    """What a receiver knows a message by: the same however often it is sent, another for every webhook."""
    return "msg_" + hashlib.sha256(f"{webhook}\n{sale}\n{number}".encode()).hexdigest()[:32]


class Bodies:
    """What is sent of one sale's messages.

    Args:
        standing: what the decision log says, at least as far as it was when a message was planned; it may grow.
    """

    def __init__(self, store: Store, terms: Terms, standing: Standing) -> None:
        self._store = store
        self._terms = terms
        self._sale = terms.sale()
        self._standing = standing
        self._bids: dict[RequestId, int] | None = None
        """What the winners of an auction have bid, once that was looked up: no decision says it."""
        self._ahead: dict[str, tuple[int, list[bytes]]] = {}
        """By stream, the number of the first line and the lines that were read for a message: chunks hold more than
        one tells of, and the next tells of what follows."""
        self._made: dict[int, bytes] = {}
        """The bodies of the last few messages: other webhooks want the same ones."""

    async def body(self, message: Message) -> bytes:
        """What is sent of a message.

        Raises:
            redis.exceptions.RedisError: the store does not answer.
        """
        made = self._made.get(message.number)
        if made is None:
            made = self._made[message.number] = await self._make(message)
            while len(self._made) > BODIES_KEPT:
                del self._made[next(iter(self._made))]
        return made

    async def _make(self, message: Message) -> bytes:
        data: Fields = {"sale": self._sale, "number": message.number}
        if message.purchases:
            data["purchases"] = [
                *[await self._of_record(*record) for record in await self._records(message.records)],
                *await self._of_entries(message),
            ]
        else:
            for _, decision, _ in await self._records(message.records):
                data |= _end(decision)
        return _encode({"type": message.event, "timestamp": _utc(message.planned_ns), "data": data})

    async def _of_record(self, decided: int, decision: Decision, buyer: BuyerId) -> Fields:
        """A purchase as a record of the decision log tells of it, and at which index."""
        match decision:
            case Won(request, region, rank, unit, price):
                bid = None if price is None else (await self._winning_bids())[request]
                outcome = Outcome(request, "won", rank=rank, unit=unit, price=price)
                return {**self._purchase(region, buyer, outcome, bid), "decision": decided}
            case Listed(request, region, rank):
                told: Fields = {"state": "waiting", "rank": rank}
            case Held(request, region, rank, unit, until_ns):
                until = {"until": _utc(until_ns), "until_ns": str(until_ns)}
                told = {"state": "held", "rank": rank, "unit": unit, **until}
            case Confirmed(request) | Released(request) | Expired(request):
                region, turn = request.rpartition(".")[0], self._standing.holds.turns[request]
                buyer = turn.buyer or ""
                if isinstance(decision, Confirmed):
                    outcome = Outcome(request, "won", rank=turn.rank, unit=turn.unit)
                else:
                    outcome = Outcome(request, "lost", "released" if isinstance(decision, Released) else "expired")
                return {**self._purchase(region, buyer, outcome, None), "decision": decided}
            case _:
                raise ValueError(f"record {decided} tells of no purchase")
        return {"id": request, "buyer": buyer, "region": region, **told, "decision": decided}

    def _purchase(self, region: RegionName, buyer: BuyerId, outcome: Outcome, bid: int | None) -> Fields:
        """A purchase with its outcome; what does not apply is left out."""
        known = {"reason": outcome.reason, "rank": outcome.rank, "unit": outcome.unit, "of": outcome.of}
        known |= {"price": bid, "pays": outcome.price, "currency": None if bid is None else self._terms.currency}
        told = {"id": outcome.request, "buyer": buyer, "region": region, "state": outcome.state}
        return told | {name: value for name, value in known.items() if value is not None}

    async def _records(self, ranges: Ranges) -> list[tuple[int, Decision, BuyerId]]:
        """The records that a message names, each with its index and the buyer beside it."""
        found: list[tuple[int, Decision, BuyerId]] = []
        wanted = set(each(ranges))
        first, last = (ranges[0][0], ranges[-1][1]) if ranges else (0, -1)
        while first <= last:
            some = await read_range(self._store, keys.ledger(self._sale), first + 1, last + 1, _RECORDS_AT_ONCE)
            if not some:
                break
            found += [
                (entry.number - 1, parse_decision_line(entry.number - 1, entry.line), entry.winner.decode())
                for entry in some
                if entry.number - 1 in wanted
            ]
            first = some[-1].number
        return found

    async def _of_entries(self, message: Message) -> list[Fields]:
        """The purchases that a message names by their lines, each with its outcome."""
        told: list[Fields] = []
        named = [(keys.copied_log(self._sale, region), region, at) for region, at in message.entries.items()]
        named += [(keys.copied_beyond(self._sale, region), region, at) for region, at in message.beyond.items()]
        for key, region, ranges in named:
            first, lines = await self._lines(key, ranges[0][0], ranges[-1][1])
            for number in each(ranges):
                entry = read_entry(self._terms, lines[number - first])
                outcome = None if entry is None else self._standing.outcome_of(region, entry)
                if entry is not None and outcome is not None:
                    told.append(self._purchase(region, entry.buyer, outcome, entry.price))
        return told

    async def _lines(self, key: str, first: int, last: int) -> tuple[int, list[bytes]]:
        """Lines of a stream, at least from number `first` to `last`, and the number of the first of them."""
        known, lines = self._ahead.get(key, (1, []))
        if not known <= first <= last < known + len(lines):
            known, lines = first, []
            async for piece in ChunkedLines(self._store, key, first - 1).up_to(None):
                lines += piece
                if len(lines) > last - first:
                    break
            self._ahead[key] = known, lines
        return known, lines

    async def _winning_bids(self) -> dict[RequestId, int]:
        if self._bids is None:
            won = self._standing.winners
            self._bids = {
                entry.request: entry.price or 0 async for entry in self._all_entries() if entry.request in won
            }
        return self._bids

    async def _all_entries(self) -> AsyncIterator[Entry]:
        for region in self._terms.regions:
            async for lines in ChunkedLines(self._store, keys.copied_log(self._sale, region)).up_to(None):
                for line in lines:
                    entry = read_entry(self._terms, line)
                    if entry is not None:
                        yield entry


def _end(decision: Decision) -> Fields:
    match decision:
        case Closed(reason):
            return {"state": "closed", "reason": reason}
        case Cancelled(reason):
            return {"state": "cancelled", "reason": reason}
        case Halted(reason):
            return {"state": "halted", "reason": reason}
    raise ValueError("the record does not end a sale")


def _utc(at_ns: int) -> str:
    """RFC 3339."""
    return Instant.from_timestamp(at_ns, unit="nanosecond").format_iso()
