"""`firstcome bench`: what things cost, measured beside their rivals on this machine."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from service.command.base import CannotRun
from service.command.terminal import Terminal


def bench(
    only: Annotated[list[str] | None, typer.Option(help="Run this benchmark only; may be repeated.")] = None,
    quick: Annotated[bool, typer.Option(help="Less of everything: to see that it runs.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, max=100, help="Rounds in which rivals take turns.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Draw plots (PNG) into this folder.")] = None,
) -> None:
    """Measure on this machine; every figure beside its rivals, in turns, medians with their spread.

    Example: firstcome bench --only purchase --json figures.json --plots plots
    """
    from service.bench.catalogue import BENCHMARKS
    from service.bench.frame import BenchmarkError, Effort, Found
    from service.bench.machine import this_machine
    from service.bench.plots import draw
    from service.bench.report import as_json as to_json
    from service.bench.report import print_found, print_machine
    from service.store.embedded import EmbeddedStoreError
    from service.world.world import WorldError

    known = {benchmark.name: benchmark for benchmark in BENCHMARKS}
    unknown = [name for name in only or () if name not in known]
    if unknown:
        raise CannotRun(f"no benchmark is called {unknown[0]!r}: there are {', '.join(known)}")
    console = Terminal(width=None if sys.stdout.isatty() else 120)
    progress = Terminal(stderr=True)
    effort = Effort(
        rounds=rounds or (1 if quick else 5),
        seconds=1.0 if quick else 4.0,
        quick=quick,
        tell=lambda line: progress.print(line, style="dim", highlight=False),
    )
    machine = this_machine()
    print_machine(machine, console)
    all_found: dict[str, Found] = {}
    for name in only or known:
        try:
            all_found[name] = known[name].measure(effort)
        except (BenchmarkError, WorldError, EmbeddedStoreError) as error:
            raise CannotRun(f"{name}: {error}") from error
        print_found(known[name], all_found[name], console)
    if as_json is not None:
        as_json.write_text(json.dumps(to_json(machine, all_found), indent=2) + "\n")
    if plots is not None:
        try:
            draw((plot for found in all_found.values() for plot in found.plots), plots)
        except BenchmarkError as error:
            raise CannotRun(str(error)) from error
    if any(found.wrong for found in all_found.values()):
        raise typer.Exit(1)
