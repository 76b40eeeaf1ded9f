"""Two arbiters, dead stores, kills around decisions: what was acknowledged stays, and decisions go on."""

import os
import random
import signal
from collections.abc import Callable

import redis

from service.world.world import ARBITER, World
from tests.patience import until
from tests.worlds import Outing

REGIONS = ("north", "south", "west")


def buyers(count: int, seconds: float, seed: int = 1) -> list[tuple[str, str, float]]:
    chance = random.Random(seed)
    return [(f"buyer-{number}", chance.choice(REGIONS), chance.uniform(0, seconds)) for number in range(count)]


def test_a_newer_arbiter_takes_over_and_the_older_ends(world: World, publish: Callable[..., Outing]) -> None:
    sale = publish(skew_ms=20, grace_ms=100, stock=400)
    crowd = sale.in_background(buyers(300, 7), tries=5)
    until(lambda: sale.decided() > 0)
    world.start_twin(ARBITER, "arbiter-twin")
    assert world.wait_for_end(ARBITER, 20) == 1
    assert "another arbiter decides now" in (world.folder / "arbiter.log").read_text()
    crowd.result()
    until(lambda: len(sale.of_type("won")) == 300)
    world.start(ARBITER)
    assert world.wait_for_end("arbiter-twin", 20) == 1  # also while it has nothing to write
    sale.call("POST", "/cancel", json={"reason": "enough"})
    done = sale.finish()
    assert done.keeps_its_word() == 300
    assert len(done.winners) == 300
    done.decided_again()


def test_the_arbiters_store_dies_and_decisions_go_on(world: World, publish: Callable[..., Outing]) -> None:
    sale = publish(skew_ms=20, grace_ms=100, stock=150, cut_off_ms=2_000)
    crowd = sale.in_background(buyers(200, 3), tries=5)
    for _ in range(2):
        decided = sale.decided()
        until(lambda decided=decided: sale.decided() > decided)  # type: ignore[misc]
        os.kill(world.embedded[ARBITER].pid, signal.SIGKILL)
        until(lambda: answers(sale))
    crowd.result()
    done = sale.finish()
    assert world.is_running(ARBITER)
    assert sale.of_type("cut_off") == []
    assert done.keeps_its_word() >= 150
    assert len(done.winners) == 150
    done.decided_again()


def answers(sale: Outing) -> bool:
    try:
        return sale.decided() >= 0
    except redis.ConnectionError:
        return False


def test_a_regions_store_dies_and_nothing_acknowledged_is_lost(world: World, publish: Callable[..., Outing]) -> None:
    sale = publish(skew_ms=20, grace_ms=400, stock=1_500)
    crowd = sale.in_background(buyers(1_000, 2.5), tries=8)
    until(lambda: sale.logged("south") > 30)
    os.kill(world.embedded["south"].pid, signal.SIGKILL)
    crowd.result()
    until(lambda: len(sale.of_type("won")) == 1_000)
    sale.call("POST", "/cancel", json={"reason": "enough"})
    done = sale.finish()
    assert {pressed.status for pressed in sale.pressed} <= {200, 202}
    assert done.keeps_its_word() == 1_000
    assert sale.of_type("cut_off", "halted") == []
    done.decided_again()
