"""What monitoring can read of a region's gateways: every metric by name, with its meaning.

Processes that share a port share their counts (`service/watching/shared.py`), so any of them tells what all have done.
What all know alike, the clock of their host and the sales of their region, the one that answers tells for itself.

Alerts are measured by what sales ask for: `firstcome_skew_bound_seconds` is the least ε of the sales that are to come
or open here, and `firstcome_clock_bound_seconds` is what stamps of this host are true to; a purchase is refused once
the second is above the first. Both are told by one process, so a rule compares them without knowing of hosts.
"""

from collections.abc import Iterable
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from clockd.reader import State
from model.vocabulary import RegionName
from service.gateway.admission import Admission
from service.gateway.book import Book, Sale
from service.gateway.counts import COUNTED, GAUGES, REASONS, Counts
from service.gateway.intake import Intake
from service.gateway.stamping import Stamper
from service.watching.histogram import cumulated
from service.watching.shared import SharedCounts, Told

LAYOUT: Final = (*COUNTED, *GAUGES)
NO_TIME: Final = (
    *("missing", "unreadable", "foreign", "version", "torn", "unwritten", "boot", "machine", "suspended", "void"),
    *("unknown", "disrupted"),
)
"""Why a reader of the clock page has no time (`clockd/reader.py`)."""
HALT_IS_NEWS_NS: Final = 3_600_000_000_000
"""After a sale's closing time."""
STANDS_STILL_NS: Final = 5_000_000_000
"""A process that has not written its counts for so long, five times what it takes, is stuck."""
_SECONDS: Final = (13, 33)
"""Buckets of times: from 2¹³ ns = 8.2 µs to 2³³ ns = 8.6 s."""
_PURCHASES: Final = (0, 9)


def families() -> dict[str, Any]:
    """Every metric of the gateways, without a value."""
    here, sale = ["region"], ["region", "sale"]
    made: tuple[Metric, ...] = (
        CounterMetricFamily(
            "firstcome_purchases",
            "Purchases answered: logged anew, known from an earlier call, routed to another region, or refused. "
            "Entries of batches count each; a batch that is routed counts once.",
            labels=["region", "outcome"],
        ),
        CounterMetricFamily(
            "firstcome_refusals", "Purchases refused, by the type of the problem.", labels=["region", "reason"]
        ),
        HistogramMetricFamily(
            "firstcome_kernel_wait_seconds",
            "How long requests waited between the kernel's receipt of their last byte and their turn.",
            labels=here,
        ),
        HistogramMetricFamily("firstcome_stamp_bound_seconds", "Stamps are true to ± this.", labels=here),
        HistogramMetricFamily(
            "firstcome_store_call_seconds", "How long calls to the region's store took, until on disk.", labels=here
        ),
        HistogramMetricFamily("firstcome_store_call_purchases", "Purchases that shared one call.", labels=here),
        CounterMetricFamily("firstcome_store_call_failures", "Calls to the store that did not come back.", labels=here),
        GaugeMetricFamily("firstcome_in_flight_purchases", "Purchases on their way to the store.", labels=here),
        GaugeMetricFamily(
            "firstcome_waiting_clients",
            "Callers who wait for their outcome, and purchases that are traced until theirs.",
            labels=here,
        ),
        GaugeMetricFamily("firstcome_connections", "Connections of the public port.", labels=here),
        GaugeMetricFamily("firstcome_gateway_processes", "Gateway processes that run.", labels=here),
        GaugeMetricFamily(
            "firstcome_gateway_stuck_processes", "Of those: whose loop stands still for 5 s or more.", labels=here
        ),
        CounterMetricFamily("firstcome_gateway_starts", "Starts of gateway processes.", labels=here),
        GaugeMetricFamily(
            "firstcome_clock_bound_seconds",
            "The corrected time of this host is true to ± this, now. Absent where there is no time.",
            labels=here,
        ),
        GaugeMetricFamily("firstcome_clock_safe", "1 where there is a time to stamp with.", labels=here),
        GaugeMetricFamily("firstcome_clock_without_time", "1 for why there is none.", labels=["region", "reason"]),
        GaugeMetricFamily(
            "firstcome_clock_page_age_seconds",
            "Since clockd last published the page; it does every second. Absent where there is no page.",
            labels=here,
        ),
        CounterMetricFamily(
            "firstcome_wall_clock_steps", "Jumps of CLOCK_REALTIME that gateways have seen.", labels=here
        ),
        GaugeMetricFamily("firstcome_store_up", "1 while the region's store answers every process.", labels=here),
        GaugeMetricFamily(
            "firstcome_arbiter_heartbeat_age_seconds",
            "Since the arbiter was last heard. Absent where it never was.",
            labels=here,
        ),
        GaugeMetricFamily(
            "firstcome_skew_bound_seconds",
            "The least ε of all sales here that are to come or open. Absent where there are none.",
            labels=here,
        ),
        GaugeMetricFamily("firstcome_sales", "Sales of this region, by state.", labels=["region", "state"]),
        GaugeMetricFamily("firstcome_sale_skew_bound_seconds", "ε of a sale that is to come or open.", labels=sale),
        GaugeMetricFamily("firstcome_sale_stock", "Units of a sale that is to come or open.", labels=sale),
        GaugeMetricFamily("firstcome_sale_winners", "Of those: won so far, in all regions.", labels=sale),
        GaugeMetricFamily(
            "firstcome_sale_opens_in_seconds", "Until it opens; negative since. By this host's clock.", labels=sale
        ),
        GaugeMetricFamily("firstcome_sale_waiting_clients", "Callers of this process who wait for it.", labels=sale),
        GaugeMetricFamily(
            "firstcome_sale_halted",
            "1 for a sale that halted on a contradiction, until an hour after it would have closed.",
            labels=sale,
        ),
        GaugeMetricFamily(
            "firstcome_sale_cut_off",
            "1 for a sale that goes on without a region, while it does.",
            labels=["region", "sale", "cut_off"],
        ),
    )
    return {family.name: family for family in made}


class GatewayMetrics(Collector):
    """Tells of all gateway processes of one port.

    Args:
        shared: where they keep their counts; None where this process is the only one.
    """

    def __init__(
        self,
        region: RegionName,
        book: Book,
        stamper: Stamper,
        admission: Admission,
        intake: Intake,
        counts: Counts,
        shared: SharedCounts | None,
    ) -> None:
        self._region, self._book, self._stamper = region, book, stamper
        self._admission, self._intake, self._counts, self._shared = admission, intake, counts, shared
        found = shared.found() if shared is not None else None
        if found is not None:
            counts.go_on_from(found)
        counts.starts += 1
        self.share()

    def share(self) -> None:
        """Let the other processes know; to be called once a second."""
        if self._shared is not None:
            self._shared.write(self._told())

    def describe(self) -> Iterable[Metric]:
        """Every metric, without a value."""
        return families().values()

    def collect(self) -> Iterable[Metric]:
        """Every metric as it is now."""
        told = families()

        def tell(name: str, value: float, *labels: str) -> None:
            told[name].add_metric((self._region, *labels), value)

        self.share()
        processes = [Told(0, True, self._told())] if self._shared is None else self._shared.read_all()
        self._tell_counts(told, tell, processes)
        self._tell_clock(tell)
        self._tell_sales(tell)
        return told.values()

    def _told(self) -> list[int]:
        waiting = sum(sale.waiting for sale in self._book.sales.values())
        return [
            *self._counts.values,
            self._admission.in_flight,
            waiting,
            self._intake.connections,
            int(self._book.store_answers),
            self._stamper.receive_times.steps,
            self._stamper.host.raw_ns(),
        ]

    def _tell_counts(self, told: dict[str, Any], tell: Any, processes: list[Told]) -> None:
        counted = Counts()
        sums = [sum(each) for each in zip(*(process.counts for process in processes), strict=True)]
        counted.go_on_from(sums[: len(COUNTED)])
        tell("firstcome_purchases", counted.logged, "logged")
        tell("firstcome_purchases", counted.known, "known")
        tell("firstcome_purchases", counted.routed, "routed")
        tell("firstcome_purchases", sum(counted.refused[reason] for reason in REASONS), "refused")
        for reason in REASONS:
            tell("firstcome_refusals", counted.refused[reason], reason)
        for name, histogram, (first, last), unit in (
            ("firstcome_kernel_wait_seconds", counted.kernel_waits, _SECONDS, 10**9),
            ("firstcome_stamp_bound_seconds", counted.stamp_bounds, _SECONDS, 10**9),
            ("firstcome_store_call_seconds", counted.store_calls, _SECONDS, 10**9),
            ("firstcome_store_call_purchases", counted.call_purchases, _PURCHASES, 1),
        ):
            buckets, total = cumulated(histogram.values, first, last, unit)
            told[name].add_metric((self._region,), buckets, total)
        tell("firstcome_store_call_failures", counted.store_failures)
        tell("firstcome_gateway_starts", counted.starts)
        alive = [dict(zip(GAUGES, each.counts[len(COUNTED) :], strict=True)) for each in processes if each.is_alive]
        now_raw_ns = self._stamper.host.raw_ns()
        tell("firstcome_gateway_processes", len(alive))
        stuck = sum(now_raw_ns - each["told_raw_ns"] > STANDS_STILL_NS for each in alive)
        tell("firstcome_gateway_stuck_processes", stuck)
        tell("firstcome_in_flight_purchases", sum(each["in_flight"] for each in alive))
        tell("firstcome_waiting_clients", sum(each["waiting"] for each in alive))
        tell("firstcome_connections", sum(each["connections"] for each in alive))
        tell("firstcome_store_up", float(all(each["store_answers"] for each in alive)))
        tell("firstcome_wall_clock_steps", max(each["wall_clock_steps"] for each in alive))

    def _tell_clock(self, tell: Any) -> None:
        reading, now_raw_ns = self._stamper.reader.read(), self._stamper.host.raw_ns()
        stamp = reading.stamp(now_raw_ns)
        if stamp is not None:
            tell("firstcome_clock_bound_seconds", stamp.bound_ns / 1e9)
        tell("firstcome_clock_safe", float(stamp is not None))
        why = "" if stamp is not None else reading.reason or "void"
        for reason in NO_TIME:
            tell("firstcome_clock_without_time", float(reason == why), reason)
        if reading.state is not State.UNKNOWN or reading.published_raw_ns:
            tell("firstcome_clock_page_age_seconds", (now_raw_ns - reading.published_raw_ns) / 1e9)
        latest = self._book.heard.latest()
        if latest is not None:
            tell("firstcome_arbiter_heartbeat_age_seconds", (now_raw_ns - latest[0]) / 1e9)

    def _tell_sales(self, tell: Any) -> None:
        now = self._stamper.now()
        states = dict.fromkeys(("scheduled", "open", "closed", "cancelled", "halted"), 0)
        skew_bounds_ns = []
        for sale in self._book.sales.values():
            state = self._state(sale, None if now is None else now.utc_ns)
            states[state] += 1
            terms, standing = sale.terms, sale.standing
            if standing.halted and (now is None or now.utc_ns < terms.closes_ns + HALT_IS_NEWS_NS):
                tell("firstcome_sale_halted", 1, sale.id)
            if state not in {"scheduled", "open"}:
                continue
            if now is None or now.utc_ns <= terms.last_stamp_ns:
                skew_bounds_ns.append(terms.skew_bound_ns)
            tell("firstcome_sale_skew_bound_seconds", terms.skew_bound_ns / 1e9, sale.id)
            tell("firstcome_sale_stock", terms.stock, sale.id)
            tell("firstcome_sale_winners", sale.won, sale.id)
            tell("firstcome_sale_waiting_clients", sale.waiting, sale.id)
            if now is not None:
                tell("firstcome_sale_opens_in_seconds", (terms.opens_ns - now.utc_ns) / 1e9, sale.id)
            for region in standing.cut_offs:
                tell("firstcome_sale_cut_off", 1, sale.id, region)
        if skew_bounds_ns:
            tell("firstcome_skew_bound_seconds", min(skew_bounds_ns) / 1e9)
        for state, count in states.items():
            tell("firstcome_sales", count, state)

    def _state(self, sale: Sale, now_ns: int | None) -> str:
        """As the API tells it: decided states by the decision log, the others by the clock."""
        if sale.standing.state != "open":
            return sale.standing.state
        return "open" if now_ns is not None and now_ns >= sale.terms.opens_ns else "scheduled"
