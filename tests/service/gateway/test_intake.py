"""Requests that are not as they should be, byte by byte, on fresh connections and on connections handed over.

Each is answered with a problem document and, where nobody knows where the next request would begin, the end of the
connection; none disturbs a purchase on another connection.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service.gateway.request import MAX_BODY_BYTES
from tests.service.caller import KINDS, Gateway, Kind, request
from tests.service.sales import Sales, fresh


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def purchase(here: Gateway, sales: Sales, body: Any = None, **headers: str) -> bytes:
    return here.request("POST", f"/v1/sales/{sales.open}/purchases", body or {"buyer": fresh()}, **headers)


@pytest.fixture
def undisturbed(here: Gateway, sales: Sales) -> Iterator[None]:
    """A buyer on another connection gets their purchase before, and after, on the same connection."""
    with here.connect() as other:
        assert other.say(purchase(here, sales)).answer().status == 202
        yield
        assert other.say(purchase(here, sales)).answer().status == 202


Bytes = Callable[[Gateway, Sales], bytes]
REFUSED: dict[str, tuple[int, str, Bytes]] = {
    "two lengths": (
        400,
        "bad_request",
        lambda here, sales: purchase(here, sales, content_length="19", Content_Length="20"),
    ),
    "the same length twice": (
        400,
        "bad_request",
        lambda here, sales: purchase(here, sales, content_length="19", Content_Length="19"),
    ),
    "a length and chunks": (
        400,
        "bad_request",
        lambda here, sales: purchase(here, sales, content_length="19", transfer_encoding="chunked"),
    ),
    "a length below zero": (400, "bad_request", lambda here, sales: purchase(here, sales, content_length="-1")),
    "a length beyond all": (400, "bad_request", lambda here, sales: purchase(here, sales, content_length="9" * 40)),
    "not HTTP": (400, "bad_request", lambda *_: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)),
    "HTTP/2": (400, "bad_request", lambda *_: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a proxy's request": (400, "bad_request", lambda *_: b"CONNECT shop:80 HTTP/1.1\r\nhost: shop\r\n\r\n"),
    "a header with a blank": (400, "bad_request", lambda *_: b"POST / HTTP/1.1\r\nhost name: x\r\n\r\n"),
    "an upgrade": (
        400,
        "bad_request",
        lambda here, sales: purchase(here, sales, connection="upgrade", upgrade="h2c"),
    ),
    "two purchases at once": (400, "pipelined", lambda here, sales: purchase(here, sales) + purchase(here, sales)),
    "a purchase and a question": (
        400,
        "pipelined",
        lambda here, sales: purchase(here, sales) + here.request("GET", "/v1/clock"),
    ),
    "a purchase and a half": (400, "pipelined", lambda here, sales: purchase(here, sales) + b"POST"),
    "chunked": (
        411,
        "length_required",
        lambda here, sales: purchase(here, sales, b"3\r\n{}\n\r\n0\r\n\r\n", transfer_encoding="chunked"),
    ),
    "Chunked": (
        411,
        "length_required",
        lambda here, sales: purchase(here, sales, b"3\r\n{}\n\r\n0\r\n\r\n", transfer_encoding="Chunked"),
    ),
    "a body too large": (
        413,
        "too_large",
        lambda here, sales: purchase(here, sales, b" " * (MAX_BODY_BYTES + 1)),
    ),
    "a body of megabytes": (413, "too_large", lambda here, sales: purchase(here, sales, b" " * 2_000_000)),
    "a header too large": (
        431,
        "headers_too_large",
        lambda here, sales: purchase(here, sales, x="x" * 17_000),
    ),
    "a header without end": (
        431,
        "headers_too_large",
        lambda here, sales: purchase(here, sales, x="x" * 500_000),
    ),
    "many headers": (
        431,
        "headers_too_large",
        lambda here, sales: purchase(here, sales, **{f"x-{number}": "x" * 90 for number in range(200)}),
    ),
}


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_as_it_should_be_is_refused(here: Gateway, sales: Sales, kind: Kind, case: str) -> None:
    status, problem, data = REFUSED[case]
    with kind(here) as caller:
        answer = caller.say(data(here, sales)).answer()
        assert (answer.status, answer.problem) == (status, problem)
        assert answer.headers["connection"] == "close"
        assert caller.is_ended()


@pytest.mark.usefixtures("undisturbed")
def test_a_request_in_pieces_is_one_request(here: Gateway, sales: Sales, kind: Kind) -> None:
    """It is stamped by its last byte: the stamp is not before the moment that byte was held back to."""
    data = purchase(here, sales)
    with kind(here) as caller:
        for byte in data[:-1]:
            caller.say(bytes([byte]))
        before_last_ns = time.time_ns()
        answer = caller.say(data[-1:]).answer()
    assert answer.status == 202
    assert int(answer.json["stamp_ns"]) + int(answer.json["bound_ns"]) >= before_last_ns


def test_a_second_request_while_the_first_waits_is_pipelined(here: Gateway, sales: Sales) -> None:
    """The first gets its answer, since it is logged; the second is refused."""
    buyer = fresh()
    with here.connect() as caller:
        caller.say(purchase(here, sales, {"buyer": buyer}, prefer="wait=5"))
        assert here.buy(sales.open, buyer).status == 202
        caller.say(purchase(here, sales))
        answer = caller.answer()
        assert (answer.status, answer.json["buyer"]) == (200, buyer)
        refusal = caller.answer()
        assert (refusal.status, refusal.problem) == (400, "pipelined")
        assert caller.is_ended()


def test_who_was_answered_by_the_head_may_send_the_body_with_the_next_request(here: Gateway, sales: Sales) -> None:
    """A caller may wait for each answer and two requests still come in one read: the last has a time, and needs it."""
    unknown = here.request("POST", "/v1/sales/nosuch/purchases/x/confirm", {"buyer": fresh()})
    head, _, body = unknown.partition(b"\r\n\r\n")
    with here.connect() as caller:
        for cut in (0, -1, -19, -100):
            assert caller.say(head + b"\r\n\r\n").answer().status == 404
            data = body + purchase(here, sales)
            caller.say(data[:cut])
            before_ns = time.time_ns()
            answer = caller.say(data[cut:]).answer()
            assert answer.status == 202
            assert int(answer.json["stamp_ns"]) + int(answer.json["bound_ns"]) >= before_ns


def test_a_connection_is_used_again_and_again(here: Gateway, sales: Sales, kind: Kind) -> None:
    """Also after refusals that do not concern the bytes, and for other calls in between."""
    with kind(here) as caller:
        for _ in range(3):
            assert caller.say(purchase(here, sales)).answer().status == 202
            assert (
                caller.say(request("POST", f"/v1/sales/{sales.open}/purchases", {"buyer": "x"})).answer().status == 401
            )
            assert caller.say(purchase(here, sales, {"buyer": "no id"})).answer().status == 422
        assert caller.say(here.request("GET", "/v1/clock")).answer().status == 200
        assert caller.say(purchase(here, sales)).answer().status == 202


def test_old_http_gets_an_answer_and_the_end(here: Gateway, sales: Sales, kind: Kind) -> None:
    with kind(here) as caller:
        answer = caller.say(purchase(here, sales).replace(b"HTTP/1.1", b"HTTP/1.0")).answer()
        assert (answer.status, answer.headers["connection"]) == (202, "close")
        assert caller.is_ended()


def test_who_asks_before_sending_is_told_to_go_on(here: Gateway, sales: Sales, kind: Kind) -> None:
    data = purchase(here, sales, expect="100-continue")
    head, _, body = data.partition(b"\r\n\r\n")
    with kind(here) as caller:
        caller.say(head + b"\r\n\r\n").say(body)
        assert caller.answer().status == 202
