"""What a real clockd tells monitoring and its service manager."""

import socket
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from clockd.metrics import families
from clockd.notify import ServiceManager
from tests.clockd.conftest import Spawn
from tests.patience import until

FAST = ("--poll-seconds", "1", "--allow-fast-polling")


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def value(text: str, name: str, **labels: str) -> float:
    """The one sample of that name with those labels."""
    (found,) = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return float(found)


def test_every_metric_is_told_and_a_silent_source_is_seen(
    clockd: Spawn, port: Callable[[], int], tmp_path: Path
) -> None:
    page, ntp, silent, http = tmp_path / "page", port(), port(), port()
    clockd("serve", "--listen", f"127.0.0.1:{ntp}", "--local-reference")
    servers = ("--server", f"127.0.0.1:{ntp}", "--server", f"127.0.0.1:{silent}")
    clockd("run", *servers, *FAST, "--page", str(page), "--host", "here-1", "--metrics", f"127.0.0.1:{http}")

    def told() -> str:
        try:
            return scrape(http)
        except OSError:
            return ""

    until(lambda: (text := told()) and value(text, "clockd_source_unanswered", source=f"127.0.0.1:{silent}") >= 4)
    text = told()
    found = {family.name for family in text_string_to_metric_families(text) if family.samples}
    assert found == set(families()), found ^ set(families())
    assert value(text, "clockd_state", state="synchronized") == 1
    assert value(text, "clockd_source_verdict", source=f"127.0.0.1:{silent}", verdict="silent") == 1
    assert value(text, "clockd_source_verdict", source=f"127.0.0.1:{ntp}", verdict="agrees") == 1
    assert 0 < value(text, "clockd_bound_seconds") < 0.1
    parts = sum(value(text, "clockd_bound_part_seconds", part=part) for part in ("exchanges", "rate", "wander"))
    assert parts >= value(text, "clockd_bound_seconds") - 1e-6


def test_a_port_that_is_taken_is_said_in_one_line(clockd: Spawn, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        daemon = clockd("run", "--local-reference", "--page", str(tmp_path / "page"), "--metrics", where)
        assert daemon.wait(10) == 2
    assert f"--metrics {where}: " in (tmp_path / "stderr.0").read_text()


def test_the_service_manager_hears_ready_alive_and_the_end(spawn: Spawn, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        program = "import sys; from clockd.command import main; sys.argv[1:] = sys.argv[2:]; main()"
        prefix = ["/usr/bin/env", f"NOTIFY_SOCKET={tmp_path / 'notify'}", sys.executable, "-c", program, "-"]
        daemon = spawn(*prefix, "run", "--local-reference", "--page", str(tmp_path / "page"))
        first = manager.recv(1000).decode().splitlines()
        assert first[:2] == ["READY=1", "WATCHDOG=1"]
        assert (tmp_path / "page").exists()
        assert "WATCHDOG=1" in manager.recv(1000).decode()
        daemon.terminate()
        heard = ""
        while heard != "STOPPING=1":
            heard = manager.recv(1000).decode()
        assert daemon.wait(10) == 0


def test_without_a_service_manager_nobody_is_told() -> None:
    ServiceManager({}).alive("synchronized")
    ServiceManager({"NOTIFY_SOCKET": "/nowhere/at/all"}).alive("synchronized")


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"firstcome-{id(manager)}"
        manager.bind("\0" + name)
        ServiceManager({"NOTIFY_SOCKET": "@" + name}).alive("well")
        assert manager.recv(100) == b"READY=1\nWATCHDOG=1\nSTATUS=well"
