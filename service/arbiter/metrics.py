"""What monitoring can read of the arbiter: every metric by name, with its meaning.

The frontier is what everybody waits for, so a region's lag is told against what the rule allows it: how far its mark is
behind *now − intake grace*, where a healthy region's is by a heartbeat and the way here. It is told for sales that
take entries; others ask nothing of a region.
"""

from collections.abc import Iterable
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from model.clock import Interval
from model.units import count
from model.vocabulary import (
    Cancelled,
    Closed,
    Confirmed,
    CutOff,
    Expired,
    Fenced,
    Halted,
    Held,
    Listed,
    ListFull,
    RegionName,
    Reissued,
    Released,
    Seen,
    SoldOut,
    Won,
)
from service.arbiter.pace import is_close
from service.arbiter.process import ArbiterProcess
from service.arbiter.run import SaleRun
from service.watching.histogram import cumulated

KINDS: Final = {
    "seen": Seen,
    "won": Won,
    "listed": Listed,
    "held": Held,
    "list_full": ListFull,
    "confirmed": Confirmed,
    "released": Released,
    "expired": Expired,
    "sold_out": SoldOut,
    "cut_off": CutOff,
    "fenced": Fenced,
    "reissued": Reissued,
    "closed": Closed,
    "cancelled": Cancelled,
    "halted": Halted,
}
_SECONDS: Final = (17, 34)
"""Buckets of times: from 2¹⁷ ns = 0.13 ms to 2³⁴ ns = 17 s."""


def families() -> dict[str, Any]:
    """Every metric of the arbiter, without a value."""
    made: tuple[Metric, ...] = (
        GaugeMetricFamily("firstcome_arbiter_token", "The fencing token: higher with every arbiter that takes over."),
        GaugeMetricFamily("firstcome_arbiter_uptime_seconds", "Since this arbiter took over."),
        GaugeMetricFamily("firstcome_arbiter_region_up", "1 while a region's store is reached.", labels=["region"]),
        GaugeMetricFamily(
            "firstcome_arbiter_frontier_lag_seconds",
            "How far a region's mark is behind now − intake grace, at most, over sales that take entries."
            " Absent where none does.",
            labels=["region"],
        ),
        GaugeMetricFamily(
            "firstcome_arbiter_cut_off_after_seconds",
            "How long a region may hold such a sale up before it is cut off: the least of them.",
            labels=["region"],
        ),
        GaugeMetricFamily("firstcome_arbiter_waiting_buyers", "Buyers whose entries wait for a decision."),
        GaugeMetricFamily(
            "firstcome_arbiter_units",
            "Where the units of a running sale at the door are, as logs were read, by region: `free`, `sold`,"
            " `on_the_way` to it; `nobodys` of no region.",
            labels=["sale", "region", "place"],
        ),
        GaugeMetricFamily("firstcome_arbiter_sales", "Sales, by whether they are over.", labels=["state"]),
        CounterMetricFamily("firstcome_arbiter_decisions", "Records of decision logs, by kind.", labels=["kind"]),
        HistogramMetricFamily(
            "firstcome_arbiter_decision_delay_seconds",
            "From when the rule and the intake grace allowed a decision until it was made; the append comes on top.",
        ),
        HistogramMetricFamily("firstcome_arbiter_append_seconds", "How long appends to the decision log took."),
        GaugeMetricFamily("firstcome_arbiter_store_up", "1 while the arbiter's own store answers in time."),
        GaugeMetricFamily("firstcome_arbiter_clock_safe", "1 while the arbiter's host has a time."),
        GaugeMetricFamily(
            "firstcome_arbiter_clock_bound_seconds", "The arbiter's time is true to ± this. Absent where it has none."
        ),
        CounterMetricFamily(
            "firstcome_arbiter_clock_contradictions",
            "Looks at a region's log that found a stamp which cannot be if the arbiter's clock is right too.",
            labels=["region", "host", "against"],
        ),
        GaugeMetricFamily(
            "firstcome_arbiter_clock_contradiction_age_seconds",
            "Since the last of them.",
            labels=["region", "host", "against"],
        ),
    )
    return {family.name: family for family in made}


class ArbiterMetrics(Collector):
    """Tells of one arbiter; to be asked in its loop."""

    def __init__(self, process: ArbiterProcess) -> None:
        self._process = process
        self._since_raw_ns = process.raw_ns()

    def describe(self) -> Iterable[Metric]:
        """Every metric, without a value."""
        return families().values()

    def collect(self) -> Iterable[Metric]:
        """Every metric as it is now."""
        told, process = families(), self._process
        counts, now, now_raw_ns = process.counts, process.now(), process.raw_ns()

        def tell(name: str, value: float, *labels: str) -> None:
            told[name].add_metric(labels, value)

        tell("firstcome_arbiter_token", process.token)
        tell("firstcome_arbiter_uptime_seconds", (now_raw_ns - self._since_raw_ns) / 1e9)
        for region, is_up in process.reached().items():
            tell("firstcome_arbiter_region_up", float(is_up), region)
        self._tell_lags(tell, now)
        open_runs = [run for run in process.runs.values() if not run.is_over]
        tell("firstcome_arbiter_waiting_buyers", sum(run.fold.waiting for run in open_runs))
        for run in open_runs:
            for region, place, units in _places(run):
                tell("firstcome_arbiter_units", units, run.sale, region, place)
        tell("firstcome_arbiter_sales", len(open_runs), "running")
        tell("firstcome_arbiter_sales", len(process.terms_lines) - len(open_runs), "over")
        for kind, record in KINDS.items():
            tell("firstcome_arbiter_decisions", counts.decisions[record.__name__], kind)
        told["firstcome_arbiter_decision_delay_seconds"].add_metric((), *cumulated(counts.delays.values, *_SECONDS))
        told["firstcome_arbiter_append_seconds"].add_metric((), *cumulated(counts.appends.values, *_SECONDS))
        tell("firstcome_arbiter_store_up", float(process.store_is_well))
        tell("firstcome_arbiter_clock_safe", float(now is not None))
        if now is not None:
            tell("firstcome_arbiter_clock_bound_seconds", (now.latest_ns - now.earliest_ns) / 2e9)
        for accused, found in counts.contradicted.items():
            labels = (*accused, process.clock_host)
            tell("firstcome_arbiter_clock_contradictions", found.times, *labels)
            tell("firstcome_arbiter_clock_contradiction_age_seconds", (now_raw_ns - found.last_raw_ns) / 1e9, *labels)
        return told.values()

    def _tell_lags(self, tell: Any, now: Interval | None) -> None:
        if now is None:
            return
        lags_ns: dict[str, int] = {}
        cut_offs_ns: dict[str, int] = {}
        for run in self._process.runs.values():
            terms = run.terms
            if run.fold.is_decided or not is_close(run, now):
                continue
            for region in run.fold.regions:
                mark_ns = max(run.marks_ns.get(region, 0), terms.entries_from_ns)
                lag_ns = max(0, now.earliest_ns - terms.intake_grace_ns - mark_ns)
                lags_ns[region] = max(lags_ns.get(region, 0), lag_ns)
                after_ns = terms.cut_off_after_ns
                cut_offs_ns[region] = min(cut_offs_ns.get(region, after_ns), after_ns)
        for region, lag_ns in lags_ns.items():
            tell("firstcome_arbiter_frontier_lag_seconds", lag_ns / 1e9, region)
            tell("firstcome_arbiter_cut_off_after_seconds", cut_offs_ns[region] / 1e9, region)


def _places(run: SaleRun) -> Iterable[tuple[RegionName, str, int]]:
    """(region, place, units) of a sale at the door."""
    fold = run.by_shares
    if fold is None:
        return
    for region, share in fold.shares.items():
        yield region, "sold", len(share.sold)
        if region in fold.fenced_out:
            continue
        yield region, "free", count(share.free)
        yield region, "on_the_way", sum(count(grant.units) for grant in fold.on_the_way if grant.to == region)
    yield "", "nobodys", fold.nobodys
