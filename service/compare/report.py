"""The comparison on a terminal."""

from typing import Final

from rich.console import Console
from rich.table import Table as RichTable

from service.compare.comparison import Comparison
from service.compare.methods import METHODS
from service.compare.tables import Table, scene_table, summary, sweep_table

SUMMARY_NOTE: Final = (
    "Simulated: only clocks and distances take time. Half of the buyers are 30 ms away from the centre; a bot is 100\n"
    "ms faster than a person. Loser first: of all pairs of a winner and a loser. In brackets: 95 % intervals."
)


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Everything that was found, the summary first."""
    if comparison.simulated:
        _print(summary(comparison), console)
        console.print(f"{SUMMARY_NOTE}\n", style="dim", highlight=False)
    for played in comparison.simulated:
        _print(scene_table(played), console)
    for sweep in comparison.sweeps:
        _print(sweep_table(sweep), console)
    for played in comparison.real:
        _print(scene_table(played), console)
        for name, figures in played.by_method.items():
            if figures.untold:
                told = f"{METHODS[name].title}: {figures.untold} buyers got no outcome, however often they pressed."
                console.print(told, style="yellow", highlight=False)


def _print(table: Table, console: Console) -> None:
    shown = RichTable(title=table.title, title_justify="left", title_style="bold")
    first, *others = table.columns
    shown.add_column(first, no_wrap=True)
    for column in others:
        shown.add_column(column, justify="right", no_wrap=True)
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)
