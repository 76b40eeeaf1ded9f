"""The comparison's clock errors come out as in the simulation by which the rule was chosen (`oracle.py`).

The tolerance is stated by the noise itself: two means of independent runs may differ by four standard errors of their
difference. Of thirty honest comparisons one would be outside by chance once in five hundred times; the seeds are fixed.
"""

from dataclasses import replace
from statistics import fmean

import pytest

from service.compare.methods import CENTRAL, LOTTERY, METHODS, TIMESTAMPS
from service.compare.recording import record
from service.compare.scene import FAR, REGIONS, RUSH
from service.compare.sweeps import BIASES, STOCKS
from tests.service.compare.oracle import Mean, late_share, mean

RUNS = 24
MOST_ERRORS = 4.0


def ours(bias: float, stock: int) -> dict[str, Mean]:
    scene = replace(RUSH, stock=stock, clock_bias=bias)
    far = REGIONS.index(FAR)
    shares: dict[str, list[float]] = {CENTRAL: [], TIMESTAMPS: [], LOTTERY: []}
    for run in range(RUNS):
        recording = record(scene, seed=8, run=run)
        for name, found in shares.items():
            winners = METHODS[name].sell(recording).winners
            assert len(winners) == stock
            found.append(fmean(recording.buyers[at].region == far for at in winners))
    return {name: mean(found) for name, found in shares.items()}


@pytest.mark.parametrize("stock", STOCKS)
@pytest.mark.parametrize("bias", BIASES)
def test_shares_are_those_of_the_spike_within_noise(bias: float, stock: int) -> None:
    found, expected = ours(bias, stock), late_share(bias, stock, RUNS, seed=8)
    for name in (CENTRAL, TIMESTAMPS, LOTTERY):
        tolerance = MOST_ERRORS * (found[name].error ** 2 + expected[name].error ** 2) ** 0.5
        assert abs(found[name].value - expected[name].value) <= tolerance, name


def test_the_oracle_itself_can_tell_methods_apart() -> None:
    """The tolerance is no excuse: under it a sort by timestamps is not taken for the lottery, nor 10 % for 50 %."""
    late, early = late_share(0.5, 10, RUNS, seed=8), late_share(0.1, 10, RUNS, seed=8)
    for a, b in ((late["lottery"], late["timestamps"]), (early["lottery"], early["timestamps"])):
        assert abs(a.value - b.value) > MOST_ERRORS * (a.error**2 + b.error**2) ** 0.5
