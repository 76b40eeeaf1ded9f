"""What calls take and give: sales, purchases, bids, events, receipts. Immutable.

Times that people read are aware `datetime`s; exact times are integers of nanoseconds since the Unix epoch, in fields
that end in `_ns`. Terms and decisions are the records of `model/` itself: there is no second set of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Required, TypeAlias, TypedDict

from whenever import OffsetDateTime, TimeZoneNotFoundError, ZonedDateTime

from model.terms import Terms, read_terms
from model.vocabulary import Decision
from model.wire import parse_canonical, parse_decision_line

PurchaseState: TypeAlias = Literal["pending", "waiting", "held", "confirming", "releasing", "won", "lost"]

UNDECIDED: Final[frozenset[PurchaseState]] = frozenset({"pending", "confirming", "releasing"})
"""The states in which it is the arbiter's turn; they pass within moments, or with the end of an auction."""


@dataclass(frozen=True, slots=True)
class PurchaseRef:
    """Which purchase is meant: by its sale and its id, as a service keeps them. Every `Purchase` is one.

    `buyer` is needed to confirm and to release.
    """

    sale: str
    id: str
    buyer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase(PurchaseRef):
    """A purchase as it stands. Fields that do not apply are None.

    - `pending`: logged, not decided. `stamp_ns` is when it arrived, true to `bound_ns`.
    - `won`: `unit`, and in ordered sales `rank`; in an auction `price` was bid and `pays` is paid, in minor units of
      `currency`.
    - `lost`: `reason`, and for a duplicate `of`, the buyer's purchase that won.
    - Of a reservation also `waiting`: `rank`, `ahead` (how many stand before you), `known_by` (when you will know at
      the latest); `held`: `rank`, `unit`, `until`; `confirming` and `releasing`: logged, not decided.
    """

    state: PurchaseState
    region: str
    seq: int
    stamp_ns: int
    bound_ns: int
    rank: int | None = None
    unit: int | None = None
    reason: str | None = None
    of: str | None = None
    price: int | None = None
    pays: int | None = None
    currency: str | None = None
    ahead: int | None = None
    known_by: datetime | None = None
    until: datetime | None = None
    until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Bid:
    """A sealed bid in a batch: `price` in minor units of the auction's currency (cents, not euros)."""

    buyer: str
    price: int
    currency: str | None = None

    def stated(self) -> dict[str, Any]:
        """The body of the call."""
        currency = {} if self.currency is None else {"currency": self.currency}
        return {"buyer": self.buyer, "price": self.price, **currency}


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale as a region sees it. Its times are in the zone that was asked for, else in that of the terms."""

    id: str
    state: Literal["scheduled", "open", "closed", "halted", "cancelled"]
    seed_commitment: str
    opens: datetime
    closes: datetime
    entries_from: datetime
    stated: Mapping[str, Any] = field(repr=False)
    """The terms as they were published."""
    reason: str | None = None
    """Why it is over."""
    winners: int | None = None

    @property
    def terms(self) -> Terms:
        """The terms, read by the rules of terms.

        Raises:
            TermsError: this version of Firstcome knows no such terms.
        """
        return read_terms(self.stated)


@dataclass(frozen=True, slots=True)
class Event:
    """A record of a sale's decision log. `id` is its index there: what `after` takes to go on behind it."""

    id: int
    type: str
    """Such as `won`, `sold_out`, `closed`."""
    line: str = field(repr=False)
    """The record as it is logged and hashed."""

    @property
    def record(self) -> Mapping[str, Any]:
        """The record's fields, as in `decisions.jsonl` (docs/bundle.md)."""
        return parse_canonical(self.line.encode())

    @property
    def decision(self) -> Decision:
        """The record as the model's own.

        Raises:
            Contradiction: this version of Firstcome knows no such record.
        """
        return parse_decision_line(self.id, self.line.encode())


class SaleTerms(TypedDict, total=False):
    """What `publish` takes. Times are aware datetimes, or text in RFC 9557; nanoseconds are integers."""

    title: Required[str]
    stock: Required[int]
    opens: Required[datetime | str]
    closes: Required[datetime | str]
    regions: Required[list[str]]
    skew_bound_ns: Required[int]
    entries_from: datetime | str
    merchant: str
    previous: str
    kind: Literal["flash", "auction", "reservation"]
    method: Literal["ordered", "sharded", "central"]
    tie_window_ns: int
    intake_grace_ns: int
    cut_off_after_ns: int
    beacon: Mapping[str, Any]
    quotas: Mapping[str, int]
    rebalance: bool
    central_region: str
    currency: str
    reserve_price: int
    pricing: Literal["first_price", "uniform"]
    hold_ns: int
    waiting_list: int


def stated_terms(terms: Mapping[str, Any]) -> dict[str, Any]:
    """Terms as they travel: nanoseconds as decimal strings, datetimes as RFC 9557.

    Raises:
        ValueError: a datetime says no zone.
    """
    return {name: _stated(name, value) for name, value in terms.items() if value is not None}


def _stated(name: str, value: object) -> object:
    if isinstance(value, datetime):
        return rfc9557(value)
    return str(value) if name.endswith("_ns") and isinstance(value, int) else value


def rfc9557(moment: datetime) -> str:
    """An aware datetime as text, with its zone where that has a name.

    Raises:
        ValueError: it says no zone, so it could be any moment.
    """
    if moment.utcoffset() is None:
        raise ValueError(f"{moment!r} says no zone: give it one, such as tzinfo=ZoneInfo('Asia/Shanghai')")
    zone = getattr(moment.tzinfo, "key", None)
    return moment.isoformat() + (f"[{zone}]" if zone else "")


def moment_of(text: str) -> datetime:
    """RFC 9557 text as an aware datetime, cut to microseconds.

    A zone that this host's database does not know, or knows by another rule, is passed over: the offset is what counts.

    Raises:
        ValueError: no such text.
    """
    plain, bracket, _ = text.partition("[")
    if bracket:
        try:
            return ZonedDateTime.parse_iso(text).to_stdlib()
        except (TimeZoneNotFoundError, ValueError):
            pass
    return OffsetDateTime.parse_iso(plain).to_stdlib()
