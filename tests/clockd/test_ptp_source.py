"""PTP as a source: what a bound is made of, and a real pair of ptp4l over two network namespaces (root and linuxptp).

The master's clock is this machine's REALTIME and so is the slave's: the truth is that they are the same.
"""

import asyncio
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clockd.host import RealClock
from clockd.ntp.exchange import Exchange, Reason, Rejected
from clockd.ptp import (
    ACCURACIES_NS,
    CURRENT,
    DATA_BYTES,
    PARENT,
    PORT,
    PROPERTIES,
    TIME_STATUS,
    Ptp,
    Report,
    answer,
    distance_ns,
    question,
    report,
)
from tests.clockd.conftest import Spawn
from tests.patience import until

SECOND = 1_000_000_000
SAID = Report(
    offset_ns=-300,
    ingress_ns=0,
    path_delay_ns=2000,
    steps_removed=1,
    accuracy=0x21,
    grandmaster=b"grandmst",
    utc_offset_ns=None,
    leap=0,
)


def sets(port_state: int = 9, present: int = 1, flags: int = 0, utc_offset: int = 37) -> dict[int, bytes]:
    found = {identifier: bytearray(size) for identifier, size in DATA_BYTES.items()}
    struct.pack_into(">qq", found[TIME_STATUS], 0, -300, 5)
    struct.pack_into(">i8s", found[TIME_STATUS], 38, present, b"grandmst")
    struct.pack_into(">Hqq", found[CURRENT], 0, 1, 0, (2000 << 16) - 5)
    found[PARENT][19] = 0x21
    struct.pack_into(">hB", found[PROPERTIES], 0, utc_offset, flags)
    found[PORT][10] = port_state
    return {identifier: bytes(data) for identifier, data in found.items()}


def test_the_data_sets_make_a_report() -> None:
    assert report(sets()) == replace(SAID, ingress_ns=5)
    tai = report(sets(flags=0x0C))
    assert isinstance(tai, Report)
    assert tai.utc_offset_ns == 37 * SECOND
    leaping = report(sets(flags=0x01))
    assert isinstance(leaping, Report)
    assert leaping.leap == 1


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (sets(port_state=6), Reason.LEAP),
        (sets() | {CURRENT: bytes(18)}, Reason.LEAP),
        (sets(present=0), Reason.LEAP),
        (sets(flags=0x08), Reason.TIMESCALE),
        ({PORT: bytes(26)}, Reason.LENGTH),
    ],
)
def test_without_a_master_or_a_valid_scale_there_is_no_time(found: dict[int, bytes], reason: Reason) -> None:
    assert report(found) == Rejected(reason)


def test_the_parts_of_a_bound() -> None:
    assert distance_ns(SAID, SECOND, 50_000, None) == 100 + 2000 + 300 + 50_000
    unknown = replace(SAID, accuracy=0xFE)
    assert distance_ns(unknown, 0, 50_000, None) == Rejected(Reason.ACCURACY)
    assert distance_ns(unknown, 0, 50_000, 7) == 7 + 2000 + 300
    assert distance_ns(SAID, 11 * SECOND, 50_000, None) == Rejected(Reason.STALE)
    assert distance_ns(SAID, -1, 50_000, None) == Rejected(Reason.STALE)
    assert (ACCURACIES_NS[0x20], ACCURACIES_NS[0x2F], ACCURACIES_NS[0x30], 0x31 in ACCURACIES_NS) == (
        25,
        10**9,
        10**10,
        False,
    )


def test_a_question_is_a_management_message() -> None:
    data = question(TIME_STATUS, 0x1234)
    assert (len(data), data[0], data[1], data[30:32], data[33]) == (48 + 6 + 50, 0x0D, 2, b"\x12\x34", 0x7F)
    assert struct.unpack_from(">HHH", data, 48) == (1, 52, 0xC000)
    reply = bytearray(data)
    reply[46] = 2
    assert answer(bytes(reply), 0x1234) == (TIME_STATUS, bytes(50))
    assert answer(bytes(reply), 0x1235) is None
    assert answer(data, 0x1234) is None


@given(st.binary(max_size=150))
def test_noise_crashes_nothing(data: bytes) -> None:
    answer(data, 0)
    answer(question(PORT, 0)[:46] + b"\x02" + data, 0)


@pytest.fixture
def namespaces() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a wire between them."""
    if os.geteuid() != 0 or not shutil.which("ptp4l") or not shutil.which("ip"):
        if os.environ.get("CI"):
            pytest.fail("CI must have root, linuxptp and iproute2")
        pytest.skip("a pair of ptp4l needs root, linuxptp and iproute2")
    tag = f"{os.getpid() % 10_000}"
    master, slave = f"ptpm{tag}", f"ptps{tag}"

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    for name in (master, slave):
        ip("netns", "add", name)
    ip("link", "add", f"vm{tag}", "netns", master, "type", "veth", "peer", "name", f"vs{tag}", "netns", slave)
    for name, link, address in ((master, f"vm{tag}", "10.77.0.1/24"), (slave, f"vs{tag}", "10.77.0.2/24")):
        ip("-n", name, "address", "add", address, "dev", link)
        ip("-n", name, "link", "set", link, "up")
        ip("-n", name, "link", "set", "lo", "up")
    yield master, slave
    for name in (master, slave):
        ip("netns", "delete", name)


def test_a_real_pair_of_ptp4l(namespaces: tuple[str, str], spawn: Spawn, tmp_path: Path) -> None:
    tag, host = namespaces[0][4:], RealClock()
    common = "time_stamping software\nnetwork_transport UDPv4\nfree_running 1\nlogging_level 6\n"
    common += "logAnnounceInterval -2\nlogSyncInterval -3\nlogMinDelayReqInterval -3\n"  # settled in seconds
    for name, link, more in (
        (namespaces[0], f"vm{tag}", "priority1 1\n"),
        (namespaces[1], f"vs{tag}", "slaveOnly 1\n"),
    ):
        configuration = tmp_path / f"{name}.conf"
        configuration.write_text(f"[global]\n{common}{more}uds_address {tmp_path}/{name}\n")
        spawn("ip", "netns", "exec", name, "ptp4l", "-i", link, "-m", "-f", str(configuration))
    socket = tmp_path / namespaces[1]

    def ask(accuracy_ns: int | None) -> Exchange | Rejected | None:
        return asyncio.run(Ptp(socket, host, 50_000, accuracy_ns).ask(0.5))

    until(lambda: isinstance(ask(1000), Exchange))
    assert ask(None) == Rejected(Reason.ACCURACY)  # this master does not say how good it is
    said = ask(1000)
    assert isinstance(said, Exchange)
    known = said.offset(said.received_raw_ns, 50_000)
    before, raw, after = host.realtime_ns(), host.raw_ns(), host.realtime_ns()
    assert known is not None
    print(f"PTP over a veth pair: ± {(known.latest_ns - known.earliest_ns) // 2} ns")
    assert known.earliest_ns + raw <= after + 1000
    assert before <= known.latest_ns + raw + 1000
    assert not list(tmp_path.glob("clockd.*"))


@pytest.mark.parametrize("device", sorted(Path("/dev").glob("ptp[0-9]*")) or [None])
def test_a_network_cards_clock_is_read(device: Path | None, tmp_path: Path) -> None:
    """That it is one and runs; what hardware timestamps are worth cannot be told without a master on the wire."""
    if device is None:
        pytest.skip("this machine has no PTP hardware clock")
    source = Ptp(tmp_path / "ptp4l", RealClock(), 50_000, None, device)
    assert source.clock_ns() < source.clock_ns()
    source.close()
