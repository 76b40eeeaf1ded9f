"""Host clocks and receive times, against this machine's own clocks and a host whose REALTIME is steered by the test."""

import socket

import pytest

from clockd.host import (
    RECEIVE_ANCILLARY_BYTES,
    SO_TIMESTAMPNS,
    RealClock,
    ReceiveTimes,
    SimulatedClock,
    open_host_clock,
    receive_time_ns,
    suspended_ns,
)
from tests.patience import until

MILLISECOND = 1_000_000
SECOND = 1_000_000_000


class Steered:
    """All clocks stand still until `pass_ns`; every reading of RAW takes 100 ns."""

    boot_id = "steered"

    def __init__(self) -> None:
        self.raw, self.ahead, self.slept = 100 * SECOND, 10**18, 0

    def pass_ns(self, elapsed_ns: int) -> None:
        self.raw += elapsed_ns

    def raw_ns(self) -> int:
        self.raw += 100
        return self.raw

    def realtime_ns(self) -> int:
        return self.raw + self.ahead

    def monotonic_ns(self) -> int:
        return self.raw

    def monotonic_coarse_ns(self) -> int:
        return self.raw

    def boottime_ns(self) -> int:
        return self.raw + self.slept

    def from_kernel_ns(self, kernel_realtime_ns: int) -> int:
        return kernel_realtime_ns


def sampled(host: Steered, seconds: int = 1) -> ReceiveTimes:
    times = ReceiveTimes(host)
    for _ in range(seconds * 100):
        host.pass_ns(10 * MILLISECOND)
        times.sample()
    return times


def test_a_simulated_host_is_off_by_what_was_said() -> None:
    real = RealClock()
    since = real.raw_ns() - 10 * SECOND
    host = open_host_clock(f"simulated:offset_ns=40000000,drift_ppb=20000000,since_ns={since}")
    before, raw, after = real.raw_ns(), host.raw_ns(), real.raw_ns()
    assert before + (before - since) // 50 <= raw <= after + (after - since) // 50
    gained = host.realtime_ns() - real.realtime_ns() - 40 * MILLISECOND
    assert abs(gained - (after - since) // 50) < 5 * MILLISECOND
    assert host.boot_id.startswith(real.boot_id)
    assert host.boot_id != real.boot_id
    assert host == SimulatedClock(offset_ns=40000000, drift_ppb=20000000, since_ns=since)


def test_a_simulated_hosts_kernel_times_and_its_realtime_agree() -> None:
    real = RealClock()
    host = SimulatedClock(offset_ns=-7 * SECOND, drift_ppb=-30_000, since_ns=real.raw_ns() - SECOND)
    before, kernel, after = host.realtime_ns(), real.realtime_ns(), host.realtime_ns()
    assert before - 100 <= host.from_kernel_ns(kernel) <= after + 100


@pytest.mark.parametrize(
    "spec",
    ["", "fake", "simulated:offset=1", "simulated:offset_ns=x", "simulated:drift_ppb=5", "simulated:offset_ns=1.5"],
)
def test_a_wrong_spec_is_refused_in_one_line(spec: str) -> None:
    with pytest.raises(ValueError, match="host clock") as refused:
        open_host_clock(spec)
    assert "\n" not in str(refused.value)


def test_this_machine_has_not_slept_while_we_looked() -> None:
    assert suspended_ns(RealClock()) - suspended_ns(RealClock()) < MILLISECOND


@pytest.mark.parametrize("spec", ["real", "simulated:offset_ns=40000000"])
def test_a_datagram_is_received_between_its_sending_and_its_reading(spec: str) -> None:
    host = open_host_clock(spec)
    times = ReceiveTimes(host)
    started = host.raw_ns()
    until(lambda: host.raw_ns() > started + 20 * MILLISECOND)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        receiver.bind(("127.0.0.1", 0))
        before = host.raw_ns()
        sender.sendto(b"now", receiver.getsockname())
        _, ancillary, _, _ = receiver.recvmsg(16, RECEIVE_ANCILLARY_BYTES)
        after = host.raw_ns()
    kernel = receive_time_ns(ancillary)
    assert kernel is not None
    moment = times.raw_moment(kernel)
    assert moment is not None
    assert before - moment.uncertainty_ns <= moment.raw_ns <= after + moment.uncertainty_ns
    assert moment.uncertainty_ns < MILLISECOND


def test_no_control_message_no_receive_time() -> None:
    assert receive_time_ns([]) is None
    assert receive_time_ns([(socket.SOL_SOCKET, SO_TIMESTAMPNS, b"short")]) is None
    assert receive_time_ns([(socket.SOL_SOCKET, socket.SCM_RIGHTS, bytes(16))]) is None


def test_a_request_that_waited_is_dated_back() -> None:
    host = Steered()
    times = sampled(host)
    kernel, raw = host.realtime_ns(), host.raw
    host.pass_ns(400 * MILLISECOND)
    moment = times.raw_moment(kernel)
    assert moment is not None
    assert abs(moment.raw_ns - raw) <= moment.uncertainty_ns < 1000


def test_a_slewed_realtime_makes_the_moment_less_certain_but_not_wrong() -> None:
    host = Steered()
    times = sampled(host)
    kernel, raw = host.realtime_ns(), host.raw
    for _ in range(20):
        host.pass_ns(10 * MILLISECOND)
        host.ahead += 30_000
        times.sample()
    moment = times.raw_moment(kernel)
    assert moment is not None
    assert abs(moment.raw_ns - raw) <= moment.uncertainty_ns < MILLISECOND


@pytest.mark.parametrize(
    "step_ns", [-3600 * SECOND, -9 * SECOND, -2 * SECOND, -2 * MILLISECOND, 2 * MILLISECOND, SECOND]
)
@pytest.mark.parametrize("sampled_after", [False, True])
def test_a_step_between_receipt_and_reading_leaves_no_moment(step_ns: int, sampled_after: bool) -> None:
    host = Steered()
    times = sampled(host, 9)
    kernel = host.realtime_ns()
    host.pass_ns(MILLISECOND)
    host.ahead += step_ns
    if sampled_after:
        host.pass_ns(10 * MILLISECOND)
        times.sample()
    host.pass_ns(30 * MILLISECOND)
    times.sample()
    assert times.raw_moment(kernel) is None


def test_moments_come_back_after_a_step() -> None:
    host = Steered()
    times = sampled(host)
    host.ahead -= 3600 * SECOND
    for _ in range(900):
        host.pass_ns(10 * MILLISECOND)
        times.sample()
    kernel, raw = host.realtime_ns(), host.raw
    host.pass_ns(50 * MILLISECOND)
    moment = times.raw_moment(kernel)
    assert moment is not None
    assert abs(moment.raw_ns - raw) <= moment.uncertainty_ns


def test_what_came_before_the_first_sample_or_in_the_future_has_no_moment() -> None:
    host = Steered()
    early = host.realtime_ns()
    host.pass_ns(MILLISECOND)
    times = ReceiveTimes(host)
    assert times.raw_moment(early) is None
    times = sampled(host)
    assert times.raw_moment(host.realtime_ns() + MILLISECOND) is None


def test_a_long_pause_keeps_the_sample_from_before_it() -> None:
    host = Steered()
    times = sampled(host, 9)
    kernel, raw = host.realtime_ns(), host.raw
    host.pass_ns(20 * SECOND)
    times.sample()
    moment = times.raw_moment(kernel)
    assert moment is not None
    assert abs(moment.raw_ns - raw) <= moment.uncertainty_ns
