"""From what processes tell monitoring to a picture of the system: regions, clocks, sales, the arbiter. Pure.

The thresholds are those of the alert rules (`ops/rules/`): half of the least ε is worth a look, 80 % is trouble.
Nothing is kept between two pictures but the counters that rates are made of.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

LOOK_FROM: Final = 0.5
TROUBLE_FROM: Final = 0.8
STALE_SECONDS: Final = 10.0
SILENT_SECONDS: Final = 5.0
LAGGING_SECONDS: Final = 2.5
UNANSWERED: Final = 4


class Told:
    """The samples of one process, or None where it did not answer."""

    def __init__(self, text: str | None) -> None:
        # every verb of the command line starts faster without
        from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

        self.answers = text is not None
        self._samples = [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text or "")
            for sample in family.samples
        ]

    def value(self, name: str, **labels: str) -> float | None:
        """The first sample of that name with those labels."""
        return next((value for _, value in self.each(name, **labels)), None)

    def each(self, name: str, **labels: str) -> Iterable[tuple[Mapping[str, str], float]]:
        """Every sample of that name with those labels."""
        return [
            (found, value) for known, found, value in self._samples if known == name and labels.items() <= found.items()
        ]

    def label(self, name: str, label: str) -> str:
        """That label where the value is 1; "" where it is nowhere."""
        return next((found[label] for found, value in self.each(name) if value == 1), "")


@dataclass(frozen=True, slots=True)
class RegionShown:
    """One region, by one of its gateways. Seconds; None where it is not known."""

    name: str
    gateway: str
    answers: bool
    clock: str = "?"
    bound_seconds: float | None = None
    least_skew_bound_seconds: float | None = None
    page_age_seconds: float | None = None
    store_up: bool = False
    heartbeat_age_seconds: float | None = None
    processes: int = 0
    logged: float = 0.0
    refused: float = 0.0
    logged_per_second: float | None = None
    refused_per_second: float | None = None
    waiting: int = 0
    troubles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SourceShown:
    """One source of one host's clock."""

    host: str
    source: str
    verdict: str
    off_seconds: float | None
    half_width_seconds: float | None
    delay_seconds: float | None
    age_seconds: float | None
    reach: float


@dataclass(frozen=True, slots=True)
class ClockShown:
    """One host's clock, by its clockd."""

    address: str
    answers: bool
    host: str = ""
    state: str = "?"
    bound_seconds: float | None = None
    offset_seconds: float | None = None
    sources: list[SourceShown] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SaleShown:
    """One sale that is to come or open."""

    sale: str
    opens_in_seconds: float | None
    stock: int
    winners: int
    skew_bound_seconds: float
    regions: list[str]


@dataclass(frozen=True, slots=True)
class ArbiterShown:
    """The arbiter."""

    address: str
    answers: bool
    token: int = 0
    waiting: int = 0
    decisions: float = 0.0
    lag_seconds: dict[str, float] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything at one moment."""

    regions: list[RegionShown]
    clocks: list[ClockShown]
    sales: list[SaleShown]
    arbiter: ArbiterShown | None

    @property
    def troubles(self) -> list[str]:
        """Everything that is wrong, in words."""
        shown: list[Any] = [*self.regions, *self.clocks, *([self.arbiter] if self.arbiter else [])]
        return [trouble for each in shown for trouble in each.troubles]

    def fields(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "troubles": self.troubles}


def show_region(gateway: str, told: Told, before: RegionShown | None, seconds: float) -> RegionShown:
    """A region as one of its gateways tells it.

    Args:
        before: the same some `seconds` ago, for rates.
    """
    if not told.answers:
        name = before.name if before else gateway
        return RegionShown(name, gateway, answers=False, troubles=[f"{name}: its gateway does not answer"])
    name = next((labels["region"] for labels, _ in told.each("firstcome_clock_safe")), gateway)
    bound, least = told.value("firstcome_clock_bound_seconds"), told.value("firstcome_skew_bound_seconds")
    why = told.label("firstcome_clock_without_time", "reason")
    logged = told.value("firstcome_purchases_total", outcome="logged") or 0.0
    refused = told.value("firstcome_purchases_total", outcome="refused") or 0.0
    known = before is not None and before.answers and seconds > 0
    page_age = told.value("firstcome_clock_page_age_seconds")
    heartbeat_age = told.value("firstcome_arbiter_heartbeat_age_seconds")
    stuck = int(told.value("firstcome_gateway_stuck_processes") or 0)
    troubles = []
    if why:
        troubles.append(f"{name}: no time to stamp with ({why})")
    elif bound is not None and least is not None and bound > LOOK_FROM * least:
        troubles.append(f"{name}: the bound of its clock is {bound / least:.0%} of the least ε")
    if page_age is not None and page_age > STALE_SECONDS:
        troubles.append(f"{name}: its clock page is {page_age:.0f} s old")
    if not told.value("firstcome_store_up"):
        troubles.append(f"{name}: its store does not answer")
    if heartbeat_age is None or heartbeat_age > SILENT_SECONDS:
        troubles.append(f"{name}: the arbiter is not heard")
    if stuck:
        troubles.append(f"{name}: {stuck} gateway processes stand still")
    troubles += [f"{name}: sale {labels['sale']} has halted" for labels, _ in told.each("firstcome_sale_halted")]
    return RegionShown(
        name,
        gateway,
        answers=True,
        clock=why or "safe",
        bound_seconds=bound,
        least_skew_bound_seconds=least,
        page_age_seconds=page_age,
        store_up=bool(told.value("firstcome_store_up")),
        heartbeat_age_seconds=heartbeat_age,
        processes=int(told.value("firstcome_gateway_processes") or 0),
        logged=logged,
        refused=refused,
        logged_per_second=max(0.0, logged - before.logged) / seconds if known and before else None,
        refused_per_second=max(0.0, refused - before.refused) / seconds if known and before else None,
        waiting=int(told.value("firstcome_waiting_clients") or 0),
        troubles=troubles,
    )


def show_sales(told: Iterable[Told]) -> list[SaleShown]:
    """The sales that are to come or open, as all regions tell them together, the next to open first."""
    found: dict[str, SaleShown] = {}
    for each in told:
        for labels, skew_bound in each.each("firstcome_sale_skew_bound_seconds"):
            sale, region = labels["sale"], labels["region"]
            known = found.get(sale)
            winners = int(each.value("firstcome_sale_winners", sale=sale) or 0)
            found[sale] = SaleShown(
                sale,
                each.value("firstcome_sale_opens_in_seconds", sale=sale),
                int(each.value("firstcome_sale_stock", sale=sale) or 0),
                max(winners, known.winners if known else 0),
                skew_bound,
                [*(known.regions if known else []), region],
            )
    return sorted(found.values(), key=lambda sale: sale.opens_in_seconds or 0.0)


def show_clock(address: str, told: Told) -> ClockShown:
    """A host's clock as its clockd tells it."""
    if not told.answers:
        return ClockShown(address, answers=False, troubles=[f"clockd at {address} does not answer"])
    host = told.label("clockd_host_info", "host") or address
    state = told.label("clockd_state", "state")
    sources = [
        SourceShown(
            host,
            labels["source"],
            next((f["verdict"] for f, is_it in told.each("clockd_source_verdict", **labels) if is_it == 1), "?"),
            told.value("clockd_source_offset_seconds", **labels),
            told.value("clockd_source_half_width_seconds", **labels),
            told.value("clockd_source_delay_seconds", **labels),
            told.value("clockd_source_age_seconds", **labels),
            reach,
        )
        for labels, reach in told.each("clockd_source_reach_ratio")
    ]
    troubles = [] if state == "synchronized" else [f"{host}: its clock is {state or 'without a state'}"]
    for source in sources:
        unanswered = told.value("clockd_source_unanswered", source=source.source) or 0
        if source.verdict in {"falseticker", "smears", "denied"}:
            troubles.append(f"{host}: source {source.source} is a {source.verdict}")
        elif unanswered >= UNANSWERED:
            troubles.append(f"{host}: source {source.source} does not answer")
    return ClockShown(
        address,
        answers=True,
        host=host,
        state=state,
        bound_seconds=told.value("clockd_bound_seconds"),
        offset_seconds=told.value("clockd_offset_seconds"),
        sources=sources,
        troubles=troubles,
    )


def show_arbiter(address: str, told: Told) -> ArbiterShown:
    """The arbiter as it tells of itself."""
    if not told.answers:
        return ArbiterShown(address, answers=False, troubles=[f"the arbiter at {address} does not answer"])
    lags = {labels["region"]: lag for labels, lag in told.each("firstcome_arbiter_frontier_lag_seconds")}
    troubles = [f"{region} holds everybody up by {lag:.1f} s" for region, lag in lags.items() if lag > LAGGING_SECONDS]
    if not told.value("firstcome_arbiter_clock_safe"):
        troubles.append("the arbiter has no safe clock")
    if not told.value("firstcome_arbiter_store_up"):
        troubles.append("the arbiter waits for its store")
    troubles += [
        f"region {labels['region']} is not reached by the arbiter"
        for labels, is_up in told.each("firstcome_arbiter_region_up")
        if not is_up
    ]
    troubles += [
        f"the clocks of {labels['host']} and {labels['against']} contradict each other"
        for labels, _ in told.each("firstcome_arbiter_clock_contradictions_total")
    ]
    return ArbiterShown(
        address,
        answers=True,
        token=int(told.value("firstcome_arbiter_token") or 0),
        waiting=int(told.value("firstcome_arbiter_waiting_buyers") or 0),
        decisions=sum(value for _, value in told.each("firstcome_arbiter_decisions_total")),
        lag_seconds=lags,
        troubles=troubles,
    )
