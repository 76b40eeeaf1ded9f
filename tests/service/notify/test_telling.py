"""What a notifier tells, by one process for all tests: whose sales, by which secrets, in which order."""

from collections.abc import Iterator
from typing import Any

import pytest

from service.world.world import ARBITER, World
from tests.patience import until
from tests.receiver import Receiver
from tests.service.caller import Gateway
from tests.service.notify.telling import FLAGS, Merchant, is_told, numbers, sell, subscribe
from tests.service.processes import Program
from tests.service.sales import publish, terms


@pytest.fixture(scope="module")
def shared(small_world: World, tmp_path_factory: pytest.TempPathFactory, arbiter: Any) -> Iterator[Program]:
    """One for several tests."""
    folder = tmp_path_factory.mktemp("notifier")
    with Program(folder, "notifier", "--store", small_world.stores[ARBITER], *FLAGS) as running:
        yield running


def test_merchants_hear_of_their_own_sales_only(here: Gateway, merchant: Merchant, shared: Program) -> None:
    """Also of those that they published before they had a webhook, as long as they are not past."""
    ann, bob = merchant("ann"), merchant("bob")
    before = sell(ann, here)
    with Receiver() as anns, Receiver() as bobs, Receiver() as ends:
        subscribe(ann, anns)
        subscribe(bob, bobs)
        subscribe(ann, ends, events=["sale.closed"])
        sales = {anns: sell(ann, here), bobs: sell(bob, here)}
        for receiver, sale in sales.items():
            until(lambda receiver=receiver, sale=sale: is_told(receiver, sale))
        until(lambda: is_told(anns, before))
        until(lambda: is_told(ends, before) and is_told(ends, sales[anns]))
        assert {message["data"]["sale"] for message in bobs.taken.values()} == {sales[bobs]}
        assert {message["type"] for message in ends.taken.values()} == {"sale.closed"}
        for receiver, sale in sales.items():
            assert numbers(receiver, sale) == list(range(1, len(receiver.of(sale)) + 1))
            assert [one["rank"] for one in receiver.purchases(sale, "purchase.won")] == [0, 1]
            told = receiver.purchases(sale, "purchase.won") + receiver.purchases(sale, "purchase.lost")
            for one in told:
                shown = here.call("GET", f"/v1/sales/{sale}/purchases/{one['id']}").json
                assert {name: value for name, value in one.items() if name != "decision"}.items() <= shown.items()


def test_what_is_sold_at_the_door_is_told(
    small_world: World, here: Gateway, merchant: Merchant, shared: Program
) -> None:
    ann = merchant("ann")
    with Receiver() as receiver:
        subscribe(ann, receiver)
        regions = {"regions": ["here", "there"], "method": "sharded", "quotas": {"here": 2, "there": 1}}
        sale = publish(ann, terms(0.3, stock=3, rebalance=False, **regions))
        until(lambda: here.buy(sale, "first").status == 200)
        assert here.buy(sale, "second").status == 200
        until(lambda: len(receiver.purchases(sale, "purchase.won")) == 2)
        assert [one["unit"] for one in receiver.purchases(sale, "purchase.won")] == [0, 1]
        there = Gateway(small_world.ports["there"], here.token)
        assert there.buy(sale, "third").status == 200
        until(lambda: is_told(receiver, sale))
        assert [one["buyer"] for one in receiver.purchases(sale, "purchase.won")] == ["first", "second", "third"]


def test_what_becomes_of_a_reservation_is_told_step_by_step(here: Gateway, merchant: Merchant, shared: Program) -> None:
    kim = merchant("kim")
    with Receiver() as receiver:
        subscribe(kim, receiver)
        kind = {"kind": "reservation", "hold_ns": str(60 * 10**9), "waiting_list": 1}
        sale = publish(kim, terms(0.3, stock=1, **kind))
        until(lambda: here.buy(sale, "ada").status in {200, 202})
        ada = here.buy(sale, "ada", prefer="wait=30").json
        bob = here.buy(sale, "bob", prefer="wait=30").json
        until(lambda: receiver.purchases(sale, "purchase.listed"))
        path = f"/v1/sales/{sale}/purchases/{ada['id']}"
        assert here.call("POST", f"{path}/confirm", {"buyer": "ada"}, prefer="wait=30").status == 200
        until(lambda: is_told(receiver, sale))
        told = [(message["type"], one) for message in receiver.of(sale) for one in message["data"].get("purchases", ())]
        assert [(event, one["id"]) for event, one in told] == [
            ("purchase.held", ada["id"]),
            ("purchase.listed", bob["id"]),
            ("purchase.confirmed", ada["id"]),
            ("purchase.lost", bob["id"]),
        ]
        assert told[0][1]["until_ns"] == ada["until_ns"]
        assert (told[1][1]["rank"], told[3][1]["reason"]) == (1, "sold_out")


def test_bids_are_told_once_they_are_decided(here: Gateway, merchant: Merchant, shared: Program) -> None:
    kim = merchant("kim")
    with Receiver() as receiver:
        subscribe(kim, receiver)
        sale = publish(kim, terms(0.3, lasts=3.0, stock=1, kind="auction", currency="EUR"))
        path = f"/v1/sales/{sale}/purchases"
        until(lambda: here.call("POST", path, {"buyer": "ada", "price": 500}).status in {200, 202})
        assert here.call("POST", path, {"buyer": "bob", "price": 700}).status == 202
        until(lambda: is_told(receiver, sale))
        (won,) = receiver.purchases(sale, "purchase.won")
        (lost,) = receiver.purchases(sale, "purchase.lost")
        assert (won["buyer"], won["price"], won["pays"], won["currency"]) == ("bob", 700, 700, "EUR")
        assert (lost["buyer"], lost["price"], lost["reason"]) == ("ada", 500, "outbid")


def test_secrets_change_over(here: Gateway, merchant: Merchant, shared: Program) -> None:
    """For a day both sign; a secret that has leaked signs no more."""
    ann = merchant("ann")
    signatures: dict[str, int] = {}

    def count(offer: Any) -> int:
        signatures[offer.message["data"]["sale"]] = offer.signatures
        return 200

    with Receiver(count) as receiver:
        webhook = subscribe(ann, receiver)
        old = receiver.secrets[0]
        new = ann.call("POST", f"/v1/webhooks/{webhook}/rotate").json["secret"]
        for believed in (old, new):
            receiver.secrets[:] = [believed]
            sale = sell(ann, here)
            until(lambda sale=sale: is_told(receiver, sale))
            assert signatures[sale] == 2
        newest = ann.call("POST", f"/v1/webhooks/{webhook}/rotate", {"overlap_seconds": 0}).json["secret"]
        receiver.secrets[:] = [newest]
        sale = sell(ann, here)
        until(lambda: is_told(receiver, sale))
        assert signatures[sale] == 1


def test_a_sale_does_not_wait_for_another(here: Gateway, merchant: Merchant, shared: Program) -> None:
    """A message that is never taken holds up the rest of its own sale, and nothing else."""
    ann = merchant("eve")
    bad: set[str] = set()
    with Receiver(lambda offer: 500 if offer.message["data"]["sale"] in bad else 200) as receiver:
        subscribe(ann, receiver)
        stuck = publish(ann, terms(0.3, stock=1))
        bad.add(stuck)
        until(lambda: here.buy(stuck, "first").status in {200, 202})
        until(lambda: receiver.offered)
        other = sell(ann, here)
        until(lambda: is_told(receiver, other))
        assert receiver.of(stuck) == []
        bad.clear()
        until(lambda: is_told(receiver, stuck))
        assert numbers(receiver, stuck) == list(range(1, len(receiver.of(stuck)) + 1))
