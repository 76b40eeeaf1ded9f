"""What a reply to our request is worth: an exchange of four times, or a reason to drop it. Pure.

Anybody on the way can send us a packet. It counts only if it comes from the address asked, repeats the 8 random bytes
that we sent as our transmit time (the true one never leaves the host), and makes sense by RFC 5905 §8. A kiss-o'-death
is heard only after that check, or anybody could silence our servers. Next: `client.py` moves the bytes.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from clockd.ntp.packet import PACKET_BYTES, SERVER, UNSYNCHRONIZED, decode, from_ntp, precision_ns
from model.clock import Interval, exchange_offset

ROOT_DISTANCE_NS: Final = 16_000_000_000  # NTP's MAXDISP: a server this far from UTC has no time
STRATA: Final = 16
ROUNDING_NS: Final = 2  # server and we each round a timestamp down, by less than a nanosecond
VERSIONS: Final = (3, 4)
LOCAL_CLOCK: Final = 0x7F7F  # 127.127.x.y: chrony's 7F7F0101 (`local`) and 7F7F01FF, ntpd's undisciplined clock
LOCAL_REFERENCE_ID: Final = int.from_bytes(b"LOCL", "big")  # ours, of `clockd serve --local-reference`

Address = tuple[str, int]


class Reason(StrEnum):
    """Why a packet does not count."""

    ADDRESS = "address"
    LENGTH = "length"
    MODE = "mode"
    VERSION = "version"
    ORIGIN = "origin"
    KISS_DENY = "kiss_deny"  # stop asking
    KISS_RATE = "kiss_rate"  # ask less often
    KISS_OTHER = "kiss_other"
    LOCAL_REFERENCE = "local_reference"  # it has no source but its own clock, whatever it claims
    LEAP = "leap"
    STRATUM = "stratum"
    ZERO_TIMESTAMP = "zero_timestamp"
    ROOT_DISTANCE = "root_distance"
    TURNAROUND = "turnaround"
    DISRUPTED = "disrupted"  # a ClockBound segment's own word
    TIMESCALE = "timescale"  # PTP: TAI without a valid offset to UTC
    ACCURACY = "accuracy"  # PTP: the grandmaster's is unknown, and nobody states one
    GRANDMASTER = "grandmaster"  # PTP: it has just changed
    STALE = "stale"  # PTP: no Sync lately


KISSES: Final = {b"DENY": Reason.KISS_DENY, b"RSTR": Reason.KISS_DENY, b"RATE": Reason.KISS_RATE}

# A packet with one of these faults may be anybody's; the true reply may still come.
PERHAPS_FORGED: Final = frozenset({Reason.ADDRESS, Reason.LENGTH, Reason.MODE, Reason.VERSION, Reason.ORIGIN})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way: to whom, the 8 random bytes in it, and t1, the RAW clock just before it was sent."""

    address: Address
    transmit: bytes
    sent_raw_ns: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """An accepted exchange.

    t1 and t4 are this host's RAW clock, t2 and t3 the server's clock in Unix nanoseconds, which is within `distance_ns`
    of UTC if the server is honest.
    """

    address: Address
    sent_raw_ns: int
    server_received_ns: int
    server_sent_ns: int
    received_raw_ns: int
    distance_ns: int
    stratum: int
    reference_id: int
    leap: int = 0

    def offset(self, reading_raw_ns: int, drift_ppb: int) -> Interval | None:
        """UTC − RAW at a reading of RAW ≥ t4, by this exchange; None when it contradicts itself."""
        return exchange_offset(
            sent_raw_ns=self.sent_raw_ns,
            server_received_ns=self.server_received_ns,
            server_sent_ns=self.server_sent_ns,
            received_raw_ns=self.received_raw_ns,
            distance_ns=self.distance_ns,
            reading_raw_ns=reading_raw_ns,
            drift_ppb=drift_ppb,
        )


@dataclass(frozen=True, slots=True)
class Rejected:
    """A packet that does not count."""

    reason: Reason


def rests_on_local_clock(reference_id: int) -> bool:
    """Whether a server has no source but its own clock, by its reference id: chrony's, ntpd's or ours."""
    return reference_id >> 16 == LOCAL_CLOCK or reference_id == LOCAL_REFERENCE_ID


def judge(
    asked: Asked,
    data: bytes,
    sender: Address,
    *,
    received_raw_ns: int,
    pivot_ns: int,
    drift_ppb: int,
    trusts_local: bool = False,
) -> Exchange | Rejected:
    """Accept a reply or say why not.

    Args:
        received_raw_ns: t4, the RAW clock when the reply had certainly arrived.
        pivot_ns: roughly now, to tell NTP's eras apart.
        drift_ppb: how much this host's oscillator may be off.
        trusts_local: whether a server without any source (chrony's `local`, ntpd's local clock) counts.
    """
    if sender != asked.address:
        return Rejected(Reason.ADDRESS)
    if len(data) != PACKET_BYTES:
        return Rejected(Reason.LENGTH)
    reply = decode(data)
    distance_ns = -(-reply.root_delay_ns // 2) + reply.root_dispersion_ns + precision_ns(reply.precision) + ROUNDING_NS
    kiss = KISSES.get(reply.reference_id.to_bytes(4, "big"), Reason.KISS_OTHER)
    faults = (
        (reply.mode != SERVER, Reason.MODE),
        (reply.version not in VERSIONS, Reason.VERSION),
        (reply.origin != asked.transmit, Reason.ORIGIN),
        (reply.stratum == 0 and (kiss is not Reason.KISS_OTHER or reply.leap != UNSYNCHRONIZED), kiss),
        (reply.leap == UNSYNCHRONIZED, Reason.LEAP),
        (reply.reference_id >> 16 == LOCAL_CLOCK and not trusts_local, Reason.LOCAL_REFERENCE),
        (not 0 < reply.stratum < STRATA, Reason.STRATUM),
        (reply.receive == 0 or reply.transmit == 0, Reason.ZERO_TIMESTAMP),
        (distance_ns >= ROOT_DISTANCE_NS, Reason.ROOT_DISTANCE),
    )
    for faulty, reason in faults:
        if faulty:
            return Rejected(reason)
    exchange = Exchange(
        address=asked.address,
        sent_raw_ns=asked.sent_raw_ns,
        server_received_ns=from_ntp(reply.receive, pivot_ns),
        server_sent_ns=from_ntp(reply.transmit, pivot_ns),
        received_raw_ns=received_raw_ns,
        distance_ns=distance_ns,
        stratum=reply.stratum,
        reference_id=reply.reference_id,
        leap=reply.leap,
    )
    backwards = exchange.server_sent_ns < exchange.server_received_ns
    if backwards or exchange.offset(received_raw_ns, drift_ppb) is None:
        return Rejected(Reason.TURNAROUND)
    return exchange
