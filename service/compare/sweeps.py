"""What changes when one thing does: the clocks' error, the distance, the tie window. In virtual time.

All points of a sweep are of the same recordings as far as what changes lets them, so a curve's shape is known better
than each of its points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from service.compare.intervals import Estimate
from service.compare.methods import CENTRAL, LOTTERY, LOTTERY_LOBBY, METHODS, TIMESTAMPS
from service.compare.recording import record
from service.compare.scene import BOTS, EQUAL, MILLISECOND, RUSH, Scene
from service.compare.simulation import Effort
from service.compare.tally import Figures, Tally, figures, tally

BIASES: Final = (0.0, 0.1, 0.25, 0.5, 0.9)
"""Of ε, in opposite directions."""
STOCKS: Final = (10, 100)
DISTANCES_MS: Final = (1.5, 5.0, 10.0, 20.0, 30.0, 60.0)
WINDOWS_MS: Final = (20.0, 50.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1_000.0)


class Point(NamedTuple):
    """One value of what changes, and what it made of sales by one method."""

    at: float
    figures: Figures


@dataclass(frozen=True, slots=True)
class Sweep:
    """One thing changed. Curves are by method."""

    name: str
    title: str
    changes: str
    """What changes, with its unit."""
    curves: Mapping[str, Sequence[Point]]

    def plain(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "title": self.title,
            "changes": self.changes,
            "curves": {
                method: [{"at": point.at, **point.figures.plain()} for point in points]
                for method, points in self.curves.items()
            },
        }


def bias_sweep(effort: Effort, stock: int, biases: Sequence[float] = BIASES) -> Sweep:
    """The clocks of two regions are off in opposite directions, in a rush: who wins? As in the spike."""
    scenes = {100 * bias: replace(RUSH, stock=stock, clock_bias=bias) for bias in biases}
    return Sweep(
        f"clock-error-{stock}",
        f"Clocks that are off in opposite directions, {stock} units",
        "clock error, % of ε",
        _swept(scenes, (CENTRAL, TIMESTAMPS, LOTTERY), effort),
    )


def distance_sweep(effort: Effort) -> Sweep:
    """One region moves away from the centre."""
    near_ns = EQUAL.distances_ns[0]
    scenes = {
        far_ms: replace(EQUAL, distances_ns=(near_ns, int(far_ms * MILLISECOND)), clock_bias=0.0)
        for far_ms in DISTANCES_MS
    }
    return Sweep(
        "distance",
        "A region moves away from the centre",
        "distance of the far region, ms one way",
        _swept(scenes, (CENTRAL, LOTTERY), effort),
    )


def window_sweep(effort: Effort) -> Sweep:
    """The merchant widens the tie window, against bots."""
    scenes = {window_ms: replace(BOTS, tie_window_ns=int(window_ms * MILLISECOND)) for window_ms in WINDOWS_MS}
    return Sweep(
        "window",
        "The merchant widens the tie window",
        "tie window W, ms",
        _swept(scenes, (LOTTERY, LOTTERY_LOBBY), effort),
    )


def all_sweeps(effort: Effort) -> list[Sweep]:
    """Every sweep."""
    return [*(bias_sweep(effort, stock) for stock in STOCKS), distance_sweep(effort), window_sweep(effort)]


def _swept(scenes: Mapping[float, Scene], methods: Sequence[str], effort: Effort) -> dict[str, list[Point]]:
    sales: dict[str, dict[float, list[Tally]]] = {name: {at: [] for at in scenes} for name in methods}
    for run in range(effort.sales_of_sweeps):
        for at, scene in scenes.items():
            recording = record(scene, effort.seed, run)
            for name in methods:
                sales[name][at].append(tally(recording, METHODS[name].sell(recording)))
        effort.tell(next(iter(scenes.values())).title, (run + 1) / effort.sales_of_sweeps)
    return {
        name: [Point(at, figures(tallies, f"{effort.seed}/{at}")) for at, tallies in by_value.items()]
        for name, by_value in sales.items()
    }


def far_share(point: Point) -> Estimate | None:
    """The far region's part of the winners."""
    return point.figures.far_of_winners


def bots_gain(point: Point) -> Estimate | None:
    """What being 100 ms faster gains."""
    return point.figures.bots_gain
