"""A region that falls silent holds everybody up for as long as the terms allow, and then no longer."""

import signal
import time
from collections.abc import Callable

from service.world.world import World
from tests.patience import until
from tests.worlds import SECOND, Outing

CUT_OFF_MS = 5_000


def gateways(world: World, region: str) -> list[str]:
    return [name for name in world.process_names if name.startswith(f"gateway-{region}")]


def test_a_region_whose_gateways_stop_is_cut_off_and_learns_it_when_they_go_on(
    world: World, publish: Callable[..., Outing]
) -> None:
    sale = publish(skew_ms=20, grace_ms=100, cut_off_ms=CUT_OFF_MS, stock=2)
    sale.press([("first", "west", 0.1)], wait_seconds=10)
    assert sale.pressed[0].answer["state"] == "won"
    for gateway in gateways(world, "west"):
        world.send(gateway, signal.SIGSTOP)
    began = time.monotonic()
    [second] = sale.press([("second", "north", 1.5)], wait_seconds=30)
    waited_ns = second.answered_ns - second.sent[1]
    assert second.answer["state"] == "won"
    assert waited_ns > CUT_OFF_MS / 1_000 * SECOND
    print(
        f"\nheld up for {waited_ns / 1e9:.2f} s, cut off after {CUT_OFF_MS / 1_000} s; {time.monotonic() - began:.1f}"
    )
    for gateway in gateways(world, "west"):
        world.send(gateway, signal.SIGCONT)
    done = sale.finish()
    assert [(cut["region"], cut["seq"]) for cut in sale.of_type("cut_off")] == [("west", 1)]
    assert done.keeps_its_word() == 2
    done.decided_again()
    until(lambda: sale.call("POST", "/purchases", "west", json={"buyer": "third"}).status_code == 503)
    refused = sale.call("POST", "/purchases", "west", json={"buyer": "third"})
    assert refused.json()["type"].endswith("region_cut_off")
    again = sale.call("POST", "/purchases", "west", json={"buyer": "first"})
    assert (again.status_code, again.json()["state"]) == (200, "won")


def test_what_a_region_logs_behind_a_dead_line_ends_as_cut_off(world: World, publish: Callable[..., Outing]) -> None:
    """Its own gateways hear nothing of it and go on taking entries; nobody is told that such an entry won.

    They do so for half of the cut-off.
    """
    sale = publish(skew_ms=20, grace_ms=100, cut_off_ms=CUT_OFF_MS, stock=10, lasts=8)
    sale.press([("counted", "west", 0.1)], wait_seconds=10)
    world.kill("lines-west")
    beyond = sale.in_background([("beyond", "west", 0.2)], wait_seconds=40)
    [held_up] = sale.press([("held-up", "south", 1.6)], wait_seconds=30)
    assert held_up.answer["state"] == "won"
    world.start("lines-west")
    [told] = beyond.result()
    assert (told.answer["state"], told.answer["reason"]) == ("lost", "cut_off")
    done = sale.finish()
    assert done.keeps_its_word() == 3
    assert done.reasons() == {"cut_off"}
    assert len(done.winners) == 2
    done.decided_again()
    until(lambda: sale.state("west")["state"] == "closed")


def test_an_arbiter_that_was_stopped_itself_blames_no_region(world: World, publish: Callable[..., Outing]) -> None:
    sale = publish(skew_ms=20, grace_ms=1_000, cut_off_ms=3_000)
    waiting = sale.in_background([("buyer", "west", 0.1)], wait_seconds=20)
    until(lambda: sale.logged("west") == 1)
    world.send("arbiter", signal.SIGSTOP)
    time.sleep(4)  # the stop itself, longer than the cut-off
    world.send("arbiter", signal.SIGCONT)
    [told] = waiting.result()
    assert told.answer["state"] == "won"
    assert sale.of_type("cut_off") == []
