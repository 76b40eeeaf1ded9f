"""Whatever bytes come, in whatever pieces: an answer that is HTTP, or the end of the connection; never a crash."""

import socket
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service.caller import KINDS, Gateway
from tests.service.sales import Sales, fresh

TOKENS = [
    b"POST ",
    b"GET ",
    b" HTTP/1.1",
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"host: x",
    b": ",
    b",",
    b"content-length: ",
    b"0",
    b"1",
    b"15",
    b"transfer-encoding: chunked",
    b"connection: close",
    b"connection: upgrade",
    b"upgrade: h2c",
    b"expect: 100-continue",
    b"prefer: wait=1",
    b"/healthz",
    b"/v1/sales",
    b'{"buyer":"ada"}',
    b"5\r\n",
    b"\x00",
    b"\xff",
    b"\t",
]
noise = st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=20)), max_size=40).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn, good: bytes = b"@") -> tuple[int, int, bytes]:
    """Where a good request is cut open, how much of it is lost there, and what comes instead."""
    return draw(st.integers(0, 400)), draw(st.integers(0, 30)), draw(noise)


def ends_well(here: Gateway, kind: str, data: bytes, cuts: list[int]) -> None:
    """Say the bytes in pieces and hang up; all that is heard is whole answers."""
    with KINDS[kind](here) as caller:
        edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
        for first, last in pairwise(edges):
            caller.say(data[first:last])
        caller.say_no_more()
        while (answer := caller.hear()) is not None:
            assert 200 <= answer.status < 600
            assert answer.status != 500
            if answer.status >= 400:
                assert answer.problem


@given(data=noise, cuts=st.lists(st.integers(0, 10_000), max_size=4), kind=st.sampled_from(sorted(KINDS)))
@settings(max_examples=250)
def test_noise(here: Gateway, sales: Sales, data: bytes, cuts: list[int], kind: str) -> None:
    ends_well(here, kind, data, cuts)


@given(
    damage=st.lists(damaged(), min_size=0, max_size=3),
    cuts=st.lists(st.integers(0, 10_000), max_size=4),
    kind=st.sampled_from(sorted(KINDS)),
    what=st.sampled_from(["purchases", "cancel", ""]),
)
@settings(max_examples=400)
def test_good_requests_with_damage(
    here: Gateway, sales: Sales, damage: list[tuple[int, int, bytes]], cuts: list[int], kind: str, what: str
) -> None:
    method = "POST" if what in {"purchases", "cancel"} else "GET"
    path = f"/v1/sales/{sales.open if what == 'purchases' else sales.sold_out}/{what}".rstrip("/")
    data = here.request(method, path, {"buyer": "fuzz"} if method == "POST" else None)
    for at, lost, instead in damage:
        where = at % (len(data) + 1)
        data = data[:where] + instead + data[where + lost :]
    ends_well(here, kind, data, cuts)


def test_the_gateway_has_survived_it_all(here: Gateway, sales: Sales, small_world: Any) -> None:
    assert small_world.is_running("gateway-here-0")
    log = (small_world.folder / "gateway-here-0.log").read_text()
    assert "Traceback" not in log
    assert "a call failed" not in log
    assert here.buy(sales.open, fresh()).status == 202
    with socket.create_connection(("127.0.0.1", here.port)) as silent:
        assert silent.fileno() >= 0
