"""Plots as PNG. matplotlib is a tool of development: nothing that is served needs it or installs it."""

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Final

from service.compare.comparison import Comparison
from service.compare.intervals import Estimate
from service.compare.methods import METHODS
from service.compare.scene import BOTS, EQUAL, UNSOLD
from service.compare.sweeps import Sweep, bots_gain, far_share
from service.compare.tally import Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
_COLOURS: Final = ("#c2410c", "#a16207", "#15803d", "#7e22ce", "#be185d", "#0b5fa5", "#0f766e")


class PlotError(Exception):
    """matplotlib is not installed."""


def draw(comparison: Comparison) -> dict[str, bytes]:
    """Every plot by its name, as the bytes of a PNG file. The same figures give the same bytes.

    Raises:
        PlotError: matplotlib is not installed.
    """
    check_installed()
    drawn = {}
    if comparison.simulated:
        equal, unsold, bots = (comparison.scene(scene.name).by_method for scene in (EQUAL, UNSOLD, BOTS))
        drawn["winners"] = _bars(
            equal, lambda figures: figures.far_of_winners, "The far region's part of the winners", "%", 100, fair=50
        )
        drawn["waits"] = _waits(equal)
        drawn["unsold"] = _bars(
            unsold, lambda figures: Estimate(figures.unsold, None, None), "Unsold at closing", "% of the stock", 100
        )
        drawn["bots"] = _bars(
            bots,
            lambda figures: figures.bots_gain,
            "What a bot gains that is 100 ms faster",
            "times as often",
            1,
            fair=1,
        )
    for sweep in comparison.sweeps:
        drawn[sweep.name] = _curves(sweep)
    for played in comparison.real:
        name, by_method = played.scene.name, played.by_method
        fair = 100 * next(iter(by_method.values())).far_of_buyers
        title = "Real processes: the far region's part of the winners"
        drawn[f"{name}-winners"] = _bars(by_method, lambda figures: figures.far_of_winners, title, "%", 100, fair)
        drawn[f"{name}-waits"] = _waits(by_method)
    return drawn


def check_installed() -> None:
    """Whether plots can be drawn at all.

    Raises:
        PlotError: they cannot.
    """
    try:
        import matplotlib.figure  # noqa: F401, PLC0415  (half a second, for this only)
    except ImportError as error:
        raise PlotError("plots need matplotlib: install firstcome[development], or matplotlib") from error


def _bars(
    by_method: Mapping[str, Figures],
    figure: Callable[[Figures], Estimate | None],
    title: str,
    unit: str,
    scale: float,
    fair: float | None = None,
) -> bytes:
    def plot(axes: "Axes") -> None:
        for place, (name, figures) in enumerate(by_method.items()):
            estimate = figure(figures)
            if estimate is None:
                continue
            value, low, high = estimate
            spread = None if low is None or high is None else [[scale * (value - low)], [scale * (high - value)]]
            axes.barh(place, scale * value, xerr=spread, color=_colour(name), capsize=4)
            axes.annotate(
                f"{scale * value:.1f}",
                (scale * (value if high is None else high), place),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
            )
        if fair is not None:
            axes.axvline(fair, color="black", linestyle="--", label="fair")
            axes.legend()
        axes.set_yticks(range(len(by_method)), [METHODS[name].title for name in by_method])
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_xlim(left=0)
        axes.set(title=title, xlabel=unit)
        axes.grid(visible=True, axis="x", alpha=0.3)

    return _png(plot)


def _waits(by_method: Mapping[str, Figures]) -> bytes:
    def plot(axes: "Axes") -> None:
        for place, (name, figures) in enumerate(by_method.items()):
            if figures.winners_wait is None:
                continue
            p50_ms, p99_ms = figures.winners_wait
            axes.barh(place - 0.2, p50_ms, height=0.35, color=_colour(name))
            axes.barh(place + 0.2, p99_ms, height=0.35, color=_colour(name), alpha=0.45)
            for offset, value in ((-0.2, p50_ms), (0.2, p99_ms)):
                axes.annotate(
                    f"{value:.1f}", (value, place + offset), xytext=(6, 0), textcoords="offset points", va="center"
                )
        axes.set_yticks(range(len(by_method)), [METHODS[name].title for name in by_method])
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set(title="When winners know: half of them (dark), 99 of 100 (light)", xlabel="ms")
        axes.grid(visible=True, axis="x", alpha=0.3)

    return _png(plot)


def _curves(sweep: Sweep) -> bytes:
    asks_for_bots = any(point.figures.bots_gain is not None for points in sweep.curves.values() for point in points)
    figure, scale = (bots_gain, 1.0) if asks_for_bots else (far_share, 100.0)

    def plot(axes: "Axes") -> None:
        for place, (name, points) in enumerate(sweep.curves.items()):
            known = [(point.at, estimate) for point in points if (estimate := figure(point)) is not None]
            at = [value for value, _ in known]
            axes.plot(
                at,
                [scale * estimate.value for _, estimate in known],
                marker=MARKERS[place],
                color=_colour(name),
                label=METHODS[name].title,
            )
            axes.fill_between(
                at,
                [scale * (estimate.value if estimate.low is None else estimate.low) for _, estimate in known],
                [scale * (estimate.value if estimate.high is None else estimate.high) for _, estimate in known],
                color=_colour(name),
                alpha=0.2,
            )
        axes.axhline(1 if asks_for_bots else 50, color="black", linestyle="--", label="fair")
        axes.set_ylim(bottom=0)
        asked = "a faster bot gains, times" if asks_for_bots else "far region's part of the winners, %"
        axes.set(title=sweep.title, xlabel=sweep.changes, ylabel=asked)
        axes.grid(visible=True, alpha=0.3)
        axes.legend()

    return _png(plot)


def _colour(method: str) -> str:
    return _COLOURS[list(METHODS).index(method)]


def _png(plot: "Callable[[Axes], None]") -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    plot(figure.add_subplot())
    out = BytesIO()
    figure.savefig(out, dpi=110, metadata={"Software": None})
    return out.getvalue()
