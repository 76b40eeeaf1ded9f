"""The intake and FastAPI answer alike, and as the API describes itself.

Every case is sent on a fresh connection, which the intake serves, and on one that was handed over before, which uvicorn
and FastAPI serve. Ids and stamps differ, and the words in which a parser complains; nothing else does.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.service.caller import KINDS, Answered, Gateway
from tests.service.sales import Sales, fresh

Case = Callable[[Gateway, Sales], bytes]
FIELDS = "id|buyer|seq|stamp_ns|bound_ns|rank|unit|detail|errors"
VARIES = re.compile(
    r'"(id|buyer|seq|stamp_ns|bound_ns|rank|unit|detail|errors)":("(?:[^"\\\\]|\\\\.)*"|\[.*?\]|[0-9]+)'
)


def post(body: Any = None, sale: str = "open", **headers: str) -> Case:
    """A purchase call; without a body, of a buyer that nobody else is."""

    def made(here: Gateway, sales: Sales) -> bytes:
        path = f"/v1/sales/{getattr(sales, sale, sale)}/purchases"
        return here.request("POST", path, {"buyer": fresh()} if body is None else body, **headers)

    return made


def post_batch(*buyers: Any, sale: str = "open", body: Any = None, **headers: str) -> Case:
    """A batch; without buyers, of two that nobody else is."""

    def made(here: Gateway, sales: Sales) -> bytes:
        path = f"/v1/sales/{getattr(sales, sale, sale)}/purchases:batch"
        entries = list(buyers) or [{"buyer": fresh()}, {"buyer": fresh()}]
        return here.request("POST", path, {"purchases": entries} if body is None else body, **headers)

    return made


BATCHES: dict[str, Case] = {
    "taken": post_batch(),
    "one of them bad": post_batch({"buyer": "a b"}, {"buyer": "fine"}, {"name": "x"}, 7, {"buyer": "fine"}),
    "decided": post_batch({"buyer": "first"}, {"buyer": "nobody"}, sale="sold_out"),
    "early": post_batch(sale="early"),
    "late": post_batch(sale="closed"),
    "clock": post_batch(sale="sharp"),
    "cancelled": post_batch({"buyer": "unlucky"}, {"buyer": "nobody"}, sale="cancelled"),
    "unknown sale": post_batch(sale="nosuch"),
    "elsewhere": post_batch(sale="elsewhere"),
    "no token": post_batch(authorization="Bearer nobody"),
    "malformed": post_batch(body=b'{"purchases":['),
    "not UTF-8": post_batch(body=b'{"purchases":["\xff"]}'),
    "no list": post_batch(body=b'{"purchases":{"buyer":"ada"}}'),
    "nobody": post_batch(body=b'{"purchases":[]}'),
    "unknown field": post_batch(body=b'{"purchases":[],"x":1}'),
    "nested": post_batch(body=b'{"purchases":' + b"[" * 9_000 + b"]" * 9_000 + b"}"),
    "too many": post_batch(*({"buyer": f"b-{number}"} for number in range(1_001))),
    "too large": post_batch(body=b" " * 300_000),
    "chunked": post_batch(body=b"0\r\n\r\n", transfer_encoding="chunked"),
    "pipelined": lambda here, sales: post_batch()(here, sales) * 2,
    "goodbye": post_batch(connection="close"),
}

CASES: dict[str, Case] = {
    "taken": post(),
    "decided": post(prefer="wait=10"),
    "not decided in no time": post(prefer="wait=0"),
    "winner after the end": post({"buyer": "first"}, "sold_out"),
    "loser": post({"buyer": "unlucky"}, "cancelled"),
    "unknown sale": post(sale="nosuch"),
    "elsewhere": post(sale="elsewhere"),
    "early": post(sale="early"),
    "late": post(sale="closed"),
    "sold out": post(sale="sold_out"),
    "cancelled": post(sale="cancelled"),
    "clock": post(sale="sharp"),
    "no token": post(authorization="Bearer nobody"),
    "malformed": post(b"{"),
    "not UTF-8": post(b"\xff"),
    "bad buyer": post({"buyer": "a b"}),
    "no body": post(b""),
    "unknown field": post({"buyer": "ada", "x": 1}),
    "too large": post(b" " * 20_000),
    "chunked": post(b"0\r\n\r\n", transfer_encoding="chunked"),
    "pipelined": lambda here, sales: post()(here, sales) * 2,
    "two lengths": post(content_length="1", Content_Length="2"),
    "large head": post(x="x" * 20_000),
    "upgrade": post(connection="upgrade", upgrade="websocket"),
    "old HTTP": lambda here, sales: post()(here, sales).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "goodbye": post(connection="close"),
}


@pytest.fixture(scope="module")
def described(here: Gateway) -> Any:
    """The API's description of itself."""
    return here.call("GET", "/openapi.json").json


@pytest.mark.parametrize("case", CASES)
def test_both_say_the_same(here: Gateway, sales: Sales, described: Any, case: str) -> None:
    _say_the_same(here, sales, CASES[case], described, "/v1/sales/{sale}/purchases")


@pytest.mark.parametrize("case", BATCHES)
def test_both_say_the_same_to_batches(here: Gateway, sales: Sales, described: Any, case: str) -> None:
    _say_the_same(here, sales, BATCHES[case], described, "/v1/sales/{sale}/purchases:batch")


def _say_the_same(here: Gateway, sales: Sales, case: Case, described: Any, path: str) -> None:
    operation = described["paths"][path]["post"]
    answers = []
    for connect in KINDS.values():
        with connect(here) as caller:
            answers.append(caller.say(case(here, sales)).answer())
            assert answers[-1].headers.get("connection") != "close" or caller.is_ended()
    intake, fastapi = answers
    assert intake.status == fastapi.status
    assert _fixed(intake) == _fixed(fastapi)
    assert _headers(intake) == _headers(fastapi)
    if intake.status not in {400, 503}:
        assert intake.json.get("detail") == fastapi.json.get("detail")
        assert intake.json.get("errors") == fastapi.json.get("errors")
    _check(described, operation, intake)


def test_a_token_without_the_scope_is_refused_alike(auditor: Gateway, sales: Sales) -> None:
    answers = []
    for connect in KINDS.values():
        with connect(auditor) as caller:
            answers.append(caller.say(post()(auditor, sales)).answer())
    assert [answer.problem for answer in answers] == ["forbidden", "forbidden"]
    assert answers[0].json == answers[1].json


def _fixed(answer: Answered) -> str:
    return VARIES.sub(r'"\1":…', answer.body.decode())


def _headers(answer: Answered) -> dict[str, str]:
    varying = {"content-length", "date", "server"}
    shown = {name: value for name, value in answer.headers.items() if name not in varying}
    for name in ("location", "content-location"):
        if name in shown:
            shown[name] = shown[name].rpartition(".")[0]
    if "retry-after" in shown and int(shown["retry-after"]) > 1:
        shown["retry-after"] = "later"
    return shown


def _check(described: Any, operation: Any, answer: Answered) -> None:
    """The status is described, and so are the fields and the type of the body; of a problem, which it is."""
    schema = operation["responses"][str(answer.status)]["content"][answer.headers["content-type"]]["schema"]
    if answer.status >= 400:
        assert answer.json["type"] in schema["properties"]["type"]["enum"]
    if "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    fields = set(answer.json)
    assert fields >= set(schema.get("required", []))
    if answer.headers["content-type"] == "application/json" and "properties" in schema:
        assert fields <= set(schema["properties"])
        states = schema["properties"].get("state", {}).get("enum")
        assert states is None or answer.json["state"] in states


def _calls(sales: Sales) -> Iterator[tuple[str, str, str, Any]]:
    """Calls of every operation: method, its path as described, the path, the body."""
    sale = "/v1/sales/{sale}"
    for zone in ("", "?tz=UTC", "?tz=nowhere"):
        yield "GET", "/v1/sales", f"/v1/sales{zone}", None
        for name in ("early", "open", "elsewhere", "sold_out", "closed", "cancelled", "nosuch"):
            yield "GET", sale, f"/v1/sales/{getattr(sales, name, name)}{zone}", None
    yield "POST", "/v1/sales", "/v1/sales", {}
    yield "POST", f"{sale}/cancel", f"/v1/sales/{sales.sold_out}/cancel", {"reason": "x"}
    yield "POST", f"{sale}/cancel", f"/v1/sales/{sales.open}/cancel", {}
    for told in ({"round": 1, "signature": "ab" * 48}, {"round": "one"}):
        yield "POST", f"{sale}/beacon", f"/v1/sales/{sales.open}/beacon", told
    yield "POST", f"{sale}/beacon", "/v1/sales/nosuch/beacon", {}
    yield "POST", f"{sale}/fence", f"/v1/sales/{sales.open}/fence", {"region": "here", "reason": "x"}
    yield "GET", f"{sale}/purchases/{{purchase}}", f"/v1/sales/{sales.open}/purchases/x", None
    for body in ({"buyer": "somebody"}, {}):
        purchase = f"/v1/sales/{sales.open}/purchases/x"
        yield "POST", f"{sale}/purchases/{{purchase}}/confirm", f"{purchase}/confirm", body
        yield "DELETE", f"{sale}/purchases/{{purchase}}", f"{purchase}?buyer={body.get('buyer', '')}", None
    yield "GET", f"{sale}/purchases/{{purchase}}/receipt", f"/v1/sales/{sales.open}/purchases/x/receipt", None
    yield "GET", f"{sale}/ledger", f"/v1/sales/{sales.open}/ledger", None
    yield "GET", f"{sale}/events", "/v1/sales/nosuch/events", None
    hook = "/v1/webhooks/{webhook}"
    for told in ({"url": "https://shop.example/hook"}, {"url": "ftp://shop.example"}):
        yield "POST", "/v1/webhooks", "/v1/webhooks", told
    yield "GET", "/v1/webhooks", "/v1/webhooks", None
    for method, path in (
        ("GET", ""),
        ("POST", "/rotate"),
        ("GET", "/dead-letters"),
        ("POST", "/replay"),
        ("DELETE", ""),
    ):
        yield method, f"{hook}{path}", f"/v1/webhooks/nosuch{path}", {} if method == "POST" else None
    yield "GET", "/v1/clock", "/v1/clock", None
    yield "GET", "/healthz", "/healthz", None
    yield "GET", "/readyz", "/readyz", None


def test_every_call_answers_as_described(here: Gateway, sales: Sales, described: Any) -> None:
    seen = set()
    for method, template, path, body in _calls(sales):
        operation = described["paths"][template][method.lower()]
        answer = here.call(method, path, body)
        seen.add((template, method.lower()))
        if "content" in operation["responses"][str(answer.status)]:
            _check(described, operation, answer)
    every = {(path, method) for path, operations in described["paths"].items() for method in operations}
    purchases = "/v1/sales/{sale}/purchases"
    assert every - seen == {(purchases, "post"), (f"{purchases}:batch", "post"), ("/metrics", "get")}  # no JSON


def test_only_health_is_open(here: Gateway, sales: Sales, described: Any) -> None:
    stranger = Gateway(here.port, "nobody")
    open_calls = set()
    for path, operations in described["paths"].items():
        for method in operations:
            concrete = path.replace("{sale}", sales.open).replace("{purchase}", "x").replace("{webhook}", "x")
            answer = stranger.call(method.upper(), concrete, {} if method == "post" else None)
            if answer.status == 401:
                assert answer.problem == "unauthorized"
                assert "401" in operations[method]["responses"]
            else:
                open_calls.add(path)
    assert open_calls == {"/healthz", "/readyz"}


def test_the_description_promises_no_answer_in_a_foreign_form(described: Any) -> None:
    """Every error is a problem document of types that are named, whatever the framework would have said."""
    for operations in described["paths"].values():
        for operation in operations.values():
            for status, told in operation["responses"].items():
                if int(status) >= 400:
                    (form,) = told["content"]
                    assert form == "application/problem+json"
                    assert told["content"][form]["schema"]["properties"]["type"]["enum"]
    assert "ValidationError" not in json.dumps(described)


def test_the_clock_and_readiness_are_told(here: Gateway) -> None:
    clock = here.call("GET", "/v1/clock").json
    assert int(clock["latest_ns"]) - int(clock["earliest_ns"]) <= 2 * int(clock["bound_ns"]) + 1
    assert clock["state"] == "synchronized"
    assert clock["utc"].endswith("Z")
    assert here.call("GET", "/readyz").json == {"clock": "ok", "store": "ok", "arbiter": "ok"}
    assert here.call("GET", "/healthz").json == {"status": "ok"}
