"""What an audit came to, and how it is told on a terminal and to programs: `page.py` tells it on a page.

The report counts what was read, says which kinds of record never occurred (so that "all good" is not said of what was
never seen), what was measured, what this audit could not check, and what no audit can see. Findings make it fail;
alarms do not: they are measurements that somebody should look into.
"""

from array import array
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from proofs.audit.back_dating import BackDating
from proofs.audit.case import Whereabouts
from proofs.audit.clocks import HostClock
from proofs.audit.demand import Demand
from proofs.audit.fairness import Fairness
from proofs.audit.series import Series
from proofs.findings import Finding

MOST_TOLD: Final = 20
"""As many findings are told on a terminal; a program gets all."""

WHAT_NO_AUDIT_CAN_SEE: Final = (
    "Requests that were dropped before they were logged: a region that refuses or delays somebody leaves no line. "
    "Whoever holds a receipt can prove a drop.",
    "Time sources that lie alike: a stamp is as good as the clocks behind it, and a majority of them was believed.",
    "One operator who runs every region and the arbiter, with no outside witness, could have written all of this anew.",
)


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit of one bundle came to. What was not reached is None, or empty."""

    bundle: str
    sale: str
    """"" where the bundle does not say."""
    findings: tuple[Finding, ...]
    requests: int
    winners: int
    decisions: int
    kinds: Mapping[str, int]
    """How often each kind of record and each outcome occurred; those with 0 were never put to the test."""
    not_checked: tuple[str, ...]
    signed: bool = False
    """Whether the terms name keys, so that every log and the manifest are somebody's word."""
    alarms: tuple[str, ...] = ()
    """What somebody should look into: no lie is proved by it, and the exit status does not hang on it."""
    clocks: tuple[HostClock, ...] = ()
    back_dating: BackDating | None = None
    fairness: Fairness | None = None
    series: Series | None = None
    demand: Demand | None = None
    """Who sold how much, where units are sold at the door."""
    places: tuple[Whereabouts, ...] = ()
    """Where every unit is in the end, where they are sold at the door."""
    refusals: tuple[str, ...] = ()
    """Grants that regions were offered and did not take."""
    what_no_audit_can_see: tuple[str, ...] = field(default=WHAT_NO_AUDIT_CAN_SEE)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def never_occurred(self) -> tuple[str, ...]:
        """Kinds of record and outcome that this sale never had."""
        return tuple(kind for kind, times in self.kinds.items() if times == 0)

    def fields(self) -> dict[str, Any]:
        """The report as plain values, for `--json`."""
        plain = {"ok": self.ok, **asdict(self), "never_occurred": list(self.never_occurred)}
        return {name: _plain(value) for name, value in plain.items()}


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list() | tuple() | array():
            return [_plain(inner) for inner in value]
    return value


def milliseconds(nanoseconds: int | None) -> str:
    """A time for people."""
    return "–" if nanoseconds is None else f"{nanoseconds / 1e6:,.1f} ms"


def render(report: Report, console: Console) -> None:
    """Tell a person."""
    console.print(f"Audit of [bold]{escape(report.bundle)}[/]" + (f", sale {report.sale}" if report.sale else ""))
    counts = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    counts.add_row("requests", f"{report.requests:,}")
    counts.add_row("decision records", f"{report.decisions:,}")
    counts.add_row("winners", f"{report.winners:,}")
    counts.add_row("signed", "yes, by the keys that the terms name" if report.signed else "no")
    counts.add_row("occurred", ", ".join(f"{kind} {times:,}" for kind, times in report.kinds.items() if times))
    if report.never_occurred:
        counts.add_row("never occurred", ", ".join(report.never_occurred))
    console.print(counts)
    if report.ok:
        console.print("[bold green]Every check holds.[/]")
    else:
        console.print(f"[bold red]{len(report.findings)} found; the first is where to look.[/]")
        for finding in report.findings[:MOST_TOLD]:
            console.print(f"  [red]✗[/] {escape(str(finding))}", highlight=False)
        if len(report.findings) > MOST_TOLD:
            console.print(f"  … and {len(report.findings) - MOST_TOLD} more (--json has all)")
    for alarm in report.alarms:
        console.print(f"[bold yellow]![/] {escape(alarm)}", highlight=False)
    _render_measures(report, console)
    for title, sentences in (
        ("Not checked in this bundle", report.not_checked),
        ("Grants that were offered and refused", report.refusals),
        ("What a sale at the door does not promise", () if report.demand is None else report.demand.not_promised),
        ("What no audit can see", report.what_no_audit_can_see),
    ):
        if sentences:
            console.print(f"\n[bold]{title}[/]")
            for sentence in sentences:
                console.print(f"  · {escape(sentence)}", highlight=False)


def _render_measures(report: Report, console: Console) -> None:
    if report.fairness is not None and report.fairness.winners:
        console.print(_fairness_table(report.fairness))
        console.print(escape(decided_by(report.fairness)), highlight=False)
    if report.demand is not None:
        console.print(_demand_table(report.demand))
        console.print(escape(sold_at_the_door(report.demand)), highlight=False)
    if report.places:
        console.print(_places_table(report.places))
    if report.back_dating is not None and report.winners:
        console.print(_back_dating_table(report.back_dating))
    if report.clocks:
        updates, recomputed = (sum(getattr(host, of) for host in report.clocks) for of in ("updates", "recomputed"))
        told = (
            f"{len(report.clocks)} clock journals: {recomputed:,} of {updates:,} updates computed again from raw times"
        )
        console.print(f"{told}; no stamp is surer than its clock was.", highlight=False)


def decided_by(fairness: Fairness) -> str:
    """How the units were decided, in a sentence."""
    return (
        f"Of {fairness.winners:,} units {fairness.by_order:,} went by provable order (nobody else could have been "
        f"first), {fairness.by_lot:,} by lot between some who got one and some who did not, and in "
        f"{fairness.by_lot_for_rank_only:,} draws the lot said only who of the winners went first."
    )


def sold_at_the_door(demand: Demand) -> str:
    """How the units were sold, in a sentence."""
    told = (
        f"Of {demand.stock:,} units {demand.sold:,} were sold, each by its region to whoever came next there. Nobody "
        "decided an order between regions, no lot was drawn, and no figure here says that anybody was served in turn."
    )
    several = demand.buyers_in_several_regions
    return told + (f" {several:,} buyers got a unit in more than one region." if several else "")


PLACE_COLUMNS: Final = ("where", "region", "units", "which")
DEMAND_COLUMNS: Final = ("region", "began with", "sold", "of all", "given", "taken", "left", "grants refused")


def demand_rows(demand: Demand) -> list[tuple[str, ...]]:
    """Region by region, by `DEMAND_COLUMNS`."""
    return [
        (
            each.region,
            f"{each.began_with:,}",
            f"{each.sold:,}",
            f"{each.sold / max(1, demand.sold):.1%}",
            *(f"{number:,}" for number in (each.given, each.taken, each.left, each.refused)),
        )
        for each in demand.regions
    ]


def place_rows(places: tuple[Whereabouts, ...]) -> list[tuple[str, ...]]:
    """Place by place, by `PLACE_COLUMNS`, and what they add up to."""
    rows = [(each.place, each.region, f"{each.units:,}", each.which) for each in places]
    return [*rows, ("together", "", f"{sum(each.units for each in places):,}", "")]


def _demand_table(demand: Demand) -> Table:
    table = Table(title="Who sold how much", title_justify="left")
    for column in DEMAND_COLUMNS:
        table.add_column(column, justify="left" if column == "region" else "right")
    for row in demand_rows(demand):
        table.add_row(*map(escape, row))
    table.caption = "Only those who were served are counted: who was turned away leaves no line."
    table.caption_justify = "left"
    return table


def _places_table(places: tuple[Whereabouts, ...]) -> Table:
    table = Table(title="Where every unit is", title_justify="left")
    for column in PLACE_COLUMNS:
        table.add_column(column, justify="right" if column == "units" else "left")
    for row in place_rows(places):
        table.add_row(*map(escape, row))
    return table


def _fairness_table(fairness: Fairness) -> Table:
    how = "exact" if fairness.is_exact else "to six digits"
    table = Table(title="Who asked and who won", title_justify="left")
    table.caption = f"p: how likely chance alone is to be as far from what is expected, given the pots ({how})."
    table.caption_justify = "left"
    columns = ("region", "buyers", "of all", "winners", "of all", "expected", "likely", "p")
    for column in columns:
        table.add_column(column, justify="left" if column == "region" else "right")
    for share in fairness.shares:
        table.add_row(
            escape(share.region),
            f"{share.buyers:,}",
            f"{share.buyers / max(1, fairness.buyers):.1%}",
            f"{share.winners:,}",
            f"{share.winners / fairness.winners:.1%}",
            f"{share.expected_winners:,.1f}",
            f"{share.likely_least:,} to {share.likely_most:,}",
            f"{share.probability:.4f}",
        )
    return table


def _back_dating_table(told: BackDating) -> Table:
    table = Table(title="How far each region could have back-dated, at most", title_justify="left")
    for column in ("region", "mark lag", "most", "room: median", "99 %", "most"):
        table.add_column(column, justify="left" if column == "region" else "right")
    for room in told.regions:
        lags_and_rooms = (
            room.mark_lag_median_ns,
            room.mark_lag_most_ns,
            room.room_median_ns,
            room.room_p99_ns,
            room.room_most_ns,
        )
        table.add_row(escape(room.region), *map(milliseconds, lags_and_rooms))
    table.caption = (
        f"Allowed: mark lag {milliseconds(told.mark_lag_allowed_ns)} (grace + travel), room "
        f"{milliseconds(told.room_allowed_ns)} (W + grace + travel). Looks are recorded only where something followed, "
        "so the room is an upper bound."
    )
    table.caption_justify = "left"
    return table
