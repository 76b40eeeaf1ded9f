"""A real chronyd on the other side: as the server that clockd asks, and as the client that measures `clockd serve`."""

import getpass
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clockd.host import RealClock
from clockd.reader import Reader
from tests.clockd.conftest import Spawn
from tests.clockd.test_processes import FAST, answers, assert_true
from tests.patience import until


def test_clockd_tracks_a_real_chronyd(
    chronyd: str, spawn: Spawn, clockd: Spawn, tmp_path: Path, port: Callable[[], int]
) -> None:
    number = port()
    configuration = tmp_path / "chrony.conf"
    configuration.write_text(
        f"local stratum 8\nport {number}\nbindaddress 127.0.0.1\nallow 127.0.0.1\ncmdport 0\n"
        f"bindcmdaddress /\npidfile {tmp_path}/chronyd.pid\n"
    )
    spawn(chronyd, "-x", "-d", "-U", "-u", getpass.getuser(), "-f", str(configuration))
    until(lambda: answers(f"127.0.0.1:{number}"))
    page, host = tmp_path / "page", RealClock()
    clockd("run", "--server", f"127.0.0.1:{number}", *FAST, "--page", str(page))
    reader = Reader(page, host)
    until(lambda: reader.read().update >= 4)
    assert_true(reader.read(), host)
    assert reader.read().stratum == 9
    print(f"bound against chronyd on loopback: {reader.read().bound_ns} ns at the update")
    reader.close()


@pytest.mark.parametrize("offset_ms", [0, 40, -250])
def test_chronyd_measures_clockd_serve(
    chronyd: str, clockd: Spawn, tmp_path: Path, port: Callable[[], int], offset_ms: int
) -> None:
    number = port()
    host_clock = f"simulated:offset_ns={offset_ms * 1_000_000}"
    clockd("serve", "--listen", f"127.0.0.1:{number}", "--local-reference", "--host-clock", host_clock)
    until(lambda: answers(f"127.0.0.1:{number}"))
    source = f"server 127.0.0.1 port {number} iburst maxsamples 1"
    command = [chronyd, "-Q", "-U", "-u", getpass.getuser(), "-t", "15", source, f"pidfile {tmp_path}/chronyd.pid"]
    measured = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    wrong_by = re.search(r"System clock wrong by (-?\d+\.\d+) seconds", measured.stdout + measured.stderr)
    assert wrong_by, measured.stdout + measured.stderr
    assert abs(float(wrong_by[1]) - offset_ms / 1000) < 0.01
