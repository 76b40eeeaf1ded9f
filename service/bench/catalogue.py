"""Every benchmark, by the name that `--only` takes. Each is a module of this folder; a new one is a line here."""

from typing import Final

from service.bench import purchase
from service.bench.frame import Benchmark

BENCHMARKS: Final = (
    Benchmark("purchase", "What does a purchase cost that is on disk, stamped and authenticated?", purchase.measure),
)
