"""Who should give how much to whom, where units are sold at the door: so that they are where they are asked for. Pure.

A region's due is the part of all units left that its part of the demand is. A region is short when it has less than
half of its due, and less than it can expect to sell in the next seconds; only then anything moves. So two regions that
do about equally well never send units back and forth (hysteresis), and the first buyer of one empties no other. Whoever
has more than its due gives, most first.

Wrong advice costs sales, never safety: a region gives what it has, and what it gives is gone first (`share.py`).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

SMOOTHING_NS: Final = 1_000_000_000
"""Demand older than this counts less than half."""


HORIZON_NS: Final = 5_000_000_000
"""So far ahead a region provides for itself: many times what a transfer takes, and so little that a moment's rush does
not send for what others may want."""


class Demand(NamedTuple):
    """One region, as it stands: what it has (also what is on its way to it), and how often units are asked for there.

    `asks_mhz` are purchases in 1 000 seconds (a thousandth of a hertz), whether they got a unit or not. A region that
    cannot be reached keeps what it has, and gets nothing.
    """

    units: int
    on_the_way: int
    asks_mhz: int
    is_reached: bool


class Transfer(NamedTuple):
    """So many units from one region to another, by their places in what was asked about."""

    donor: int
    recipient: int
    units: int


def smoothed_mhz(known_mhz: int, asks: int, elapsed_ns: int) -> int:
    """Demand after another look: an exponentially weighted mean whose weight is elapsed / (elapsed + smoothing).

    Args:
        asks: how many purchases were asked for since the last look, `elapsed_ns` (> 0) ago.
    """
    new_mhz = asks * 1_000 * 1_000_000_000 // elapsed_ns
    return known_mhz + (new_mhz - known_mhz) * elapsed_ns // (elapsed_ns + SMOOTHING_NS)


def largest_remainders(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in proportion to weights, in whole numbers that add up to it (Hamilton's method). Of equal remainders the
    earlier gets more; with no weight at all nobody gets anything.
    """
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    remainders = sorted(range(len(weights)), key=lambda place: (-(total * weights[place] % whole), place))
    for place in remainders[: total - sum(parts)]:
        parts[place] += 1
    return parts


def transfers(regions: Sequence[Demand], remaining_ns: int) -> list[Transfer]:
    """What should move now.

    Args:
        remaining_ns: until closing; no region needs more than it can expect to be asked for in that time, and within
            `HORIZON_NS`.
    """
    ahead_ns = max(0, min(remaining_ns, HORIZON_NS))
    reached = [place for place, region in enumerate(regions) if region.is_reached]
    total = sum(regions[place].units + regions[place].on_the_way for place in reached)
    dues = dict(zip(reached, largest_remainders(total, [regions[place].asks_mhz for place in reached]), strict=True))
    wanted: dict[int, int] = {}
    for place in reached:
        region = regions[place]
        has = region.units + region.on_the_way
        sellable = -(-region.asks_mhz * ahead_ns // 1_000_000_000_000)
        if 2 * has < dues[place] and has < sellable:
            wanted[place] = min(dues[place], sellable) - has
    spare = {place: regions[place].units - dues[place] for place in reached if place not in wanted}
    if not any(dues.values()):
        return []
    moves = []
    for recipient in sorted(wanted, key=lambda place: (-wanted[place], place)):
        for donor in sorted(spare, key=lambda place: (-spare[place], place)):
            units = min(wanted[recipient], spare[donor])
            if units > 0:
                moves.append(Transfer(donor, recipient, units))
                wanted[recipient] -= units
                spare[donor] -= units
    return moves
