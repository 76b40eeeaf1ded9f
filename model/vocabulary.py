"""The nouns of Firstcome, one record each: what a log line says, what a decision says, what a buyer is told.

Every other room uses these records; there is no second set of models for HTTP, the store or the audit. Times are
integers of nanoseconds since the Unix epoch, in UTC. Their lines on disk: `wire.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

SaleId: TypeAlias = str
"""The first 32 hex digits of the SHA-256 of a sale's canonical terms."""

RequestId: TypeAlias = str
"""`<region>.<random>`; called a purchase in URLs."""

BuyerId: TypeAlias = str
"""A pseudonym chosen by the merchant: bundles are public."""

RegionName: TypeAlias = str

Head: TypeAlias = str
"""A hash-chain head: 64 hex digits. See `wire.extend`."""

LONGEST_ID: Final = 128
"""Characters."""

ID_FORM: Final = rf"[A-Za-z0-9._~-]{{1,{LONGEST_ID}}}"
"""What a buyer, a region or a purchase may be called: safe in a URL, a file name, a log line and a store's key."""

NANOSECONDS_IN_SECOND: Final = 1_000_000_000

_is_id = re.compile(ID_FORM).fullmatch


def is_id(text: str) -> bool:
    """Whether `text` may name a buyer, a region or a purchase."""
    return _is_id(text) is not None


@dataclass(frozen=True, slots=True)
class Entry:
    """One logged request: a line of its region's log.

    `stamp_ns` is its arrival by the host's corrected clock, true to `bound_ns`. `clock` names the evidence, as
    `<host>/<update>`. `heard_ns` is the arbiter's time in the last heartbeat that its gateway had read before the
    request arrived, 0 where there was none. `unit` is what it got at the door, where units are sold there
    (`shards.py`), and None in an ordered sale. `price` is what it bids in an auction, in minor units of the sale's
    currency, and None elsewhere.
    """

    seq: int
    request: RequestId
    buyer: BuyerId
    stamp_ns: int
    bound_ns: int
    clock: str
    heard_ns: int
    unit: int | None = None
    price: int | None = None


ReplyKind: TypeAlias = Literal["confirm", "release"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the holder of a reserved unit says of it: it is wanted, or given back. Stamped like an entry, and logged in
    the region that the purchase is named after."""

    seq: int
    says: ReplyKind
    purchase: RequestId
    stamp_ns: int
    bound_ns: int
    clock: str
    heard_ns: int


Units: TypeAlias = tuple[tuple[int, int], ...]
"""Numbered units of the stock as ranges, first and last included, in the order in which they are sold."""


@dataclass(frozen=True, slots=True)
class Stocked:
    """The first line of a region's log where units are sold at the door: the share it begins with."""

    seq: int
    units: Units


@dataclass(frozen=True, slots=True)
class Granted:
    """A region has given units away: they are no longer its own, and `to` may take them, once.

    Grants are numbered from 1 by the region that gives.
    """

    seq: int
    number: int
    to: RegionName
    units: Units


@dataclass(frozen=True, slots=True)
class Taken:
    """A region has taken grant `number` of region `donor`, or, where that is "", what the arbiter has reissued."""

    seq: int
    donor: RegionName
    number: int
    units: Units


RefusalReason: TypeAlias = Literal["altered", "fenced", "foreign"]
"""Of a grant: it was taken before with other units; its donor is out of the sale; it is for, or from, somebody else."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A region was offered a grant that it must not take; it is as it was."""

    seq: int
    donor: RegionName
    number: int
    units: Units
    reason: RefusalReason


Line: TypeAlias = Entry | Stocked | Granted | Taken | Refused
"""A line of a region's log where units are sold at the door. In a reservation there are entries and replies, and in any
other ordered sale entries only."""


@dataclass(frozen=True, slots=True)
class RegionSeen:
    """How far the arbiter had read one region: its last number, the head there, and the mark read before."""

    seq: int
    head: Head
    mark_ns: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What the arbiter had read of each region still in the sale, and when, by its own clock's interval."""

    regions: Mapping[RegionName, RegionSeen]
    earliest_ns: int
    latest_ns: int


@dataclass(frozen=True, slots=True)
class Won:
    """A request got a unit. `rank` counts winners from 0 in serving order; `unit` is in [0, stock). `price` is what is
    paid for it, in an auction."""

    request: RequestId
    region: RegionName
    rank: int
    unit: int
    price: int | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A request has its place on a reservation's list, and waits for a unit. Ranks count from 0 in serving order."""

    request: RequestId
    region: RegionName
    rank: int


@dataclass(frozen=True, slots=True)
class Held:
    """A unit is held for a request until `until_ns`: the latest time of the look that this follows from, and the
    terms' `hold_ns`."""

    request: RequestId
    region: RegionName
    rank: int
    unit: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class ListFull:
    """Every place on a reservation's list is taken. Whoever has none has lost."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A held unit was confirmed, certainly in time: it is sold."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class Released:
    """A held unit was given back."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class Expired:
    """A held unit was not confirmed in time, and no confirmation that was can follow."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class SoldOut:
    """The last unit is gone; in a reservation: every unit is confirmed."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """A region fell silent for too long; its entries beyond `seq` do not count."""

    region: RegionName
    seq: int
    head: Head


@dataclass(frozen=True, slots=True)
class Fenced:
    """A region was stopped for good, and its log then read to its end: what it had left is nobody's until reissued.

    Unlike a region that is cut off it can sell nothing any more, wherever it is.
    """

    region: RegionName
    seq: int
    head: Head
    reason: str


@dataclass(frozen=True, slots=True)
class Reissued:
    """Units that a fenced region had left, or that were on their way to it, are for another region to take, once.

    They are numbered from 1 like a region's grants.
    """

    number: int
    to: RegionName
    units: Units


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The sale was stopped by a caller with the operate scope. Units won before stay won."""

    reason: str


@dataclass(frozen=True, slots=True)
class Halted:
    """A region's log contradicts itself or what the arbiter had read of it. Nothing is guessed after that."""

    reason: str


@dataclass(frozen=True, slots=True)
class Complete:
    """Every entry is in: none can follow any more. From here on the draw waits for the beacon's round."""


@dataclass(frozen=True, slots=True)
class BeaconValue:
    """The round of a public randomness beacon that the terms name, once it is known (`beacon.py`).

    Both signatures are lower-case hex digits; `previous_signature` is "" in schemes that do not sign it.
    """

    round: int
    signature: str
    previous_signature: str = ""


CloseReason: TypeAlias = Literal["sold_out", "time", "cancelled"]


@dataclass(frozen=True, slots=True)
class Closed:
    """Every region's log is read to its end; the bundle is complete."""

    reason: CloseReason


Naming: TypeAlias = Won | Listed | Held
"""A decision by which a buyer is known from then on. Where decisions are kept, the buyer is beside it."""

Decision: TypeAlias = (
    Seen
    | Won
    | Listed
    | Held
    | ListFull
    | Confirmed
    | Released
    | Expired
    | SoldOut
    | CutOff
    | Fenced
    | Reissued
    | Cancelled
    | Halted
    | Complete
    | BeaconValue
    | Closed
)
"""A record of the decision log. `Seen`, `CutOff`, `Fenced`, `Reissued`, `Cancelled`, `Halted`, `BeaconValue` and most
`Closed` come from the world; the others follow from them and the logs (`arbiter.py`, `auction.py`, `reservation.py`,
`shards.py`)."""

LostReason: TypeAlias = Literal[
    "sold_out", "closed", "duplicate", "cut_off", "cancelled", "halted", "outbid", "list_full", "expired", "released"
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request, for good.

    Won: `unit` is set, in an ordered sale `rank`, and in an auction `price`, which is what is paid. Lost: `reason` is
    set, and for a duplicate `of` names the buyer's winner.
    """

    request: RequestId
    state: Literal["won", "lost"]
    reason: LostReason | None = None
    rank: int | None = None
    unit: int | None = None
    of: RequestId | None = None
    price: int | None = None


class Contradiction(Exception):  # noqa: N818  (a finding about the logs, not a fault of ours)
    """Logs, marks or decisions that cannot all be true.

    Attributes:
        region: whose log it is about, or "" for the decision log.
        rule: the condition that was false, as a sentence.
    """

    def __init__(self, region: RegionName, rule: str) -> None:
        super().__init__(f"region {region}: {rule}" if region else rule)
        self.region = region
        self.rule = rule
