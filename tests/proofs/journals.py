"""Clock journals for tests of the audit: of the harsh simulated worlds, and of calm hosts that a sale may run on.

Everything that decides is the shipped daemon's keeper; time, the wire and fate are simulated from a seed.
"""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

from clockd.journal import Record, start_record
from clockd.keeper import Keeper
from clockd.ntp.exchange import Exchange
from model.clock import PPB, Line, stamp
from model.track import Oscillator, straight
from tests.clockd.worlds import MILLISECOND, World


def line_of(record: Record) -> bytes:
    """A record as the daemon writes it."""
    return json.dumps(record, separators=(",", ":"), sort_keys=True).encode()


class JournalledWorld(World):
    """A harsh world that keeps its journal."""

    def __init__(self, seed: int, path: Path, wander_times: int = 1) -> None:
        self.journal: list[Record] = []
        super().__init__(seed, path, wander_times)

    def _new_keeper(self) -> Keeper:
        keeper = super()._new_keeper()
        self.journal.append(
            start_record("h", b"boot", list(keeper.sources), self.oscillator, keeper.belief.update, self.host.raw)
        )
        return keeper

    def _tick(self) -> None:
        """The world's own, which throws its records away when it is done."""
        keeper, journal = self.keeper, self.journal

        class Kept(list[Record]):
            def append(self, record: Record) -> None:
                journal.append(record)

        keeper.records = Kept()
        super()._tick()


@dataclass
class CalmHost:
    """One host with three honest servers, asked in turn; its oscillator is off by a constant rate."""

    name: str
    rate_ppb: int
    chance: random.Random
    raw_at_zero_ns: int
    distance_ns: int = 200_000
    drift_ppb: int = 50_000
    wander_ppt_s: int = 10_000
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.oscillator = Oscillator(self.drift_ppb, self.wander_ppt_s)
        self._lines: list[tuple[int, int, Line]] = []

    def raw_ns(self, utc_ns: int) -> int:
        """What RAW shows at a true time."""
        return self.raw_at_zero_ns + (utc_ns - self._from_ns) * (PPB + self.rate_ppb) // PPB

    def run(self, from_ns: int, until_ns: int, every_ns: int) -> "CalmHost":
        """Ask the servers from one true time to another."""
        self._from_ns = from_ns
        names = ["a", "b", "c"]
        keeper = Keeper(names, self.oscillator, (16, 64), 0, 0)
        self.records.append(start_record(self.name, b"boot", names, self.oscillator, 0, self.raw_ns(from_ns)))
        for turn, at_ns in enumerate(range(from_ns, until_ns, every_ns)):
            there, back = (self.chance.randrange(MILLISECOND // 10, 3 * MILLISECOND) for _ in range(2))
            error_ns = self.chance.randrange(-self.distance_ns, self.distance_ns)
            received_ns = at_ns + there + error_ns
            exchange = Exchange(
                ("192.0.2.1", 123), self.raw_ns(at_ns), received_ns, received_ns + 1000,
                self.raw_ns(at_ns + there + back + 1000) + 1, self.distance_ns, 2, 0,
            )  # fmt: skip
            keeper.take(names[turn % 3], exchange)
            now_raw_ns = exchange.received_raw_ns + 50_000
            keeper.believe(now_raw_ns)
            if keeper.belief.track is not None:
                self._lines.append((now_raw_ns, keeper.belief.update, straight(keeper.belief.track)))
        self.records += keeper.records
        return self

    def stamp(self, utc_ns: int, uncertainty_ns: int = 2_000) -> tuple[int, int, str]:
        """What a gateway on this host says of an arrival at a true time: stamp, bound and evidence."""
        raw_ns = self.raw_ns(utc_ns)
        _, update, line = max((known for known in self._lines if known[0] <= raw_ns), key=lambda known: known[0])
        stamp_ns, bound_ns = stamp(line, raw_ns, uncertainty_ns, self.drift_ppb, self.wander_ppt_s)
        return stamp_ns, bound_ns, f"{self.name}/{update}"

    def lines(self) -> list[bytes]:
        """The journal."""
        return [line_of(record) for record in self.records]
