"""What `clockd serve` answers, and what it does not answer at all."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clockd.host import ReceiveTimes
from clockd.ntp.exchange import Asked, Exchange, Reason, Rejected, judge
from clockd.ntp.packet import decode, from_ntp, request
from clockd.page import State, Writer
from clockd.reader import Reader
from clockd.server import LocalTruth, PageTruth, answer
from tests.clockd.test_host_clock import MILLISECOND, Steered, sampled
from tests.clockd.test_reader import PUBLIC, page_of

ADDRESS = ("192.0.2.1", 123)
NONCE = b"\x00\x01nonce!"


def test_a_request_is_answered_with_the_time_it_came_and_the_bound() -> None:
    host = Steered()
    kernel = host.realtime_ns()
    asked = Asked(ADDRESS, NONCE, host.raw)
    host.pass_ns(5 * MILLISECOND)
    reply = answer(request(NONCE), LocalTruth(host, 77_000), kernel)
    assert reply is not None
    fields = decode(reply)
    assert (fields.mode, fields.version, fields.leap, fields.stratum, fields.origin) == (4, 4, 0, 10, NONCE)
    assert fields.root_dispersion_ns >= 77_000
    assert 0 <= kernel - from_ntp(fields.receive, kernel) <= 1
    exchange = judge(asked, reply, ADDRESS, received_raw_ns=host.raw_ns(), pivot_ns=kernel, drift_ppb=0)
    assert isinstance(exchange, Exchange)
    known = exchange.offset(host.raw, 0)
    assert known is not None
    assert known.earliest_ns <= host.ahead <= known.latest_ns


@pytest.mark.parametrize("mode", [0, 1, 2, 4, 5, 6, 7])
def test_only_clients_are_answered_so_two_servers_never_talk(mode: int) -> None:
    data = bytes([4 << 3 | mode]) + request(NONCE)[1:]
    assert answer(data, LocalTruth(Steered(), 0), None) is None


def test_an_answer_is_no_request() -> None:
    reply = answer(request(NONCE), LocalTruth(Steered(), 0), None)
    assert reply is not None
    assert answer(reply, LocalTruth(Steered(), 0), None) is None


@pytest.mark.parametrize("version", [0, 5, 7])
def test_unknown_versions_are_not_answered(version: int) -> None:
    data = bytes([version << 3 | 3]) + request(NONCE)[1:]
    assert answer(data, LocalTruth(Steered(), 0), None) is None


def test_the_version_asked_for_is_echoed() -> None:
    reply = answer(bytes([3 << 3 | 3]) + request(NONCE)[1:], LocalTruth(Steered(), 0), None)
    assert reply is not None
    assert decode(reply).version == 3


@given(st.binary(max_size=200))
def test_no_datagram_crashes_it_or_is_answered_with_more_bytes(data: bytes) -> None:
    reply = answer(data, LocalTruth(Steered(), 0), None)
    assert reply is None or len(reply) == 48 <= len(data)


def test_from_a_page_it_answers_with_the_pages_time_and_says_so_when_there_is_none(tmp_path: Path) -> None:
    host = Steered()
    times: ReceiveTimes = sampled(host)
    writer = Writer(tmp_path / "page")
    truth = PageTruth(host, Reader(tmp_path / "page", host), times)
    nothing_yet = answer(request(NONCE), truth, host.realtime_ns())
    assert nothing_yet is not None
    refused = judge(
        Asked(ADDRESS, NONCE, host.raw),
        nothing_yet,
        ADDRESS,
        received_raw_ns=host.raw,
        pivot_ns=host.ahead,
        drift_ppb=0,
    )
    assert refused == Rejected(Reason.LEAP)
    page = page_of(host)
    writer.write(PUBLIC, page)
    host.pass_ns(200 * MILLISECOND)
    kernel, raw = host.realtime_ns(), host.raw
    host.pass_ns(MILLISECOND)
    reply = answer(request(NONCE), truth, kernel)
    assert reply is not None
    fields = decode(reply)
    assert (fields.stratum, fields.leap) == (2, 0)
    assert abs(from_ntp(fields.receive, kernel) - raw - page.utc_minus_raw_ns) <= fields.root_dispersion_ns
    assert fields.root_dispersion_ns >= page.bound_ns
    assert page.state is State.SYNCHRONIZED
    writer.close()
