"""Small recordings on real processes: what buyers were told adds up, whatever the method."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from service.compare.methods import CENTRAL, LOTTERY, METHODS, REBALANCED
from service.compare.real import CROWD, RealError, sell_really
from service.compare.recording import Recording, record
from service.compare.sold import Sold
from service.compare.tally import tally
from service.world.world import World

SCENE = replace(CROWD, buyers=40, stock=10)


def test_everybody_is_told_and_everything_is_sold(small_world: World) -> None:
    """Three sales at once."""
    recording = record(SCENE, seed=1, run=0)

    def sell(name: str) -> Sold:
        return sell_really(small_world, recording, METHODS[name])

    with ThreadPoolExecutor() as at_once:
        for sold in at_once.map(sell, (CENTRAL, REBALANCED, LOTTERY)):
            found = tally(recording, sold)
            assert len(set(sold.winners)) == SCENE.stock
            assert (found.unsold, found.untold) == (0, 0)
            assert all(waited_ns >= 0 for waited_ns in found.everybody_waited_ns)


def test_a_sale_that_nobody_may_publish_is_named(small_world: World) -> None:
    never = replace(SCENE, tie_window_ns=0)
    with pytest.raises(RealError, match="at least 2"):
        sell_really(small_world, Recording(never, [], bytes(32)), METHODS[LOTTERY])
