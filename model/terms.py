"""A sale's terms: what may be stated, what follows from it, and the id that makes it unchangeable. Pure.

A merchant proposes terms; the arbiter draws a seed, adds its commitment, and the sale's id is the first 32 hex digits
of the SHA-256 of the canonical result. Every rule that terms must keep is checked here, in one place, and a breach
names the field and the rule. Times are RFC 9557 with a numeric offset; whether that offset is what the zone really
had then is checked at the edge, where a zone database is (`service/gateway/times.py`).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from model import guards
from model.beacon import Round, read_round
from model.note import ARBITER_KEY, NoteError, VerifierKey, parse_verifier_key, region_key_name
from model.vocabulary import NANOSECONDS_IN_SECOND, RegionName, SaleId, is_id
from model.wire import canonical

LARGEST_STOCK: Final = 10_000_000
LONGEST_NS: Final = 24 * 3600 * NANOSECONDS_IN_SECOND
"""No window, bound, grace or cut-off is longer than a day."""
LONGEST_TEXT: Final = 500
LONGEST_REGION: Final = 100
"""A request id is its region, a dot and 24 more characters, and may be 128 long."""
MOST_REGIONS: Final = 64
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

    @property
    def last_stamp_ns(self) -> int:
        """The greatest stamp that may be logged."""
        return guards.last_stamp_ns(self.closes_ns, self.skew_bound_ns)

    @property
    def look_every_ns(self) -> int:
        """How often at least the arbiter records how far it has read, while a beacon's round is waited for and entries
        come: up to 2 000 times in a sale, and every quarter of a second where that is fewer."""
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


class _Reading:
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

    def one_of(self, field: str, choices: tuple[str, ...]) -> None:
        value = self.stated.get(field, choices[0])
        if value not in choices:
            self.breach(field, f"is one of: {', '.join(choices)}")
        self.normal[field] = value

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


_FIELDS: Final = frozenset(
    {"title", "merchant", "previous", "kind", "method", "stock", "opens", "closes", "entries_from", "regions"}
    | {"skew_bound_ns", "tie_window_ns", "intake_grace_ns", "cut_off_after_ns", "seed_commitment", "beacon", "keys"}
)


def read_terms(stated: Mapping[str, Any]) -> Terms:
    """Terms from their fields, with defaults filled in.

    Args:
        stated: `title`, `stock`, `opens`, `closes`, `regions` and `skew_bound_ns` are required.

    Raises:
        TermsError: with a line for every rule that is broken.
    """
    reading = _Reading(stated)
    for field in sorted(stated.keys() - _FIELDS, key=str):
        reading.breach(str(field), "is not a term of a sale")
    reading.text("title", required=True)
    reading.text("merchant", required=False)
    reading.hexadecimal("previous", 32)
    reading.one_of("kind", ("flash",))
    reading.one_of("method", ("ordered",))
    reading.hexadecimal("seed_commitment", 64)
    opens_ns = reading.time("opens")
    skew_bound_ns = reading.nanoseconds("skew_bound_ns", None, least=0)
    regions = reading.regions()
    closes_ns = reading.time("closes")
    intake_grace_ns = reading.nanoseconds("intake_grace_ns", DEFAULT_INTAKE_GRACE_NS, least=0)
    terms = Terms(
        stated=reading.normal,
        stock=reading.stock(),
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
