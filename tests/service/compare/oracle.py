"""The simulation by which the rule was chosen, as its own small program: it shares nothing with what it checks.

Two regions with equal demand, 20 000 buyers a second each; clocks off in opposite directions by a part of ε = 2 ms
each, W = 2ε. A central stock is 1.5 ± 0.3 ms from the one and 31.5 ± 2 ms from the other. Whoever is drawn from a pot
is anybody in it, by chance; there are no tickets here.
"""

from random import Random
from statistics import fmean, stdev
from typing import NamedTuple

MILLISECOND = 1_000_000
EPSILON = 2 * MILLISECOND
PER_SECOND = 20_000


class Mean(NamedTuple):
    """Of the late region's part of the winners over runs, with the standard error of the mean."""

    value: float
    error: float


def late_share(bias: float, stock: int, runs: int, seed: int) -> dict[str, Mean]:
    """Of the winners, how many are of the region whose clock runs late and that is far from the centre."""
    chance = Random(f"oracle {seed} {bias} {stock}")
    shares: dict[str, list[float]] = {"central": [], "timestamps": [], "lottery": []}
    for _ in range(runs):
        for name, winners in _run(bias, stock, chance).items():
            shares[name].append(fmean(winners))
    return {name: mean(found) for name, found in shares.items()}


def mean(found: list[float]) -> Mean:
    return Mean(fmean(found), stdev(found) / len(found) ** 0.5)


def _run(bias: float, stock: int, chance: Random) -> dict[str, list[bool]]:
    """By method: for each winner, whether it is of the late region."""
    arrivals = []
    for is_late in (False, True):
        at = 0.0
        while (at := at + chance.expovariate(PER_SECOND / 1e9)) < 25 * MILLISECOND:
            arrivals.append((at, is_late))
    stamped = sorted((at + (bias if is_late else -bias) * EPSILON, is_late) for at, is_late in arrivals)
    travelled = sorted(
        (at + MILLISECOND * (chance.gauss(31.5, 2.0) if is_late else chance.gauss(1.5, 0.3)), is_late)
        for at, is_late in arrivals
    )
    waiting, drawn = list(stamped), []
    for _ in range(stock):
        limit = waiting[0][0] + 2 * EPSILON
        pot = [at for at, (stamp, _) in enumerate(waiting) if stamp <= limit]
        drawn.append(waiting.pop(chance.choice(pot))[1])
    return {
        "central": [is_late for _, is_late in travelled[:stock]],
        "timestamps": [is_late for _, is_late in stamped[:stock]],
        "lottery": drawn,
    }
