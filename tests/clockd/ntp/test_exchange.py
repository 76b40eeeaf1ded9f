"""Every rule by which a reply is taken or dropped, one at a time."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clockd.ntp.exchange import Asked, Exchange, Reason, Rejected, judge
from clockd.ntp.packet import Packet, encode, to_ntp
from model.clock import contains

SECOND = 1_000_000_000
NOW = 1_790_000_000 * SECOND
ADDRESS = ("192.0.2.1", 123)
ASKED = Asked(ADDRESS, b"\x01nonce\xff\x00", 50 * SECOND)
RECEIVED = ASKED.sent_raw_ns + 10_000_000
GOOD = Packet(
    leap=0,
    version=4,
    mode=4,
    stratum=2,
    poll=6,
    precision=-25,
    root_delay_ns=2_000_000,
    root_dispersion_ns=1_000_000,
    reference_id=0x0A000001,
    reference=to_ntp(NOW - SECOND),
    origin=ASKED.transmit,
    receive=to_ntp(NOW + 4_000_000),
    transmit=to_ntp(NOW + 5_000_000),
)
KISS = replace(GOOD, leap=3, stratum=0)


def verdict(data: bytes, sender: tuple[str, int] = ADDRESS) -> Exchange | Rejected:
    return judge(ASKED, data, sender, received_raw_ns=RECEIVED, pivot_ns=NOW, drift_ppb=50_000)


def test_a_good_reply_is_an_exchange_that_contains_the_truth() -> None:
    exchange = verdict(encode(GOOD))
    assert isinstance(exchange, Exchange)
    assert (exchange.stratum, exchange.reference_id) == (2, 0x0A000001)
    assert 0 <= NOW + 4_000_000 - exchange.server_received_ns <= 1
    assert 2_000_000 <= exchange.distance_ns <= 2_000_000 + 40_000
    known = exchange.offset(RECEIVED, 50_000)
    assert known is not None
    assert contains(known, NOW - ASKED.sent_raw_ns)
    assert known.latest_ns - known.earliest_ns < 9_000_000 + 2 * 2_040_000 + 2 * 501


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (replace(GOOD, mode=3), Reason.MODE),
        (replace(GOOD, mode=5), Reason.MODE),
        (replace(GOOD, version=2), Reason.VERSION),
        (replace(GOOD, version=5), Reason.VERSION),
        (replace(GOOD, origin=bytes(8)), Reason.ORIGIN),
        (replace(GOOD, origin=ASKED.transmit[:7] + b"\x01"), Reason.ORIGIN),
        (replace(KISS, reference_id=int.from_bytes(b"DENY", "big")), Reason.KISS_DENY),
        (replace(KISS, reference_id=int.from_bytes(b"RSTR", "big")), Reason.KISS_DENY),
        (replace(KISS, reference_id=int.from_bytes(b"RATE", "big")), Reason.KISS_RATE),
        (replace(KISS, leap=0, reference_id=int.from_bytes(b"XFUN", "big")), Reason.KISS_OTHER),
        (replace(KISS, origin=bytes(8), reference_id=int.from_bytes(b"DENY", "big")), Reason.ORIGIN),
        (replace(KISS, reference_id=0), Reason.LEAP),
        (replace(GOOD, leap=3), Reason.LEAP),
        (replace(GOOD, reference_id=0x7F7F0101), Reason.LOCAL_REFERENCE),
        (replace(GOOD, reference_id=0x7F7F01FF), Reason.LOCAL_REFERENCE),
        (replace(GOOD, stratum=16), Reason.STRATUM),
        (replace(GOOD, stratum=255), Reason.STRATUM),
        (replace(GOOD, receive=0), Reason.ZERO_TIMESTAMP),
        (replace(GOOD, transmit=0), Reason.ZERO_TIMESTAMP),
        (replace(GOOD, root_delay_ns=32 * SECOND), Reason.ROOT_DISTANCE),
        (replace(GOOD, root_dispersion_ns=16 * SECOND), Reason.ROOT_DISTANCE),
        (replace(GOOD, precision=4), Reason.ROOT_DISTANCE),
        (replace(GOOD, precision=127), Reason.ROOT_DISTANCE),
        (replace(GOOD, transmit=GOOD.receive - (1 << 20)), Reason.TURNAROUND),
        (replace(GOOD, transmit=to_ntp(NOW + SECOND)), Reason.TURNAROUND),
    ],
)
def test_a_reply_that_breaks_a_rule_is_dropped_for_it(reply: Packet, reason: Reason) -> None:
    assert verdict(encode(reply)) == Rejected(reason)


def test_only_the_server_that_was_asked_may_answer() -> None:
    assert verdict(encode(GOOD), ("192.0.2.2", 123)) == Rejected(Reason.ADDRESS)
    assert verdict(encode(GOOD), ("192.0.2.1", 124)) == Rejected(Reason.ADDRESS)


@pytest.mark.parametrize("data", [b"", bytes(47), encode(GOOD)[:47], encode(GOOD) + bytes(4), bytes(1024)])
def test_only_a_plain_packet_answers_a_plain_packet(data: bytes) -> None:
    assert verdict(data) == Rejected(Reason.LENGTH)


@given(st.binary(min_size=48, max_size=48))
def test_noise_is_rejected_and_never_more(data: bytes) -> None:
    assert isinstance(verdict(data), Rejected)


@given(st.binary(min_size=24, max_size=24), st.binary(min_size=16, max_size=16))
def test_whatever_a_server_says_is_judged_without_a_crash(head: bytes, times: bytes) -> None:
    said = verdict(head + ASKED.transmit + times)
    assert isinstance(said, Rejected) or said.offset(RECEIVED, 50_000) is not None
