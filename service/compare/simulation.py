"""Every scene through every method, in virtual time. The same seed gives the same figures.

A run of a scene is recorded once; each method sells that same recording.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from service.compare.methods import METHODS
from service.compare.recording import Recording, record
from service.compare.scene import SCENES, Scene
from service.compare.tally import Figures, Played, Tally, figures, tally

Told: TypeAlias = Callable[[str, float], None]
"""Is told what is being done, and what part of it is done."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is simulated. The same effort and seed give the same figures."""

    seed: int
    sales: int
    """Of each scene."""
    sales_of_sweeps: int
    """At each point of a sweep."""
    tell: Told = lambda what, done: None  # noqa: ARG005


FULL_SALES: Final = (100, 60)
QUICK_SALES: Final = (2, 2)


def recordings(scene: Scene, effort: Effort, sales: int) -> Iterator[Recording]:
    """So many sales of a scene, one by one."""
    for run in range(sales):
        effort.tell(scene.title, run / sales)
        yield record(scene, effort.seed, run)
    effort.tell(scene.title, 1.0)


def simulate(effort: Effort, scenes: Sequence[Scene] = SCENES) -> list[Played]:
    """All scenes through all methods."""
    return [Played(scene, _by_method(scene, effort)) for scene in scenes]


def _by_method(scene: Scene, effort: Effort) -> dict[str, Figures]:
    sales: dict[str, list[Tally]] = {name: [] for name in METHODS}
    for recording in recordings(scene, effort, effort.sales):
        for name, method in METHODS.items():
            sales[name].append(tally(recording, method.sell(recording)))
    return {name: figures(tallies, f"{effort.seed}/{scene.name}") for name, tallies in sales.items()}
