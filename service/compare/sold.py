"""What a method made of a recording: who got a unit, and when everybody knew. The same record for every method."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from service.compare.recording import Recording


@dataclass(frozen=True, slots=True)
class Sold:
    """One sale, over. Buyers are known by their places in the recording."""

    came_ns: Sequence[int]
    """By buyer, in true time: when it pressed, or the opening where it had entered a lobby before."""
    winners: Sequence[int]
    told_ns: Sequence[int]
    """By buyer: when it knew for good."""
    unsold: int
    """Units that nobody has when the sale is over."""
    untold: int = 0
    """Buyers who never got an outcome, however often they pressed."""


Method: TypeAlias = Callable[[Recording], Sold]
