"""A situation as a timeline in SVG, no script needed: moments as points, windows and bounds as bars. Decides nothing.

What is a moment is told by names: of the arguments of the functions that were called in it, of the columns of its
tables, of its values. Numbers are those of the example, so a reader can check the picture against the row beside it.
"""

import re
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from proofs.examples import Example, Plain, Table

MOMENTS: Final = re.compile(
    "^(a|b|c|d|stamp|true|arrived|arrival|logged|raised|mark|frontier|opens|closes|entries|now|place|sooner|truth|point"
    "|low|high|earliest|latest|received|sent|reading)$"
)
LENGTHS: Final = re.compile("^(bound|window|skew|grace|silent|after|error|growth|distance|drift|elapsed)$")
WIDTH, LEFT, RIGHT, ROW, TOP = 640, 150, 40, 24, 14
MOST_ROWS: Final = 14


@dataclass(slots=True)
class Row:
    """A line of the picture: points with what they are, bars from and to."""

    label: str
    points: dict[str, int] = field(default_factory=dict)
    bars: list[tuple[int, int, str]] = field(default_factory=list)


def timeline(example: "Example", title: str) -> str:
    """The picture, or nothing where there is no moment to draw."""
    rows = [*_requests(example), *_marks(example), *_values(example), *_windows(example)][:MOST_ROWS]
    numbers = [at for row in rows for at in row.points.values()]
    numbers += [end for row in rows for start, stop, _ in row.bars for end in (start, stop)]
    if len(set(numbers)) < 2:
        return ""
    first, last = min(numbers), max(numbers)
    height = TOP + ROW * len(rows) + 22

    def x(at: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - first) / (last - first)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">',
        f"<title>{escape(title)}</title>",
    ]
    for number, row in enumerate(rows):
        y = TOP + ROW * number + ROW / 2
        parts.append(
            f'<text class="label" x="{LEFT - 14}" y="{y + 4:.0f}" text-anchor="end">{escape(row.label)}</text>'
        )
        parts.append(f'<line class="rail" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        for start, stop, what in row.bars:
            wide = max(x(stop) - x(start), 1)
            parts.append(
                f'<rect class="bar" x="{x(start):.1f}" y="{y - 5}" width="{wide:.1f}" height="10" rx="3">'
                f"<title>{escape(what)}</title></rect>"
            )
        for what, at in row.points.items():
            shape = "tick" if what.startswith("true") else "dot"
            mark = (
                f'<line class="tick" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{y - 8}" y2="{y + 8}">'
                if shape == "tick"
                else f'<circle class="dot" cx="{x(at):.1f}" cy="{y}" r="4.5">'
            )
            end = "</line>" if shape == "tick" else "</circle>"
            parts.append(f"{mark}<title>{escape(f'{what} {at}')}</title>{end}")
    for at in sorted({first, last, *numbers}):
        y = TOP + ROW * len(rows) + 14
        if at in (first, last) or len(set(numbers)) <= 12:
            parts.append(f'<text class="number" x="{x(at):.1f}" y="{y}" text-anchor="middle">{at}</text>')
    return "".join((*parts, "</svg>"))


def _table(example: "Example", column: str) -> "Table | None":
    return next((table for table in example.tables if column in table.columns), None)


def _number(value: "Plain | None") -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _requests(example: "Example") -> list[Row]:
    """A row for each request: its stamp with its bound, and its true arrival; or its place."""
    table = _table(example, "stamp") or _table(example, "place")
    if table is None:
        return []
    rows = []
    for member in table.members:
        row = Row(member)
        for column, what in (("stamp", "stamp"), ("place", "place"), ("true_arrival", "true arrival")):
            at = _number(table.columns.get(column, {}).get(member))
            if at is not None:
                row.points[what] = at
        stamp, bound = row.points.get("stamp"), _number(table.columns.get("bound", {}).get(member))
        if stamp is not None and bound:
            row.bars.append((stamp - bound, stamp + bound, f"stamp ± {bound}"))
        rows.append(row)
    return rows


def _marks(example: "Example") -> list[Row]:
    table = _table(example, "mark")
    if table is None:
        return []
    columns = [column for column in ("mark", "mark+") if column in table.columns]
    found = [(member, column, _number(table.columns[column][member])) for member in table.members for column in columns]
    rows: dict[str, Row] = {}
    for member, column, at in found:
        if at is not None:
            rows.setdefault(member, Row(f"mark of {member}")).points[column] = at
    return list(rows.values())


def _values(example: "Example") -> list[Row]:
    """Named moments, each with its bound where there is one of the same name."""
    rows = []
    for name, value in example.values.items():
        at, words = _number(value), name.rstrip("+").split("@")[0].rstrip("0123456789").split("_")
        if at is None or not any(map(MOMENTS.match, words)) or any(map(LENGTHS.match, words)):
            continue
        row = Row(name, {"true arrival" if "true" in words else name: at})
        bound = _number(example.values.get(name.replace("stamp", "bound"))) if "stamp" in name else None
        if bound:
            row.bars.append((at - bound, at + bound, f"{name} ± {bound}"))
        rows.append(row)
    return rows


def _windows(example: "Example") -> list[Row]:
    """The tie windows that were asked about."""
    rows: dict[tuple[int, int], Row] = {}
    for replay in example.replays:
        window = _number(replay.arguments.get("tie_window_ns"))
        start = _number(replay.arguments.get("earliest_place_ns", replay.arguments.get("a_place_ns")))
        if replay.function == "guards.in_pot":
            start = _number(replay.arguments.get("earliest_place_ns"))
        if window is not None and start is not None and window > 0:
            rows[start, window] = Row(f"W from {start}", {}, [(start, start + window, f"tie window of {window}")])
    return list(rows.values())
