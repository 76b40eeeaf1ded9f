"""Who is refused when more comes than can be served: a queue that stands is cut, one that is only long is not."""

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clockd.host import RealClock
from clockd.reader import Reader
from model.terms import read_terms
from service.gateway.admission import Admission, Attempt, NotLogged
from service.gateway.answers import Answer
from service.gateway.book import Book, Sale
from service.gateway.counts import Counts
from service.gateway.overload import INTERVAL_PART, STANDING_PART, Queue
from service.gateway.purchase import MOST_IN_FLIGHT, Call, Purchases
from service.gateway.request import Head
from service.gateway.stamping import Stamper
from service.gateway.tokens import Grant, Tokens
from service.store.opening import connect
from service.world.world import World
from tests.service.caller import Gateway
from tests.service.sales import Sales

GRACE_NS = 200_000_000
LIMIT_NS = GRACE_NS // STANDING_PART
INTERVAL_NS = GRACE_NS // INTERVAL_PART


def ask(queue: Queue, begin_ns: int, until_ns: int, waited_ns: int, every_ns: int = 1_000_000) -> list[bool]:
    """Requests that come to their turn one after the other, each after the same wait: which of them are refused."""
    return [queue.refuses(now_ns, waited_ns) for now_ns in range(begin_ns, until_ns, every_ns)]


def test_a_burst_is_served_whole() -> None:
    """Everybody at once, and the last waits for longer than the standing limit: the first did not wait."""
    queue = Queue(GRACE_NS)
    assert not any(queue.refuses(waited_ns, waited_ns) for waited_ns in range(0, GRACE_NS - 1, 100_000))


def test_a_queue_that_stands_is_cut_after_an_interval() -> None:
    queue = Queue(GRACE_NS)
    refused = ask(queue, 0, 5 * INTERVAL_NS, 3 * LIMIT_NS)
    steps = INTERVAL_NS // 1_000_000
    assert not any(refused[:steps])
    assert all(refused[steps:])


def test_who_came_just_now_is_served_although_the_queue_stands() -> None:
    queue = Queue(GRACE_NS)
    ask(queue, 0, 2 * INTERVAL_NS, 3 * LIMIT_NS)
    assert queue.stands
    assert not queue.refuses(2 * INTERVAL_NS + 1, 2 * LIMIT_NS)
    assert queue.refuses(2 * INTERVAL_NS + 2, 2 * LIMIT_NS + 1)
    assert not queue.refuses(2 * INTERVAL_NS + 3, 4 * LIMIT_NS, is_batch=True)


def test_one_who_does_not_wait_ends_it() -> None:
    queue = Queue(GRACE_NS)
    ask(queue, 0, 2 * INTERVAL_NS, 3 * LIMIT_NS)
    ask(queue, 2 * INTERVAL_NS, 4 * INTERVAL_NS, 0)
    assert not any(ask(queue, 4 * INTERVAL_NS, 4 * INTERVAL_NS + INTERVAL_NS // 2, 3 * LIMIT_NS))


def test_silence_ends_it() -> None:
    """What stood before a pause says nothing about what comes after it."""
    queue = Queue(GRACE_NS)
    ask(queue, 0, 2 * INTERVAL_NS, 3 * LIMIT_NS)
    assert not any(ask(queue, 9 * INTERVAL_NS, 10 * INTERVAL_NS, 3 * LIMIT_NS))


def test_a_store_with_nothing_to_do_is_given_something() -> None:
    """Or, when refusing takes all the time there is, nobody would be served."""
    queue = Queue(GRACE_NS)
    ask(queue, 0, 2 * INTERVAL_NS, 3 * LIMIT_NS)
    assert queue.refuses(2 * INTERVAL_NS + 1, 3 * LIMIT_NS)
    assert not queue.refuses(2 * INTERVAL_NS + 2, 3 * LIMIT_NS, store_is_idle=True)
    assert queue.refuses(2 * INTERVAL_NS + 3, GRACE_NS // 2 + 1, store_is_idle=True)


@given(st.lists(st.tuples(st.integers(0, 50_000_000), st.integers(0, 2 * LIMIT_NS)), max_size=200))
def test_nobody_within_twice_the_limit_is_ever_refused(steps: list[tuple[int, int]]) -> None:
    queue, now_ns = Queue(GRACE_NS), 0
    for pause_ns, waited_ns in steps:
        now_ns += pause_ns
        assert not queue.refuses(now_ns, waited_ns)


def test_a_process_in_overload_refuses_before_it_works_and_then_recovers(
    small_world: World, here: Gateway, sales: Sales
) -> None:
    """The mechanism in the purchase call itself, with a store that does not come to an end with what it was given."""
    terms = read_terms(here.call("GET", f"/v1/sales/{sales.open}").json["terms"])

    async def run() -> None:
        host = RealClock()
        reader = Reader(small_world.page("here"), host)
        stamper = Stamper(host, reader)
        store = connect(small_world.stores["here"])
        book = Book("here", store, stamper)
        book.sales[sales.open] = Sale(sales.open, terms, "here")
        counts = Counts()
        admission = Admission(store, counts)
        purchases = Purchases(
            "here", Tokens({"ab" * 32: Grant("nobody", frozenset())}), book, stamper, admission, counts
        )
        answers: list[Answer] = []

        async def call() -> Any:
            purchases.take(Call(Head(sales.open, b"Bearer unknown"), b"{", None, answers.append))
            await asyncio.sleep(0)
            return json.loads(answers[-1].body)["type"].rpartition(":")[2], dict(answers[-1].headers)

        assert (await call())[0] == "unauthorized"
        told: list[object] = []
        all_told = asyncio.Event()

        def tell(_: Attempt, result: object) -> None:
            told.append(result)
            if len(told) == MOST_IN_FLIGHT:
                all_told.set()

        for _ in range(MOST_IN_FLIGHT):
            admission.add(sales.open, Attempt("", "x", None, 0, tell))
        slug, headers = await call()
        assert (slug, headers["retry-after"]) == ("overloaded", "1")
        await all_told.wait()
        assert admission.in_flight == 0
        assert set(told) == {NotLogged("unknown", "")}
        assert (await call())[0] == "unauthorized"
        await admission.close()
        await store.aclose()
        reader.close()

    asyncio.run(run())
