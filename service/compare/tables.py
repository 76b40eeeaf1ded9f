"""Figures in words: the columns and cells that the terminal and the page have in common.

The first table is put together from several scenes, each where its question is asked: who wins and when they know from
the crowd with equal demand, what stays unsold from the spread-out arrival with a wrong guess, what a bot gains from the
crowd with bots. Whether anybody was overtaken by somebody who certainly came later is asked of all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from service.compare.comparison import Comparison
from service.compare.intervals import Estimate
from service.compare.methods import METHODS
from service.compare.scene import BOTS, EQUAL, UNSOLD
from service.compare.sweeps import Sweep, bots_gain, far_share
from service.compare.tally import Figures, Played, Wait

NONE: Final = "–"


class Table(NamedTuple):
    """A table; the first column is what its rows are about."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


SUMMARY_COLUMNS: Final = (
    "method",
    "far region wins\n(fair: 50%)",
    "winners know,\nms p50 / p99",
    "loser\nfirst",
    "… by more\nthan W+2ε",
    "unsold at\n95 to 5",
    "a faster bot gains\n(fair: × 1)",
)
SCENE_COLUMNS: Final = (
    "method",
    "far region\nwins",
    "winners know,\nms p50 / p99",
    "everybody knows,\nms p50 / p99",
    "loser\nfirst",
    "… by more\nthan W+2ε",
    "unsold",
)
BOTS_COLUMN: Final = "a faster bot\ngains"


def summary(comparison: Comparison) -> Table:
    """What each method buys and costs, a line each.

    Raises:
        KeyError: nothing was simulated.
    """
    equal, unsold, bots = (comparison.scene(scene.name).by_method for scene in (EQUAL, UNSOLD, BOTS))
    rows = []
    for name, method in METHODS.items():
        inverted, apart = certainly_inverted(comparison.simulated, name)
        rows.append(
            [
                method.title,
                share(equal[name].far_of_winners),
                wait(equal[name].winners_wait),
                share(equal[name].inverted, interval=False),
                out_of(inverted, apart),
                f"{unsold[name].unsold:.1%}",
                gain(bots[name].bots_gain),
            ]
        )
    return Table("What each method buys and costs", SUMMARY_COLUMNS, rows)


def certainly_inverted(all_played: Sequence[Played], method: str) -> tuple[int, int]:
    """Pairs that were more than W + 2ε apart, of all scenes: those where the loser came first, and all of them."""
    figures = [played.by_method[method] for played in all_played]
    return sum(of.certainly_inverted for of in figures), sum(of.certainly_apart for of in figures)


def scene_table(played: Played) -> Table:
    """One scene, a line a method."""
    fair = next(iter(played.by_method.values())).far_of_buyers
    title = f"{played.scene.title} (far region's part of the buyers: {fair:.1%})"
    rows = [[METHODS[name].title, *_cells(figures)] for name, figures in played.by_method.items()]
    if not played.scene.bots:
        return Table(title, SCENE_COLUMNS, rows)
    gains = [gain(figures.bots_gain) for figures in played.by_method.values()]
    return Table(title, [*SCENE_COLUMNS, BOTS_COLUMN], [[*row, last] for row, last in zip(rows, gains, strict=True)])


def _cells(figures: Figures) -> list[str]:
    return [
        share(figures.far_of_winners),
        wait(figures.winners_wait),
        wait(figures.everybody_waits),
        share(figures.inverted, interval=False),
        out_of(figures.certainly_inverted, figures.certainly_apart),
        f"{figures.unsold:.1%}",
    ]


def sweep_table(sweep: Sweep) -> Table:
    """One sweep, a line for each value of what changes."""
    asks_for_bots = any(point.figures.bots_gain is not None for points in sweep.curves.values() for point in points)
    by_value: Mapping[float, list[str]] = {
        point.at: [f"{point.at:g}"] for points in sweep.curves.values() for point in points
    }
    for points in sweep.curves.values():
        for point in points:
            by_value[point.at].append(gain(bots_gain(point)) if asks_for_bots else share(far_share(point)))
    asked = "a faster bot gains" if asks_for_bots else "far region's part of the winners"
    return Table(
        f"{sweep.title}: {asked}",
        [sweep.changes, *(METHODS[name].title for name in sweep.curves)],
        list(by_value.values()),
    )


def share(estimate: Estimate | None, interval: bool = True) -> str:
    """A part of a whole in per cent, with its interval."""
    if estimate is None:
        return NONE
    value, low, high = estimate
    if low is None or high is None or not interval:
        return f"{value:.1%}" if value >= 0.001 or not value else f"{value:.2%}"
    return f"{value:.1%} ({100 * low:.1f}–{100 * high:.1f})"


def gain(estimate: Estimate | None) -> str:
    """How many times as often, with its interval."""
    if estimate is None:
        return NONE
    value, low, high = estimate
    return f"× {value:.1f}" if low is None or high is None else f"× {value:.1f} ({low:.1f}–{high:.1f})"


def wait(waited: Wait | None) -> str:
    """Half of the buyers and 99 of 100, in milliseconds."""
    return NONE if waited is None else f"{waited.p50_ms:.1f} / {waited.p99_ms:.1f}"


def out_of(part: int, whole: int) -> str:
    """A part that is interesting where it is not 0."""
    if not whole:
        return NONE
    return "0" if not part else f"{part / whole:.2%}" if part / whole >= 0.00005 else "< 0.01%"
