"""The 48 bytes: times to the nanosecond, across the turn of the era, rounded the right way."""

from dataclasses import replace
from fractions import Fraction

import ntplib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clockd.ntp.packet import (
    RELEASE_NS,
    Packet,
    decode,
    encode,
    from_ntp,
    pivot_ns,
    precision_ns,
    request,
    to_ntp,
)

SECOND = 1_000_000_000
ERA_ONE_NS = 2_085_978_496 * SECOND  # 2036-02-07 06:28:16 UTC
YEARS_68_NS = (2**31 - 1) * SECOND
PACKET = Packet(0, 4, 4, 2, 6, -20, 0, 0, 0x7F000001, 1, b"origin!!", 2, 3)


@given(st.integers(0, 4 * 10**18), st.integers(-YEARS_68_NS, YEARS_68_NS))
def test_a_time_comes_back_whatever_the_era(unix_ns: int, off_by_ns: int) -> None:
    back = from_ntp(to_ntp(unix_ns), unix_ns + off_by_ns)
    assert unix_ns - 1 <= back <= unix_ns


def test_the_era_turns_in_2036() -> None:
    assert to_ntp(ERA_ONE_NS) == 0
    assert to_ntp(ERA_ONE_NS - 1) >> 32 == 0xFFFFFFFF
    assert from_ntp(1 << 32, ERA_ONE_NS - SECOND) == ERA_ONE_NS + SECOND
    assert from_ntp(0xFFFFFFFF << 32, ERA_ONE_NS + SECOND) == ERA_ONE_NS - SECOND


def test_a_host_clock_from_before_this_software_is_no_pivot() -> None:
    assert pivot_ns(0) == RELEASE_NS
    assert pivot_ns(RELEASE_NS + 5) == RELEASE_NS + 5


def test_a_request_tells_nothing_but_its_nonce() -> None:
    packet = request(b"12345678")
    assert packet == bytes([4 << 3 | 3]) + bytes(39) + b"12345678"
    assert decode(packet).mode == 3


@given(st.integers(0, 60_000 * SECOND), st.integers(0, 60_000 * SECOND))
def test_delays_and_dispersions_only_ever_grow(delay_ns: int, dispersion_ns: int) -> None:
    back = decode(encode(replace(PACKET, root_delay_ns=delay_ns, root_dispersion_ns=dispersion_ns)))
    unit = Fraction(SECOND, 2**16)
    assert delay_ns <= back.root_delay_ns < delay_ns + unit + 1
    assert dispersion_ns <= back.root_dispersion_ns < dispersion_ns + unit + 1


def test_a_dispersion_too_large_for_its_field_is_as_large_as_it_can_be() -> None:
    assert encode(replace(PACKET, root_dispersion_ns=10**18))[8:12] == b"\xff\xff\xff\xff"


def test_fields_survive_and_ntplib_reads_the_same() -> None:
    packet = replace(PACKET, leap=2, version=3, poll=10, precision=-7, reference=7 << 32, receive=8 << 32, transmit=9)
    assert decode(encode(packet)) == packet
    theirs = ntplib.NTPPacket()
    theirs.from_data(encode(packet))
    assert (theirs.leap, theirs.version, theirs.stratum, theirs.precision, theirs.recv_timestamp) == (2, 3, 2, -7, 8)


def test_a_short_packet_is_none() -> None:
    with pytest.raises(ValueError, match="48"):
        decode(bytes(47))


@pytest.mark.parametrize(("precision", "ns"), [(0, SECOND), (1, 2 * SECOND), (-20, 954), (-30, 1), (-128, 1)])
def test_precision_is_rounded_up(precision: int, ns: int) -> None:
    assert precision_ns(precision) == ns
