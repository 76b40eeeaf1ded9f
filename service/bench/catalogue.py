"""Every benchmark, by the name that `--only` takes. Each is a module of this folder; a new one is a line here."""

from typing import Final

from service.bench import latency, many_sales, purchase, restart, whole_sale
from service.bench.frame import Benchmark

BENCHMARKS: Final = (
    Benchmark("purchase", "What does a purchase cost that is on disk, stamped and authenticated?", purchase.measure),
    Benchmark("ledger", "What does a whole sale cost, from full region logs to every outcome?", whole_sale.measure),
    Benchmark("latency", "How long does a decision take beyond what the rule needs?", latency.measure),
    Benchmark("restart", "What does a million cost who wait, and a restart among them?", restart.measure),
    Benchmark("many", "What do many sales cost at once, idle ones, and those that are over?", many_sales.measure),
)
