"""All that was found, in one record: what the tables, the plots, the page and the JSON are made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.compare.methods import METHODS
from service.compare.sweeps import Sweep
from service.compare.tally import Played


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison. What was not asked for is empty."""

    seed: int
    simulated: Sequence[Played] = ()
    sweeps: Sequence[Sweep] = ()
    real: Sequence[Played] = ()

    def scene(self, name: str) -> Played:
        """A simulated scene.

        Raises:
            KeyError: it was not simulated.
        """
        for played in self.simulated:
            if played.scene.name == name:
                return played
        raise KeyError(name)

    def plain(self) -> dict[str, Any]:
        """As plain values, for JSON. What was simulated is the same for the same seed, to the last digit."""
        return {
            "format": "firstcome-compare/1",
            "seed": self.seed,
            "methods": {name: method.title for name, method in METHODS.items()},
            "simulated": {played.scene.name: _plain(played) for played in self.simulated},
            "sweeps": {sweep.name: sweep.plain() for sweep in self.sweeps},
            "real": {played.scene.name: _plain(played) for played in self.real},
        }


def _plain(played: Played) -> dict[str, Any]:
    scene = played.scene
    return {
        "title": scene.title,
        "buyers": scene.buyers,
        "stock": scene.stock,
        "skew_bound_ns": str(scene.skew_bound_ns),
        "tie_window_ns": str(scene.tie_window_ns),
        "intake_grace_ns": str(scene.intake_grace_ns),
        "methods": {name: figures.plain() for name, figures in played.by_method.items()},
    }
