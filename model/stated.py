"""Reading what is stated as terms, field by field: the form of each, and what is said of one that has another.

Pure. What the fields must be to each other is said in `terms.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from model import guards
from model.beacon import Round, read_round
from model.note import ARBITER_KEY, NoteError, VerifierKey, parse_verifier_key, region_key_name
from model.vocabulary import NANOSECONDS_IN_SECOND, RegionName, is_id

LARGEST_STOCK: Final = 10_000_000
LONGEST_NS: Final = 24 * 3600 * NANOSECONDS_IN_SECOND
"""No window, bound, grace or cut-off is longer than a day."""
LARGEST_PRICE: Final = 10**15 - 1
"""In minor units: it survives a double, and is more than anything was ever sold for."""
LONGEST_TEXT: Final = 500
LONGEST_REGION: Final = 100
"""A request id is its region, a dot and 24 more characters, and may be 128 long."""
MOST_REGIONS: Final = 64
PLACES_TO_STOCK: Final = 10
"""So many may wait for each unit of a reservation, where its terms leave that to us."""
DEFAULT_INTAKE_GRACE_NS: Final = 200_000_000
DEFAULT_CUT_OFF_AFTER_NS: Final = 30_000_000_000
BEACON_MARGIN_NS: Final = 5_000_000_000
"""Where terms leave it to us which round of a beacon decides: so much later than it must be, so that every log's end is
read, recorded and signed before the value is known."""

_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-][01]\d:[0-5]\d)(?:\[([A-Za-z0-9_+/-]{1,64})\])?",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_NS: Final = 10**18
_GREATEST_NS: Final = 9 * 10**18
"""From September 2001 to March 2255 every stamp has 19 digits, so stamps compare as strings too."""


class Breach(NamedTuple):
    """A field of proposed terms, and the rule that it breaks."""

    field: str
    rule: str


class TermsError(ValueError):
    """Terms that cannot be. `breaches` has one line for each rule that is broken."""

    def __init__(self, breaches: list[Breach]) -> None:
        super().__init__("; ".join(f"{breach.field}: {breach.rule}" for breach in breaches))
        self.breaches = breaches


@dataclass(frozen=True, slots=True)
class Keys:
    """Who signs: the arbiter its decision log and the bundle, each region its log."""

    arbiter: VerifierKey
    regions: Mapping[RegionName, VerifierKey]

    def stated(self) -> dict[str, Any]:
        """The field `keys` of terms."""
        return {"arbiter": str(self.arbiter), "regions": {name: str(key) for name, key in self.regions.items()}}


def instant_ns(text: str) -> int:
    """UTC nanoseconds of an RFC 9557 time, such as `2026-11-27T20:00:00+08:00[Asia/Shanghai]`.

    Raises:
        ValueError: not such a time, or it has no offset.
    """
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise ValueError("write a time as 2026-11-27T20:00:00+08:00[Asia/Shanghai]")
    local, fraction, offset, _zone = found.groups()
    moment = datetime.fromisoformat(local + ("+00:00" if offset == "Z" else offset)) - _EPOCH
    return (moment.days * 86_400 + moment.seconds) * NANOSECONDS_IN_SECOND + int((fraction or "").ljust(9, "0"))


class Reading:
    """Reads proposed fields one by one and collects what is wrong with them."""

    def __init__(self, stated: Mapping[str, Any]) -> None:
        self.stated = stated
        self.normal: dict[str, Any] = {}
        self.breaches: list[Breach] = []

    def breach(self, field: str, rule: str) -> None:
        self.breaches.append(Breach(field, rule))

    def text(self, field: str, *, required: bool) -> None:
        value = self.stated.get(field)
        if value is None and not required:
            return
        if not (isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and value.isprintable()):
            self.breach(field, f"is text of 1 to {LONGEST_TEXT} printable characters")
            return
        self.normal[field] = value

    def one_of(self, field: str, choices: tuple[str, ...]) -> str:
        value = self.stated.get(field, choices[0])
        if value not in choices:
            self.breach(field, f"is one of: {', '.join(choices)}")
            return choices[0]
        self.normal[field] = value
        return str(value)

    def quotas(self, method: str, regions: tuple[str, ...], stock: int) -> dict[RegionName, int]:
        """How many units each region begins with."""
        for name, wanted in (("quotas", "sharded"), ("rebalance", "sharded"), ("central_region", "central")):
            if name in self.stated and method != wanted:
                self.breach(name, f"is for sales by the {wanted} method")
        if method == "central":
            central = self.stated.get("central_region", regions[0] if regions else "")
            if central not in regions:
                self.breach("central_region", "is one of the regions of the sale")
            self.normal["central_region"] = central
            return {name: stock if name == central else 0 for name in regions}
        if method != "sharded":
            return {}
        quotas = self.stated.get("quotas")
        if not isinstance(quotas, dict):
            self.breach("quotas", 'says how many units each region begins with, as {"name": units}')
            return dict.fromkeys(regions, 0)
        if any(isinstance(units, bool) or not isinstance(units, int) or units < 0 for units in quotas.values()):
            self.breach("quotas", "are whole numbers from 0")
            return dict.fromkeys(regions, 0)
        unknown, missing = sorted(quotas.keys() - set(regions), key=str), sorted(set(regions) - quotas.keys())
        if unknown:
            self.breach("quotas", f"name regions of the sale only, and {unknown[0]!r} is none")
        if missing:
            self.breach("quotas", f"name every region of the sale, if only with 0; {missing[0]!r} is missing")
        if sum(quotas.values()) != stock:
            self.breach("quotas", f"add up to the stock: {stock}, not {sum(quotas.values())}")
        self.normal["quotas"] = quotas
        return {name: quotas.get(name, 0) for name in regions}

    def auction(self, kind: str) -> tuple[str, int, str]:
        """Currency, reserve price and pricing of an auction; ("", 0, "") of other sales."""
        for name in ("currency", "reserve_price", "pricing"):
            if name in self.stated and kind != "auction":
                self.breach(name, "is for auctions")
        if kind != "auction":
            return "", 0, ""
        currency = self.stated.get("currency")
        if not (isinstance(currency, str) and re.fullmatch("[A-Z]{3}", currency)):
            self.breach("currency", "is a currency's ISO 4217 code, such as EUR")
            currency = ""
        self.normal["currency"] = currency
        reserve_price = self._whole("reserve_price", 1, 1, LARGEST_PRICE, "minor units of the currency, such as cents")
        return currency, reserve_price, self.one_of("pricing", ("first_price", "uniform"))

    def reservation(self, kind: str, stock: int) -> tuple[int, int]:
        """For how long a unit is held (ns), and how many may wait for one; (0, 0) of other sales."""
        for name in ("hold_ns", "waiting_list"):
            if name in self.stated and kind != "reservation":
                self.breach(name, "is for reservations")
        if kind != "reservation":
            return 0, 0
        default = min(PLACES_TO_STOCK * stock, LARGEST_STOCK)
        waiting_list = self._whole("waiting_list", default, 0, LARGEST_STOCK, "buyers who may wait for a unit")
        return self.nanoseconds("hold_ns", None, least=1), waiting_list

    def _whole(self, field: str, default: int, least: int, most: int, what: str) -> int:
        value = self.stated.get(field, default)
        if not (isinstance(value, int) and not isinstance(value, bool) and least <= value <= most):
            self.breach(field, f"is a whole number of {what}, from {least} to {most}")
            return default
        self.normal[field] = value
        return value

    def flag(self, field: str, default: bool) -> bool:
        value = self.stated.get(field, default)
        if not isinstance(value, bool):
            self.breach(field, "is true or false")
            return default
        self.normal[field] = value
        return value

    def hexadecimal(self, field: str, digits: int) -> None:
        value = self.stated.get(field)
        if value is None:
            return
        if not (isinstance(value, str) and re.fullmatch(f"[0-9a-f]{{{digits}}}", value)):
            self.breach(field, f"is {digits} lower-case hex digits")
        self.normal[field] = value

    def keys(self, regions: tuple[str, ...]) -> Keys | None:
        value = self.stated.get("keys")
        if value is None:
            return None
        try:
            if not (isinstance(value, dict) and value.keys() == {"arbiter", "regions"}):
                raise NoteError('is {"arbiter": key, "regions": {name: key}}')
            named = value["regions"]
            if not (isinstance(named, dict) and named.keys() == set(regions)):
                raise NoteError("names the key of each region of the sale, and no other")
            keys = Keys(
                _key(value["arbiter"], ARBITER_KEY),
                {name: _key(named[name], region_key_name(name)) for name in regions},
            )
        except NoteError as error:
            self.breach("keys", str(error))
            return None
        self.normal["keys"] = keys.stated()
        return keys

    def beacon(self, closes_ns: int, skew_bound_ns: int, intake_grace_ns: int) -> Round | None:
        value = self.stated.get("beacon")
        if value is None:
            return None
        entered_ns = closes_ns + 2 * skew_bound_ns + intake_grace_ns
        try:
            named = read_round(value, entered_ns + BEACON_MARGIN_NS)
        except ValueError as error:
            self.breach("beacon", str(error))
            return None
        published_ns = named.published_ns
        if not guards.is_unknown_while_entering(published_ns, closes_ns, skew_bound_ns, intake_grace_ns):
            least = named.chain.round_after(entered_ns)
            self.breach("beacon", f"is a round that nobody knows while anybody can enter: {least} or later")
        elif published_ns > closes_ns + LONGEST_NS:
            self.breach("beacon", "is a round that is published within a day of closing")
        self.normal["beacon"] = named.stated()
        return named

    def stock(self) -> int:
        value = self.stated.get("stock")
        if not (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST_STOCK):
            self.breach("stock", f"is a whole number from 1 to {LARGEST_STOCK}")
            return 1
        self.normal["stock"] = value
        return value

    def regions(self) -> tuple[str, ...]:
        value = self.stated.get("regions")
        if not (isinstance(value, list) and 1 <= len(value) <= MOST_REGIONS):
            self.breach("regions", f"is a list of 1 to {MOST_REGIONS} region names")
            return ()
        for name in value:
            if not (isinstance(name, str) and is_id(name) and len(name) <= LONGEST_REGION):
                self.breach("regions", f"{name!r} is no region name: use 1 to {LONGEST_REGION} of A-Z a-z 0-9 . _ ~ -")
                return ()
        if len(set(value)) != len(value):
            self.breach("regions", "names each region once")
        self.normal["regions"] = value
        return tuple(value)

    def time(self, field: str, default: str | None = None) -> int:
        value = self.stated.get(field, default)
        try:
            if not isinstance(value, str):
                raise ValueError("write a time as 2026-11-27T20:00:00+08:00[Asia/Shanghai]")
            moment_ns = instant_ns(value)
        except ValueError as error:
            self.breach(field, str(error))
            return _LEAST_NS
        if not _LEAST_NS <= moment_ns <= _GREATEST_NS:
            self.breach(field, "is from September 2001 to March 2255")
        self.normal[field] = value
        return moment_ns

    def nanoseconds(self, field: str, default: int | None, least: int) -> int:
        value = self.stated.get(field, default)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if not (isinstance(value, int) and not isinstance(value, bool) and least <= value <= LONGEST_NS):
            self.breach(field, f"is nanoseconds as a decimal string, from {least} to {LONGEST_NS} (a day)")
            return least
        self.normal[field] = str(value)
        return value


def _key(text: object, name: str) -> VerifierKey:
    if not isinstance(text, str):
        raise NoteError("holds each key as text")
    key = parse_verifier_key(text)
    if key.name != name:
        raise NoteError(f"has {name} where {key.name!a:.200} is")
    return key
