"""What befalls a simulated host: its clocks tell it, each as the real ones would, and all processes agree."""

from pathlib import Path

import pytest

from clockd.fate import MOST_EVENTS, Fate
from clockd.host import RealClock, open_host_clock, suspended_ns

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
NEARLY = SECOND // 2


def test_a_step_moves_realtime_and_nothing_else_and_leaves_what_the_kernel_had_stamped(tmp_path: Path) -> None:
    host, truth = open_host_clock(f"simulated:fate={tmp_path / 'fate'}"), RealClock()
    before_ns = truth.realtime_ns()
    Fate(tmp_path / "fate").stepped(truth.raw_ns() + SECOND, -HOUR)  # in a second
    assert abs(host.realtime_ns() - truth.realtime_ns()) < NEARLY
    Fate(tmp_path / "fate").stepped(truth.raw_ns(), HOUR)
    assert abs(host.realtime_ns() - truth.realtime_ns() - HOUR) < NEARLY
    assert abs(host.raw_ns() - truth.raw_ns()) < NEARLY
    assert abs(host.monotonic_ns() - truth.monotonic_ns()) < NEARLY
    assert abs(host.from_kernel_ns(truth.realtime_ns()) - truth.realtime_ns() - HOUR) < NEARLY
    assert host.from_kernel_ns(before_ns - SECOND) == before_ns - SECOND


def test_a_sleep_holds_raw_and_monotonic_back_and_is_told_by_boottime(tmp_path: Path) -> None:
    host, truth = open_host_clock(f"simulated:fate={tmp_path / 'fate'}"), RealClock()
    slept_ns = suspended_ns(host)
    Fate(tmp_path / "fate").slept(truth.raw_ns(), 3 * SECOND)
    assert abs(suspended_ns(host) - slept_ns - 3 * SECOND) < NEARLY
    assert abs(truth.raw_ns() - host.raw_ns() - 3 * SECOND) < NEARLY
    assert abs(truth.monotonic_coarse_ns() - host.monotonic_coarse_ns() - 3 * SECOND) < NEARLY
    assert abs(host.realtime_ns() - truth.realtime_ns()) < NEARLY
    assert abs(host.boottime_ns() - truth.boottime_ns()) < NEARLY


def test_each_fate_is_another_host_and_none_bears_everything(tmp_path: Path) -> None:
    one, other = (open_host_clock(f"simulated:fate={tmp_path / name}") for name in ("one", "other"))
    assert one.boot_id != other.boot_id
    fate = Fate(tmp_path / "one")
    for _ in range(MOST_EVENTS):
        fate.stepped(0, 1)
    with pytest.raises(OSError, match="events"):
        fate.stepped(0, 1)
    with pytest.raises(ValueError, match="No such file"):
        open_host_clock("simulated:fate=/nowhere/fate")
