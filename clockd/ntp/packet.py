"""The 48 bytes of an NTP packet: header fields by ntplib's codec, every time as an integer from the raw bytes.

NTP counts 2⁻³² s since 1900 in 64 bits, which turn over on 2036-02-07 06:28:16 UTC. A timestamp is therefore read as
the one nearest to a pivot, by signed wrapping subtraction: right whenever the pivot is within 68 years of it. Delays
and dispersions have 16 + 16 bits and are rounded up, both ways. Source: RFC 5905 §6 and §7.3. Next: `exchange.py`.
"""

from dataclasses import dataclass
from typing import Final

import ntplib

PACKET_BYTES: Final = 48
VERSION: Final = 4
CLIENT: Final = 3
SERVER: Final = 4
UNSYNCHRONIZED: Final = 3  # the leap indicator of a server without time
NTP_EPOCH_SECONDS: Final = 2_208_988_800  # from 1900 to 1970
RELEASE_NS: Final = 1_767_225_600_000_000_000  # 2026-01-01: a host clock before this is certainly wrong

_SECOND_NS: Final = 1_000_000_000
_TURN: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet's fields. Timestamps are NTP's 64-bit numbers; `root_delay_ns` and `root_dispersion_ns` rounded up."""

    leap: int
    version: int
    mode: int
    stratum: int
    poll: int
    precision: int
    root_delay_ns: int
    root_dispersion_ns: int
    reference_id: int
    reference: int
    origin: bytes
    receive: int
    transmit: int


def request(transmit: bytes) -> bytes:
    """A client's packet that tells the server nothing: `transmit`, 8 random bytes, is all there is to answer to."""
    return bytes(ntplib.NTPPacket(version=VERSION, mode=CLIENT).to_data()[:40]) + transmit


def decode(data: bytes) -> Packet:
    """The fields of at least 48 bytes, none of them judged.

    Raises:
        ValueError: the packet is shorter.
    """
    if len(data) < PACKET_BYTES:
        raise ValueError(f"an NTP packet has {PACKET_BYTES} bytes, this one {len(data)}")
    header = ntplib.NTPPacket()
    header.from_data(data)
    return Packet(
        leap=header.leap,
        version=header.version,
        mode=header.mode,
        stratum=header.stratum,
        poll=header.poll,
        precision=header.precision,
        root_delay_ns=_from_short(int.from_bytes(data[4:8], "big")),
        root_dispersion_ns=_from_short(int.from_bytes(data[8:12], "big")),
        reference_id=header.ref_id,
        reference=int.from_bytes(data[16:24], "big"),
        origin=data[24:32],
        receive=int.from_bytes(data[32:40], "big"),
        transmit=int.from_bytes(data[40:48], "big"),
    )


def encode(packet: Packet) -> bytes:
    """The 48 bytes of a packet."""
    header = ntplib.NTPPacket(version=packet.version, mode=packet.mode)
    header.leap, header.stratum, header.poll = packet.leap, packet.stratum, packet.poll
    header.precision, header.ref_id = packet.precision, packet.reference_id
    raw = bytes(header.to_data())
    root = _to_short(packet.root_delay_ns) + _to_short(packet.root_dispersion_ns)
    times = (packet.reference.to_bytes(8, "big"), packet.origin, *(t.to_bytes(8, "big") for t in _times(packet)))
    return raw[:4] + root + raw[12:16] + b"".join(times)


def to_ntp(unix_ns: int) -> int:
    """NTP's 64 bits for a Unix time, rounded down by less than 0.24 ns."""
    return _to_unwrapped(unix_ns) % _TURN


def from_ntp(timestamp: int, pivot_ns: int) -> int:
    """The Unix time of 64 bits of NTP nearest to a pivot, rounded down by less than 1 ns.

    Args:
        pivot_ns: roughly now, a Unix time within 68 years of the answer.
    """
    pivot = _to_unwrapped(pivot_ns)
    ahead = (timestamp - pivot + _TURN // 2) % _TURN - _TURN // 2
    return ((pivot + ahead) * _SECOND_NS >> 32) - NTP_EPOCH_SECONDS * _SECOND_NS


def pivot_ns(realtime_ns: int) -> int:
    """Roughly now: the host's own belief, unless it is certainly wrong."""
    return max(realtime_ns, RELEASE_NS)


def precision_ns(precision: int) -> int:
    """2^precision seconds, rounded up; precision in [−128, 127]."""
    return _SECOND_NS << precision if precision >= 0 else -(-_SECOND_NS >> -precision)


def _times(packet: Packet) -> tuple[int, int]:
    return packet.receive, packet.transmit


def _to_unwrapped(unix_ns: int) -> int:
    return ((unix_ns + NTP_EPOCH_SECONDS * _SECOND_NS) << 32) // _SECOND_NS


def _from_short(short: int) -> int:
    return -(-short * _SECOND_NS >> 16)


def _to_short(duration_ns: int) -> bytes:
    return min(-((-duration_ns << 16) // _SECOND_NS), 0xFFFFFFFF).to_bytes(4, "big")
