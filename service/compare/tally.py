"""What came of sales by one method: counted for each sale, and put into figures over all of them.

*Inversions of true order.* Of a winner and a loser who did not come at the same moment, one was there first. It is an
inversion where that was the loser. Counted are all such pairs, and those that were further apart than W + 2ε, the
distance from which on the window lottery promises that there is none. Where there is a lobby all who are in it are
there at the opening, so none of them came before another.

*What a faster bot gains* is the bots' part of the winners over their part of the buyers: 1 is nothing.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from service.compare.intervals import Estimate, bootstrap, percentile, wilson
from service.compare.recording import Recording
from service.compare.scene import REGIONS, Scene
from service.compare.sold import Sold


@dataclass(frozen=True, slots=True)
class Tally:
    """One sale, counted."""

    buyers: tuple[int, ...]
    """By region; so are the winners."""
    winners: tuple[int, ...]
    bots: int
    bots_that_won: int
    stock: int
    unsold: int
    untold: int
    apart: int
    """Pairs of a winner and a loser who came at different moments."""
    inverted: int
    """Those where the loser came first."""
    certainly_apart: int
    """Pairs more than W + 2ε apart."""
    certainly_inverted: int
    winners_waited_ns: Sequence[int]
    everybody_waited_ns: Sequence[int]


def tally(recording: Recording, sold: Sold) -> Tally:
    """Count one sale."""
    buyers, came_ns, winners = recording.buyers, sold.came_ns, sold.winners
    waited_ns = [told - came for told, came in zip(sold.told_ns, came_ns, strict=True)]
    won = set(winners)
    lost = sorted(came for at, came in enumerate(came_ns) if at not in won)
    apart_ns = recording.scene.certainly_apart_ns
    inverted = sum(bisect_left(lost, came_ns[at]) for at in winners)
    in_order = sum(len(lost) - bisect_right(lost, came_ns[at]) for at in winners)
    certainly_inverted = sum(bisect_left(lost, came_ns[at] - apart_ns) for at in winners)
    certainly_in_order = sum(len(lost) - bisect_right(lost, came_ns[at] + apart_ns) for at in winners)
    return Tally(
        buyers=_by_region(buyer.region for buyer in buyers),
        winners=_by_region(buyers[at].region for at in winners),
        bots=sum(buyer.is_bot for buyer in buyers),
        bots_that_won=sum(buyers[at].is_bot for at in winners),
        stock=recording.scene.stock,
        unsold=sold.unsold,
        untold=sold.untold,
        apart=inverted + in_order,
        inverted=inverted,
        certainly_apart=certainly_inverted + certainly_in_order,
        certainly_inverted=certainly_inverted,
        winners_waited_ns=[waited_ns[at] for at in winners],
        everybody_waited_ns=waited_ns,
    )


def _by_region(regions: Iterable[int]) -> tuple[int, ...]:
    counted = Counter(regions)
    return tuple(counted[region] for region in range(len(REGIONS)))


class Wait(NamedTuple):
    """Milliseconds from coming to knowing, of half of the buyers at most and of 99 of 100."""

    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Sales by one method in one scene. Intervals are those of `intervals.py`."""

    sales: int
    far_of_buyers: float
    """The far region's part of all buyers."""
    far_of_winners: Estimate | None
    winners_wait: Wait | None
    everybody_waits: Wait
    unsold: float
    """Of the stock."""
    untold: int
    """Buyers who never got an outcome, such as those who were told 503 to the end."""
    inverted: Estimate | None
    """Of the pairs that came apart; None where there are none."""
    certainly_apart: int
    certainly_inverted: int
    """Of those, how many."""
    bots_gain: Estimate | None
    """None where there are no bots."""

    def plain(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @property
    def certainly_inverted_part(self) -> float | None:
        """Of the pairs more than W + 2ε apart; None where there are none."""
        return self.certainly_inverted / self.certainly_apart if self.certainly_apart else None


@dataclass(frozen=True, slots=True)
class Played:
    """One scene, and what each method made of it. Methods that were not tried are missing."""

    scene: Scene
    by_method: Mapping[str, Figures]


def figures(sales: Sequence[Tally], seed: str) -> Figures:
    """Sales by one method in one scene, put together.

    Args:
        sales: one at least.
        seed: of the intervals that are drawn.
    """
    winners = sum(sum(sale.winners) for sale in sales)
    buyers = sum(sum(sale.buyers) for sale in sales)
    return Figures(
        sales=len(sales),
        far_of_buyers=sum(sale.buyers[-1] for sale in sales) / buyers,
        far_of_winners=wilson(sum(sale.winners[-1] for sale in sales), winners),
        winners_wait=_wait([wait for sale in sales for wait in sale.winners_waited_ns]) if winners else None,
        everybody_waits=_wait([wait for sale in sales for wait in sale.everybody_waited_ns]),
        unsold=sum(sale.unsold for sale in sales) / sum(sale.stock for sale in sales),
        untold=sum(sale.untold for sale in sales),
        inverted=bootstrap([[sale.inverted for sale in sales], [sale.apart for sale in sales]], _part, seed),
        certainly_apart=sum(sale.certainly_apart for sale in sales),
        certainly_inverted=sum(sale.certainly_inverted for sale in sales),
        bots_gain=bootstrap(
            [
                [sale.bots_that_won for sale in sales],
                [sum(sale.winners) for sale in sales],
                [sale.bots for sale in sales],
                [sum(sale.buyers) for sale in sales],
            ],
            _gain,
            seed,
        ),
    )


def _wait(waited_ns: list[int]) -> Wait:
    waited_ns.sort()
    return Wait(percentile(waited_ns, 0.5) / 1e6, percentile(waited_ns, 0.99) / 1e6)


def _part(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _gain(bots_that_won: int, winners: int, bots: int, buyers: int) -> float | None:
    return (bots_that_won / winners) / (bots / buyers) if winners and bots else None


def _plain(value: Any) -> Any:
    return value._asdict() if isinstance(value, Estimate | Wait) else value
