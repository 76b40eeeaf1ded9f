"""Answers that are lost, gateways that are killed, streams that break: the client repeats, nothing is done twice.

What is done about trouble is decided where both clients are one (`firstcome/exchange.py`), so each meets some of it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from firstcome import Client, UnreachableError
from proofs.audit import audit
from service.world.world import World
from tests.firstcome.conftest import Awaited, Connect
from tests.firstcome.lossy import LossyLine
from tests.patience import until
from tests.worlds import Outing, moment

WAITS = pytest.mark.parametrize("connect", [Client], ids=["waits"], indirect=True)
AWAITS = pytest.mark.parametrize("connect", [Awaited], ids=["awaits"], indirect=True)
BUYERS = 40
PATIENCE_SECONDS = 200
"""On a machine that does much else a gateway takes its time to start."""


@WAITS
def test_a_call_whose_answer_is_lost_is_made_again_and_finds_what_it_did(
    connect: Connect, world: World, publish: Callable[..., Outing]
) -> None:
    """The first answer of each kind never comes, the second breaks off in the middle."""
    sale = publish(opens_in=1.5, stock=5, regions=("north",))
    until(lambda: sale.state()["state"] == "open")
    shop = connect()
    for number, call in enumerate(
        (
            lambda shop: shop.purchase(sale.sale, "ada"),
            lambda shop: shop.purchases(sale.sale, ["bob", "eve"]),
            lambda shop: shop.purchase(sale.sale, "dan", wait_seconds=5),
            lambda shop: shop.sale(sale.sale),
            lambda shop: shop.cancel(sale.sale, "that is enough"),
        )
    ):
        with LossyLine(world.ports["north"], breaks(0, 40)) as line:
            call(connect(line.url))
            assert line.broken == 2, number
    assert shop.sale(sale.sale).state == "cancelled"
    assert [entry["buyer"] for entry in sale.log("north")] == ["ada", "bob", "eve", "dan"]


@AWAITS
def test_a_sale_whose_publishing_was_not_heard_of_is_published_once(connect: Connect, world: World) -> None:
    shop = connect()
    before = {sale.id for sale in shop.sales()}
    with LossyLine(world.ports["north"], breaks(0, 0, 100)) as line:
        published = connect(line.url).publish(
            title="Once only",
            stock=1,
            opens="2100-01-01T00:00:00Z",
            closes="2100-01-02T00:00:00Z",
            regions=["north"],
            skew_bound_ns=50_000_000,
        )
    assert {sale.id for sale in shop.sales()} - before == {published.id}
    assert published.terms.stated["opens"] == moment(published.terms.opens_ns).replace(".000000000", "")


@WAITS
def test_buyers_do_not_notice_that_every_gateway_of_their_region_was_killed(
    connect: Connect, world: World, publish: Callable[..., Outing]
) -> None:
    """Who bought before finds that purchase; who buys meanwhile waits a little; who follows misses nothing."""
    gateways = ("gateway-south-0", "gateway-south-1")
    sale = publish(opens_in=1.5, stock=BUYERS, lasts=600, cut_off_ms=600_000)
    until(lambda: sale.state("south")["state"] == "open")
    shop, follower = (connect("south", patience_seconds=PATIENCE_SECONDS) for _ in range(2))
    with ThreadPoolExecutor(2) as aside:  # what a thread starts ends with it, so the world is this one's to tend
        followed = aside.submit(lambda: list(follower.events(sale.sale)))
        bought = [shop.purchase(sale.sale, f"buyer-{number}") for number in range(BUYERS // 2)]
        for name in gateways:
            world.kill(name)
        again = aside.submit(shop.purchase, sale.sale, "buyer-0")
        for name in gateways:
            world.start(name)
        assert again.result().id == bought[0].id
        bought += [shop.purchase(sale.sale, f"buyer-{number}") for number in range(BUYERS // 2, BUYERS)]
        told = [shop.wait(purchase) for purchase in bought]
        won = [event.record for event in followed.result() if event.type == "won"]
    assert [purchase.state for purchase in told] == ["won"] * BUYERS
    assert [record["rank"] for record in won] == list(range(BUYERS))
    assert {record["request"] for record in won} == {purchase.id for purchase in told}


@AWAITS
def test_who_follows_over_a_line_that_keeps_breaking_hears_everything_once(
    connect: Connect, world: World, publish: Callable[..., Outing]
) -> None:
    """Each connection carries the head of the answer and a little more, a new event now and then."""
    sale = publish(opens_in=1.5, stock=BUYERS, lasts=600)
    shop = connect()
    until(lambda: shop.sale(sale.sale).state == "open")
    shop.purchases(sale.sale, [f"buyer-{number}" for number in range(BUYERS)])
    with LossyLine(world.ports["north"], lambda number: 400 + 150 * (number % 4)) as line:
        events = list(connect(line.url).events(sale.sale))
        assert line.broken >= 5
    assert [event.record["rank"] for event in events if event.type == "won"] == list(range(BUYERS))
    assert [event.id for event in events] == sorted({event.id for event in events})
    assert events[-1].type == "closed"
    assert events == list(shop.events(sale.sale))


@WAITS
def test_a_ledger_that_breaks_off_is_fetched_anew_and_is_whole(
    connect: Connect, world: World, publish: Callable[..., Outing], tmp_path: Path
) -> None:
    sale = publish(opens_in=1.5, stock=1)
    shop = connect()
    until(lambda: shop.sale(sale.sale).state == "open")
    shop.purchase(sale.sale, "ada", wait_seconds=10)
    until(sale.is_over)
    with LossyLine(world.ports["north"], breaks(0, 1_500, 3_000)) as line:
        bundle = connect(line.url).ledger(sale.sale, tmp_path / "shoes.zip")
        assert line.broken == 3
    assert audit(bundle).findings == ()
    assert list(tmp_path.iterdir()) == [bundle]


def test_where_nobody_answers_patience_ends(connect: Connect, tmp_path: Path) -> None:
    shop = connect("http://127.0.0.1:1", patience_seconds=1)
    with pytest.raises(UnreachableError):
        shop.sales()
    with pytest.raises(UnreachableError):
        list(shop.events("0" * 32))
    with pytest.raises(UnreachableError):
        shop.ledger("0" * 32, tmp_path / "nothing.zip")
    assert list(tmp_path.iterdir()) == []


def breaks(*after_bytes: int) -> Callable[[int], int | None]:
    """The first connections break after so many bytes of answers; those behind them do not."""
    return lambda number: after_bytes[number] if number < len(after_bytes) else None
