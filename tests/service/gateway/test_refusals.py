"""Why a purchase is not taken: each reason has its status, its type, and says what to do."""

import pytest

from tests.patience import until
from tests.service.caller import KINDS, Answered, Gateway, Kind
from tests.service.sales import Sales, fresh, publish, terms


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def buy(here: Gateway, kind: Kind, sale: str, body: object, **headers: str) -> Answered:
    with kind(here) as caller:
        return caller.say(here.request("POST", f"/v1/sales/{sale}/purchases", body, **headers)).answer()


def test_an_unknown_sale(here: Gateway, kind: Kind) -> None:
    answer = buy(here, kind, "0" * 32, {"buyer": "ada"})
    assert (answer.status, answer.problem) == (404, "unknown_sale")
    assert "0" * 32 in answer.json["detail"]


def test_a_sale_of_other_regions_names_them(here: Gateway, sales: Sales, kind: Kind) -> None:
    answer = buy(here, kind, sales.elsewhere, {"buyer": "ada"})
    assert (answer.status, answer.problem) == (404, "not_sold_here")
    assert "there" in answer.json["detail"]


def test_certainly_too_early_says_when(here: Gateway, sales: Sales, kind: Kind) -> None:
    answer = buy(here, kind, sales.early, {"buyer": "ada"})
    assert (answer.status, answer.problem) == (409, "too_early")
    assert answer.json["entries_from"] == here.call("GET", f"/v1/sales/{sales.early}").json["opens"]
    assert 3000 < int(answer.headers["retry-after"]) <= 3600


def test_certainly_too_late(here: Gateway, sales: Sales, kind: Kind) -> None:
    answer = buy(here, kind, sales.closed, {"buyer": "late"})
    assert (answer.status, answer.problem) == (410, "too_late")
    assert answer.json["closes"] == here.call("GET", f"/v1/sales/{sales.closed}").json["closes"]


def test_too_late_by_the_clock_alone(here: Gateway) -> None:
    """No decision is needed: a sale that nobody has closed yet refuses who comes after closing + ε."""
    sale = publish(here, terms(0.5, lasts=0.1, cut_off_after_ns="80000000000"))
    answers = [here.buy(sale, "ada")]
    until(lambda: answers.append(here.buy(sale, fresh())) or answers[-1].status == 410)
    assert {answer.status for answer in answers} <= {409, 202, 410}
    assert answers[0].problem == "too_early"


def test_sold_out_names_the_decision(here: Gateway, sales: Sales, kind: Kind) -> None:
    answer = buy(here, kind, sales.sold_out, {"buyer": "second"})
    assert (answer.status, answer.problem) == (409, "sold_out")
    decision = answer.json["decision"]
    assert here.event(sales.sold_out, decision)["type"] == "sold_out"


def test_cancelled_says_why(here: Gateway, sales: Sales, kind: Kind) -> None:
    answer = buy(here, kind, sales.cancelled, {"buyer": "second"})
    assert (answer.status, answer.problem) == (409, "sale_cancelled")
    assert answer.json["reason"] == "wrong price"


def test_a_clock_that_is_not_good_enough(here: Gateway, sales: Sales, kind: Kind) -> None:
    answer = buy(here, kind, sales.sharp, {"buyer": "ada"})
    assert (answer.status, answer.problem) == (503, "clock_unsafe")
    assert answer.headers["retry-after"] == "1"
    assert "1000 ns" in answer.json["detail"]


BODIES: dict[str, tuple[object, str]] = {
    "nothing": (b"", ""),
    "half an object": (b'{"buyer":"ada"', ""),
    "not JSON": (b"buyer=ada", ""),
    "not UTF-8": (b'{"buyer":"\xff"}', ""),
    "a list": ([], ""),
    "no buyer": ({}, "buyer"),
    "a buyer that is a number": ({"buyer": 1}, "buyer"),
    "no name at all": ({"buyer": ""}, "buyer"),
    "a name too long": ({"buyer": "a" * 129}, "buyer"),
    "a blank in the name": ({"buyer": "ada lovelace"}, "buyer"),
    "a line end in the name": ({"buyer": "ada\n"}, "buyer"),
    "letters beyond ASCII": ({"buyer": "zoë"}, "buyer"),
    "digits beyond ASCII": ({"buyer": "١"}, "buyer"),
    "an unknown field": ({"buyer": "ada", "price": "1"}, "price"),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_malformed_body_names_the_field(here: Gateway, sales: Sales, kind: Kind, case: str) -> None:
    body, field = BODIES[case]
    answer = buy(here, kind, sales.open, body)
    assert (answer.status, answer.problem) == (422, "invalid")
    (error,) = answer.json["errors"]
    assert error["field"] == field
    assert error["rule"]
    assert field in answer.json["detail"]


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer nobody", "Basic YTpi", "Bearer \xff"])
def test_without_a_token_nothing_is_told(here: Gateway, sales: Sales, kind: Kind, authorization: str) -> None:
    """Not even whether a sale exists, or a body is good."""
    for sale, body in ((sales.open, {"buyer": "ada"}), ("nosuch", {"buyer": "ada"}), (sales.open, b"?")):
        answer = buy(here, kind, sale, body, authorization=authorization)
        assert (answer.status, answer.problem) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_without_the_scope(here: Gateway, auditor: Gateway, sales: Sales, kind: Kind) -> None:
    answer = buy(auditor, kind, sales.open, {"buyer": "ada"})
    assert (answer.status, answer.problem) == (403, "forbidden")
    assert "purchase" in answer.json["detail"]
    for path, body in (("/v1/sales", {}), (f"/v1/sales/{sales.open}/cancel", {"reason": "x"})):
        assert auditor.call("POST", path, body).status == 403
    assert auditor.call("GET", "/v1/sales").status == 200


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/sales/", "/v1/sale", "/v1/sales/x/purchases/"])
def test_paths_that_are_none(here: Gateway, path: str) -> None:
    answer = here.call("GET", path)
    assert (answer.status, answer.problem) == (404, "unknown_path")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "OPTIONS"])
def test_methods_that_are_none(here: Gateway, method: str) -> None:
    answer = here.call(method, "/v1/sales")
    assert (answer.status, answer.problem) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"
