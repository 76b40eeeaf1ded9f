"""Real clockd processes on loopback: what they publish contains the truth, which is this machine's REALTIME here."""

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from clockd.host import HostClock, RealClock, SimulatedClock
from clockd.ntp.packet import decode, request
from clockd.page import State
from clockd.reader import Reader, Reading
from tests.clockd.conftest import Spawn
from tests.clockd.test_page import clockbound_v2
from tests.patience import until

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
FAST = ("--poll-seconds", "1", "--allow-fast-polling")
Followed = Callable[[Path, HostClock], Reading]


def assert_true(reading: Reading, host: HostClock) -> None:
    truth = RealClock()
    before_ns, known, after_ns = truth.realtime_ns(), reading.interval(host.raw_ns()), truth.realtime_ns()
    assert known is not None
    assert known.earliest_ns <= after_ns
    assert before_ns <= known.latest_ns


@pytest.fixture
def servers(clockd: Spawn, port: Callable[[], int]) -> Callable[..., list[str]]:
    """Starts NTP servers with these host clocks and waits until they answer; returns `--server` flags."""

    def start(*host_clocks: str) -> list[str]:
        flags: list[str] = []
        for host_clock in host_clocks:
            address = f"127.0.0.1:{port()}"
            clockd("serve", "--listen", address, "--local-reference", "--host-clock", host_clock)
            until(lambda address=address: answers(address))  # type: ignore[misc]  # a default binds the loop's value
            flags += ["--server", address]
        return flags

    return start


def answers(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.2)
        asking.connect((host, int(port)))
        try:
            asking.send(request(b"anybody?"))
            return decode(asking.recv(100)).origin == b"anybody?"
        except (ConnectionError, TimeoutError):
            return False


def test_one_server_of_three_lies_by_ten_seconds_and_time_is_true(
    clockd: Spawn, servers: Callable[..., list[str]], followed: Followed, tmp_path: Path
) -> None:
    page = tmp_path / "page"
    flags = servers("real", f"simulated:offset_ns={10 * SECOND}", "real")
    clockd("run", *flags, *FAST, "--page", str(page), "--host", "singapore-1")
    host = RealClock()
    reader = Reader(page, host)
    until(lambda: reader.read().sources == 3)
    reading = reader.read()
    assert (reading.host, reading.state, reading.agreeing) == ("singapore-1", State.SYNCHRONIZED, 2)
    assert_true(reading, host)
    stamp = reading.stamp(host.raw_ns())
    assert stamp is not None
    print(f"bound on loopback, of three servers: {stamp.bound_ns} ns")
    assert stamp.bound_ns < 20 * MILLISECOND
    assert clockbound_v2(page).clock_status == 1
    reader.close()


@pytest.mark.parametrize("offset_ns", [40 * MILLISECOND, -25 * MILLISECOND])
def test_a_host_that_is_off_and_drifts_is_corrected(
    clockd: Spawn, servers: Callable[..., list[str]], followed: Followed, tmp_path: Path, offset_ns: int
) -> None:
    page, since_ns = tmp_path / "page", RealClock().raw_ns() - 3600 * SECOND
    spec = f"simulated:offset_ns={offset_ns},drift_ppb=20000,since_ns={since_ns}"
    clockd("run", *servers("real"), *FAST, "--page", str(page), "--host-clock", spec)
    host = SimulatedClock(offset_ns=offset_ns, drift_ppb=20_000, since_ns=since_ns)
    reader = Reader(page, host)
    until(lambda: reader.read().update >= 4)
    reading = reader.read()
    assert_true(reading, host)
    off_ns = host.realtime_ns() - (reading.utc_minus_raw_ns + host.raw_ns())
    assert abs(off_ns - offset_ns - 72 * MILLISECOND) < 20 * MILLISECOND  # an hour at 20 ppm is 72 ms
    assert clockbound_v2(page).bound_nsec > abs(off_ns) - reading.bound_ns - MILLISECOND
    stranger = Reader(page, RealClock())
    assert stranger.read().reason == "boot"
    stranger.close()
    reader.close()


def test_an_ntp_server_may_live_on_a_page_and_give_its_bound_on(
    clockd: Spawn, servers: Callable[..., list[str]], followed: Followed, tmp_path: Path, port: Callable[[], int]
) -> None:
    near, far, address = tmp_path / "near", tmp_path / "far", f"127.0.0.1:{port()}"
    clockd("run", *servers("real"), *FAST, "--page", str(near))
    clockd("serve", "--listen", address, "--page", str(near))
    clockd("run", "--server", address, *FAST, "--page", str(far))
    host = RealClock()
    first, second = followed(near, host), followed(far, host)
    assert_true(second, host)
    assert (first.stratum, second.stratum) == (11, 12)


def test_a_stated_local_reference_says_so_everywhere(clockd: Spawn, followed: Followed, tmp_path: Path) -> None:
    page, host = tmp_path / "page", RealClock()
    daemon = clockd("run", "--local-reference", "--local-bound-ns", "5000", "--page", str(page))
    reading = followed(page, host)
    assert reading.local_reference
    assert_true(reading, host)
    assert clockbound_v2(page).clock_status == 2  # ClockBound's clients are not told that this is synchronised
    log = (tmp_path / "stderr.0").read_text()
    assert any(json.loads(line)["event"] == "local_reference" for line in log.splitlines())
    daemon.send_signal(signal.SIGINT)
    assert daemon.wait(10) == 0


def test_a_restart_keeps_the_page_and_goes_on_numbering(
    clockd: Spawn, followed: Followed, tmp_path: Path, port: Callable[[], int]
) -> None:
    page, host = tmp_path / "page", RealClock()
    first = clockd("run", "--local-reference", "--page", str(page))
    followed(page, host)
    first.send_signal(signal.SIGTERM)
    assert first.wait(10) == 0
    left = followed(page, host)
    silent = clockd("run", "--server", f"127.0.0.1:{port()}", *FAST, "--page", str(page))
    until(lambda: "started" in (tmp_path / "stderr.1").read_text())
    kept = followed(page, host)
    assert (kept.update, kept.reason) == (left.update, "")
    assert_true(kept, host)
    silent.kill()
    silent.wait(10)
    clockd("run", "--local-reference", "--page", str(page))
    reader = Reader(page, host)
    until(lambda: reader.read().update > left.update)
    assert_true(reader.read(), host)
    reader.close()


def test_a_second_daemon_on_one_page_is_refused(clockd: Spawn, followed: Followed, tmp_path: Path) -> None:
    page = tmp_path / "page"
    clockd("run", "--local-reference", "--page", str(page))
    followed(page, RealClock())
    assert clockd("run", "--local-reference", "--page", str(page)).wait(10) == 2
    assert (tmp_path / "stderr.1").read_text().endswith(f"clockd: another clockd writes the page {page}\n")
