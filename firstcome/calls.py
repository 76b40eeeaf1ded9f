"""Every call of the client but the events: what is asked, and what the answer means. No I/O: `exchange.py` says how.

These functions are the methods of `Client` and `AsyncClient`. Whatever they raise is in
`problems.py`; when a request is made again, in `patience.py`.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar, Unpack
from urllib.parse import quote

import msgspec

from firstcome.exchange import SECOND_NS, Ask, Call, Reply, asked, paused
from firstcome.patience import pause
from firstcome.problems import (
    AlreadyDecidedError,
    BadAnswerError,
    CentralUnreachableError,
    ProblemError,
    RegionCutOffError,
    StockLostError,
    UnavailableError,
    UndecidedError,
    problem_from,
)
from firstcome.receipts import Receipt, checked
from firstcome.records import (
    UNDECIDED,
    Bid,
    Purchase,
    PurchaseRef,
    PurchaseState,
    Sale,
    SaleTerms,
    moment_of,
    stated_terms,
)

PUBLISHING_NS: Final = 40 * SECOND_NS
"""A gateway waits for the arbiter, and the arbiter for every region."""
LONGEST_WAIT_SECONDS: Final = 60
"""A gateway keeps nobody waiting longer in one request."""
_LEDGER_NS: Final = 60 * SECOND_NS
"""Between two pieces of a ledger, and before the first: it is put together on the way."""

_BATCH_TRIES: Final = 6
_PERMANENT: Final = (RegionCutOffError, StockLostError, CentralUnreachableError)
"""These go on for longer than anybody waits."""

Kind = TypeVar("Kind")


def publish(*, idempotency_key: str | None = None, **terms: Unpack[SaleTerms]) -> Call[Sale]:
    """Publish a sale. Its terms never change afterwards.

    Args:
        idempotency_key: one of your own, to be sure of a single sale across restarts of your program; within a call a
            key is made for you.
        terms: as `SaleTerms` says; docs/bundle.md explains them.

    Raises:
        InvalidError: terms that cannot be; its `errors` name fields and rules.
        ValueError: a time says no zone.
    """
    key = {"idempotency-key": idempotency_key or secrets.token_hex(16)}
    reply = yield from asked(Ask("POST", "/v1/sales", stated_terms(terms), headers=key, within_ns=PUBLISHING_NS))
    return _read_sale(_object(reply))


def sale(sale: str, *, tz: str | None = None) -> Call[Sale]:
    """A sale as this region sees it.

    Args:
        tz: an IANA zone for its times, such as `Europe/Berlin`; None for the zone of the terms.
    """
    return _read_sale(_object((yield from asked(Ask("GET", sale_path(sale), query=_zone(tz))))))


def sales(*, tz: str | None = None) -> Call[list[Sale]]:
    """All sales of this region, in the order of their publication."""
    reply = yield from asked(Ask("GET", "/v1/sales", query=_zone(tz)))
    return [_read_sale(stated) for stated in _object(reply).get("sales", ())]


def cancel(sale: str, reason: str) -> Call[None]:
    """Stop a sale, with a reason that is recorded and public. Units won before stay won.

    Raises:
        AlreadyDecidedError: it has its result. (Not where it is cancelled already: then all is as it should be.)
    """
    try:
        yield from asked(Ask("POST", f"{sale_path(sale)}/cancel", {"reason": reason}, within_ns=PUBLISHING_NS))
    except AlreadyDecidedError:
        # The call that cancelled it may have been this one, and its answer lost.
        shown = _object((yield from asked(Ask("GET", sale_path(sale)))))
        if shown.get("state") != "cancelled":
            raise


def purchase(sale: str, buyer: str, *, wait_seconds: int = 0) -> Call[Purchase]:
    """Enter a sale for a buyer. A buyer has one entry: calling again finds it, and how it stands.

    Args:
        buyer: a pseudonym of yours, 1 to 128 of `A-Z a-z 0-9 . _ ~ -`; bundles are public.
        wait_seconds: how long to wait for the outcome, up to 60. Where it does not come in time, and in any case
            without a wait, the purchase that is returned is `pending`: it is on disk, and `wait` goes on waiting.

    Raises:
        TooEarlyError, TooLateError, SoldOutError, ListFullError: nothing was logged.
    """
    return (yield from _enter(sale, {"buyer": buyer}, wait_seconds))


def bid(sale: str, buyer: str, price: int, *, currency: str | None = None, wait_seconds: int = 0) -> Call[Purchase]:
    """Bid in an auction. Of a buyer's bids the highest counts, so bidding again can only raise it.

    Args:
        price: in minor units of the auction's currency: cents, not euros.
        currency: an ISO 4217 code; where it is given, the auction's must be the same.

    Raises:
        BelowReserveError, WrongCurrencyError: nothing was logged.
    """
    return (yield from _enter(sale, Bid(buyer, price, currency).stated(), wait_seconds))


def purchases(sale: str, entries: Sequence[str | Bid]) -> Call[list[Purchase | ProblemError]]:
    """Enter a sale for up to 1 000 buyers at once, under one stamp.

    Args:
        entries: buyers, or in an auction bids.

    Returns:
        In the order of the entries: the purchase, or why there is none. An entry that was refused for a passing reason
        is tried again for some seconds, and then has a stamp of its own.
    """
    bodies = [entry.stated() if isinstance(entry, Bid) else {"buyer": entry} for entry in entries]
    results: dict[int, Purchase | ProblemError] = {}
    missing = list(range(len(bodies)))
    tries = 0
    while True:
        body = {"purchases": [bodies[index] for index in missing]}
        reply = yield from asked(Ask("POST", f"{sale_path(sale)}/purchases:batch", body))
        results.update(zip(missing, _read_batch(reply, len(missing)), strict=True))
        missing = [index for index in missing if _came_at_a_bad_time(results[index])]
        tries += 1
        if not missing or tries == _BATCH_TRIES:
            return [results[index] for index in range(len(bodies))]
        again = pause(tries, SECOND_NS)
        yield from paused(again.least_ns, again.most_ns)


def status(purchase: PurchaseRef) -> Call[Purchase]:
    """A purchase as it stands now."""
    reply = yield from asked(Ask("GET", _path(purchase)))
    return _purchase(reply)


def wait(
    purchase: PurchaseRef, *, within_seconds: int = 60, through: Collection[PurchaseState] = UNDECIDED
) -> Call[Purchase]:
    """Wait until a purchase is decided: won or lost, or in a reservation held or on the waiting list.

    Args:
        within_seconds: any number; longer waits are several requests.
        through: the states to wait through. With `{*UNDECIDED, "waiting"}` who stands on a waiting list is waited for
            until a unit is theirs, or none will be.

    Raises:
        UndecidedError: it was not in time.
    """
    deadline_ns = (yield from paused(0, 0)) + within_seconds * SECOND_NS
    asked_ns = deadline_ns - within_seconds * SECOND_NS
    while True:
        seconds = max(0, min((deadline_ns - asked_ns) // SECOND_NS, LONGEST_WAIT_SECONDS))
        reply = yield from asked(_patient(Ask("GET", _path(purchase)), seconds))
        found = _purchase(reply)
        if found.state not in through:
            return found
        if reply.at_ns >= deadline_ns:
            raise UndecidedError(found)
        came_early = reply.at_ns - asked_ns < seconds * SECOND_NS or seconds == 0
        asked_ns = (yield from paused(SECOND_NS, SECOND_NS * 5 // 4)) if came_early else reply.at_ns


def confirm(purchase: PurchaseRef, *, wait_seconds: int = LONGEST_WAIT_SECONDS) -> Call[Purchase]:
    """Confirm what is held, before its `until`. Only `won` is confirmed: `confirming` is logged, and not decided yet.

    Raises:
        NotHeldError, HoldExpiredError, NotYoursError: nothing was done.
    """
    ask = Ask("POST", f"{_path(purchase)}/confirm", {"buyer": _buyer(purchase)})
    return _purchase((yield from asked(_patient(ask, wait_seconds))))


def release(purchase: PurchaseRef, *, wait_seconds: int = 0) -> Call[Purchase]:
    """Give back what is held; whoever waits next gets it.

    Raises:
        NotHeldError, HoldExpiredError, NotYoursError: nothing was done.
    """
    ask = Ask("DELETE", _path(purchase), query={"buyer": _buyer(purchase)})
    return _purchase((yield from asked(_patient(ask, wait_seconds))))


def receipt(purchase: PurchaseRef, *, within_seconds: int = 0) -> Call[Receipt]:
    """The receipt of a purchase, fetched and checked: signatures, Merkle paths, and that it is of this purchase.

    Args:
        within_seconds: how long to wait for the decision to be in it, signed by the arbiter. 0: take the receipt as
            soon as the region has signed the entry, a second or two after the purchase.

    Raises:
        ReceiptError: it does not prove what it says.
        NotSignedError: nobody signs this sale.
    """
    deadline_ns = (yield from paused(0, 0)) + within_seconds * SECOND_NS
    while True:
        reply = yield from asked(Ask("GET", f"{_path(purchase)}/receipt"))
        found = checked(reply.body, purchase)
        if found.outcome is not None or reply.at_ns >= deadline_ns:
            return found
        yield from paused(SECOND_NS // 2, SECOND_NS)


def ledger(sale: str, into: Path) -> Call[Path]:
    """Download a finished sale's bundle as a zip, whole or not at all. `firstcome audit` checks it.

    Raises:
        SaleNotOverError: the last decision is still to come.
    """
    yield from asked(Ask("GET", f"{sale_path(sale)}/ledger", within_ns=_LEDGER_NS, into=into))
    return into


def _enter(sale: str, body: dict[str, Any], wait_seconds: int) -> Call[Purchase]:
    ask = Ask("POST", f"{sale_path(sale)}/purchases", body)
    return _purchase((yield from asked(_patient(ask, wait_seconds))))


def _patient(ask: Ask, seconds: int) -> Ask:
    """The same, with leave to wait for the outcome."""
    if seconds <= 0:
        return ask
    seconds = min(seconds, LONGEST_WAIT_SECONDS)
    return replace(ask, headers={**ask.headers, "prefer": f"wait={seconds}"}, waits_ns=seconds * SECOND_NS)


def sale_path(sale: str) -> str:
    return f"/v1/sales/{quote(sale, safe='')}"


def _path(purchase: PurchaseRef) -> str:
    return f"{sale_path(purchase.sale)}/purchases/{quote(purchase.id, safe='')}"


def _buyer(purchase: PurchaseRef) -> str:
    if not purchase.buyer:
        raise ValueError("only the buyer may: say who it is, as PurchaseRef(sale, id, buyer)")
    return purchase.buyer


def _zone(tz: str | None) -> dict[str, str]:
    return {} if tz is None else {"tz": tz}


def _object(reply: Reply) -> dict[str, Any]:
    """The JSON object of an answer.

    Raises:
        BadAnswerError: there is none.
    """
    try:
        return msgspec.json.decode(reply.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswerError(f"what answered {reply.status} is no gateway: {error}") from error


def _read(kind: type[Kind], stated: object) -> Kind:
    """A record from its fields; more than it has are passed over, since newer gateways may say more.

    Raises:
        BadAnswerError: they do not make one.
    """
    try:
        return msgspec.convert(stated, kind, strict=False)  # not strict: nanoseconds are decimal strings
    except (msgspec.ValidationError, ValueError) as error:
        raise BadAnswerError(f"this is no {kind.__name__.lower()}: {error}") from error


def _purchase(reply: Reply) -> Purchase:
    return _read(Purchase, _object(reply))


def _read_sale(stated: dict[str, Any]) -> Sale:
    try:
        times = {name: moment_of(stated[name]) for name in ("opens", "closes", "entries_from")}
        return _read(Sale, {**stated, **times, "stated": stated["terms"]})
    except (KeyError, TypeError, ValueError) as error:
        raise BadAnswerError(f"this is no sale: {error!r}") from error


def _read_batch(reply: Reply, entries: int) -> list[Purchase | ProblemError]:
    items = _object(reply).get("purchases")
    if not isinstance(items, list) or len(items) != entries:
        raise BadAnswerError(f"a batch of {entries} is answered with as many outcomes")
    return [
        _read(Purchase, item["purchase"]) if "purchase" in item else problem_from(item["problem"], item["status"])
        for item in items
    ]


def _came_at_a_bad_time(result: Purchase | ProblemError) -> bool:
    """Whether an entry may be taken if it is tried again; its own answer has no `Retry-After` to say so."""
    return isinstance(result, UnavailableError) and not isinstance(result, _PERMANENT)
