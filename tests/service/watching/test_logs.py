"""What the log says: what to do beside every warning, the trace of whoever traces, and never a secret."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clockd.log
from service.watching.advice import ADVICE, hide
from service.watching.trace import Trace, read_traceparent
from service.world.world import World
from tests.patience import until
from tests.service.caller import Gateway
from tests.service.sales import Sales, fresh

ROOT = Path(__file__).parents[3]


def warnings(folder: str) -> Iterator[tuple[str, str]]:
    """Every warning and error that a package logs, by the file that does."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            is_note = node.func.attr == "append" and ast.unparse(node.func.value).endswith(".notes")
            if node.func.attr in {"warning", "error", "exception"} or is_note:
                said = node.args[0].elts[0] if is_note and isinstance(node.args[0], ast.Tuple) else node.args[0]
                if isinstance(said, ast.Constant):
                    yield path.name, str(said.value)


@pytest.mark.parametrize(("folder", "advice"), [("service", ADVICE), ("clockd", clockd.log.ADVICE)])
def test_every_warning_says_what_to_do(folder: str, advice: dict[str, str]) -> None:
    said = {event: name for name, event in warnings(folder)}
    said.pop("journal_goes_on", None)  # good news
    shared = {event for _, event in warnings("clockd") if event in ADVICE}
    assert not {event: name for event, name in said.items() if event not in advice}
    assert not advice.keys() - said.keys() - shared - {"local_reference"}


def test_pages_that_the_log_names_are_there() -> None:
    for advice in (*ADVICE.values(), *clockd.log.ADVICE.values()):
        for word in advice.replace(")", "").replace(";", "").split("runbook ")[1:]:
            assert (ROOT / "docs" / "ops" / "runbooks" / f"{word.split()[0]}.md").exists(), advice


GOOD = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        GOOD[:-1],
        GOOD.upper(),
        GOOD[:-1] + b"0",  # not sampled
        b"ff" + GOOD[2:],
        b"00-" + b"0" * 32 + GOOD[35:],
        GOOD[:36] + b"0" * 16 + GOOD[52:],
        GOOD + b"-more",
    ],
)
def test_what_is_no_sampled_trace_is_passed_over(value: bytes) -> None:
    assert read_traceparent(value) is None


def test_a_trace_is_taken_over() -> None:
    trace = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert read_traceparent(GOOD) == trace
    assert read_traceparent(b"cc" + GOOD[2:] + b"-of-the-future") == trace


@given(st.binary(max_size=80))
def test_no_header_breaks_it(value: bytes) -> None:
    read_traceparent(value)


def test_secrets_are_not_written() -> None:
    assert hide(None, "info", {"event": "x", "seed": "5eed", "sale": "a"}) == {
        "event": "x",
        "seed": "(not written)",
        "sale": "a",
    }


@pytest.mark.parametrize("handed_over", [False, True])
def test_a_traced_purchase_is_found_in_the_log_from_intake_to_decision(
    small_world: World, here: Gateway, sales: Sales, handed_over: bool
) -> None:
    path = f"/v1/sales/{sales.open}/purchases"
    said = here.request("POST", path, {"buyer": fresh()}, traceparent=GOOD.decode())
    with here.handed_over() if handed_over else here.connect() as caller:
        purchase = caller.say(said).answer().json["id"]
    here.call("GET", f"{path}/{purchase}", prefer="wait=10")
    log = small_world.folder / "gateway-here-0.log"

    def lines() -> list[dict[str, str]]:
        return [json.loads(line) for line in log.read_text().splitlines() if purchase in line]

    until(lambda: len(lines()) == 2)
    assert [line["event"] for line in lines()] == ["purchase logged", "purchase decided"]
    assert {line["trace_id"] for line in lines()} == {"0af7651916cd43dd8448eb211c80319c"}
    assert lines()[1]["state"] == "won"
    assert here.token not in log.read_text()
