"""What takes too long: a request that is never whole, silence, a peer that does not hang up."""

import asyncio
import socket
import time

from clockd.host import RealClock
from clockd.reader import Reader
from service.gateway.intake import IDLE_SECONDS, LINGER_SECONDS, SLOWEST_REQUEST_SECONDS, Connection, Intake
from service.gateway.stamping import Stamper
from service.world.world import World
from tests.service.caller import Caller


def test_dawdlers_are_refused(dawdlers: dict[str, tuple[Caller, float]]) -> None:
    """Begun before every other test of a gateway: most of the limit has passed meanwhile."""
    for caller, since in dawdlers.values():
        answer = caller.answer()
        assert (answer.status, answer.problem) == (408, "request_timeout")
        assert caller.is_ended()
        assert time.monotonic() - since >= SLOWEST_REQUEST_SECONDS


def test_a_sweep_ends_what_has_lasted_too_long(small_world: World) -> None:
    """Silence, and a peer that does not hang up; a request that is being answered is left alone."""

    async def sweep() -> None:
        host = RealClock()
        reader = Reader(small_world.page("here"), host)
        intake = Intake(None, Stamper(host, reader), lambda *_: None)  # type: ignore[arg-type]  (nothing gets so far)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.settimeout(5)
            silent = Connection(ours, intake)
            silent.sweep(silent.busy_since + IDLE_SECONDS)
            assert ours.fileno() >= 0
            theirs.sendall(b"POST")
            silent.readable()
            silent.sweep(silent.busy_since + SLOWEST_REQUEST_SECONDS)
            silent.sweep(silent.busy_since + SLOWEST_REQUEST_SECONDS + 1)
            assert theirs.recv(100).startswith(b"HTTP/1.1 408 ")
            silent.sweep(silent.busy_since + LINGER_SECONDS)
            assert ours.fileno() >= 0
            silent.sweep(silent.busy_since + LINGER_SECONDS + 1)
            assert ours.fileno() < 0
        ours, theirs = socket.socketpair()
        with ours, theirs:
            silent = Connection(ours, intake)
            silent.sweep(silent.busy_since + IDLE_SECONDS + 1)
            assert ours.fileno() < 0
        reader.close()

    asyncio.run(sweep())
