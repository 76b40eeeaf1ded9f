"""Server-sent events: decisions as they are made, and again from any of them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from sse_starlette import EventSourceResponse

from model.terms import read_terms
from model.vocabulary import Cancelled
from model.wire import decision_line, parse_canonical
from service.gateway.answers import Answer
from service.gateway.book import Sale
from service.gateway.events import RETRY_MS, Followers
from tests.patience import until
from tests.service.caller import Gateway
from tests.service.sales import Sales, fresh, publish, terms
from tests.stories import terms as story_terms


def test_a_finished_sale_tells_its_story_and_ends(here: Gateway, sales: Sales) -> None:
    events = list(here.events(sales.sold_out))
    assert [event["type"] for _, event in events] == ["won", "sold_out", "closed"]
    assert [number for number, _ in events] == [event["index"] for _, event in events]
    assert events[0][1]["rank"] == 0


def test_resuming_behind_any_event(here: Gateway, sales: Sales) -> None:
    events = list(here.events(sales.sold_out))
    for position, (number, _) in enumerate(events[:-1]):
        assert list(here.events(sales.sold_out, number)) == events[position + 1 :]


def test_a_client_that_has_the_last_event_is_told_that_there_is_no_more(here: Gateway, sales: Sales) -> None:
    """Or it would come back for ever, as browsers do after the end of a stream."""
    last, _ = list(here.events(sales.sold_out))[-1]
    for number in (last, 10**14):
        answer = here.call("GET", f"/v1/sales/{sales.sold_out}/events", last_event_id=str(number))
        assert (answer.status, answer.body) == (204, b"")


def test_a_client_that_knows_more_than_this_gateway_waits_for_it(here: Gateway) -> None:
    """It has changed regions, and this one is behind: nothing is told twice."""
    sale = publish(here, terms(0.3, stock=2))
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(lambda: list(here.events(sale, 1)))
        until(lambda: here.buy(sale, "a").status in {200, 202})
        until(lambda: here.buy(sale, "b").status in {200, 202, 409})
        events = list(here.events(sale))
        assert rest.result() == [event for event in events if event[0] > 1]


def test_a_gateway_follows_only_so_many() -> None:
    """A place is free again once somebody leaves."""
    stated = read_terms(parse_canonical(story_terms().line()))
    sale = Sale(stated.sale(), stated, "north")
    sale.learn([(decision_line(0, Cancelled("wrong price")), b"")])
    followers = Followers(most=1)

    async def run() -> None:
        first = followers.stream(sale, -1)
        assert isinstance(first, EventSourceResponse)
        told = aiter(first.body_iterator)
        assert (await anext(told)).retry == RETRY_MS
        refused = followers.stream(sale, -1)
        assert isinstance(refused, Answer)
        assert (refused.status, refused.slug) == (503, "too_many_followers")
        await told.aclose()
        assert isinstance(followers.stream(sale, -1), EventSourceResponse)

    asyncio.run(run())


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
