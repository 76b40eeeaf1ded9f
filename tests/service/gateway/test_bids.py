"""Bids: how they are taken, found again and refused; that nobody else sees one before the auction is decided."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import pytest

from model.stated import LARGEST_PRICE, instant_ns
from service.world.world import World
from tests.patience import until
from tests.service.caller import KINDS, Answered, Gateway, Kind
from tests.service.gateway.test_purchase import PENDING
from tests.service.sales import Sales, fresh, publish, terms

EUR: dict[str, Any] = {"kind": "auction", "currency": "EUR", "reserve_price": 100}
BID = PENDING | {"price", "currency"}
TELLTALE = 40_414_243
"""A price that is nowhere else in what a system says."""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def auction(here: Gateway) -> str:
    """Open for an hour."""
    sale = publish(here, terms(0.5, stock=3, **EUR))
    until(lambda: bid(here, sale, "first", 100).status == 202)
    return sale


def bid(here: Gateway, sale: str, buyer: str, price: Any, kind: Kind = Gateway.connect, **more: Any) -> Answered:
    """One bid; what else is said in the body by name, headers as `headers`."""
    headers = more.pop("headers", {})
    body = {"buyer": buyer, "price": price, **more}
    with kind(here) as caller:
        return caller.say(here.request("POST", f"/v1/sales/{sale}/purchases", body, **headers)).answer()


def batch(here: Gateway, sale: str, entries: list[Any], kind: Kind = Gateway.connect) -> list[Any]:
    with kind(here) as caller:
        answer = caller.say(
            here.request("POST", f"/v1/sales/{sale}/purchases:batch", {"purchases": entries})
        ).answer()  # fmt: skip
    assert answer.status == 200, answer
    return list(answer.json["purchases"])


def test_a_bid_is_acknowledged_with_its_price(here: Gateway, auction: str, kind: Kind) -> None:
    buyer = fresh()
    answer = bid(here, auction, buyer, 1_250, kind, currency="EUR")
    assert answer.status == 202
    assert set(answer.json) == BID
    assert (answer.json["buyer"], answer.json["price"], answer.json["currency"]) == (buyer, 1_250, "EUR")
    shown = here.call("GET", answer.headers["location"])
    assert (shown.status, shown.json) == (200, answer.json)


def test_the_same_bid_is_found_again_and_another_price_is_another_bid(here: Gateway, auction: str, kind: Kind) -> None:
    buyer = fresh()
    first, again, higher = (bid(here, auction, buyer, price, kind) for price in (500, 500, 600))
    assert first.json == again.json
    assert (higher.status, higher.json["price"]) == (202, 600)
    assert higher.json["id"] != first.json["id"]
    assert bid(here, auction, buyer, 500).json == first.json
    assert bid(here, auction, buyer, 100).status == 202, "a lower one may be made too; it counts for nothing"


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no price": ({}, "invalid", "price"),
    "nothing": ({"price": 0}, "invalid", "price"),
    "a negative price": ({"price": -500}, "invalid", "price"),
    "a fraction": ({"price": 12.5}, "invalid", "price"),
    "a float": ({"price": 500.0}, "invalid", "price"),
    "text": ({"price": "500"}, "invalid", "price"),
    "null": ({"price": None}, "invalid", "price"),
    "true": ({"price": True}, "invalid", "price"),
    "a price beyond all": ({"price": LARGEST_PRICE + 1}, "invalid", "price"),
    "beyond any integer": ({"price": 10**400}, "invalid", "price"),
    "below the reserve": ({"price": 99}, "below_reserve", ""),
    "another currency": ({"price": 500, "currency": "USD"}, "wrong_currency", ""),
    "small letters": ({"price": 500, "currency": "eur"}, "wrong_currency", ""),
    "a currency that is none": ({"price": 500, "currency": 978}, "invalid", "currency"),
    "an unknown field": ({"price": 500, "pays": 1}, "invalid", "pays"),
    "a bad name": ({"price": 500, "buyer": "a 500"}, "invalid", "buyer"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bid_that_cannot_be_is_refused_and_nothing_is_logged(here: Gateway, auction: str, case: str) -> None:
    stated, slug, field = BAD[case]
    before = bid(here, auction, fresh(), 100).json["seq"]
    answers = []
    for connect in KINDS.values():
        with connect(here) as caller:
            body = {"buyer": "somebody", **stated}
            answers.append(caller.say(here.request("POST", f"/v1/sales/{auction}/purchases", body)).answer())
    alone, handed_over = answers
    (in_batch,) = batch(here, auction, [body])
    assert alone.json == handed_over.json == in_batch["problem"]
    assert (alone.status, alone.problem) == (422, slug)
    if field:
        assert [error["field"] for error in alone.json["errors"]] == [field]
    else:
        assert alone.json["currency"] == "EUR"
    assert bid(here, auction, fresh(), 100).json["seq"] == before + 1


def test_the_least_and_the_largest_bid(here: Gateway, auction: str) -> None:
    assert bid(here, auction, fresh(), 100).status == 202
    sale = publish(here, terms(0.5, kind="auction", currency="IDR"))
    answer = until(lambda: (told := bid(here, sale, "rich", LARGEST_PRICE)).status == 202 and told)
    assert (answer.json["price"], answer.json["currency"]) == (LARGEST_PRICE, "IDR")
    assert bid(here, sale, fresh(), 1).status == 202
    assert here.call("POST", f"/v1/sales/{sale}/cancel", {"reason": "enough"}).status == 200


def test_a_price_is_for_auctions(here: Gateway, sales: Sales, kind: Kind) -> None:
    answer = bid(here, sales.open, fresh(), 500, kind)
    assert (answer.status, answer.problem) == (422, "invalid")
    assert [error["field"] for error in answer.json["errors"]] == ["price"]
    bad, good = batch(here, sales.open, [{"buyer": fresh(), "price": 500}, {"buyer": fresh()}], kind)
    assert (bad["status"], good["status"]) == (422, 202)


def test_a_batch_of_bids(here: Gateway, auction: str, kind: Kind) -> None:
    one, other = fresh(), fresh()
    entries = [
        {"buyer": one, "price": 500},
        {"buyer": one, "price": 700, "currency": "EUR"},
        {"buyer": one, "price": 500},
        {"buyer": other},
        {"buyer": other, "price": 99},
        {"buyer": other, "price": 500, "currency": "JPY"},
        7,
        {"buyer": other, "price": 500},
    ]
    told = batch(here, auction, entries, kind)
    assert [item["status"] for item in told] == [202, 202, 202, 422, 422, 422, 422, 202]
    assert told[0]["purchase"] == told[2]["purchase"]
    assert [told[place]["purchase"]["price"] for place in (0, 1, 7)] == [500, 700, 500]
    assert len({told[place]["purchase"]["stamp_ns"] for place in (0, 1, 7)}) == 1
    assert bid(here, auction, one, 700).json == told[1]["purchase"]


@dataclass
class Ended:
    """An auction that was decided, and what was said of its bids before."""

    sale: str
    bids: dict[tuple[str, int], Any]
    before: list[str]
    """What was told meanwhile to those who are not to see a bid."""
    events: list[dict[str, Any]]
    first_event_ns: int


BIDS = [("ann", 500), ("bob", 800), ("ann", TELLTALE), ("joe", 600), ("eve", 600), ("bob", 650), ("zoe", 100)]


@pytest.fixture(scope="module")
def ended(small_world: World, here: Gateway, auditor: Gateway) -> Ended:
    """Two units at a uniform price: ann and bob win, and pay what joe and eve have bid."""
    sale = publish(here, terms(0.5, lasts=2.5, stock=2, pricing="uniform", **EUR))
    until(lambda: bid(here, sale, "first", 100).status == 202)
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    told = {(buyer, price): bid(here, sale, buyer, price, headers=trace).json for buyer, price in BIDS}
    before = [
        answer.body.decode()
        for purchase in told.values()
        for path in ("", "/receipt")
        if (answer := auditor.call("GET", f"/v1/sales/{sale}/purchases/{purchase['id']}{path}")).status == 403
    ]
    assert len(before) == 2 * len(BIDS), "an auditor is to see no bid, nor that there is one"
    assert auditor.call("GET", f"/v1/sales/{sale}/ledger").status == 409
    before += [auditor.call("GET", path).body.decode() for path in (f"/v1/sales/{sale}", "/v1/sales", "/metrics")]
    before += [path.read_text(errors="replace") for path in small_world.folder.glob("*.log")]
    until(lambda: auditor.call("GET", f"/v1/sales/{sale}").json["state"] != "scheduled")
    shown = auditor.call("GET", f"/v1/sales/{sale}").json
    assert (shown["state"], shown["winners"]) == ("open", 0)
    assert "clearing_price" not in shown
    events, first_ns = [], 0
    for _, event in auditor.events(sale):
        first_ns = first_ns or time.time_ns()
        events.append(event)
    until(lambda: here.state(sale) == "closed")
    return Ended(sale, told, before, events, first_ns)


def test_nobody_else_sees_a_bid_before_the_end(here: Gateway, ended: Ended) -> None:
    """Not in answers to an auditor, not in metrics, not in what processes log, though callers are traced."""
    assert not [said for said in ended.before if str(TELLTALE) in said]
    ids = [purchase["id"] for purchase in ended.bids.values()]
    answers = ended.before[: 2 * len(BIDS) + 3]
    assert not [said for said in answers if any(name in said for name in ids)]
    closes = here.call("GET", f"/v1/sales/{ended.sale}").json["closes"]
    assert ended.first_event_ns > instant_ns(closes)
    assert [event["type"] for event in ended.events] == ["won", "won", "closed"]


def test_what_became_of_every_bid(here: Gateway, auditor: Gateway, ended: Ended) -> None:
    winner = ended.bids["bob", 800]["id"]
    expected: dict[tuple[str, int], dict[str, Any]] = {
        ("ann", TELLTALE): {"state": "won", "rank": 0, "unit": 0, "pays": 600},
        ("bob", 800): {"state": "won", "rank": 1, "unit": 1, "pays": 600},
        ("bob", 650): {"state": "lost", "reason": "duplicate", "of": winner},
        ("ann", 500): {"state": "lost", "reason": "duplicate", "of": ended.bids["ann", TELLTALE]["id"]},
        ("joe", 600): {"state": "lost", "reason": "outbid"},
        ("eve", 600): {"state": "lost", "reason": "outbid"},
        ("zoe", 100): {"state": "lost", "reason": "outbid"},
    }
    for (buyer, price), became in expected.items():
        purchase = ended.bids[buyer, price]
        shown = auditor.call("GET", f"/v1/sales/{ended.sale}/purchases/{purchase['id']}")
        assert shown.status == 200
        assert shown.json == {**purchase, **became}
        again = bid(here, ended.sale, buyer, price)
        assert (again.status, again.json) == (200, shown.json)
    found = batch(here, ended.sale, [{"buyer": "ann", "price": 500}, {"buyer": "ann", "price": 501}])
    assert [item["status"] for item in found] == [200, 410]


def test_an_auction_that_is_over_says_what_units_went_for(here: Gateway, ended: Ended) -> None:
    shown = here.call("GET", f"/v1/sales/{ended.sale}").json
    assert (shown["winners"], shown["clearing_price"], shown["currency"]) == (2, 600, "EUR")
    assert [event["price"] for event in ended.events if event["type"] == "won"] == [600, 600]
    for connect in KINDS.values():
        late = bid(here, ended.sale, fresh(), 10_000, connect)
        assert (late.status, late.problem) == (410, "too_late")


def test_first_price_and_a_caller_who_waits(here: Gateway) -> None:
    sale = publish(here, terms(0.5, lasts=1, stock=2, **EUR))
    until(lambda: bid(here, sale, "ann", 300).status == 202)
    assert bid(here, sale, "bob", 200).status == 202
    waited = bid(here, sale, "joe", 900, headers={"prefer": "wait=20"})
    assert (waited.status, waited.json["state"], waited.json["pays"]) == (200, "won", 900)
    assert here.call("GET", f"/v1/sales/{sale}").json["clearing_price"] == 300, "the least that one pays"
    assert bid(here, sale, "ann", 300).json["pays"] == 300
    assert bid(here, sale, "bob", 200).json["reason"] == "outbid"


def test_an_auction_that_nobody_bid_in(here: Gateway) -> None:
    sale = publish(here, terms(0.5, lasts=0.2, **EUR))
    until(lambda: here.state(sale) == "closed")
    shown = until(lambda: (told := here.call("GET", f"/v1/sales/{sale}").json).get("reason") and told)
    assert (shown["winners"], shown["reason"]) == (0, "time")
    assert "clearing_price" not in shown


CURRENCIES = {"EUR": True, "JPY": True, "KWD": True, "DEM": False, "BGN": False, "XAU": False, "XTS": False,
              "XXX": False, "ABC": False, "eur": False}  # fmt: skip


@pytest.mark.parametrize("code", CURRENCIES)
def test_a_currency_is_one_of_today_that_has_minor_units(here: Gateway, code: str) -> None:
    answer = here.call("POST", "/v1/sales", terms(3600, kind="auction", currency=code))
    if CURRENCIES[code]:
        assert answer.status == 201
        return
    assert (answer.status, answer.problem) == (422, "invalid")
    assert [error["field"] for error in answer.json["errors"]] == ["currency"]


def test_answers_have_the_fields_that_are_described(here: Gateway, ended: Ended) -> None:
    described = here.call("GET", "/openapi.json").json["components"]["schemas"]
    purchase, sale = set(described["Purchase"]["properties"]), set(described["Sale"]["properties"])
    assert {"price", "currency", "pays"} <= purchase
    assert set(bid(here, ended.sale, "ann", TELLTALE).json) <= purchase
    assert set(here.call("GET", f"/v1/sales/{ended.sale}").json) <= sale


def test_an_auction_by_hand(here: Gateway) -> None:
    """`firstcome sale publish --kind auction`, `firstcome sale buy --price`."""

    def firstcome(*words: str) -> str:
        gateway = f"http://127.0.0.1:{here.port}"
        command = [sys.executable, "-m", "service.command", "sale", *words, "--gateway", gateway, "--token", here.token]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout

    sale = json.loads(firstcome(
        "publish", "--opens-in", "5", "--region", "here", "--stock", "1", "--kind", "auction", "--currency", "CHF",
        "--reserve-price", "500", "--pricing", "uniform", "--json",
    ))["id"]  # fmt: skip
    stated = here.call("GET", f"/v1/sales/{sale}").json["terms"]
    assert (stated["currency"], stated["reserve_price"], stated["pricing"]) == ("CHF", 500, "uniform")
    until(lambda: here.state(sale) == "open")
    assert json.loads(firstcome("buy", sale, "ada", "--price", "700", "--wait", "0"))["price"] == 700
    assert here.call("POST", f"/v1/sales/{sale}/cancel", {"reason": "tried"}).status == 200
