"""How a benchmark is measured: rivals take turns, ratios are formed inside a round, medians over the rounds.

A shared machine changes its speed from minute to minute, by a factor of two and more. So nothing here compares a
figure with one of another run. The rivals of a benchmark take turns, A B C A B C …, each for a few seconds; what is
slow for one round is slow for all of it. A ratio is formed within each round, then the median over the rounds is
taken, and the least and the greatest are shown beside it. A single figure's spread says how noisy the machine was, a
ratio's spread how far it can be believed.

A benchmark is one module with one function that takes an `Effort` and returns what was `Found`. `catalogue.py` lists
them; `report.py` prints, `plots.py` draws. Nothing here knows what is measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure. `tell` gets a line whenever something new begins."""

    rounds: int
    seconds: float
    """How long one rival is measured in one round."""
    quick: bool = False
    """Less of everything: to see that it runs, not to be believed."""
    tell: Callable[[str], None] = lambda line: None  # noqa: ARG005


class Reading(NamedTuple):
    """One quantity, measured once."""

    what: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity over all rounds: its median, and the least and greatest of them."""

    name: str
    median: float
    low: float
    high: float
    unit: str
    repeats: int
    goal: str = ""
    """What it should reach, as a sentence; "" where it is shown for comparison."""


def figure(name: str, values: Sequence[float], unit: str, goal: str = "") -> Figure:
    """The figure of one quantity's values, one a round.

    Raises:
        statistics.StatisticsError: there are none.
    """
    return Figure(name, median(values), min(values), max(values), unit, len(values), goal)


class Rival(NamedTuple):
    """One of those that are compared. `measure` does one round of it."""

    name: str
    measure: Callable[[], Sequence[Reading]]


@dataclass(slots=True)
class Rounds:
    """What the rivals did, round by round."""

    _values: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    _units: dict[str, str] = field(default_factory=dict)

    def add(self, rival: str, readings: Sequence[Reading]) -> None:
        """One rival's round."""
        for reading in readings:
            self._values.setdefault((rival, reading.what), []).append(reading.value)
            self._units[reading.what] = reading.unit

    def values(self, rival: str, what: str) -> list[float]:
        """A quantity of a rival, one value a round.

        Raises:
            KeyError: it was not measured.
        """
        return self._values[rival, what]

    def figure(self, rival: str, what: str, goal: str = "") -> Figure:
        """A quantity of a rival."""
        return figure(f"{rival}: {what}", self.values(rival, what), self._units[what], goal)

    def figures(self) -> list[Figure]:
        """Every quantity of every rival, in the order of measuring."""
        return [self.figure(rival, what) for rival, what in self._values]

    def ratio(self, name: str, above: tuple[str, str], below: tuple[str, str], goal: str = "") -> Figure:
        """One (rival, quantity) over another, formed in each round."""
        pairs = zip(self.values(*above), self.values(*below), strict=True)
        return figure(name, [over / under for over, under in pairs], "×", goal)


def take_turns(rivals: Sequence[Rival], effort: Effort) -> Rounds:
    """Measure the rivals in turn, as many rounds as the effort says. Every second round goes backwards, so that
    nobody always comes after the same neighbour.
    """
    rounds = Rounds()
    for number in range(effort.rounds):
        for rival in rivals if number % 2 == 0 else reversed(rivals):
            effort.tell(f"round {number + 1} of {effort.rounds}: {rival.name}")
            rounds.add(rival.name, rival.measure())
    return rounds


class Line(NamedTuple):
    """A line of a plot."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot to be drawn; its name is the file's."""

    name: str
    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    logarithmic_x: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a benchmark found. `wrong` holds what should never be, such as an acknowledged request that is lost."""

    figures: Sequence[Figure]
    notes: Sequence[str] = ()
    plots: Sequence[Plot] = ()
    wrong: Sequence[str] = ()

    def fields(self) -> dict[str, Any]:
        """For JSON; plots as their numbers."""
        return asdict(self)


class BenchmarkError(Exception):
    """A benchmark cannot run here. The message says what is missing."""


class Benchmark(NamedTuple):
    """A benchmark: `measure` is the one function of its module."""

    name: str
    asks: str
    """What it asks, in a sentence."""
    measure: Callable[[Effort], Found]
