"""What it costs: ten processes read a page that never rests and see none torn; the daemon is small and nearly idle."""

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from clockd.host import RealClock
from clockd.page import Writer
from clockd.reader import Reader
from tests.clockd.conftest import Spawn
from tests.clockd.test_processes import answers
from tests.clockd.test_reader import PUBLIC, page_of
from tests.patience import until

READERS = 10
READS = 5_000


def read_many(path: Path, ready: Barrier, results: "Queue[tuple[int, int, int]]") -> None:
    reader = Reader(path, RealClock())
    reader.read()
    ready.wait(60)
    torn, updates = 0, set()
    began = time.process_time_ns()
    for _ in range(READS):
        reading = reader.read()
        torn += reading.reason != "" or reading.bound_ns != reading.update
        updates.add(reading.update)
    results.put((torn, len(updates), (time.process_time_ns() - began) // READS))
    reader.close()


def test_ten_processes_read_under_constant_updates_and_none_is_torn(tmp_path: Path) -> None:
    host, path = RealClock(), tmp_path / "page"
    writer = Writer(path)
    page = replace(page_of(host), bound_ns=1, update=1)
    writer.write(PUBLIC, page)
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(READERS + 1), context.Queue()
    readers = [context.Process(target=read_many, args=(path, ready, results), daemon=True) for _ in range(READERS)]
    for each in readers:
        each.start()
    ready.wait(60)
    number = 1
    while any(each.is_alive() for each in readers):
        for _ in range(100):
            number += 1
            writer.write(PUBLIC, replace(page, bound_ns=number, update=number))
    found = [results.get(timeout=10) for _ in readers]
    for each in readers:
        each.join()
    writer.close()
    costs = sorted(cost for _, _, cost in found)
    print(f"{READERS * READS} reads under {number} updates, of which readers saw {found[0][1]} and more:", costs, "ns")
    assert sum(torn for torn, _, _ in found) == 0
    assert max(seen for _, seen, _ in found) > 1


def test_the_daemon_is_small_and_nearly_idle(clockd: Spawn, tmp_path: Path, port: Callable[[], int]) -> None:
    servers = []
    for _ in range(3):
        address = f"127.0.0.1:{port()}"
        clockd("serve", "--listen", address, "--local-reference")
        until(lambda address=address: answers(address))  # type: ignore[misc]  # a default binds the loop's value
        servers += ["--server", address]
    page, host = tmp_path / "page", RealClock()
    daemon = clockd("run", *servers, "--page", str(page))
    reader = Reader(page, host)
    until(lambda: reader.read().update >= 5)  # the burst at the start is over
    began, used = time.monotonic(), cpu_seconds(daemon.pid)
    published = reader.read().published_raw_ns
    until(lambda: reader.read().published_raw_ns > published + 10 * 10**9)
    share = (cpu_seconds(daemon.pid) - used) / (time.monotonic() - began)
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    resident_kb = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    print(f"the daemon uses {share:.2%} of a core and {resident_kb / 1024:.0f} MB")
    assert share < 0.01
    assert resident_kb < 60 * 1024
    reader.close()


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
