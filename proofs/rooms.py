"""The rooms of obligations. Who adds one lists it here: it is then proved, mutated, reported and checked as others are.

A room is a file of this folder that states sentences under `@obligation` (or `@invariant`). The first line of its
docstring is its title in the report.
"""

import importlib
import inspect
from typing import Final

ROOMS: Final = (
    "order",
    "fairness",
    "region",
    "fence",
    "shares",
    "admission",
    "beacon",
    "induction",
    "promises",
    "auction",
    "prices",
    "reservation",
    "waiting",
    "holds",
    "replaying",
    "clocks",
    "stamps",
    "selection",
    "polygons",
    "tracks",
    "worked",
    "arithmetic",
)
"""In the order in which they are proved and shown: lemmas first."""

EXAMPLES: Final = "worked"
"""The room that says nothing about all integers: it keeps examples."""


def load() -> None:
    """Have every room register what it states.

    Raises:
        ImportError: z3 is missing.
    """
    for room in ROOMS:
        importlib.import_module(f"proofs.{room}")


def title(room: str) -> str:
    """The first line of what a room says about itself."""
    module = importlib.import_module(f"proofs.{room}")
    return (inspect.getdoc(module) or room).partition("\n")[0]
