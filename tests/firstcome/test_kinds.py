"""Auctions and reservations by both clients, against real gateways."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from firstcome import (
    UNDECIDED,
    BelowReserveError,
    Bid,
    InvalidError,
    ListFullError,
    NotHeldError,
    NotYoursError,
    WrongCurrencyError,
)
from model.vocabulary import Held, Won
from tests.firstcome.conftest import Connect
from tests.patience import until
from tests.worlds import Outing

AT_ONCE = {*UNDECIDED, "waiting"}
SECOND_NS = 1_000_000_000


def test_the_highest_bids_win_and_pay_what_the_terms_say(connect: Connect, publish: Callable[..., Outing]) -> None:
    terms = {"kind": "auction", "currency": "EUR", "reserve_price": 100, "pricing": "uniform"}
    sale = publish(opens_in=1.5, lasts=4, stock=2, **terms)
    shop = connect()
    until(lambda: shop.sale(sale.sale).state == "open")
    ann = shop.bid(sale.sale, "ann", 500, currency="EUR")
    assert shop.bid(sale.sale, "ann", 500).id == ann.id
    lower = shop.bid(sale.sale, "ann", 300)
    ben, low, cem = shop.purchases(sale.sale, [Bid("ben", 400), Bid("dan", 99), Bid("cem", 450, "EUR")])
    assert isinstance(low, BelowReserveError)
    assert low.extra["reserve_price"] == 100
    with pytest.raises(WrongCurrencyError):
        shop.bid(sale.sale, "eve", 500, currency="USD")
    with pytest.raises(InvalidError):
        shop.purchase(sale.sale, "eve")

    told = [shop.wait(each) for each in (ann, lower, ben, cem)]
    assert [(each.state, each.reason) for each in told] == [
        ("won", None),
        ("lost", "duplicate"),
        ("lost", "outbid"),
        ("won", None),
    ]
    assert [(each.price, each.pays, each.currency) for each in told if each.state == "won"] == [
        (500, 400, "EUR"),
        (450, 400, "EUR"),
    ]
    assert told[1].of == ann.id
    won = [event.decision for event in shop.events(sale.sale) if event.type == "won"]
    assert won == [Won(ann.id, "north", 0, 0, 400), Won(cem.id, "north", 1, 1, 400)]


def test_a_flash_sale_takes_no_price_and_holds_nothing(connect: Connect, publish: Callable[..., Outing]) -> None:
    sale = publish(opens_in=1.5)
    shop = connect()
    with pytest.raises(InvalidError):
        shop.bid(sale.sale, "ada", 500, currency="EUR")
    (refused,) = shop.purchases(sale.sale, [Bid("ada", 500)])
    assert isinstance(refused, InvalidError)
    until(lambda: shop.sale(sale.sale).state == "open")
    with pytest.raises(NotHeldError):
        shop.confirm(shop.purchase(sale.sale, "ada", wait_seconds=10))


def test_what_is_held_is_confirmed_or_goes_to_the_next(connect: Connect, publish: Callable[..., Outing]) -> None:
    terms = {"kind": "reservation", "hold_ns": str(60 * SECOND_NS), "waiting_list": 2}
    sale = publish(opens_in=1.5, stock=1, **terms)
    shop = connect()
    until(lambda: shop.sale(sale.sale).state == "open")
    ada, bob, cem = (shop.purchase(sale.sale, buyer, wait_seconds=10) for buyer in ("ada", "bob", "cem"))
    assert [(each.state, each.rank, each.ahead) for each in (ada, bob, cem)] == [
        ("held", 0, None),
        ("waiting", 1, 0),
        ("waiting", 2, 1),
    ]
    assert ada.until is not None
    assert abs(ada.until.timestamp() * SECOND_NS - ada.until_ns) < SECOND_NS
    assert ada.until < bob.known_by < cem.known_by
    with pytest.raises(ListFullError):
        shop.purchase(sale.sale, "dan")
    with pytest.raises(NotHeldError):
        shop.confirm(bob)
    with pytest.raises(NotYoursError):
        shop.confirm(replace(ada, buyer="bob"))

    released = shop.wait(shop.release(ada))
    assert (released.state, released.reason) == ("lost", "released")
    assert shop.release(ada, wait_seconds=10) == released
    with pytest.raises(NotHeldError):
        shop.confirm(ada)
    bob = shop.wait(bob, through=AT_ONCE)
    assert (bob.state, bob.unit) == ("held", 0)
    confirmed = shop.confirm(bob)
    assert confirmed == shop.confirm(bob) == shop.status(bob)
    assert (confirmed.state, confirmed.unit) == ("won", 0)
    assert shop.wait(cem, through=AT_ONCE).reason == "sold_out"
    held = [event.decision for event in shop.events(sale.sale) if event.type == "held"]
    assert [decision.request for decision in held if isinstance(decision, Held)] == [ada.id, bob.id]
    assert dict(shop.receipt(confirmed, within_seconds=20).outcome)["unit"] == 0
