"""Those who wait and those who ask: 1 000 callers with `Prefer: wait`, status calls, and what both cost the buyers.

The waiting callers are of a sale whose window is long, so nobody is told anything while the others are measured.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from service.bench.frame import BenchmarkError, Effort, Found, Reading, Rival, take_turns
from service.bench.load import GENERATOR, Asked, all_taken, load
from service.bench.stage import Stage, resident_mib, stage, wait_until
from service.store import keys
from service.store.chunks import last_number

WAITING: Final = 1_000
ALONE: Final = "purchases alone"
BESIDE_WAITERS: Final = f"purchases beside {WAITING:,} waiting callers"
BESIDE_STATUS: Final = "purchases beside status calls on 8 connections"
RATE: Final = "requests/s"
MEMORY: Final = "memory of a waiting caller"


def measure(effort: Effort) -> Found:
    """Purchases alone, beside waiting callers, beside status calls, in turn."""
    with stage() as ours:
        sales = [ours.publish() for _ in range(3 * effort.rounds)]
        slow = [ours.publish(tie_window_ns="3600000000000") for _ in range(effort.rounds)]
        asked_for = sales[0]
        _, entry = ours.call("POST", f"/v1/sales/{asked_for}/purchases", {"buyer": "somebody"})
        ours.end_arbiter()

        def purchases() -> list[Reading]:
            asked = Asked(ours.port, f"/v1/sales/{sales.pop()}/purchases", ours.token)
            return all_taken(asked, effort.seconds).readings()

        def beside_waiters() -> list[Reading]:
            before_mib = resident_mib(ours.pid())
            with waiters(ours, slow.pop(), WAITING):
                kib = (resident_mib(ours.pid()) - before_mib) * 1024 / WAITING
                return [*purchases(), Reading(MEMORY, max(kib, 0.0), "KiB")]

        def beside_status() -> list[Reading]:
            status = Asked(
                ours.port,
                f"/v1/sales/{asked_for}/purchases/{entry['id']}",
                ours.token,
                method="GET",
                purchases=0,
                connections=8,
            )
            asking = threading.Thread(target=load, args=(status, effort.seconds))
            asking.start()
            try:
                return purchases()
            finally:
                asking.join()

        rounds = take_turns(
            [
                Rival(ALONE, purchases),
                Rival(BESIDE_WAITERS, beside_waiters),
                Rival(BESIDE_STATUS, beside_status),
            ],
            effort,
        )
    return Found(
        [
            *rounds.figures(),
            rounds.ratio("beside waiting callers, against alone", (BESIDE_WAITERS, RATE), (ALONE, RATE)),
            rounds.ratio("beside status calls, against alone", (BESIDE_STATUS, RATE), (ALONE, RATE)),
        ],
        [GENERATOR, "status calls are FastAPI's and take their share of the one process"],
    )


@contextmanager
def waiters(ours: Stage, sale: str, number: int) -> Iterator[None]:
    """Callers that have an entry and wait for its outcome, a connection each."""
    with ours.store() as store:
        logged = last_number(store.xrevrange(keys.log(sale), count=1))
        callers: list[socket.socket] = []
        try:
            for index in range(number):
                caller = socket.create_connection(("127.0.0.1", ours.port), timeout=30)
                callers.append(caller)
                body = f'{{"buyer":"waiting-{index}"}}'
                caller.sendall(
                    f"POST /v1/sales/{sale}/purchases HTTP/1.1\r\nhost: bench\r\nprefer: wait=60\r\n"
                    f"authorization: Bearer {ours.token}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
                )
            wait_until(
                lambda: last_number(store.xrevrange(keys.log(sale), count=1)) == logged + number,
                "all who wait to have an entry",
            )
            yield
            for caller in callers:
                caller.setblocking(False)
                try:
                    raise BenchmarkError(f"a waiting caller was answered too early: {caller.recv(300)!r}")
                except BlockingIOError:
                    continue
        finally:
            for caller in callers:
                caller.close()
