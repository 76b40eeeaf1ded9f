"""A buyer has one entry: how it is made, found again, waited for, and asked about."""

import time

import pytest

from tests.patience import until
from tests.service.caller import KINDS, Answered, Gateway, Kind
from tests.service.sales import Sales, fresh, publish, terms

PENDING = {"id", "sale", "buyer", "state", "region", "seq", "stamp_ns", "bound_ns"}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def buy(here: Gateway, kind: Kind, sale: str, buyer: str, **headers: str) -> Answered:
    with kind(here) as caller:
        return caller.say(here.request("POST", f"/v1/sales/{sale}/purchases", {"buyer": buyer}, **headers)).answer()


def test_an_entry_is_acknowledged_with_number_and_stamp(here: Gateway, sales: Sales, kind: Kind) -> None:
    buyer, before_ns = fresh(), time.time_ns()
    answer = buy(here, kind, sales.open, buyer)
    after_ns = time.time_ns()
    assert answer.status == 202
    entry = answer.json
    assert set(entry) == PENDING
    assert (entry["sale"], entry["buyer"], entry["state"], entry["region"]) == (sales.open, buyer, "pending", "here")
    assert entry["id"].startswith("here.")
    assert entry["seq"] >= 1
    assert answer.headers["location"] == f"/v1/sales/{sales.open}/purchases/{entry['id']}"
    assert answer.headers["retry-after"] == "1"
    stamp_ns, bound_ns = int(entry["stamp_ns"]), int(entry["bound_ns"])
    assert before_ns - bound_ns <= stamp_ns <= after_ns + bound_ns


def test_numbers_count_without_gaps(here: Gateway) -> None:
    sale = publish(here, terms(0.5, stock=100))
    until(lambda: here.buy(sale, "first").status == 202)
    assert [here.buy(sale, f"buyer-{number}").json["seq"] for number in range(2, 12)] == list(range(2, 12))


def test_the_same_buyer_finds_the_same_entry(here: Gateway, sales: Sales, kind: Kind) -> None:
    buyer = fresh()
    first = buy(here, kind, sales.open, buyer)
    again = buy(here, kind, sales.open, buyer)
    assert (first.status, again.status) == (202, 202)
    assert first.json == again.json
    decided = until(lambda: (answer := buy(here, kind, sales.open, buyer)).status == 200 and answer)
    assert decided.headers["content-location"] == first.headers["location"]
    assert decided.json.items() >= {**first.json, "state": "won"}.items()
    assert set(decided.json) == PENDING | {"rank", "unit"}


@pytest.mark.parametrize(("sale", "buyer"), [("sold_out", "first"), ("closed", "punctual"), ("cancelled", "unlucky")])
def test_an_entry_is_found_when_nobody_may_enter_any_more(
    here: Gateway, sales: Sales, kind: Kind, sale: str, buyer: str
) -> None:
    answer = buy(here, kind, getattr(sales, sale), buyer)
    assert answer.status == 200
    assert answer.json["state"] == ("won" if sale != "cancelled" else answer.json["state"])
    assert buy(here, kind, getattr(sales, sale), fresh()).status in {409, 410}


def test_losers_learn_why(here: Gateway) -> None:
    sale = publish(here, terms(0.5, stock=1))
    until(lambda: here.buy(sale, "a").status == 202)
    buyers = ["a", *(fresh() for _ in range(4))]
    until(lambda: {here.buy(sale, buyer).status for buyer in buyers} <= {200, 409})
    entered = [answer.json for buyer in buyers if (answer := here.buy(sale, buyer)).status == 200]
    assert [entry["rank"] for entry in entered if entry["state"] == "won"] == [0]
    assert {entry["reason"] for entry in entered if entry["state"] == "lost"} <= {"sold_out"}


def test_waiting_for_the_outcome(here: Gateway, sales: Sales, kind: Kind) -> None:
    answer = buy(here, kind, sales.open, fresh(), prefer="respond-async, wait=10")
    assert (answer.status, answer.json["state"]) == (200, "won")
    assert answer.headers["preference-applied"] == "wait=10"


def test_waiting_in_vain(here: Gateway, kind: Kind) -> None:
    """A window longer than the wait: nothing can be decided before."""
    sale = publish(here, terms(0.5, tie_window_ns="60000000000"))
    until(lambda: here.buy(sale, "first").status == 202)
    buyer, began = fresh(), time.monotonic()
    answer = buy(here, kind, sale, buyer, prefer="wait=1")
    assert time.monotonic() - began >= 1
    assert (answer.status, answer.json["state"]) == (202, "pending")
    assert answer.headers["preference-applied"] == "wait=1"
    assert answer.json == here.buy(sale, buyer).json
    status = here.call("GET", answer.headers["location"], prefer="wait=1")
    assert (status.status, status.json) == (200, answer.json)
    assert status.headers["preference-applied"] == "wait=1"
    assert here.call("POST", f"/v1/sales/{sale}/cancel", {"reason": "enough"}).status == 200


@pytest.mark.parametrize(
    "prefer", ["wait", "wait=", "wait=-1", "wait=soon", "wait=1.5", "return=minimal", ";=,,", "wait=0"]
)
def test_preferences_that_ask_for_no_wait(here: Gateway, sales: Sales, kind: Kind, prefer: str) -> None:
    answer = buy(here, kind, sales.open, fresh(), prefer=prefer)
    assert answer.status == 202
    assert answer.headers.get("preference-applied") == ("wait=0" if prefer == "wait=0" else None)


def test_who_hangs_up_while_waiting_has_an_entry_all_the_same(here: Gateway, sales: Sales, kind: Kind) -> None:
    buyer = fresh()
    with kind(here) as caller:
        caller.say(here.request("POST", f"/v1/sales/{sales.open}/purchases", {"buyer": buyer}, prefer="wait=30"))
        first = here.buy(sales.open, buyer)
    assert (
        until(lambda: (answer := here.buy(sales.open, buyer)).status == 200 and answer).json["id"] == first.json["id"]
    )


def test_a_purchase_by_its_id(here: Gateway, sales: Sales) -> None:
    entry = here.buy(sales.open, fresh()).json
    path = f"/v1/sales/{sales.open}/purchases/{entry['id']}"
    answer = here.call("GET", path)
    assert answer.status == 200
    assert answer.json.items() >= {**entry, "state": answer.json["state"]}.items()
    told = here.call("GET", path, prefer="wait=10")
    assert (told.status, told.json["state"]) == (200, "won")
    assert told.headers["preference-applied"] == "wait=10"
    assert here.call("GET", path).json == told.json


def test_a_purchase_that_is_not_here_may_be_elsewhere(here: Gateway, sales: Sales) -> None:
    elsewhere = here.call("GET", f"/v1/sales/{sales.open}/purchases/there.ABCDEF")
    assert (elsewhere.status, elsewhere.problem) == (404, "unknown_purchase")
    assert "made in region there" in elsewhere.json["detail"]
    nowhere = here.call("GET", f"/v1/sales/{sales.open}/purchases/here.ABCDEF")
    assert (nowhere.status, nowhere.problem) == (404, "unknown_purchase")
    assert "made in region" not in nowhere.json["detail"]
    assert here.call("GET", "/v1/sales/nosuch/purchases/here.ABCDEF").problem == "unknown_sale"
    other_sale = here.buy(sales.open, fresh()).json["id"]
    assert here.call("GET", f"/v1/sales/{sales.early}/purchases/{other_sale}").problem == "unknown_purchase"
    for odd in ("%00", "%ff", "a" * 5_000):
        assert here.call("GET", f"/v1/sales/{sales.open}/purchases/{odd}").problem == "unknown_purchase"
