"""Units sold at the door: the answer is the outcome. With real stores and the real arbiter."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from service.store import keys
from service.world.world import World
from tests.patience import until
from tests.service.caller import KINDS, Answered, Gateway, Kind
from tests.service.sales import fresh, publish, terms


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def store(small_world: World) -> Iterator[redis.Redis]:
    """The store of `here`, for tampering."""
    with redis.Redis.from_url(small_world.stores["here"], protocol=2) as client:
        yield client


def sharded(opens_in: float = 0.5, **fields: Any) -> dict[str, Any]:
    """Terms of a sale by shares."""
    both = {"method": "sharded", "regions": ["here", "there"], "stock": 10, "quotas": {"here": 6, "there": 4}}
    return terms(opens_in, **{**both, **fields})


def sold(answer: Answered) -> bool:
    return answer.status == 200 and answer.json["state"] == "won"


def open_sale(gateway: Gateway, stated: dict[str, Any]) -> tuple[str, Answered]:
    """Publish a sale and buy the first unit of it, once it is open and set up."""
    sale, buyer = publish(gateway, stated), fresh()
    return sale, until(lambda: (answer := gateway.buy(sale, buyer)) and sold(answer) and answer)


def test_a_unit_is_answered_at_once_and_found_again(here: Gateway, kind: Kind) -> None:
    sale, first = open_sale(here, sharded())
    assert first.json["unit"] == 0
    assert "rank" not in first.json
    buyer = fresh()
    with kind(here) as caller:
        for prefer in ({}, {"prefer": "wait=5"}):
            words = here.request("POST", f"/v1/sales/{sale}/purchases", {"buyer": buyer}, **prefer)
            answer = caller.say(words).answer()
            assert (answer.status, answer.json["state"], answer.json["unit"]) == (200, "won", 1)
            assert ("preference-applied" in answer.headers) == bool(prefer)
    path = f"/v1/sales/{sale}/purchases/{answer.json['id']}"
    assert answer.headers["content-location"] == path
    assert here.call("GET", path).json == answer.json
    until(lambda: here.state(sale) == "open")
    assert "winners" not in here.call("GET", f"/v1/sales/{sale}").json, "no decision names them"


def test_a_batch_has_its_units_and_its_refusals(here: Gateway) -> None:
    sale, _ = open_sale(here, sharded(quotas={"here": 3, "there": 7}, rebalance=False))
    buyers = [fresh() for _ in range(3)]
    entries = [{"buyer": buyer} for buyer in (*buyers, buyers[0])]
    answer = here.call("POST", f"/v1/sales/{sale}/purchases:batch", {"purchases": entries})
    told = answer.json["purchases"]
    assert [each["status"] for each in told] == [200, 200, 409, 200]
    assert [each["purchase"]["unit"] for each in (told[0], told[1], told[3])] == [1, 2, 1]
    assert told[2]["problem"]["type"].endswith(":share_sold_out")


def test_nothing_free_is_told_by_whether_more_can_come(here: Gateway, small_world: World) -> None:
    there = Gateway(small_world.ports["there"], small_world.token)
    sale, _ = open_sale(here, sharded(stock=2, quotas={"here": 1, "there": 1}, rebalance=False))
    assert here.buy(sale, fresh()).problem == "share_sold_out"
    until(lambda: sold(there.buy(sale, "last")))
    for gateway in (here, there):

        def is_told(gateway: Gateway = gateway) -> Answered | None:
            answer = gateway.buy(sale, fresh())
            return answer if "decision" in answer.json else None

        answer = until(is_told)
        assert answer.problem == "sold_out"
        assert gateway.event(sale, answer.json["decision"])["type"] == "sold_out"
    assert sold(there.buy(sale, "last")), "a buyer's own entry is looked up first"
    until(lambda: here.state(sale) == "closed")
    assert here.call("GET", f"/v1/sales/{sale}").json["winners"] == 2


def test_where_units_follow_demand_a_buyer_comes_again(here: Gateway) -> None:
    sale = publish(here, sharded(stock=2, quotas={"here": 0, "there": 2}))
    problems = set()

    def buys() -> Answered | None:
        answer = here.buy(sale, "patient")
        if answer.status == 503:
            problems.add(answer.problem)
            assert answer.headers["retry-after"] == "1"
        return answer if sold(answer) else None

    assert until(buys).json["unit"] in {0, 1}
    assert problems <= {"restocking", "not_ready"}
    assert "restocking" in problems


def test_a_share_that_is_not_set_up_sells_nothing(here: Gateway, store: redis.Redis) -> None:
    sale, _ = open_sale(here, sharded())
    store.hdel(keys.stock(sale), "ready")
    answer = here.buy(sale, fresh())
    assert sold(answer) or answer.problem == "not_ready"  # the arbiter may have said again that it is ready


def test_a_lost_stock_is_never_set_up_anew(here: Gateway, store: redis.Redis) -> None:
    sale, first = open_sale(here, sharded())
    store.delete(keys.stock(sale))
    refused = here.buy(sale, fresh())
    assert refused.problem in {"stock_lost", "sale_halted"}
    assert here.buy(sale, first.json["buyer"]).json["unit"] == 0
    assert not store.exists(keys.stock(sale))


def test_a_central_sale_is_sold_in_one_region_and_reached_from_all(here: Gateway, kind: Kind) -> None:
    stated = terms(0.5, method="central", central_region="there", regions=["here", "there"], stock=3)
    sale, first = open_sale(here, stated)
    assert (first.json["region"], first.json["unit"]) == ("there", 0)
    with kind(here) as caller:
        answer = caller.say(
            here.request("POST", f"/v1/sales/{sale}/purchases", {"buyer": "far"}, prefer="wait=1")
        ).answer()
    assert (answer.status, answer.json["region"], answer.json["unit"]) == (200, "there", 1)
    assert answer.headers["preference-applied"] == "wait=1"
    assert here.call("GET", answer.headers["content-location"]).json == answer.json
    batch = {"purchases": [{"buyer": "far"}, {"buyer": "farther"}, {"buyer": "farthest"}]}
    told = here.call("POST", f"/v1/sales/{sale}/purchases:batch", batch).json["purchases"]
    assert [each["status"] for each in told] == [200, 200, 409]
    assert told[2]["problem"]["type"].endswith(":sold_out")


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        ({"quotas": {"here": 6, "there": 5}}, "quotas", "add up to the stock"),
        ({"quotas": {"here": 10}}, "quotas", "missing"),
        ({"quotas": {"here": 5, "there": 5, "mars": 0}}, "quotas", "mars"),
        ({"quotas": None}, "quotas", "how many units"),
        ({"rebalance": "yes"}, "rebalance", "true or false"),
        ({"method": "central", "central_region": "mars"}, "central_region", "one of the regions"),
        ({"method": "auction"}, "method", ""),
    ],
)
def test_terms_that_cannot_be(here: Gateway, fields: dict[str, Any], field: str, rule: str) -> None:
    answer = here.call("POST", "/v1/sales", sharded(60, **fields))
    assert (answer.status, answer.problem) == (422, "invalid")
    assert any(error["field"] == field and rule in error["rule"] for error in answer.json["errors"]), answer.json
