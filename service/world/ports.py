"""Ports of this machine that stay free until whoever they are for has started, and while it is started again.

A port that the kernel chooses is anybody's once it is let go: the kernel gives it to the next that asks, and to
connections that go out. So ports are chosen here from below those that the kernel gives away (`ip_local_port_range`),
and each is held by a socket at an address of loopback that nobody serves: whoever chooses as we do, in this process or
another, sees that it is taken, and the server that it is for can have it.
"""

import random
import socket
from pathlib import Path
from typing import Final

_HELD_AT: Final = "127.77.0.1"
_FIRST: Final = 10_000
_GIVEN_AWAY: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FEWEST: Final = 1_000
_TRIES: Final = 10_000


class Ports:
    """Ports for the servers of one process and its children; `close` lets them go."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
        """A port at which nobody listens, nor will by this way of choosing.

        Raises:
            OSError: there is none.
        """
        candidates = _candidates()
        for _ in range(_TRIES):
            port = random.choice(candidates)
            held = socket.socket()
            try:
                held.bind((_HELD_AT, port))
                with socket.socket(type=kind) as probe:
                    probe.bind(("127.0.0.1", port))
            except OSError:
                held.close()
                continue
            self._held.append(held)
            return port
        raise OSError("no port of loopback is free; end what listens there")

    def close(self) -> None:
        """Let all go."""
        for held in self._held:
            held.close()
        self._held.clear()


_ours: Final = Ports()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that is this process's, and its children's, until it ends."""
    return _ours.take(kind)


def _candidates() -> range:
    """What the kernel does not give away by itself; where that is next to nothing, what it does."""
    first, last = map(int, _GIVEN_AWAY.read_text().split())
    below = range(_FIRST, first)
    return below if len(below) >= _FEWEST else range(first, last + 1)
