"""Many purchases in one call: each has its own outcome in its place, all have one stamp, a retry changes nothing."""

import time
from typing import Any

import pytest

from service.gateway.bodies import MOST_IN_A_BATCH
from tests.patience import until
from tests.service.caller import KINDS, Answered, Gateway, Kind
from tests.service.sales import Sales, fresh, publish, terms


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def send(here: Gateway, kind: Kind, sale: str, entries: list[Any]) -> Answered:
    with kind(here) as caller:
        return caller.say(here.request("POST", f"/v1/sales/{sale}/purchases:batch", {"purchases": entries})).answer()


def buyers(*names: str) -> list[dict[str, str]]:
    return [{"buyer": name} for name in names]


def items(answer: Answered) -> list[Any]:
    """The entries of an answer, which must be in the order of the batch."""
    assert answer.status == 200, answer
    found: list[Any] = answer.json["purchases"]
    assert [item["index"] for item in found] == list(range(len(found)))
    return found


def test_every_entry_is_logged_under_one_stamp(here: Gateway, sales: Sales, kind: Kind) -> None:
    """The stamp is the batch's arrival: between the moments around its sending."""
    names, before_ns = [fresh() for _ in range(20)], time.time_ns()
    answer = send(here, kind, sales.open, buyers(*names))
    after_ns = time.time_ns()
    found = items(answer)
    assert [item["status"] for item in found] == [202] * 20
    purchases = [item["purchase"] for item in found]
    assert [purchase["buyer"] for purchase in purchases] == names
    (stamp,) = {(int(purchase["stamp_ns"]), int(purchase["bound_ns"])) for purchase in purchases}
    assert before_ns - stamp[1] <= stamp[0] <= after_ns + stamp[1]
    assert len({purchase["id"] for purchase in purchases}) == 20
    assert answer.headers["retry-after"] == "1"


def test_an_entry_is_what_a_call_of_its_own_would_find(here: Gateway, sales: Sales, kind: Kind) -> None:
    names = [fresh(), fresh()]
    told = [item["purchase"] for item in items(send(here, kind, sales.open, buyers(*names)))]
    for name, purchase in zip(names, told, strict=True):
        decided = until(lambda name=name: (answer := here.buy(sales.open, name)).status == 200 and answer).json
        assert decided.items() >= {**purchase, "state": "won"}.items()
        assert here.call("GET", f"/v1/sales/{sales.open}/purchases/{purchase['id']}").json == decided


def test_a_bad_entry_is_refused_alone_with_its_place(here: Gateway, sales: Sales, kind: Kind) -> None:
    good = [fresh(), fresh()]
    entries = [
        {"buyer": good[0]},
        {"buyer": "not an id"},
        {"buyer": 5},
        {},
        "ada",
        {"buyer": "ada", "x": 1},
        {"buyer": good[1]},
    ]
    found = items(send(here, kind, sales.open, entries))
    assert [item["status"] for item in found] == [202, 422, 422, 422, 422, 422, 202]
    for item in found[1:6]:
        assert "purchase" not in item
        assert item["problem"]["type"] == "urn:firstcome:problem:invalid"
        assert item["problem"]["errors"]
    assert [found[index]["purchase"]["buyer"] for index in (0, 6)] == good


def test_the_same_buyer_twice_has_one_entry(here: Gateway, sales: Sales, kind: Kind) -> None:
    twice, once = fresh(), fresh()
    found = [item["purchase"] for item in items(send(here, kind, sales.open, buyers(twice, once, twice)))]
    assert found[0] == found[2]
    assert found[0]["id"] != found[1]["id"]
    assert found[1]["seq"] == found[0]["seq"] + 1


def test_a_retry_finds_the_same_entries(here: Gateway, kind: Kind) -> None:
    sale = publish(here, terms(0.5, stock=10, tie_window_ns="60000000000"))
    until(lambda: here.buy(sale, "first").status == 202)
    batch = buyers(*(fresh() for _ in range(30)))
    first = items(send(here, kind, sale, batch))
    again = items(send(here, kind, sale, [*batch, {"buyer": "one-more"}]))
    assert again[:-1] == first
    assert again[-1]["purchase"]["seq"] == first[-1]["purchase"]["seq"] + 1
    assert int(again[-1]["purchase"]["stamp_ns"]) > int(first[-1]["purchase"]["stamp_ns"])
    here.call("POST", f"/v1/sales/{sale}/cancel", {"reason": "enough"})


@pytest.mark.parametrize(
    ("sale", "known", "status", "problem"),
    [
        ("sold_out", "first", 409, "sold_out"),
        ("cancelled", "unlucky", 409, "sale_cancelled"),
        ("closed", "punctual", 410, "too_late"),
    ],
)
def test_who_has_an_entry_is_told_it_and_the_others_why_not(
    here: Gateway, sales: Sales, kind: Kind, sale: str, known: str, status: int, problem: str
) -> None:
    found = items(send(here, kind, getattr(sales, sale), buyers(fresh(), known, fresh())))
    assert [item["status"] for item in found] == [status, 200, status]
    assert found[1]["purchase"]["state"] in {"won", "lost"}
    for item in (found[0], found[2]):
        assert item["problem"]["type"] == f"urn:firstcome:problem:{problem}"


@pytest.mark.parametrize(("sale", "status", "problem"), [("early", 409, "too_early"), ("sharp", 503, "clock_unsafe")])
def test_what_no_entry_can_be_made_of(
    here: Gateway, sales: Sales, kind: Kind, sale: str, status: int, problem: str
) -> None:
    for item in items(send(here, kind, getattr(sales, sale), buyers(fresh(), fresh()))):
        assert (item["status"], item["problem"]["type"]) == (status, f"urn:firstcome:problem:{problem}")


def test_the_largest_batch_is_taken_whole_and_a_larger_one_refused(here: Gateway, kind: Kind) -> None:
    """The longest names there are: the body and the answer come in many pieces."""
    sale = publish(here, terms(0.5, stock=1_000_000))
    until(lambda: here.buy(sale, "first").status == 202)
    names = [fresh().ljust(128, "x") for _ in range(MOST_IN_A_BATCH)]
    found = items(send(here, kind, sale, buyers(*names)))
    assert sorted(item["purchase"]["seq"] for item in found) == list(range(2, MOST_IN_A_BATCH + 2))
    too_many = send(here, kind, sale, buyers(*names, "one-more"))
    assert (too_many.status, too_many.problem) == (413, "too_many_purchases")
    assert here.buy(sale, "one-more").json["seq"] == MOST_IN_A_BATCH + 2


def test_a_connection_takes_batches_and_single_calls_in_turn(here: Gateway, sales: Sales, kind: Kind) -> None:
    with kind(here) as caller:
        for _ in range(3):
            path = f"/v1/sales/{sales.open}/purchases"
            assert caller.say(here.request("POST", path, {"buyer": fresh()})).answer().status == 202
            batch = {"purchases": buyers(fresh(), fresh())}
            assert len(items(caller.say(here.request("POST", f"{path}:batch", batch)).answer())) == 2


def test_a_caller_that_does_not_read_gets_the_rest_later(here: Gateway, sales: Sales) -> None:
    """Its answers fill the connection's buffers; nobody else waits for it."""
    batch = {"purchases": buyers(*(f"slow-{number}".ljust(128, "y") for number in range(MOST_IN_A_BATCH)))}
    with here.connect() as slow:
        slow.receive_little()
        slow.say(here.request("POST", f"/v1/sales/{sales.open}/purchases:batch", batch))
        assert here.buy(sales.open, fresh()).status == 202
        assert len(items(slow.answer())) == MOST_IN_A_BATCH
        assert slow.say(here.request("POST", f"/v1/sales/{sales.open}/purchases", {"buyer": fresh()})).answer()
