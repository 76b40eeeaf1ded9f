"""The report as one page: self-contained HTML with plots, no script, nothing to fetch, light and dark, printable.

Everything that somebody else wrote (names of regions, details of findings) is escaped; the page forbids itself to load
anything. It says the same as the report on a terminal, and shows what took how long and who won.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from proofs.audit.bidding import Bidding
from proofs.audit.fairness import Fairness
from proofs.audit.plots import Bar, Line, Span, bars, lines, spans
from proofs.audit.report import Report, decided, stated_fairness
from proofs.audit.rows import (
    DEMAND_COLUMNS,
    ENDS,
    PLACE_COLUMNS,
    PRICE_COLUMNS,
    REPLY_COLUMNS,
    TURN_COLUMNS,
    demand_rows,
    held_down_the_list,
    milliseconds,
    place_rows,
    price_rows,
    reply_rows,
    sold_at_the_door,
    sold_by_bids,
    span_of,
    turn_rows,
)
from proofs.audit.series import Series

MOST_FINDINGS: Final = 100
MOST_PIECES: Final = 200
MOST_ROWS: Final = 100
"""Of prices, or of places on a list."""
MOST_UNITS: Final = 40
"""Whose holds are drawn."""

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--soft:#5a5a5a;--grid:#d8d8d8;--bad:#b00020;--good:#0a6b2d;
--warn:#8a5a00;--c0:#0b5fa5;--c1:#c2410c;--c2:#15803d;--c3:#7e22ce;--c4:#a16207;--c5:#be185d}
@media (prefers-color-scheme:dark){:root{--ink:#ececec;--paper:#161616;--soft:#b0b0b0;--grid:#3a3a3a;--bad:#ff8a8a;
--good:#7ddc9a;--warn:#ffc966;--c0:#7cc0ff;--c1:#ffa36b;--c2:#86e0a0;--c3:#d3a5ff;--c4:#f0cf6a;--c5:#ff9ccb}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;
padding:0 1rem}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem}.bad{color:var(--bad)}.good{color:var(--good)}
.warn{color:var(--warn)}table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}th,td{padding:.25rem
.8rem;border-bottom:1px solid var(--grid);text-align:right}th:first-child,td:first-child{text-align:left}code{font-size:
.9em;overflow-wrap:anywhere}figure{margin:1.5rem 0}figcaption{font-weight:600}figure p{color:var(--soft);margin:.2rem 0}
svg text{font:12px system-ui,sans-serif;fill:var(--soft)}.grid{stroke:var(--grid)}.line{fill:none;stroke-width:2}
.c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}.c4{stroke:var(--c4)}
.c5{stroke:var(--c5)}.demand{fill:var(--grid);stroke:var(--soft)}.won{fill:var(--c0)}.span{stroke:var(--ink);
stroke-width:2;fill:none}.e0{fill:var(--good)}.e1{fill:var(--warn)}.e2{fill:var(--bad)}.e3{fill:var(--soft)}
@media (max-width:40rem){svg text{font-size:20px}}
.key{list-style:none;display:flex;gap:1.2rem;flex-wrap:wrap;padding:0;margin:.3rem 0}
"""


def page(report: Report) -> str:
    """The whole page."""
    verdict = (
        '<p class="good"><strong>Every check holds.</strong></p>'
        if report.ok
        else f'<p class="bad"><strong>{len(report.findings)} found; the first is where to look.</strong></p>'
    )
    parts = [
        f"<h1>Audit of sale <code>{escape(report.sale or 'unknown')}</code></h1>",
        verdict,
        _findings(report),
        _alarms(report),
        _table(("what was read", "how many"), _counts(report)),
        _decided(report),
        _over_time(report.series),
        _bids(report.bidding),
        _list(report),
        _pots(report.list_fairness or report.fairness),
        *(_shares(title, fairness) for title, fairness in stated_fairness(report)),
        _sold_at_the_door(report),
        _room(report),
        _clocks(report),
        _sentences("Never occurred in this sale, so never put to the test", report.never_occurred),
        _sentences("Not checked in this bundle", report.not_checked),
        _sentences("Grants that were offered and refused", report.refusals),
        _sentences(
            "What a sale at the door does not promise", () if report.demand is None else report.demand.not_promised
        ),
        _sentences("What no audit can see", report.what_no_audit_can_see),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Audit of a sale</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _counts(report: Report) -> Iterable[tuple[str, str]]:
    yield "requests", f"{report.requests:,}"
    yield "decision records", f"{report.decisions:,}"
    yield "winners", f"{report.winners:,}"
    yield "signed", "yes, by the keys that the terms name" if report.signed else "no"
    for kind, times in report.kinds.items():
        if times:
            yield kind, f"{times:,}"


def _findings(report: Report) -> str:
    told = "".join(f"<li>{escape(str(finding))}</li>" for finding in report.findings[:MOST_FINDINGS])
    more = len(report.findings) - MOST_FINDINGS
    return (f'<ol class="bad">{told}</ol>' if told else "") + (f"<p>… and {more} more.</p>" if more > 0 else "")


def _alarms(report: Report) -> str:
    if not report.alarms:
        return ""
    told = "".join(f"<li>{escape(alarm)}</li>" for alarm in report.alarms)
    return f'<h2>Worth looking into</h2><ul class="warn">{told}</ul>'


def _decided(report: Report) -> str:
    told = decided(report)
    return f"<h2>How the units were decided</h2><p>{escape(told)}</p>" if told else ""


def _over_time(series: Series | None) -> str:
    if series is None:
        return ""
    middle_ns = (series.from_ns + series.until_ns) // 2
    across = (_from_opening(series.from_ns), _from_opening(middle_ns), _from_opening(series.until_ns))
    outside = f"{series.before:,} came before and {series.after:,} after what is shown."
    return (
        "<h2>Over time</h2>"
        + lines(
            "Stamped arrivals", f"Entries by stamp, a hundredth of the span each. {outside}",
            [Line(region.region, region.entries) for region in series.regions], across,
        )
        + lines(
            "Winners by stamp", "Entries that won, by their stamp.",
            [Line(region.region, region.winners) for region in series.regions], across,
        )
        + lines(
            "Clock bounds, in ms", "The greatest bound of any stamp in each hundredth of the span; gaps: no stamp.",
            [Line(r.region, _bounds_ms(r.entries, r.greatest_bound_ns)) for r in series.regions],
            across,
        )
    )  # fmt: skip


def _bounds_ms(entries: Sequence[int], bounds_ns: Sequence[int]) -> list[float | None]:
    return [bound_ns / 1e6 if count else None for count, bound_ns in zip(entries, bounds_ns, strict=True)]


def _from_opening(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e9:+,.3f} s"


def _bids(bidding: Bidding | None) -> str:
    """Best bids from the highest to the lowest, the units on the way, and what is paid."""
    if bidding is None or not bidding.buyers:
        return ""
    every = -(-bidding.buyers // MOST_PIECES)
    best = [
        price
        for price, times in zip(reversed(bidding.prices), reversed(bidding.buyers_at), strict=True)
        for _ in range(times)
    ]
    shown = best[::every]
    paid: list[float | None] = [None] * len(shown)
    for at in range(0, bidding.winners, every):
        paid[at // every] = best[at] if bidding.pricing == "first_price" else bidding.lowest_paid
    told = (
        f"Every buyer's best bid, the highest first, in minor units of {bidding.currency}; and what the "
        f"{bidding.winners:,} winners pay. Where that line ends, the units are gone or the bids are."
    )
    across = ("highest bid", "", "lowest bid")
    plot = lines("Bids and what is paid", told, [Line("best bid", shown), Line("paid", paid)], across)
    table = _table(PRICE_COLUMNS, price_rows(bidding, MOST_ROWS))
    return f"<h2>What was bid</h2><p>{escape(sold_by_bids(bidding))}</p>{plot}{table}"


def _list(report: Report) -> str:
    """Who held what until when: unit by unit as bars over time, place by place as a table."""
    turns, opens_ns = report.turns, report.opens_ns
    if turns is None or opens_ns is None or not turns.turns:
        return ""
    known_ns = [each for turn in turns.turns for each in (turn.held_ns, turn.ended_ns) if each is not None]
    over_ns = max(known_ns, default=opens_ns + 1)
    first_ns = min(known_ns, default=opens_ns)
    held = list(turns.by_unit().items())
    rows = [
        (
            f"unit {unit}",
            [
                Span(*span_of(turn, over_ns), ENDS[turn.end], f"place {turn.rank}, {turn.region}: {ENDS[turn.end]}")
                for turn in holders
            ],
        )
        for unit, holders in held[:MOST_UNITS]
    ]
    across = (_from_opening(first_ns - opens_ns), _from_opening(over_ns - opens_ns))
    more = f" The first {MOST_UNITS} of {len(held):,} units are shown." if len(held) > MOST_UNITS else ""
    told = f"Each unit's holds, one after the other, from the look that gave it out to the look that settled it.{more}"
    plot = spans("Who held the units when", told, rows, (first_ns, over_ns), across, tuple(ENDS.values())[:4])
    left = len(turns.turns) - MOST_ROWS
    beyond = f"<p>… and {left:,} more places (--json has all).</p>" if left > 0 else ""
    table = _table(TURN_COLUMNS, turn_rows(turns, opens_ns, MOST_ROWS))
    return f"<h2>The list</h2><p>{escape(held_down_the_list(turns))}</p>{plot}{table}{beyond}"


def _pots(fairness: Fairness | None) -> str:
    if fairness is None or not fairness.winners:
        return ""
    every = -(-len(fairness.pots) // MOST_PIECES)
    sizes = [max(fairness.pots[at : at + every]) for at in range(0, len(fairness.pots), every)]
    told = f"How many were in the pot that each unit was drawn from; the largest held {fairness.largest_pot:,}."
    across = ("first winner", "", "last winner")
    return "<h2>Ties and pots</h2>" + lines("Size of the pot, by rank", told, [Line("in the pot", sizes)], across)


def _shares(title: str, fairness: Fairness) -> str:
    winners, buyers = fairness.winners, max(1, fairness.buyers)
    rows = [
        Bar(
            share.region, share.buyers / buyers, share.winners / winners,
            share.likely_least / winners, share.likely_most / winners,
        )
        for share in fairness.shares
    ]  # fmt: skip
    told = (
        "Left bars: each region's part of the buyers. Right bars: its part of the winners, with the span that the "
        "lottery allows in 95 of 100 sales, given the pots."
    )
    table = _table(
        ("region", "buyers", "winners", "expected", "chance allows", "probability of a gap as large"),
        (
            (
                share.region, f"{share.buyers:,}", f"{share.winners:,}", f"{share.expected_winners:,.1f}",
                f"{share.likely_least:,} to {share.likely_most:,}", f"{share.probability:.4f}",
            )
            for share in fairness.shares
        ),
    )  # fmt: skip
    how = "exact, in whole numbers" if fairness.is_exact else "computed in double precision, to six digits"
    return f"<h2>{escape(title)}</h2>{bars('Demand and winners', told, rows)}{table}<p>Probabilities are {how}.</p>"


def _sold_at_the_door(report: Report) -> str:
    if report.demand is None:
        return ""
    places = f"<h2>Where every unit is</h2>{_table(PLACE_COLUMNS, place_rows(report.places))}" if report.places else ""
    return (
        f"<h2>Who sold how much</h2><p>{escape(sold_at_the_door(report.demand))}</p>"
        f"{_table(DEMAND_COLUMNS, demand_rows(report.demand))}{places}"
    )


def _room(report: Report) -> str:
    told = report.back_dating
    if told is None or not report.winners:
        return ""
    top_ns = told.regions[0].histogram_top_ns
    across = ("0", milliseconds(top_ns // 2), milliseconds(top_ns))
    plot = lines(
        "Room of entries", "Entries by the arbiter's time in the first look that counts them, minus their place.",
        [Line(room.region, room.histogram) for room in told.regions], across,
    ) if any(room.entries for room in told.regions) else ""  # fmt: skip
    rows = (
        (
            room.region, milliseconds(room.mark_lag_median_ns), milliseconds(room.mark_lag_most_ns),
            milliseconds(room.room_median_ns), milliseconds(room.room_p99_ns), milliseconds(room.room_most_ns),
        )
        for room in told.regions
    )  # fmt: skip
    table = _table(("region", "mark lag: median", "most", "room: median", "99 %", "most"), rows)
    return (
        f"<h2>How far each region could have back-dated, at most</h2>{plot}{table}{_replies(report)}"
        f"<p>Allowed are a mark lag of {milliseconds(told.mark_lag_allowed_ns)} (intake grace and travel) and room of "
        f"{milliseconds(told.room_allowed_ns)} (tie window, grace and travel). Looks are recorded only where something "
        "followed (or a beacon is awaited), so the room is an upper bound, and does not say that anybody used it.</p>"
    )


def _replies(report: Report) -> str:
    if report.back_dating is None or report.turns is None:
        return ""
    return "<p>Replies that settled a hold: the arbiter's time when it read them, minus their stamp.</p>" + _table(
        REPLY_COLUMNS, reply_rows(report.back_dating)
    )


def _clocks(report: Report) -> str:
    if not report.clocks:
        return ""
    rows = ((each.host, f"{each.updates:,}", f"{each.recomputed:,}") for each in report.clocks)
    return f"<h2>Clock journals</h2>{_table(('host', 'updates', 'computed again'), rows)}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _sentences(title: str, sentences: Sequence[str]) -> str:
    told = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<h2>{escape(title)}</h2><ul>{told}</ul>" if told else ""
