"""Server-sent events: decisions as they are made, and again from any of them."""

import pytest

from tests.service.caller import Gateway, until
from tests.service.sales import Sales, fresh, publish, terms


def test_a_finished_sale_tells_its_story_and_ends(here: Gateway, sales: Sales) -> None:
    events = list(here.events(sales.sold_out))
    assert [event["type"] for _, event in events] == ["won", "sold_out", "closed"]
    assert [number for number, _ in events] == [event["index"] for _, event in events]
    assert events[0][1]["rank"] == 0


def test_resuming_behind_any_event(here: Gateway, sales: Sales) -> None:
    events = list(here.events(sales.sold_out))
    for position, (number, _) in enumerate(events):
        assert list(here.events(sales.sold_out, number)) == events[position + 1 :]
    assert list(here.events(sales.sold_out, 10**14)) == []


def test_decisions_come_while_the_sale_runs(here: Gateway) -> None:
    sale = publish(here, terms(0.5, stock=2))
    events = here.events(sale)
    until(lambda: here.buy(sale, "a").status == 202)
    number, won = next(events)
    assert won["request"] == here.buy(sale, "a").json["id"]
    assert here.buy(sale, fresh()).status == 202
    rest = list(events)
    assert [event["type"] for _, event in rest] == ["won", "sold_out", "closed"]
    assert rest == list(here.events(sale, number))


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 5_000, ""])
def test_a_last_event_that_is_none(here: Gateway, sales: Sales, last: str) -> None:
    answer = here.call("GET", f"/v1/sales/{sales.open}/events", last_event_id=last)
    assert (answer.status, answer.problem) == (422, "invalid")
    assert answer.json["errors"][0]["field"] == "Last-Event-ID"


def test_events_of_no_sale(here: Gateway, sales: Sales) -> None:
    assert here.call("GET", "/v1/sales/nosuch/events").problem == "unknown_sale"
    assert here.call("GET", f"/v1/sales/{sales.elsewhere}/events").problem == "not_sold_here"
