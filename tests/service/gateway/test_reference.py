"""The description and the reference are true of scopes, problems and examples: a gateway does as they say."""

import re
from pathlib import Path
from typing import Any

import pytest

from service.gateway.catalogue import catalogue
from service.gateway.examples import ANSWERS, REQUESTS, TERMS
from service.gateway.reference import markdown
from service.gateway.tokens import SCOPES, new_token, token_table
from service.world.ports import free_port
from service.world.world import World
from tests.service.caller import Gateway, request
from tests.service.processes import Program
from tests.service.sales import Sales, fresh, publish, terms

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def described(here: Gateway) -> Any:
    """The API's description of itself."""
    return here.call("GET", "/openapi.json").json


def operations(described: Any) -> dict[str, tuple[str, str, Any]]:
    """Every call by its name: method, path, and what is said of it."""
    return {
        told["operationId"]: (method.upper(), path, told)
        for path, methods in described["paths"].items()
        for method, told in methods.items()
    }


def test_the_page_in_the_documents_is_what_a_gateway_says(described: Any) -> None:
    assert (ROOT / "docs" / "api.md").read_text() == markdown(described), "run: make docs"


def test_the_page_of_a_gateway_has_every_call_and_loads_nothing(here: Gateway, described: Any) -> None:
    with here.connect() as caller:
        answer = caller.say(request("GET", "/docs")).answer()
    page = answer.body.decode()
    assert answer.headers["content-type"].startswith("text/html")
    for method, path, told in operations(described).values():
        assert f"<code>{method} {path}</code>" in page
        assert told["summary"].replace("'", "&#x27;") in page or told["summary"] in page
    for told in catalogue():
        assert f"<code>{told.slug}</code>" in page
    assert "script" not in re.sub(r"Content-Security-Policy.*?>", "", page)
    assert not re.findall(r"(?:src|href)=\"(?!#)", page)
    anchors, ids = set(re.findall(r'href="#([^"]+)"', page)), set(re.findall(r'id="([^"]+)"', page))
    assert anchors
    assert anchors <= ids


def test_every_problem_that_can_be_answered_is_in_the_catalogue(described: Any) -> None:
    """And every one that a call is said to answer with has the status that it is said to come with."""
    known = described["x-problem-types"]
    assert known == {
        told.slug: {"status": told.status, "title": told.title, "meaning": told.meaning} for told in catalogue()
    }
    of_calls = set()
    for _, _, told in operations(described).values():
        for status, answer in told["responses"].items():
            for content in answer.get("content", {}).values():
                named = content.get("schema", {}).get("properties", {}).get("type", {}).get("enum", ())
                slugs = {name.rpartition(":")[2] for name in named if str(name).startswith("urn:")}
                assert all(known[slug]["status"] == int(status) for slug in slugs)
                of_calls |= slugs
    assert known.keys() - of_calls == {"unknown_path", "method_not_allowed", "internal"}
    assert all(told["meaning"] for told in known.values())


def test_the_scopes_are_those_that_a_gateway_asks_for(small_world: World, tmp_path: Path, described: Any) -> None:
    """Of every call, with a token of each scope alone."""
    tokens = {scope: new_token() for scope in SCOPES}
    (tmp_path / "tokens.toml").write_text("".join(token_table(tokens[scope], scope, [scope]) for scope in SCOPES))
    port = free_port()
    words = [
        *("gateway", "--region", "here", "--listen", f"127.0.0.1:{port}", "--page", str(small_world.page("here"))),
        *("--store", small_world.stores["here"], "--arbiter-store", small_world.stores["arbiter"]),
        *("--tokens", str(tmp_path / "tokens.toml")),
    ]
    with Program(tmp_path, *words) as program:
        program.line_with("gateway listens")
        for method, path, told in operations(described).values():
            said = {scope for one in told["security"] for scope in one["token"]}
            needed = [parameter["name"] for parameter in told.get("parameters", ()) if parameter["required"]]
            query = "&".join(f"{name}=x" for name in needed if f"{{{name}}}" not in path)
            concrete = re.sub(r"\{\w+\}", "nosuch", path) + (f"?{query}" if query else "")
            statuses = {
                scope: Gateway(port, token).call(method, concrete, {} if "requestBody" in told else None).status
                for scope, token in tokens.items()
            }
            assert {scope for scope in SCOPES if statuses[scope] != 403} == (said or set(SCOPES)), path
            assert 401 not in statuses.values()


class Comparison:
    """Whether an answer is one as the example says: the same fields, and the same values but of what differs."""

    VARIES = frozenset(
        {"id", "sale", "seed_commitment", "keys", "stamp_ns", "bound_ns", "seq", "region", "regions", "decision"}
        | {"opens", "closes", "entries_from", "host", "update", "sources", "agreeing", "earliest_ns", "latest_ns"}
        | {"utc", "rank", "unit", "title", "buyer", "stock"}
    )

    def alike(self, example: Any, real: Any, path: str = "") -> None:
        if isinstance(example, dict):
            assert list(example) == list(real), path
            for name, value in example.items():
                self.alike(value, real[name], f"{path}.{name}") if name not in self.VARIES else self.form(
                    value, real[name], path
                )
        elif isinstance(example, list):
            assert len(example) == len(real), path
            for one, other in zip(example, real, strict=True):
                self.alike(one, other, f"{path}[]")
        else:
            assert example == real, path

    def form(self, example: Any, real: Any, path: str) -> None:
        assert type(example) is type(real), path
        if isinstance(example, str):
            assert example.isdigit() == real.isdigit(), path


def test_the_examples_are_what_a_gateway_answers(here: Gateway, sales: Sales) -> None:
    like = Comparison()
    stated = {**TERMS, "regions": ["here", "there"]}
    published = here.call("POST", "/v1/sales", stated)
    assert published.status == 201
    assert published.json["terms"].items() >= stated.items()
    sale = published.json["id"]
    like.alike(ANSWERS["publish_a_sale", 201], published.json)
    like.alike(ANSWERS["show_a_sale", 200], here.call("GET", f"/v1/sales/{sale}").json)
    like.alike(ANSWERS["list_sales", 200]["sales"][0], here.call("GET", "/v1/sales").json["sales"][-1])
    cancelled = here.call("POST", f"/v1/sales/{sale}/cancel", REQUESTS["cancel_a_sale"])
    like.alike(ANSWERS["cancel_a_sale", 200], cancelled.json)

    path = f"/v1/sales/{sales.open}/purchases"
    pending = here.call("POST", path, {"buyer": fresh()}, prefer="wait=0")
    if pending.status == 202:  # a quick arbiter may be first
        like.alike(ANSWERS["purchase", 202], pending.json)
    won = here.call("POST", path, {"buyer": fresh()}, prefer="wait=30")
    assert won.status == 200
    like.alike(ANSWERS["purchase", 200], won.json)
    like.alike(ANSWERS["show_a_purchase", 200], here.call("GET", f"{path}/{won.json['id']}").json)
    batch = here.call("POST", f"{path}:batch", REQUESTS["purchase_batch"]).json
    assert [one["status"] for one in batch["purchases"]] in ([202, 422], [200, 422])
    like.alike(ANSWERS["purchase_batch", 200]["purchases"][1], batch["purchases"][1])
    like.alike(ANSWERS["purchase", 422], here.call("POST", path, {"buyer": "b b"}).json)
    like.alike(ANSWERS["purchase", 409], here.buy(sales.sold_out, fresh()).json)
    assert here.call("POST", path, REQUESTS["purchase"]).status in {200, 202}
    like.alike(ANSWERS["show_the_clock", 200], here.call("GET", "/v1/clock").json)
    for call, at in (("health", "/healthz"), ("readiness", "/readyz")):
        like.alike(ANSWERS[call, 200], here.call("GET", at).json)


def test_the_example_of_fencing_is_understood(here: Gateway) -> None:
    sale = publish(here, terms(3600, method="central", regions=["here", "there"]))
    stated = {**REQUESTS["fence_a_region_out"], "region": "there"}
    assert here.call("POST", f"/v1/sales/{sale}/fence", stated).status == 200


def test_every_example_belongs_to_a_call(described: Any) -> None:
    known = operations(described)
    for call, status in ANSWERS:
        assert str(status) in known[call][2]["responses"]
    assert REQUESTS.keys() <= known.keys()


def test_links_lead_to_calls_with_what_they_need(described: Any) -> None:
    known = operations(described)
    for _, _, told in known.values():
        for answer in told["responses"].values():
            for link in answer.get("links", {}).values():
                _, path, _ = known[link["operationId"]]
                assert set(re.findall(r"\{(\w+)\}", path)) == set(link["parameters"])
