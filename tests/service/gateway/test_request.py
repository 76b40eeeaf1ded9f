"""What is remembered of a head is what the parser says of it, whatever the head, and however the request comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.gateway.request import MOST_KNOWN_HEADS, Head, IncomingRequest, KnownHeads

BODY = b'{"buyer":"ada"}'


def request(*more: str, path: str = "/v1/sales/abc/purchases", body: bytes = BODY) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: here", f"content-length: {len(body)}", *more]
    return "\r\n".join([*lines, "", ""]).encode() + body


def read(*pieces: bytes) -> IncomingRequest:
    incoming = IncomingRequest(lambda: None)
    for piece in pieces:
        incoming.feed(piece)
    return incoming


@given(
    more=st.lists(
        st.sampled_from(["authorization: Bearer x", "prefer: wait=1", "Prefer: wait=2", "connection: close", "x: y"]),
        max_size=4,
    ),
    is_batch=st.booleans(),
    body=st.binary(max_size=50),
    cut=st.integers(0, 400),
)
def test_a_known_head_says_what_the_parser_would(more: list[str], is_batch: bool, body: bytes, cut: int) -> None:
    path = "/v1/sales/abc/purchases" + (":batch" if is_batch else "")
    data = request(*more, path=path, body=BODY)
    first = read(data[: cut % len(data)], data[cut % len(data) :]) if cut % len(data) else read(data)
    assert first.complete
    known = KnownHeads()
    known.remember(first.whole, first.head())
    again = request(*more, path=path, body=body.ljust(len(BODY), b"x")[: len(BODY)])
    matched = known.match(again)
    assert matched is not None
    parsed = read(again)
    if parsed.refusal is None:
        assert matched == (parsed.head(), parsed.body)


@pytest.mark.parametrize(
    "data",
    [
        request()[:-1],
        request() + b"x",
        request() + b"\r\n",
        request() + request(),
        b"\r\n" + request(),
        request("x: y"),
        request(body=BODY + b" "),
        request().partition(b"\r\n\r\n")[0],
        request().partition(b"\r\n\r\n")[0] + b"\r",
        request().partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
        b"",
        b"\r\n\r\n",
    ],
)
def test_what_is_not_one_whole_request_under_a_known_head_is_parsed(data: bytes) -> None:
    known = KnownHeads()
    first = read(request())
    known.remember(first.whole, first.head())
    assert known.match(request()) == (first.head(), BODY)
    assert known.match(data) is None


def test_heads_are_forgotten_when_there_are_too_many() -> None:
    known = KnownHeads()
    for number in range(3 * MOST_KNOWN_HEADS):
        head = Head("abc", str(number).encode(), length=len(BODY))
        known.remember(request(f"x: {number}"), head)
        assert known.match(request(f"x: {number}")) == (head, BODY)
    assert sum(known.match(request(f"x: {number}")) is not None for number in range(3 * MOST_KNOWN_HEADS)) <= 512


def test_long_heads_are_not_remembered() -> None:
    known = KnownHeads()
    data = request("x: " + "y" * 3_000)
    known.remember(data, Head("abc", b"", length=len(BODY)))
    assert known.match(data) is None


def test_a_head_that_asks_to_be_told_is_not_plain() -> None:
    told: list[str] = []
    incoming = IncomingRequest(lambda: told.append("go on"))
    incoming.feed(request("expect: 100-continue"))
    assert incoming.complete
    assert not incoming.is_plain
    assert told == ["go on"]
