"""Every benchmark, by the name that `--only` takes. Each is a module of this folder; a new one is a line here."""

from typing import Final

from service.bench import (
    audit,
    batch,
    clock,
    idle,
    latency,
    many_sales,
    overload,
    proving,
    purchase,
    reads,
    restart,
    sales,
    stamps,
    waiting,
    watching,
    whole_sale,
)
from service.bench.frame import Benchmark

BENCHMARKS: Final = (
    Benchmark("purchase", "What does a purchase cost that is on disk, stamped and authenticated?", purchase.measure),
    Benchmark("stamps", "How true are stamps when a crowd comes at once?", stamps.measure),
    Benchmark("clock", "What does it cost to know the time, and how sure it is?", clock.measure),
    Benchmark("batch", "How many purchases a second does a service get in that collects them?", batch.measure),
    Benchmark("reads", "What do pages cost that are read while a sale runs?", reads.measure),
    Benchmark("sales", "What do more sales at once cost, and a lobby?", sales.measure),
    Benchmark("waiting", "What do those cost the buyers who wait, and who ask?", waiting.measure),
    Benchmark("watching", "What does it cost a purchase to be watched?", watching.measure),
    Benchmark("overload", "Who is served when ten times as many press as can be served?", overload.measure),
    Benchmark("idle", "What does a system cost while nothing happens?", idle.measure),
    Benchmark("ledger", "What does a whole sale cost, from full region logs to every outcome?", whole_sale.measure),
    Benchmark("latency", "How long does a decision take beyond what the rule needs?", latency.measure),
    Benchmark("restart", "What does a million cost who wait, and a restart among them?", restart.measure),
    Benchmark("audit", "What does it cost to check a finished sale of a million?", audit.measure),
    Benchmark("proofs", "How long does every proof take?", proving.measure),
    Benchmark("many", "What do many sales cost at once, idle ones, and those that are over?", many_sales.measure),
)
