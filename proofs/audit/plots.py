"""Plots as plain SVG, drawn by hand: no library, no script, nothing to fetch, readable in light and dark.

Colours are CSS variables that the page defines; every plot has a title and a description for those who do not see it,
and its numbers are in a table on the page as well. Regions differ by colour and by dash or hatch, not by colour alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 220
LEFT: Final = 64
BOTTOM: Final = 34
TOP: Final = 12
ROW: Final = 18
"""Of bars over time, one above the other."""
DASHES: Final = ("", "6 3", "2 3", "8 3 2 3")


@dataclass(frozen=True, slots=True)
class Line:
    """One region's line: a value for each of the equal pieces of the horizontal axis, None where there is none."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Bar:
    """One region's bar: what was, what was expected, and what chance allows."""

    name: str
    demand: float
    won: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Span:
    """A bar over time: from when until when, of which kind, and what is said of it."""

    first: int
    last: int
    kind: str
    told: str


def lines(title: str, told: str, rows: Sequence[Line], across: tuple[str, str, str]) -> str:
    """Lines over one axis.

    Args:
        told: what is to be seen, for those who do not see it.
        across: the words at the left end, in the middle and at the right end of the horizontal axis.
    """
    most = max((value for row in rows for value in row.values if value is not None), default=0) or 1
    drawn = [_axes(most, across)]
    for number, row in enumerate(rows):
        dash = DASHES[number % len(DASHES)]
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        named = f"<title>{escape(row.name)}</title>"
        drawn += [
            f'<polyline class="line c{number % 6}" points="{points}"{dashed}>{named}</polyline>'
            for points in _runs(row.values, most)
        ]
    return _figure(title, told, "".join(drawn), [row.name for row in rows])


def _runs(values: Sequence[float | None], most: float) -> list[str]:
    """The points of a line, apart where there is a gap in it; what stands alone is as wide as its piece."""
    step = (WIDTH - LEFT - 8) / max(1, len(values) - 1)
    runs: list[list[str]] = [[]]
    for at, value in enumerate(values):
        if value is None:
            runs.append([])
            continue
        x, y = LEFT + at * step, _y(value, most)
        is_alone = all(not 0 <= beside < len(values) or values[beside] is None for beside in (at - 1, at + 1))
        runs[-1] += [f"{x - step / 2:.1f},{y:.1f}", f"{x + step / 2:.1f},{y:.1f}"] if is_alone else [f"{x:.1f},{y:.1f}"]
    return [" ".join(run) for run in runs if run]


def bars(title: str, told: str, rows: Sequence[Bar]) -> str:
    """Per region two bars, demand and winners as parts of the whole, and the span that chance allows."""
    step = (WIDTH - LEFT - 8) / max(1, len(rows))
    drawn = []
    for number, row in enumerate(rows):
        x, width = LEFT + number * step + step * 0.15, step * 0.3
        for offset, value, kind in ((0.0, row.demand, "demand"), (width * 1.1, row.won, "won")):
            top = _y(value, 1)
            drawn.append(
                f'<rect class="{kind}" x="{x + offset:.1f}" y="{top:.1f}" width="{width:.1f}" '
                f'height="{HEIGHT - BOTTOM - top:.1f}"><title>{escape(row.name)} {kind}: {value:.1%}</title></rect>'
            )
        middle = x + width * 1.6
        low, high = _y(row.low, 1), _y(row.high, 1)
        drawn.append(
            f'<path class="span" d="M{middle - 7:.1f},{low:.1f}h14M{middle:.1f},{low:.1f}V{high:.1f}'
            f'M{middle - 7:.1f},{high:.1f}h14"><title>chance allows {row.low:.1%} to {row.high:.1%}</title></path>'
            f'<text x="{x + width:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{escape(row.name)}</text>'
        )
    return _figure(title, told, _axes(1, ("", "", ""), as_share=True) + "".join(drawn), [])


def spans(
    title: str, told: str, rows: Sequence[tuple[str, Sequence[Span]]], over: tuple[int, int], across: tuple[str, str],
    kinds: Sequence[str],
) -> str:  # fmt: skip
    """Bars over time, a row for each name. What a bar is of is told by colour, by its height and by its title.

    Args:
        over: the first moment and the last.
        across: the words at the two ends of the horizontal axis.
        kinds: every kind of bar, in the order of their colours.
    """
    begin, end = over
    room = (WIDTH - LEFT - 8) / max(1, end - begin)
    drawn = []
    for number, (name, bars_of) in enumerate(rows):
        top = TOP + number * ROW
        drawn.append(f'<text x="{LEFT - 6}" y="{top + 11}" text-anchor="end">{escape(name)}</text>')
        for bar in bars_of:
            kind = kinds.index(bar.kind) if bar.kind in kinds else len(kinds) - 1
            x, width = LEFT + (bar.first - begin) * room, max(1.0, (bar.last - bar.first) * room - 1)
            drawn.append(
                f'<rect class="e{kind}" x="{x:.1f}" y="{top + 2 * kind}" width="{width:.1f}" '
                f'height="{ROW - 3 - 2 * kind}"><title>{escape(bar.told)}</title></rect>'
            )
    bottom = TOP + len(rows) * ROW
    for x, anchor, word in ((LEFT, "start", across[0]), (WIDTH - 8, "end", across[1])):
        drawn.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="{anchor}">{escape(word)}</text>')
    key = "".join(
        f'<li><svg width="14" height="14" aria-hidden="true"><rect class="e{number}" width="14" y="{2 * number}" '
        f'height="{14 - 2 * number}"/></svg> {escape(kind)}</li>'
        for number, kind in enumerate(kinds)
    )
    return _framed(title, told, "".join(drawn), bottom + BOTTOM - 12, key)


def _y(value: float, most: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * min(1.0, max(0.0, value / most))


def _axes(most: float, across: tuple[str, str, str], as_share: bool = False) -> str:
    marks = []
    for part in (0, 0.5, 1):
        y = _y(most * part, most)
        label = f"{most * part:.0%}" if as_share else _short(most * part)
        marks.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>'
        )
    for x, anchor, word in zip(
        (LEFT, (LEFT + WIDTH - 8) / 2, WIDTH - 8), ("start", "middle", "end"), across, strict=True
    ):
        marks.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="{anchor}">{escape(word)}</text>')
    return "".join(marks)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _figure(title: str, told: str, inner: str, names: Sequence[str]) -> str:
    key = "".join(
        f'<li><svg width="34" height="10" aria-hidden="true"><line class="line c{number % 6}" x1="0" x2="34" y1="5" '
        f'y2="5" stroke-dasharray="{DASHES[number % len(DASHES)]}"/></svg> {escape(name)}</li>'
        for number, name in enumerate(names)
    )
    return _framed(title, told, inner, HEIGHT, key)


def _framed(title: str, told: str, inner: str, height: int, key: str) -> str:
    label = f"{title}. {told}"
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(label, quote=True)}">{inner}</svg>'
        + (f'<ul class="key">{key}</ul>' if key else "")
        + f"<p>{escape(told)}</p></figure>"
    )
