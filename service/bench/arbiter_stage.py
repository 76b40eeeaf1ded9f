"""Where the arbiter is measured alone: stores, a clock and the shipped arbiter; no gateways, no notaries. Logs are
written straight into the regions' stores, as full as a benchmark wants them; marks are raised when it says so.

What the arbiter's process used (processor time, memory) the kernel says; what it did, its pulses and its decision log.
"""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import redis
from whenever import Instant, TimeDelta

from model.note import ARBITER_KEY, region_key_name
from model.terms import Terms, read_terms
from model.wire import log_line_halves, parse_canonical
from service import processes, pulse
from service.bench.frame import BenchmarkError
from service.bench.stage import wait_until
from service.evidence.office import bring_key, claim
from service.evidence.signing import load_or_make_key
from service.gateway.publishing import ArbiterDoor
from service.store import keys
from service.store.embedded import EmbeddedStore
from service.store.opening import connect

SKEW_BOUND_NS: Final = 2_000_000
_WRITTEN_AT_ONCE: Final = 2_000
_LONG_SECONDS: Final = 240.0
_WRITE: Final = """
local chunk = {}
for i = 2, #ARGV do
  chunk[#chunk + 1] = ARGV[i]
  if #chunk == 64 or i == #ARGV then
    redis.call('XADD', KEYS[1], string.format('%d-0', ARGV[1] + i - 2), 'l', table.concat(chunk, '\\n'))
    chunk = {}
  end
end
"""
"""Chunks as they are under load (`admit.lua`)."""


class ArbiterStage:
    """A running arbiter, its store, and the stores of some regions."""

    def __init__(self, regions: tuple[str, ...], folder: Path, opened: ExitStack) -> None:
        self.regions = regions
        self._folder = folder
        embedded = {name: EmbeddedStore(folder / name) for name in (*regions, "arbiter")}
        self.urls = {name: opened.enter_context(store).url for name, store in embedded.items()}
        self.server_pids = {name: store.pid for name, store in embedded.items()}
        self.stores = {
            name: opened.enter_context(redis.Redis.from_url(url, protocol=2)) for name, url in self.urls.items()
        }
        self._page = folder / "page"
        self._log = opened.enter_context((folder / "processes.log").open("ab"))
        clock = [sys.executable, "-m", "clockd", "run", "--local-reference", "--page", str(self._page), "--host", "h"]
        clockd = processes.start(clock, output=self._log)
        opened.callback(processes.end, [clockd])
        wait_until(self._page.exists, "a clock page")
        self.child: subprocess.Popen[bytes]
        self.start()
        opened.callback(lambda: processes.end([self.child]))
        asyncio.run(self._show_keys())

    @property
    def pid(self) -> int:
        """The arbiter's process."""
        return self.child.pid

    def start(self) -> None:
        """Start an arbiter; returns when every region has heard of it."""
        flags = [word for name in self.regions for word in ("--region", f"{name}={self.urls[name]}")]
        command = [sys.executable, "-m", "service.command", "arbiter", "--store", self.urls["arbiter"], *flags]
        before = self._token()
        self.child = processes.start([*command, "--page", str(self._page)], output=self._log)
        wait_until(lambda: self._token() > before, "the arbiter's pulse", _LONG_SECONDS)

    def kill(self) -> None:
        """SIGKILL the arbiter."""
        self.child.kill()
        self.child.wait()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The arbiter stands still meanwhile, and goes on where it was."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def pulse(self) -> pulse.Pulse | None:
        """The last pulse that the first region has."""
        found: Any = self.stores[self.regions[0]].xrevrange(keys.PULSE, count=1)
        return pulse.decode(found[0][1][keys.LINE]) if found else None

    async def _show_keys(self) -> None:
        """What a notary does first: without keys no sale is published. Nothing is signed here, and no notary runs."""
        arbiter = connect(self.urls["arbiter"])
        try:
            key = load_or_make_key(self._folder / "keys" / "arbiter", ARBITER_KEY)
            await claim(arbiter, keys.ARBITER_KEY, key, replace=False)
            for region in self.regions:
                store = connect(self.urls[region])
                key = load_or_make_key(self._folder / "keys" / region, region_key_name(region))
                await claim(store, keys.REGION_KEY, key, replace=False)
                await bring_key(region, store, arbiter)
                await store.aclose()
        finally:
            await arbiter.aclose()

    def _token(self) -> int:
        last = self.pulse()
        return 0 if last is None else last.token

    def publish(self, stock: int, lobby_seconds: int = 0, **terms: Any) -> Terms:
        """Publish a sale that opens in a moment, or takes entries from then and opens later."""
        takes_from = (Instant.now() + TimeDelta(seconds=1)).round("millisecond")
        opens = takes_from + TimeDelta(seconds=lobby_seconds)
        stated = {
            "title": f"Benchmark {secrets.token_hex(8)}",
            "stock": stock,
            "entries_from": takes_from.format_iso(),
            "opens": opens.format_iso(),
            "closes": (opens + TimeDelta(hours=2)).format_iso(),
            "regions": list(self.regions),
            "skew_bound_ns": str(SKEW_BOUND_NS),
            "cut_off_after_ns": "86400000000000",
            **terms,
        }
        sale = asyncio.run(self._publish(stated))
        lines = [fields[keys.LINE] for _, fields in self.stores["arbiter"].xrange(keys.ARBITER_SALES)]
        known = {found.sale(): found for found in (read_terms(parse_canonical(line)) for line in lines)}
        return known[sale]

    async def _publish(self, stated: dict[str, Any]) -> str:
        store = connect(self.urls["arbiter"])
        try:
            answer = await ArbiterDoor(store).publish(stated, "bench", None)
        finally:
            await store.aclose()
        if not isinstance(answer, str):
            raise BenchmarkError(f"the sale was not published: {answer}")
        return answer

    def fill(self, terms: Terms, requests: int, spread_ns: int = 1_000) -> None:
        """Write logs of so many requests, evenly over the regions, one every `spread_ns` from where entries begin."""
        for at, region in enumerate(self.regions):
            count = len(range(at, requests, len(self.regions)))
            for first in range(1, count + 1, _WRITTEN_AT_ONCE):
                last = min(first + _WRITTEN_AT_ONCE - 1, count)
                stamps = [
                    terms.entries_from_ns + (at + len(self.regions) * seq) * spread_ns for seq in range(first, last + 1)
                ]
                lines = [_line(region, seq, stamp) for seq, stamp in zip(range(first, last + 1), stamps, strict=True)]
                self.stores[region].eval(_WRITE, 1, keys.log(terms.sale()), first, *lines)

    def raise_marks(self, terms: Terms, to_ns: int | None = None) -> None:
        """Raise every region's mark; None: past the last stamp that the sale may have."""
        for region in self.regions:
            mark_ns = terms.last_stamp_ns + 1 if to_ns is None else to_ns
            self.stores[region].set(keys.mark(terms.sale()), mark_ns)

    def is_over(self, terms: Terms) -> bool:
        """Whether the sale's last record is there."""
        last: Any = self.stores["arbiter"].xrevrange(keys.ledger(terms.sale()), count=1)
        return bool(last) and b'"type":"closed"' in last[0][1][keys.LINE]

    def wait_until_over(self, terms: Terms) -> None:
        """Wait for a sale's last record."""
        wait_until(lambda: self.is_over(terms), "the sale to close", _LONG_SECONDS)

    def counted(self, terms: Terms) -> int:
        """How many entries of the first region the arbiter has read, as its last pulse says."""
        last = self.pulse()
        return 0 if last is None else last.counted.get(terms.sale(), 0)

    def forget(self, terms: Terms) -> None:
        """Free the stores of a sale's entries, so that the next one is measured on a machine with room."""
        sale = terms.sale()
        for region in self.regions:
            self.stores[region].unlink(keys.log(sale), keys.buyers(sale))
            self.stores["arbiter"].unlink(keys.copied_log(sale, region))


@contextmanager
def arbiter_stage(regions: tuple[str, ...] = ("north", "south", "west")) -> Iterator[ArbiterStage]:
    """A fresh stage, ended afterwards."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="firstcome-bench-")))
        yield ArbiterStage(regions, folder, opened)


def running_seconds(pid: int) -> float:
    """Processor time that a process has used, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def peak_mib(pid: int) -> float:
    """The most memory that a process has ever had in use."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _line(region: str, seq: int, stamp_ns: int) -> str:
    """A log line such as a gateway writes."""
    before, after = log_line_halves(
        f"{region}.{secrets.token_urlsafe(16)}",
        f"buyer-{secrets.randbits(40)}",
        stamp_ns,
        1_500_000 + seq % 100_000,
        f"{region}-1/{seq // 5_000}",
        stamp_ns - 5_000_000 - seq % 250_000_000,
    )
    return f"{before}{seq}{after}"


def seconds_of(work: Any) -> tuple[float, float]:
    """Do something. Returns: wall seconds, and processor seconds of this process."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor
