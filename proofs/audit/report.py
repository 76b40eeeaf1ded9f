"""What an audit came to, and how it is told on a terminal and to programs: `page.py` tells it on a page.

The report counts what was read, says which kinds of record never occurred (so that "all good" is not said of what was
never seen), what was measured, what this audit could not check, and what no audit can see. Findings make it fail;
alarms do not: they are measurements that somebody should look into. The tables' rows are `rows.py`'s.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from proofs.audit.back_dating import BackDating
from proofs.audit.bidding import Bidding
from proofs.audit.case import Whereabouts
from proofs.audit.clocks import HostClock
from proofs.audit.demand import Demand
from proofs.audit.fairness import Fairness
from proofs.audit.rows import (
    DEMAND_COLUMNS,
    PLACE_COLUMNS,
    PRICE_COLUMNS,
    REPLY_COLUMNS,
    TURN_COLUMNS,
    decided_by,
    decided_by_bids,
    decided_by_list,
    demand_rows,
    held_down_the_list,
    milliseconds,
    place_rows,
    price_rows,
    reply_rows,
    sold_at_the_door,
    sold_by_bids,
    turn_rows,
)
from proofs.audit.series import Series
from proofs.audit.turns import Turns
from proofs.findings import Finding

MOST_TOLD: Final = 20
"""As many findings are told on a terminal; a program gets all."""

MOST_ROWS: Final = 15
"""Of prices, or of places on a list, as many are told on a terminal."""

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
    list_fairness: Fairness | None = None
    """Who got the places of a reservation's list."""
    demand: Demand | None = None
    """Who sold how much, where units are sold at the door."""
    bidding: Bidding | None = None
    """Who bid how much, in an auction."""
    turns: Turns | None = None
    """Who held what until when, in a reservation."""
    opens_ns: int | None = None
    """When the sale opened."""
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
    for title, fairness in stated_fairness(report):
        console.print(_fairness_table(title, fairness))
    if told := decided(report):
        console.print(escape(told), highlight=False)
    if report.demand is not None:
        caption = "Only those who were served are counted: who was turned away leaves no line."
        console.print(_rows_table("Who sold how much", DEMAND_COLUMNS, demand_rows(report.demand), caption))
        console.print(escape(sold_at_the_door(report.demand)), highlight=False)
    if report.places:
        words = ("where", "which")
        console.print(_rows_table("Where every unit is", PLACE_COLUMNS, place_rows(report.places), words=words))
    _render_kind(report, console)
    if report.back_dating is not None and report.winners:
        console.print(_back_dating_table(report.back_dating))
        if report.turns is not None:
            rows = reply_rows(report.back_dating)
            caption = "Replies that settled a hold: the arbiter's time when it read them, minus their stamp."
            console.print(_rows_table("How far replies could have been back-dated", REPLY_COLUMNS, rows, caption))
    if report.clocks:
        updates, recomputed = (sum(getattr(host, of) for host in report.clocks) for of in ("updates", "recomputed"))
        told = (
            f"{len(report.clocks)} clock journals: {recomputed:,} of {updates:,} updates computed again from raw times"
        )
        console.print(f"{told}; no stamp is surer than its clock was.", highlight=False)


def _render_kind(report: Report, console: Console) -> None:
    """What matters of an auction, and of a reservation."""
    if report.bidding is not None:
        rows = price_rows(report.bidding, MOST_ROWS)
        console.print(_rows_table("Bids, around the lowest that won", PRICE_COLUMNS, rows))
        console.print(escape(sold_by_bids(report.bidding)), highlight=False)
    if report.turns is not None and report.opens_ns is not None:
        rows, more = turn_rows(report.turns, report.opens_ns, MOST_ROWS), len(report.turns.turns) - MOST_ROWS
        caption = f"… and {more:,} more (--html, --json)." if more > 0 else ""
        words = ("what became of it",)
        console.print(_rows_table("Who held what, until when", TURN_COLUMNS, rows, caption, words))
        console.print(escape(held_down_the_list(report.turns)), highlight=False)


def stated_fairness(report: Report) -> Iterator[tuple[str, Fairness]]:
    """Every statement about who was drawn, by its title."""
    fairness, places = report.fairness, report.list_fairness
    if fairness is not None and fairness.winners:
        yield "Who asked and who " + ("won" if places is None else "was first to hold a unit"), fairness
    if places is not None and report.turns is not None and report.turns.is_full:
        yield "Who asked and who got a place on the list", places


def decided(report: Report) -> str:
    """How the units were decided, in words; "" where none was."""
    fairness = report.fairness
    if fairness is None or not fairness.winners:
        return ""
    if report.list_fairness is not None and report.turns is not None:
        return decided_by_list(fairness, report.list_fairness, report.turns.is_full)
    return decided_by(fairness) if report.bidding is None else decided_by_bids(fairness)


def _rows_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", words: tuple[str, ...] = ()
) -> Table:
    """A table of text; the columns `words` are set to the left, the others to the right."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column in {"region", *words} else "right")
    for row in rows:
        table.add_row(*map(escape, row))
    table.caption = caption or None
    table.caption_justify = "left"
    return table


def _fairness_table(title: str, fairness: Fairness) -> Table:
    how = "exact" if fairness.is_exact else "to six digits"
    table = Table(title=title, title_justify="left")
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
        f"{milliseconds(told.room_allowed_ns)} (W + grace + travel). Looks are recorded where something followed, and "
        "so the room is an upper bound."
    )
    table.caption_justify = "left"
    return table
