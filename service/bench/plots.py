"""Plots as PNG files. matplotlib is a tool of development: nothing that is served needs it or installs it."""

from collections.abc import Iterable
from pathlib import Path

from service.bench.frame import BenchmarkError, Plot


def draw(plots: Iterable[Plot], folder: Path) -> list[Path]:
    """Draw each plot into a file of its name; returns the files.

    Raises:
        BenchmarkError: matplotlib is not installed.
        OSError: the folder cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  (half a second, for this only)
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise BenchmarkError("plots need matplotlib: install firstcome[development], or matplotlib") from error
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for plot in plots:
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for line in plot.lines:
            axes.plot(line.x, line.y, marker="o", label=line.name)
        if plot.logarithmic_x:
            axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set(title=plot.title, xlabel=plot.x_label, ylabel=plot.y_label)
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
        drawn.append(folder / f"{plot.name}.png")
        figure.savefig(drawn[-1], dpi=120)
    return drawn
