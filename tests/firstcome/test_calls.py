"""Every call of a flash sale, by both clients, against real gateways."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from firstcome import (
    AlreadyDecidedError,
    InvalidError,
    NotSoldHereError,
    Purchase,
    PurchaseRef,
    ReceiptError,
    SaleCancelledError,
    SaleNotOverError,
    SoldOutError,
    TooEarlyError,
    TooLateError,
    UnauthorizedError,
    UndecidedError,
    UnknownPurchaseError,
    UnknownSaleError,
    check_receipt,
)
from model.vocabulary import Closed, Won
from proofs.audit import audit
from tests.firstcome.conftest import Connect
from tests.patience import until
from tests.worlds import Outing

MILLISECOND = 1_000_000


def enter(shop: Any, sale: str, buyer: str) -> Purchase:
    """The buyer's purchase, once entries are taken."""
    entered: list[Purchase] = []

    def is_taken() -> bool:
        with suppress(TooEarlyError):
            entered.append(shop.purchase(sale, buyer))
        return bool(entered)

    until(is_taken)
    return entered[0]


def test_a_sale_from_publishing_to_its_audit(connect: Connect, publish: Callable[..., Outing], tmp_path: Path) -> None:
    """One sale: who wins and who loses is told by each call alike, and by receipts, events and the bundle."""
    sale = publish(opens_in=1.5, stock=1)
    shop = connect()
    until(lambda: shop.sale(sale.sale).state == "open")

    ada = shop.purchase(sale.sale, "ada", wait_seconds=10)
    assert (ada.state, ada.rank, ada.unit, ada.region) == ("won", 0, 0, "north")
    assert abs(ada.stamp_ns - sale.terms.opens_ns) < 60 * 10**9
    assert shop.purchase(sale.sale, "ada") == shop.status(ada) == shop.wait(ada) == ada
    with pytest.raises(SoldOutError) as refused:
        shop.purchase(sale.sale, "bob")
    assert refused.value.decision is not None

    events = list(shop.events(sale.sale))
    assert [event.type for event in events] == ["won", "sold_out", "closed"]
    assert events[0].decision == Won(ada.id, "north", 0, 0)
    assert events[2].decision == Closed("sold_out")
    assert events[1].id == refused.value.decision
    assert list(shop.events(sale.sale, after=events[0].id)) == events[1:]
    assert list(shop.events(sale.sale, after=events[2].id)) == []
    assert list(shop.events(sale.sale, after=10**9)) == []

    receipt = shop.receipt(ada, within_seconds=20)
    assert receipt.entry.buyer == "ada"
    assert receipt.outcome == {"request": ada.id, "state": "won", "rank": 0, "unit": 0}
    assert check_receipt(receipt.save(tmp_path / "ada.json").read_bytes()).outcome == receipt.outcome

    bundle = shop.ledger(sale.sale, tmp_path / "shoes.zip")
    assert audit(bundle).findings == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ada.json", "shoes.zip"]
    assert shop.sale(sale.sale).reason == "sold_out"
    assert shop.sale(sale.sale).winners == 1
    with pytest.raises(AlreadyDecidedError):
        shop.cancel(sale.sale, "too late for that")


def test_times_go_out_and_come_back_as_aware_datetimes(connect: Connect) -> None:
    shop = connect()
    opens = datetime.now(ZoneInfo("Asia/Shanghai")).replace(microsecond=0) + timedelta(hours=1)
    sale = shop.publish(
        title="Ten pairs of shoes",
        stock=10,
        opens=opens,
        closes=opens + timedelta(hours=1),
        regions=["north", "south"],
        skew_bound_ns=50 * MILLISECOND,
        idempotency_key=f"shoes of {opens.isoformat()} {type(shop).__name__}",
    )
    assert sale.state == "scheduled"
    assert sale.opens == opens
    assert str(sale.opens.tzinfo) == "Asia/Shanghai"
    assert sale.terms.sale() == sale.id
    assert sale.terms.skew_bound_ns == 50 * MILLISECOND
    assert sale.terms.opens_ns == int(opens.timestamp()) * 10**9
    shown = shop.sale(sale.id, tz="Europe/Berlin")
    assert (shown.opens, str(shown.opens.tzinfo)) == (opens, "Europe/Berlin")
    assert sale in shop.sales()
    with pytest.raises(TooEarlyError) as refused:
        shop.purchase(sale.id, "ada")
    assert refused.value.retry_after_seconds > 3_000
    shop.cancel(sale.id, "wrong price")
    shop.cancel(sale.id, "wrong price")
    with pytest.raises(SaleCancelledError):
        shop.purchase(sale.id, "ada")


def test_a_batch_has_an_outcome_for_every_entry(connect: Connect, publish: Callable[..., Outing]) -> None:
    sale = publish(opens_in=1.5, stock=2)
    shop = connect()
    until(lambda: shop.sale(sale.sale).state == "open")
    ada, bad, bob, again = shop.purchases(sale.sale, ["ada", "not an id", "bob", "ada"])
    assert isinstance(bad, InvalidError)
    assert bad.errors[0][0] == "buyer"
    assert isinstance(ada, Purchase)
    assert ada.id == again.id
    assert ada.stamp_ns == bob.stamp_ns
    assert {shop.wait(each).unit for each in (ada, bob)} == {0, 1}
    assert shop.wait(PurchaseRef(sale.sale, ada.id)).rank in {0, 1}


def test_a_wait_that_ends_too_soon_says_how_the_purchase_stands(
    connect: Connect, publish: Callable[..., Outing]
) -> None:
    """Whoever comes into the lobby is drawn at the opening, and no sooner."""
    sale = publish(opens_in=1.5, lobby=60, lasts=1)
    shop = connect()
    ada = enter(shop, sale.sale, "ada")
    with pytest.raises(UndecidedError) as ended:
        shop.wait(ada, within_seconds=1)
    assert ended.value.purchase == ada
    assert ada.state == "pending"
    assert shop.receipt(ada).outcome is None
    shop.cancel(sale.sale, "no more of this")
    lost = shop.wait(ada)
    assert (lost.state, lost.reason) == ("lost", "cancelled")


def test_what_cannot_be_is_said_at_once(connect: Connect, publish: Callable[..., Outing]) -> None:
    shop = connect()
    with pytest.raises(UnknownSaleError) as unknown:
        shop.sale("0" * 32)
    assert (unknown.value.status, unknown.value.type) == (404, "unknown_sale")
    assert "GET /v1/sales" in unknown.value.detail
    with pytest.raises(UnauthorizedError):
        connect(token="nobody").sales()
    now = datetime.now(UTC)
    terms = {"title": "x", "opens": now, "closes": now, "regions": ["north"], "skew_bound_ns": 1}
    with pytest.raises(InvalidError) as invalid:
        shop.publish(stock=0, **terms)
    assert {field for field, _ in invalid.value.errors} >= {"stock"}
    with pytest.raises(ValueError, match="says no zone"):
        shop.publish(stock=1, **{**terms, "opens": datetime(2030, 1, 1)})  # noqa: DTZ001  (that is the point)

    early = publish(opens_in=300, regions=("north",))
    with pytest.raises(SaleNotOverError):
        shop.ledger(early.sale, early.folder)
    with pytest.raises(NotSoldHereError):
        connect("south").purchase(early.sale, "ada")
    sale = publish(opens_in=1.5, lasts=0.3, regions=("north",))
    with pytest.raises(UnknownPurchaseError):
        shop.status(PurchaseRef(sale.sale, "north.12345678901234567890"))
    with pytest.raises(InvalidError):
        shop.purchase(sale.sale, "not an id")
    until(lambda: shop.sale(sale.sale).state == "closed")
    with pytest.raises(TooLateError):
        shop.purchase(sale.sale, "ada")


def test_a_receipt_is_not_believed(connect: Connect, publish: Callable[..., Outing]) -> None:
    sale = publish(opens_in=1.5, stock=5)
    shop = connect()
    until(lambda: shop.sale(sale.sale).state == "open")
    ada, bob = shop.purchases(sale.sale, ["ada", "bob"])
    content = shop.receipt(ada).content
    stated = json.loads(content)
    with pytest.raises(ReceiptError, match="the receipt says id"):
        check_receipt(content, bob)
    with pytest.raises(ReceiptError, match="signed a log"):
        check_receipt(json.dumps({**stated, "entry": stated["entry"].replace('"ada"', '"eve"')}).encode(), ada)
    with pytest.raises(ReceiptError, match="hash of its terms"):
        check_receipt(json.dumps({**stated, "sale": "0" * 32}).encode())
    for content in (b"", b"[]", b"{}", b"\xff", b"[" * 100_000):
        with pytest.raises(ReceiptError):
            check_receipt(content)
