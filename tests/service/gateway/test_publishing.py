"""Publishing, showing, listing and cancelling a sale; terms that cannot be, each with the rule that it breaks."""

from typing import Any

import pytest

from tests.patience import until
from tests.service.caller import Gateway
from tests.service.sales import MILLISECOND, Sales, fresh, publish, terms

BAD_TERMS: dict[str, tuple[dict[str, Any], str, str]] = {
    "W < 2ε": ({"tie_window_ns": str(100 * MILLISECOND - 1)}, "tie_window_ns", "at least 2 × skew_bound_ns"),
    "grace = 2ε": ({"intake_grace_ns": str(100 * MILLISECOND)}, "intake_grace_ns", "more than 2 × skew_bound_ns"),
    "cut-off within the grace": ({"cut_off_after_ns": "1"}, "cut_off_after_ns", "more than intake_grace_ns"),
    "a bound below zero": ({"skew_bound_ns": "-1"}, "skew_bound_ns", "nanoseconds"),
    "a bound of a day and more": ({"skew_bound_ns": str(86_400_000_000_001)}, "skew_bound_ns", "a day"),
    "a bound in seconds": ({"skew_bound_ns": 0.05}, "skew_bound_ns", "decimal string"),
    "no stock": ({"stock": 0}, "stock", "whole number"),
    "half a unit": ({"stock": 1.5}, "stock", "whole number"),
    "true units": ({"stock": True}, "stock", "whole number"),
    "stock beyond all": ({"stock": 10_000_001}, "stock", "10000000"),
    "no region": ({"regions": []}, "regions", "1 to 64"),
    "a region twice": ({"regions": ["here", "here"]}, "regions", "once"),
    "a region that is no name": ({"regions": ["he re"]}, "regions", "no region name"),
    "an unknown region": ({"regions": ["here", "nowhere"]}, "regions", "nowhere is not one of: here, there"),
    "opening after closing": (
        {"closes": "2099-01-01T00:00:00Z", "opens": "2099-01-01T00:00:01Z"},
        "closes",
        "after opens",
    ),
    "entries after opening": ({"entries_from": "2199-01-01T00:00:00Z"}, "entries_from", "not after opens"),
    "the past": ({"opens": "2020-01-01T00:00:00Z"}, "opens", "future"),
    "a lobby in the past": ({"entries_from": "2020-01-01T00:00:00Z"}, "entries_from", "future"),
    "no offset": ({"opens": "2027-01-01T00:00:00"}, "opens", "+08:00[Asia/Shanghai]"),
    "no such day": ({"closes": "2099-02-30T00:00:00Z"}, "closes", ""),
    "a time as a number": ({"opens": 1}, "opens", "+08:00[Asia/Shanghai]"),
    "an offset that the zone has not": ({"closes": "2099-01-01T00:00:00+01:00[Asia/Shanghai]"}, "closes", "offset"),
    "an hour that the zone skips": ({"closes": "2099-03-29T02:30:00+01:00[Europe/Berlin]"}, "closes", "skipped"),
    "no such zone": ({"closes": "2099-01-01T00:00:00+01:00[Europe/Atlantis]"}, "closes", "Europe/Atlantis"),
    "an unknown term": ({"colour": "red"}, "colour", "not a term"),
    "a seed of one's own": ({"seed_commitment": "ab" * 32}, "seed_commitment", "arbiter"),
    "a beacon that nobody knows": ({"beacon": {"chain": "fastnet"}}, "beacon", "quicknet, default"),
    "a round that is known": ({"beacon": {"chain": "quicknet", "round": 1}}, "beacon", "or later"),
    "a sale before that never was": ({"previous": "ab" * 16}, "previous", "this arbiter has published"),
    "another kind": ({"kind": "raffle"}, "kind", "flash"),
    "an auction without a currency": ({"kind": "auction"}, "currency", "ISO 4217"),
    "another method": ({"method": "raffle"}, "method", "ordered"),
    "shares that do not add up": (
        {"method": "sharded", "quotas": {"here": 9}},
        "quotas",
        "add up to the stock: 10, not 9",
    ),
    "a share of nobody": ({"method": "sharded", "quotas": {"here": 9, "mars": 1}}, "quotas", "'mars' is none"),
    "a stock in no region": ({"method": "central", "central_region": "mars"}, "central_region", "one of the regions"),
    "no title": ({"title": ""}, "title", "1 to 500"),
    "a title of two lines": ({"title": "Shoes\nSocks"}, "title", "printable"),
}


@pytest.mark.parametrize("case", BAD_TERMS)
def test_terms_that_cannot_be_name_field_and_rule(here: Gateway, case: str) -> None:
    changes, field, rule = BAD_TERMS[case]
    answer = here.call("POST", "/v1/sales", terms(3600, **changes))
    assert (answer.status, answer.problem) == (422, "invalid")
    errors = {error["field"]: error["rule"] for error in answer.json["errors"]}
    assert rule in errors[field]
    assert field in answer.json["detail"]


def test_the_sale_before_is_one_of_the_same_merchant(here: Gateway) -> None:
    first = publish(here, terms(3600, merchant="Ann"))
    for merchant, status in (("Bob", 422), ("Ann", 201)):
        answer = here.call("POST", "/v1/sales", terms(3600, merchant=merchant, previous=first))
        assert answer.status == status


def test_every_broken_rule_is_named(here: Gateway) -> None:
    answer = here.call("POST", "/v1/sales", {})
    assert {error["field"] for error in answer.json["errors"]} >= {"title", "stock", "opens", "closes", "regions"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"terms"',
        b'{"a":' + b"[" * 8_000,
        b'{"stock":' + b"9" * 6_000 + b"}",
        b'{"\\ud800":1}',
        b"\xff",
    ],
    ids=["nothing", "half", "a list", "text", "deep", "long", "half a character", "not UTF-8"],
)
def test_a_body_that_is_no_terms(here: Gateway, body: bytes) -> None:
    answer = here.call("POST", "/v1/sales", body)
    assert (answer.status, answer.problem) == (422, "invalid")


def test_a_body_too_large_or_in_chunks(here: Gateway) -> None:
    assert here.call("POST", "/v1/sales", b" " * 17_000).problem == "too_large"
    assert here.call("POST", "/v1/sales", b"0\r\n\r\n", transfer_encoding="Chunked").problem == "length_required"


def test_a_published_sale_is_known_at_once(here: Gateway) -> None:
    stated = terms(3600, merchant="cobbler")
    answer = here.call("POST", "/v1/sales", stated)
    assert answer.status == 201
    sale = answer.json
    assert answer.headers["location"] == f"/v1/sales/{sale['id']}"
    assert sale["terms"].items() >= stated.items()
    assert sale["terms"]["tie_window_ns"] == str(100 * MILLISECOND)
    assert sale["terms"]["seed_commitment"] == sale["seed_commitment"]
    assert sale["state"] == "scheduled"
    assert here.call("GET", f"/v1/sales/{sale['id']}").json == sale
    assert here.call("GET", "/v1/sales").json["sales"][-1] == sale


def test_times_in_the_zone_of_the_reader(here: Gateway, sales: Sales) -> None:
    stated = terms(
        3600, opens="2099-06-01T20:00:00+08:00[Asia/Shanghai]", closes="2099-06-01T21:00:00+08:00[Asia/Shanghai]"
    )
    sale = publish(here, stated)
    shown = here.call("GET", f"/v1/sales/{sale}?tz=Europe/Berlin").json
    assert shown["opens"] == "2099-06-01T14:00:00+02:00[Europe/Berlin]"
    assert shown["terms"]["opens"] == stated["opens"]
    listed = here.call("GET", "/v1/sales?tz=UTC").json["sales"]
    assert next(found for found in listed if found["id"] == sale)["closes"] == "2099-06-01T13:00:00+00:00[UTC]"
    for zone in ("Mars/Olympus", "../../etc/passwd", "", "%00"):
        answer = here.call("GET", f"/v1/sales/{sale}?tz={zone}")
        assert (answer.status, answer.problem) == (422, "invalid")
        assert answer.json["errors"][0]["field"] == "tz"


def test_a_repeated_key_finds_the_first_sale(here: Gateway, auditor: Gateway) -> None:
    stated, key = terms(3600), fresh("key")
    first = here.call("POST", "/v1/sales", stated, idempotency_key=key)
    again = here.call("POST", "/v1/sales", stated, idempotency_key=key)
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json
    other = here.call("POST", "/v1/sales", {**stated, "stock": 11}, idempotency_key=key)
    assert (other.status, other.problem) == (422, "idempotency_key_reused")
    assert here.call("POST", "/v1/sales", stated).json["id"] != first.json["id"]
    long = here.call("POST", "/v1/sales", stated, idempotency_key="k" * 201)
    assert (long.status, long.problem) == (422, "invalid")


def test_terms_refused_under_a_key_are_refused_again(here: Gateway) -> None:
    """The arbiter's refusal is an answer like any other."""
    stated, key = terms(3600, regions=["nowhere"]), fresh("key")
    answers = [here.call("POST", "/v1/sales", stated, idempotency_key=key) for _ in range(2)]
    assert [answer.status for answer in answers] == [422, 422]
    assert answers[0].json == answers[1].json


def test_cancelling(here: Gateway, sales: Sales) -> None:
    sale = publish(here, terms(3600))
    for reason in ({}, {"reason": ""}, {"reason": "x" * 501}, {"reason": 1}, b"", {"reason": "x", "by": "me"}):
        answer = here.call("POST", f"/v1/sales/{sale}/cancel", reason)
        assert (answer.status, answer.problem) == (422, "invalid")
    answer = here.call("POST", f"/v1/sales/{sale}/cancel", {"reason": "the wrong shoes"})
    assert (answer.status, answer.json) == (200, {"id": sale, "state": "cancelled", "reason": "the wrong shoes"})
    until(lambda: here.state(sale) == "cancelled")
    assert here.call("GET", f"/v1/sales/{sale}").json["reason"] == "the wrong shoes"
    again = here.call("POST", f"/v1/sales/{sale}/cancel", {"reason": "twice"})
    assert (again.status, again.problem) == (409, "already_decided")
    sold_out = here.call("POST", f"/v1/sales/{sales.sold_out}/cancel", {"reason": "too late"})
    assert (sold_out.status, sold_out.problem) == (409, "already_decided")
    assert here.call("POST", "/v1/sales/nosuch/cancel", {"reason": "x"}).problem == "unknown_sale"
    assert here.call("POST", f"/v1/sales/{sales.elsewhere}/cancel", {"reason": "x"}).problem == "not_sold_here"


def test_fencing_a_region_out(here: Gateway) -> None:
    """Of sales at the door only, once, for good; what is asked for again is answered again."""
    fence = {"region": "here", "reason": "the cellar is flooded"}
    ordered, sale = publish(here, terms(3600)), publish(here, terms(3600, method="central"))
    for wrong in (
        {},
        {"region": "here"},
        fence | {"reason": ""},
        fence | {"by": "me"},
        fence | {"region": "mars"},
        b"[",
    ):
        answer = here.call("POST", f"/v1/sales/{sale}/fence", wrong)
        assert (answer.status, answer.problem) == (422, "invalid")
    answer = here.call("POST", f"/v1/sales/{ordered}/fence", fence)
    assert (answer.status, answer.problem) == (422, "invalid")
    assert here.call("POST", "/v1/sales/nosuch/fence", fence).problem == "unknown_sale"
    for _ in range(2):
        answer = here.call("POST", f"/v1/sales/{sale}/fence", fence)
        assert (answer.status, answer.json) == (200, fence | {"id": sale, "state": "fenced"})


def test_the_state_of_each_sale(here: Gateway, sales: Sales) -> None:
    shown = {sale["id"]: sale for sale in here.call("GET", "/v1/sales").json["sales"]}
    assert shown[sales.early]["state"] == "scheduled"
    assert shown[sales.open]["state"] == "open"
    assert sales.elsewhere not in shown
    assert here.state(sales.elsewhere) == "scheduled"
    told = {
        name: (shown[sale]["state"], shown[sale]["reason"], shown[sale]["winners"])
        for name, sale in vars(sales).items()
        if "reason" in shown.get(sale, {})
    }
    assert told["sold_out"] == ("closed", "sold_out", 1)
    assert told["closed"] == ("closed", "time", 1)
    assert told["cancelled"][:2] == ("cancelled", "wrong price")
    assert here.call("GET", "/v1/sales/nosuch").problem == "unknown_sale"
