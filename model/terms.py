"""A sale's terms: what may be stated, what follows from it, and the id that makes it unchangeable. Pure.

A merchant proposes terms; the arbiter draws a seed, adds its commitment, and the sale's id is the first 32 hex digits
of the SHA-256 of the canonical result. Every rule that terms must keep is checked here, in one place, and a breach
names the field and the rule. Times are RFC 9557 with a numeric offset; whether that offset is what the zone really
had then is checked at the edge, where a zone database is (`service/gateway/times.py`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, cast, get_args

from model import guards
from model.beacon import Round
from model.stated import DEFAULT_CUT_OFF_AFTER_NS, DEFAULT_INTAKE_GRACE_NS, Breach, Keys, Reading, TermsError
from model.vocabulary import RegionName, SaleId, Units
from model.wire import canonical

Method: TypeAlias = Literal["ordered", "sharded", "central"]
"""How a sale is sold: in one order over all regions; at the door of each region, from a share of the stock; at the
door of one region, which has all of it."""

Kind: TypeAlias = Literal["flash", "auction", "reservation"]
"""What is sold: a unit each to the first; to the highest sealed bids; held for the first, to be confirmed."""

Pricing: TypeAlias = Literal["", "first_price", "uniform"]
"""What winners of an auction pay: each its own bid; all the highest losing bid, or the reserve. "" elsewhere."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one sale. `stated` is what is published, as canonical fields; the rest is read from it."""

    stated: Mapping[str, Any]
    stock: int
    regions: tuple[str, ...]
    opens_ns: int
    closes_ns: int
    entries_from_ns: int
    skew_bound_ns: int
    tie_window_ns: int
    intake_grace_ns: int
    cut_off_after_ns: int
    beacon: Round | None = None
    """The round of a public beacon that the draw waits for; None where the seed alone decides."""
    keys: Keys | None = None
    """None while the terms are only proposed, and for sales that nobody signs."""
    method: Method = "ordered"
    quotas: Mapping[RegionName, int] = field(default_factory=dict)
    """How many units each region begins with, where they are sold at the door; empty in an ordered sale."""
    rebalances: bool = False
    """Whether unsold units move to where they are asked for."""
    kind: Kind = "flash"
    currency: str = ""
    """ISO 4217 code, of an auction; "" elsewhere."""
    reserve_price: int = 0
    """The least bid that is taken, in minor units of the currency; 0 where there are no bids."""
    pricing: Pricing = ""
    hold_ns: int = 0
    """For how long a reserved unit is held for who has it; 0 where units are sold at once."""
    waiting_list: int = 0
    """How many may wait for a unit that is given back, over the whole sale."""

    @property
    def places(self) -> int:
        """How many can be drawn at all: the stock, and who may wait for a unit of it."""
        return self.stock + self.waiting_list

    @property
    def central_region(self) -> RegionName | None:
        """The region that has all of the stock of a sale by the `central` method; None by others."""
        return next((name for name in self.regions if self.quotas[name]), None) if self.method == "central" else None

    def share(self, region: RegionName) -> Units:
        """The units that a region begins with: they are numbered through in the order of the regions."""
        first = 0
        for name in self.regions:
            if name == region:
                break
            first += self.quotas[name]
        return ((first, first + self.quotas[region] - 1),) if self.quotas[region] else ()

    @property
    def last_stamp_ns(self) -> int:
        """The greatest stamp that may be logged."""
        return guards.last_stamp_ns(self.closes_ns, self.skew_bound_ns)

    @property
    def look_every_ns(self) -> int:
        """How often at least the arbiter records how far it has read, while entries come and nothing is decided before
        they are in: up to 2 000 times in a sale, and every quarter of a second where that is fewer."""
        return max(250_000_000, (self.closes_ns - self.entries_from_ns) // 2_000)

    @property
    def seed_commitment(self) -> str:
        """Hex SHA-256 of the seed; "" while the terms are only proposed."""
        return str(self.stated.get("seed_commitment", ""))

    def line(self) -> bytes:
        """The canonical line, of which the sale's id is the hash."""
        return canonical(self.stated)

    def sale(self) -> SaleId:
        """The id of the sale that these terms are."""
        return hashlib.sha256(self.line()).hexdigest()[:32]

    def committed(self, seed: bytes, keys: Keys | None = None) -> "Terms":
        """The same terms, completed with the commitment to a seed, and with who signs."""
        signed = {} if keys is None else {"keys": keys.stated()}
        return read_terms({**self.stated, "seed_commitment": commitment(seed), **signed})


def commitment(seed: bytes) -> str:
    """What is published of a seed before anybody enters: its SHA-256, in hex."""
    return hashlib.sha256(seed).hexdigest()


_FIELDS: Final = frozenset(
    {"title", "merchant", "previous", "kind", "method", "stock", "opens", "closes", "entries_from", "regions"}
    | {"skew_bound_ns", "tie_window_ns", "intake_grace_ns", "cut_off_after_ns", "seed_commitment", "beacon", "keys"}
    | {"quotas", "rebalance", "central_region", "currency", "reserve_price", "pricing", "hold_ns", "waiting_list"}
)


def read_terms(stated: Mapping[str, Any]) -> Terms:
    """Terms from their fields, with defaults filled in.

    Args:
        stated: `title`, `stock`, `opens`, `closes`, `regions` and `skew_bound_ns` are required.

    Raises:
        TermsError: with a line for every rule that is broken.
    """
    reading = Reading(stated)
    for unknown in sorted(stated.keys() - _FIELDS, key=str):
        reading.breach(str(unknown), "is not a term of a sale")
    reading.text("title", required=True)
    reading.text("merchant", required=False)
    reading.hexadecimal("previous", 32)
    kind = reading.one_of("kind", get_args(Kind))
    method = reading.one_of("method", get_args(Method))
    reading.hexadecimal("seed_commitment", 64)
    opens_ns = reading.time("opens")
    skew_bound_ns = reading.nanoseconds("skew_bound_ns", None, least=0)
    regions = reading.regions()
    closes_ns = reading.time("closes")
    intake_grace_ns = reading.nanoseconds("intake_grace_ns", DEFAULT_INTAKE_GRACE_NS, least=0)
    stock = reading.stock()
    currency, reserve_price, pricing = reading.auction(kind)
    hold_ns, waiting_list = reading.reservation(kind, stock)
    terms = Terms(
        stated=reading.normal,
        stock=stock,
        regions=regions,
        opens_ns=opens_ns,
        closes_ns=closes_ns,
        entries_from_ns=reading.time("entries_from", default=stated.get("opens")),
        skew_bound_ns=skew_bound_ns,
        tie_window_ns=reading.nanoseconds("tie_window_ns", 2 * skew_bound_ns, least=0),
        intake_grace_ns=intake_grace_ns,
        cut_off_after_ns=reading.nanoseconds("cut_off_after_ns", DEFAULT_CUT_OFF_AFTER_NS, least=1),
        beacon=reading.beacon(closes_ns, skew_bound_ns, intake_grace_ns),
        keys=reading.keys(regions),
        method=cast("Method", method),
        quotas=reading.quotas(method, regions, stock),
        rebalances=method == "sharded" and reading.flag("rebalance", default=True),
        kind=cast("Kind", kind),
        currency=currency,
        reserve_price=reserve_price,
        pricing=cast("Pricing", pricing),
        hold_ns=hold_ns,
        waiting_list=waiting_list,
    )
    if not reading.breaches:
        reading.breaches.extend(_broken_rules(terms))
    if reading.breaches:
        raise TermsError(reading.breaches)
    return terms


def _broken_rules(terms: Terms) -> list[Breach]:
    rules = [
        (terms.opens_ns < terms.closes_ns, "closes", "is after opens"),
        (terms.entries_from_ns <= terms.opens_ns, "entries_from", "is not after opens"),
        (
            guards.window_covers_clocks(terms.tie_window_ns, terms.skew_bound_ns),
            "tie_window_ns",
            "is at least 2 × skew_bound_ns, or clock error alone could decide",
        ),
        (
            guards.grace_covers_clocks(terms.intake_grace_ns, terms.skew_bound_ns),
            "intake_grace_ns",
            "is more than 2 × skew_bound_ns, or hosts of one region that differ by that would refuse each other",
        ),
        (
            terms.intake_grace_ns < terms.cut_off_after_ns,
            "cut_off_after_ns",
            "is more than intake_grace_ns, or a region would be cut off for keeping its promise",
        ),
        (
            terms.method == "ordered" or terms.entries_from_ns == terms.opens_ns,
            "entries_from",
            f"is opens in a sale by the {terms.method} method, where whoever enters gets a unit at once",
        ),
        (
            terms.method == "ordered" or terms.beacon is None,
            "beacon",
            f"is for ordered sales: by the {terms.method} method nothing is drawn",
        ),
        (
            terms.method == "ordered" or terms.kind == "flash",
            "kind",
            f"is flash by the {terms.method} method, where whoever enters gets a unit at once",
        ),
        (
            terms.kind != "reservation" or terms.beacon is None,
            "beacon",
            "is for sales that are drawn once: a reservation gives units out while entries come",
        ),
        (
            terms.kind != "reservation"
            or guards.hold_covers_clocks(terms.hold_ns, terms.skew_bound_ns, terms.intake_grace_ns),
            "hold_ns",
            "is more than 2 × skew_bound_ns + intake_grace_ns, or nobody could confirm in time",
        ),
    ]
    return [Breach(field, rule) for kept, field, rule in rules if not kept]


def published_in_time(terms: Terms, now_latest_ns: int) -> None:
    """Terms must reach every region before any of them takes entries.

    Args:
        now_latest_ns: the arbiter's time at publishing, at the latest.

    Raises:
        TermsError: entries would be taken from a moment that is past.
    """
    if terms.entries_from_ns <= now_latest_ns:
        field = "entries_from" if terms.entries_from_ns < terms.opens_ns else "opens"
        raise TermsError([Breach(field, "is in the future when the sale is published, so that no region starts ahead")])
