"""Figures as a person reads them, and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from service.bench.frame import Benchmark, Figure, Found
from service.bench.machine import Machine


def print_machine(machine: Machine, console: Console) -> None:
    """On what is measured."""
    console.print(
        f"commit {machine.commit} · {machine.processor}, {machine.cores} cores, {machine.memory_gib} GiB · "
        f"Linux {machine.kernel} · Python {machine.python} · load before {machine.load_before}",
        highlight=False,
    )


def print_found(benchmark: Benchmark, found: Found, console: Console) -> None:
    """One benchmark's figures, and what is to be said about them."""
    table = Table(title=f"{benchmark.name}: {benchmark.asks}", title_justify="left", title_style="bold")
    table.add_column("figure", overflow="fold")
    for column in ("median", "low", "high"):
        table.add_column(column, justify="right")
    table.add_column("unit")
    table.add_column("rounds", justify="right")
    table.add_column("goal")
    for shown in found.figures:
        values = [_number(value) for value in (shown.median, shown.low, shown.high)]
        table.add_row(shown.name, *values, shown.unit, str(shown.repeats), shown.goal)
    console.print(table)
    for note in found.notes:
        console.print(f"  {note}", highlight=False)
    for wrong in found.wrong:
        console.print(f"  WRONG: {wrong}", style="bold red", highlight=False)


def as_json(machine: Machine, all_found: Mapping[str, Found]) -> dict[str, Any]:
    """Everything, for a file."""
    return {
        "format": "firstcome-bench/1",
        "machine": asdict(machine),
        "benchmarks": {name: found.fields() for name, found in all_found.items()},
    }


def _number(value: float) -> str:
    """Three digits that count; thousands with commas."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def headline(shown: Figure) -> str:
    """A figure in one line."""
    return f"{shown.name} {_number(shown.median)} {shown.unit}".rstrip()
