"""Hosts without a clock that is good enough: they take nothing, and nobody waits for them."""

import time
from collections.abc import Callable

from service.world.world import World
from tests.patience import until
from tests.worlds import SECOND, Outing, call


def is_refused(sale: Outing) -> bool:
    """Whether the gateway that takes this call has noticed; each of a region's does by itself."""
    return bool(sale.call("POST", "/purchases", "west", json={"buyer": f"{time.time_ns()}"}).status_code == 503)


def test_a_region_without_a_clock_refuses_and_holds_nobody_up(world: World, publish: Callable[..., Outing]) -> None:
    sale = publish(skew_ms=50, stock=20)
    sale.press([("before", "west", 0.05)], wait_seconds=10)
    world.kill("clockd-west")
    world.page("west").unlink()
    until(lambda: "ok" not in call(world, "GET", "/readyz", "west").json()["clock"])
    until(lambda: all(is_refused(sale) for _ in range(20)))
    refused = sale.call("POST", "/purchases", "west", json={"buyer": "unlucky"})
    assert refused.json()["type"].endswith("clock_unsafe")
    known = sale.call("POST", "/purchases", "west", json={"buyer": "before"})
    assert (known.status_code, known.json()["state"]) == (200, "won")
    [neighbour] = sale.press([("neighbour", "south", 0.1)], wait_seconds=20)
    assert neighbour.answer["state"] == "won"
    assert neighbour.answered_ns - neighbour.sent[1] < 5 * SECOND
    sale.call("POST", "/cancel", json={"reason": "seen enough"})
    done = sale.finish()
    assert sale.of_type("cut_off") == []
    assert done.keeps_its_word() == 2
    done.decided_again()


def test_a_clock_that_is_too_coarse_for_one_sale_serves_another(world: World, publish: Callable[..., Outing]) -> None:
    """West's clock is good to some 10 ms only."""
    fine, coarse = publish(skew_ms=6, grace_ms=200, stock=1), publish(skew_ms=100, grace_ms=300, stock=1)
    refused = fine.press([("buyer", "west", 0.1)], tries=1)[0]
    assert refused.status == 503
    assert refused.answer["type"].endswith("clock_unsafe")
    assert coarse.press([("buyer", "west", 0.1)], wait_seconds=20)[0].answer["state"] == "won"
    assert fine.press([("other", "north", 0.2)], wait_seconds=20)[0].answer["state"] == "won"
    for sale in (fine, coarse):
        done = sale.finish()
        assert sale.of_type("cut_off") == []
        done.decided_again()
