"""How true stamps are when a crowd comes at once, and the gateway is stopped in the middle of it.

True time is this machine's clock: a purchase came between the moment before its bytes were handed to the kernel and the
moment after. Three thousand connections are opened and sent on as fast as one thread can, then the gateway is stopped
for 400 ms while more come. A stamp's error is how far it lies outside of its sending; what of it is more than the
clock's own bound is what stamping adds.
"""

import json
import signal
import socket
import time
from contextlib import ExitStack
from typing import Final, NamedTuple

from clockd.host import RealClock
from clockd.reader import Reader
from service.bench.frame import BenchmarkError, Effort, Found, Reading, Rival, take_turns
from service.bench.stage import GATEWAY, REGION, Stage, stage

BURST: Final = 3_000
QUICK_BURST: Final = 300
LATE: Final = 200
"""Who comes while the gateway is stopped."""
STOPPED_SECONDS: Final = 0.4
GRACE_NS: Final = "2000000000"
CROWD: Final = "a crowd at once, and a stop"
WORST: Final = "worst error against true arrival"
BEYOND: Final = "worst error beyond the clock's own bound"
OUTSIDE: Final = "stamps outside their stated bound"
STATED: Final = "largest stated bound"


class _Sent(NamedTuple):
    before_ns: int
    after_ns: int
    stamp_ns: int
    bound_ns: int

    @property
    def error_ns(self) -> int:
        return max(self.before_ns - self.stamp_ns, self.stamp_ns - self.after_ns, 0)


def measure(effort: Effort) -> Found:
    """One crowd a round."""
    burst = QUICK_BURST if effort.quick else BURST
    with stage() as ours:
        rounds = take_turns([Rival(CROWD, lambda: _crowd(ours, burst))], effort)
    outside = sum(rounds.values(CROWD, OUTSIDE))
    return Found(
        [
            rounds.figure(CROWD, WORST),
            rounds.figure(CROWD, BEYOND, "≤ 0.5"),
            rounds.figure(CROWD, STATED),
            rounds.figure(CROWD, OUTSIDE, "0"),
        ],
        [f"{burst:,} new connections as fast as one thread opens them, then {LATE} while the gateway stands still"],
        wrong=[f"{outside:,.0f} stamps lie outside the bound that was stated with them"] if outside else [],
    )


def _crowd(ours: Stage, burst: int) -> list[Reading]:
    sale = ours.publish(intake_grace_ns=GRACE_NS)
    host = RealClock()
    reader = Reader(ours.world.page(REGION), host)
    bounds_ns = [_own_bound_ns(reader, host)]
    with ExitStack() as opened:
        sending = [_send(ours, sale, f"buyer-{number}", opened) for number in range(burst)]
        sent = [_hear(*each) for each in sending]
        bounds_ns.append(_own_bound_ns(reader, host))
        ours.world.send(GATEWAY, signal.SIGSTOP)
        sending = [_send(ours, sale, f"late-{number}", opened) for number in range(LATE)]
        time.sleep(STOPPED_SECONDS)  # the stop itself
        ours.world.send(GATEWAY, signal.SIGCONT)
        sent += [_hear(*each) for each in sending]
    bounds_ns.append(_own_bound_ns(reader, host))
    reader.close()
    return [
        Reading(WORST, max(each.error_ns for each in sent) / 1e6, "ms"),
        Reading(BEYOND, max(0, *(each.error_ns - min(bounds_ns) for each in sent)) / 1e6, "ms"),
        Reading(STATED, max(each.bound_ns for each in sent) / 1e6, "ms"),
        Reading(OUTSIDE, sum(each.error_ns > each.bound_ns for each in sent), "stamps"),
    ]


def _own_bound_ns(reader: Reader, host: RealClock) -> int:
    stamp = reader.read().stamp(host.raw_ns())
    if stamp is None:
        raise BenchmarkError("the clock page has no time")
    return stamp.bound_ns


def _send(ours: Stage, sale: str, buyer: str, opened: ExitStack) -> tuple[socket.socket, int, int]:
    connection = opened.enter_context(socket.create_connection(("127.0.0.1", ours.port), timeout=30))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = f'{{"buyer":"{buyer}"}}'
    request = (
        f"POST /v1/sales/{sale}/purchases HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {ours.token}\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}"
    ).encode()
    before_ns = time.time_ns()
    connection.sendall(request)
    return connection, before_ns, time.time_ns()


def _hear(connection: socket.socket, before_ns: int, after_ns: int) -> _Sent:
    """The answer, up to the connection's end."""
    with connection.makefile("rb") as answer:
        head, _, body = answer.read().partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 202"):
        raise BenchmarkError(f"a purchase was not taken: {head.decode(errors='replace').splitlines()[:1]}")
    told = json.loads(body)
    return _Sent(before_ns, after_ns, int(told["stamp_ns"]), int(told["bound_ns"]))
