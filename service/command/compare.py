"""`firstcome compare`: the same recorded arrivals through every method of selling."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from service.command.base import CannotRun, progress
from service.command.terminal import Terminal


class Part(StrEnum):
    """What can be asked for alone."""

    SIMULATION = "simulation"
    REAL = "real"


def compare(
    only: Annotated[Part | None, typer.Option(help="This part alone.")] = None,
    seed: Annotated[int, typer.Option(help="Of the buyers' moments and the tickets.")] = 1,
    quick: Annotated[bool, typer.Option(help="Fewer sales: to see that it runs.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one page with plots.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures.")] = None,
    plots: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw plots (PNG) into this folder.")] = None,
) -> None:
    """Compare central, sharded and ordered sales: who wins, when they know, what stays unsold, what a bot gains.

    Example: firstcome compare --html compare.html --json compare.json
    Example: firstcome compare --only simulation --quick --seed 7
    """
    from service.compare.comparison import Comparison
    from service.compare.methods import LOTTERY, LOTTERY_LOBBY
    from service.compare.page import page
    from service.compare.plots import PlotError, check_installed, draw
    from service.compare.real import RealError, play_really
    from service.compare.report import print_comparison
    from service.compare.simulation import FULL_SALES, QUICK_SALES, Effort, simulate
    from service.compare.sweeps import Sweep, all_sweeps
    from service.compare.tables import certainly_inverted
    from service.compare.tally import Played
    from service.store.embedded import EmbeddedStoreError
    from service.world.world import WorldError

    for flag, path in (("--html", html), ("--json", as_json), ("--plots", plots)):
        _check_place(flag, path, is_folder=flag == "--plots")
    try:
        if html is not None or plots is not None:
            check_installed()
    except PlotError as error:
        raise CannotRun(str(error)) from error
    sales, sales_of_sweeps = QUICK_SALES if quick else FULL_SALES
    simulated: list[Played] = []
    sweeps: list[Sweep] = []
    real: list[Played] = []
    with progress() as tell:
        effort = Effort(seed, sales, sales_of_sweeps, tell)
        if only is not Part.REAL:
            simulated, sweeps = simulate(effort), all_sweeps(effort)
        if only is not Part.SIMULATION:
            try:
                real = play_really(seed, quick, tell)
            except (WorldError, EmbeddedStoreError, RealError) as error:
                raise CannotRun(str(error)) from error
    comparison = Comparison(seed, simulated, sweeps, real)
    print_comparison(comparison, Terminal(width=None if sys.stdout.isatty() else 132))
    drawn = draw(comparison) if html is not None or plots is not None else {}
    try:
        if as_json is not None:
            as_json.write_text(json.dumps(comparison.plain(), indent=2) + "\n")
        if plots is not None:
            plots.mkdir(exist_ok=True)
            for name, png in drawn.items():
                (plots / f"{name}.png").write_bytes(png)
        if html is not None:
            html.write_text(page(comparison, drawn), encoding="utf-8")
    except OSError as error:
        raise CannotRun(f"{error.filename}: {error.strerror}") from error
    broken = [name for name in (LOTTERY, LOTTERY_LOBBY) if certainly_inverted(comparison.simulated, name)[0]]
    if broken:
        sys.stderr.write("firstcome: the window lottery let down somebody who certainly came first\n")
        raise typer.Exit(1)


def _check_place(flag: str, path: Path | None, is_folder: bool) -> None:
    """Whether something can be written there: better known now than in minutes."""
    if path is None:
        return
    if is_folder and path.exists() and not path.is_dir():
        raise CannotRun(f"{flag} {path}: is no folder")
    if not is_folder and path.is_dir():
        raise CannotRun(f"{flag} {path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise CannotRun(f"{flag} {path}: there is no folder {path.parent}")
