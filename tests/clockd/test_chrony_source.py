"""chronyd as a source: its reports to the byte, the local-reference trap, and a real one over socket and port."""

import asyncio
import getpass
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clockd.chrony import REQUEST_BYTES, Chrony, Tracking, float_ns, parse, request
from clockd.host import RealClock
from clockd.ntp.exchange import Exchange, Reason, Rejected
from tests.clockd.conftest import Spawn
from tests.patience import until


def report(
    *, sequence: int = 7, status: int = 0, reference: int = 0x0A000001, stratum: int = 2, leap: int = 0, **floats: int
) -> bytes:
    """A tracking reply, by the offsets of `reference/clocks.md` section 3."""
    data = bytearray(104)
    data[:2] = b"\x06\x02"
    struct.pack_into(">HHH", data, 4, 33, 5, status)
    struct.pack_into(">I", data, 16, sequence)
    struct.pack_into(">I", data, 28, reference)
    struct.pack_into(">HH", data, 52, stratum, leap)
    for name, at in (("correction", 68), ("delay", 92), ("dispersion", 96)):
        struct.pack_into(">I", data, at, floats.get(name, 0))
    return bytes(data)


ONE_MS = (-8 % 128) << 25 | round(0.001 * 2 ** (25 + 8))
SIXTEEN_S = 6 << 25 | 1 << 23
MINUS_HALF_A_SECOND = 1 << 24


@given(st.integers(-64, 20), st.integers(-(2**24), 2**24 - 1))
def test_a_float_lies_between_its_ends(exponent: int, coefficient: int) -> None:
    low, high = float_ns(exponent % 128 << 25 | coefficient % 2**25)
    exact = coefficient * Fraction(2) ** (exponent - 25) * 10**9
    assert low <= exact <= high
    assert high - low <= 2 * Fraction(2) ** (exponent - 25) * 10**9 + 2


def test_a_report_is_read_to_the_byte() -> None:
    said = parse(report(correction=ONE_MS, delay=ONE_MS, dispersion=ONE_MS), 7, trusts_local=False)
    assert isinstance(said, Tracking)
    assert abs(said.correction_ns - 10**6) < 1000
    assert 1_500_000 - 200 <= said.distance_ns < 1_502_000
    assert len(request(7)) == REQUEST_BYTES


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (report(reference=0x7F7F0101), Reason.LOCAL_REFERENCE),
        (report(reference=0x7F7F01FF), Reason.LOCAL_REFERENCE),
        (report(leap=3), Reason.LEAP),
        (report(stratum=0), Reason.STRATUM),
        (report(delay=7 << 25 | 1 << 23), Reason.ROOT_DISTANCE),
        (report(dispersion=SIXTEEN_S), Reason.ROOT_DISTANCE),
        (report(dispersion=MINUS_HALF_A_SECOND), Reason.ROOT_DISTANCE),
    ],
)
def test_what_is_not_synchronised_does_not_count(data: bytes, reason: Reason) -> None:
    assert parse(data, 7, trusts_local=False) == Rejected(reason)


@pytest.mark.parametrize("data", [b"", report()[:103], report(sequence=8), report(status=19), bytes(200)])
def test_what_is_no_answer_is_ignored(data: bytes) -> None:
    assert parse(data, 7, trusts_local=True) is None


@given(st.binary(max_size=200))
def test_noise_crashes_nothing(data: bytes) -> None:
    parse(data, 7, trusts_local=True)
    parse(report()[:28] + data.ljust(76, b"\0"), 7, trusts_local=True)


@pytest.mark.parametrize("kind", ["socket", "port"])
def test_a_real_chronyd_is_asked(
    chronyd: str, spawn: Spawn, tmp_path: Path, port: Callable[[], int], kind: str
) -> None:
    number, host, path = port(), RealClock(), tmp_path / "chronyd.sock"
    configuration = tmp_path / "chrony.conf"
    configuration.write_text(
        f"local stratum 8\nport 0\ncmdport {number}\nbindcmdaddress 127.0.0.1\n"
        f"bindcmdaddress {path}\npidfile {tmp_path}/chronyd.pid\n"
    )
    tmp_path.chmod(0o770)
    spawn(chronyd, "-x", "-d", "-U", "-u", getpass.getuser(), "-f", str(configuration))
    where = path if kind == "socket" else ("127.0.0.1", number)

    def ask(*, trusts_local: bool) -> Exchange | Rejected | None:
        return asyncio.run(Chrony(where, host, trusts_local=trusts_local).ask(0.5))

    until(lambda: isinstance(ask(trusts_local=True), Exchange))
    assert ask(trusts_local=False) == Rejected(Reason.LOCAL_REFERENCE)
    said = ask(trusts_local=True)
    assert isinstance(said, Exchange)
    assert said.stratum == 8
    known = said.offset(said.received_raw_ns, 50_000)
    before, raw, after = host.realtime_ns(), host.raw_ns(), host.realtime_ns()
    assert known is not None
    assert known.earliest_ns + raw <= after + 1000
    assert before <= known.latest_ns + raw + 1000
    assert not list(tmp_path.glob("clockd.*.sock"))


def test_no_chronyd_no_answer(tmp_path: Path, port: Callable[[], int]) -> None:
    assert asyncio.run(Chrony(tmp_path / "nobody.sock", RealClock()).ask(0.2)) is None
    assert asyncio.run(Chrony(("127.0.0.1", port()), RealClock()).ask(0.2)) is None
