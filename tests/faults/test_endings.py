"""Sales that end otherwise than by the last unit: nobody came, an operator stopped it; and many at once."""

from collections.abc import Callable

from service.world.world import ARBITER, World
from tests.patience import until
from tests.worlds import Outing

REGIONS = ("north", "south", "west")


def test_a_sale_that_nobody_enters_closes_by_time(world: World, publish: Callable[..., Outing]) -> None:
    sale = publish(opens_in=2, lasts=0.3, skew_ms=20, grace_ms=100, cut_off_ms=2_000)
    done = sale.finish()
    assert [decision["type"] for decision in done.decisions] == ["seen", "closed"]
    assert done.decisions[1]["reason"] == "time"
    assert done.entries == {}
    done.decided_again()
    until(lambda: sale.state()["state"] == "closed")


def test_cancelling_keeps_what_was_won_and_loses_the_rest(world: World, publish: Callable[..., Outing]) -> None:
    sale = publish(skew_ms=20, grace_ms=100, stock=20)
    early = [(f"early-{number}", REGIONS[number % 3], 0.02) for number in range(3)]
    late = [(f"late-{number}", REGIONS[number % 3], 1.3) for number in range(9)]
    waiting = sale.in_background(early + late, wait_seconds=20)
    until(lambda: len(sale.of_type("won")) >= 3)
    until(lambda: sum(sale.logged(region) for region in REGIONS) == 12)
    first = sale.call("POST", "/cancel", json={"reason": "the shoes are fakes"})
    again = sale.call("POST", "/cancel", "south", json={"reason": "changed my mind"})
    assert (first.status_code, again.status_code) == (200, 409)
    told = waiting.result()
    done = sale.finish()

    assert done.keeps_its_word() == 12
    assert all(pressed.status == 200 for pressed in told)
    assert len(done.winners) + sum(outcome["state"] == "lost" for outcome in done.outcomes.values()) == 12
    assert done.reasons() <= {"cancelled"}
    assert [decision["type"] for decision in done.decisions[-2:]] == ["seen", "closed"]
    assert done.decisions[-1]["reason"] == "cancelled"
    done.decided_again()
    refused = sale.call("POST", "/purchases", "west", json={"buyer": "too-late"})
    assert refused.status_code == 409
    assert "cancelled" in refused.json()["type"]


def test_twenty_sales_at_once_and_a_restart_with_all_of_them_finished(
    world: World, publish: Callable[..., Outing]
) -> None:
    sales = [publish(opens_in=3, skew_ms=20, grace_ms=100, stock=2) for _ in range(20)]
    crowds = [
        sale.in_background([(f"buyer-{number}", REGIONS[number % 3], 0.01 * number) for number in range(6)], tries=8)
        for sale in sales
    ]
    for crowd in crowds:
        crowd.result()
    for sale in sales:
        done = sale.finish()
        assert len(done.winners) == 2
        done.keeps_its_word()
        done.decided_again()
    world.kill(ARBITER)
    world.start(ARBITER)
    after = publish(skew_ms=20, grace_ms=100, stock=1, opens_in=5)
    after.press([("somebody", "west", 0.1)], wait_seconds=20)
    assert after.pressed[0].answer["state"] == "won"
    assert [sale.decided() for sale in sales] == [len(sale.decisions()) for sale in sales]
    for sale in sales:
        assert {sale.state(region)["state"] for region in REGIONS} == {"closed"}
