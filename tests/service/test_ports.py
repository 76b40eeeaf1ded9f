"""Ports for servers that are yet to start: whoever chooses in the same way, and the kernel, leaves them alone."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from service.world.ports import Ports

CHOOSES = "from service.world.ports import Ports; ports = Ports(); print(*(ports.take() for _ in range(2_000)))"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_is_given_once_and_can_be_had(kind: socket.SocketKind) -> None:
    ports = Ports()
    given = [ports.take(kind) for _ in range(200)]
    assert len(set(given)) == 200
    for port in given:
        with socket.socket(type=kind) as server:
            server.bind(("127.0.0.1", port))
    first, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert max(given) < first
    ports.close()


def test_another_process_leaves_it_alone_until_it_is_let_go() -> None:
    ports = Ports()
    given = {ports.take() for _ in range(2_000)}
    others = subprocess.run([sys.executable, "-c", CHOOSES], capture_output=True, text=True, check=True).stdout
    assert given.isdisjoint(map(int, others.split()))
    assert len(set(others.split())) == 2_000
    ports.close()
    with socket.socket() as another:
        another.bind(("127.77.0.1", given.pop()))
