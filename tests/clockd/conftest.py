"""Real clockd processes on loopback, and waiting without sleeping for a guess."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from clockd.host import HostClock
from clockd.reader import Reader, Reading
from service.world.ports import free_port
from tests.patience import until

Spawn = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Starts processes whose standard error goes to a file, and ends them all."""
    started: list[subprocess.Popen[str]] = []

    def start(*command: str) -> subprocess.Popen[str]:
        with (tmp_path / f"stderr.{len(started)}").open("w") as log:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
    for process in started:
        assert process.wait(10) is not None


@pytest.fixture
def clockd(spawn: Spawn) -> Spawn:
    """Starts `clockd` with arguments."""
    return lambda *arguments: spawn(sys.executable, "-c", "from clockd.command import main; main()", *arguments)


@pytest.fixture
def port() -> Callable[[], int]:
    """A UDP port of loopback that is free; none is given twice."""
    return partial(free_port, socket.SOCK_DGRAM)


@pytest.fixture
def followed() -> Iterator[Callable[[Path, HostClock], Reading]]:
    """The first reading of a page that has a time."""
    readers: list[Reader] = []

    def follow(path: Path, host: HostClock) -> Reading:
        reader = Reader(path, host)
        readers.append(reader)
        until(lambda: not reader.read().reason)
        return reader.read()

    yield follow
    for reader in readers:
        reader.close()


@pytest.fixture
def chronyd() -> str:
    """The path of chronyd; skips where there is none, except in CI."""
    path = "/usr/sbin/chronyd"
    if not Path(path).exists() and not os.environ.get("CI"):
        pytest.skip("chronyd is not installed")
    return path
