"""A buyer's home: redirected to, forwarded to, away; and two gateways that each think that the other is it.

Gateways of their own, beside those of the small world and on its stores, with the flags that an operator would give.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from model.routing import home_region
from service.world.world import ARBITER, World
from tests.service.caller import KINDS, Answered, Caller, Gateway, request, until
from tests.service.processes import Program
from tests.service.sales import fresh, publish, terms
from tests.service.store.conftest import free_port

REGIONS = ("here", "there")


class Started(Gateway):
    """A gateway that was started for a test."""

    program: Program


Start = Callable[..., Started]


@pytest.fixture
def start(small_world: World, tmp_path: Path) -> Iterator[Start]:
    """Starts a gateway of a region at a port, with more flags; ready when returned."""
    with ExitStack() as opened:

        def gateway(region: str, port: int, *flags: str) -> Started:
            words = ["gateway", "--region", region, "--listen", f"127.0.0.1:{port}"]
            words += ["--store", small_world.stores[region], "--arbiter-store", small_world.stores[ARBITER]]
            words += ["--tokens", str(small_world.folder / "tokens.toml"), "--page", str(small_world.page(region))]
            program = opened.enter_context(Program(tmp_path, *words, *flags))
            program.line_with("gateway listens")
            started = Started(port, small_world.token)
            started.program = program
            until(lambda: started.call("GET", "/readyz").status == 200)
            return started

        yield gateway


def buyer_of(home: str) -> str:
    """A buyer at home in a region."""
    return next(buyer for buyer in iter(fresh, "") if home_region(buyer, REGIONS) == home)


def peer(name: str, port: int) -> list[str]:
    return ["--peer", f"{name}=http://127.0.0.1:{port}"]


def sale_by(gateway: Gateway, method: str) -> str:
    """A sale of both regions, open and set up in both."""
    fields = {"quotas": {"here": 5, "there": 5}} if method == "sharded" else {}
    sale = publish(gateway, terms(0.5, method=method, regions=list(REGIONS), stock=10, **fields))
    for region in REGIONS:
        buyer = buyer_of(region)
        until(lambda buyer=buyer: gateway.buy(sale, buyer, firstcome_routed="no").status in {200, 202, 421})
    return sale


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["ordered", "sharded"])
def test_forwarded_to_the_buyers_home(start: Start, small_world: World, method: str, kind: str) -> None:
    front = start("here", free_port(), "--routing", "forward", *peer("there", small_world.ports["there"]))
    sale = sale_by(front, method)
    at_home, far = buyer_of("here"), buyer_of("there")
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for buyer, region in ((at_home, "here"), (far, "there")):
        with KINDS[kind](front) as caller:
            words = front.request("POST", f"/v1/sales/{sale}/purchases", {"buyer": buyer}, traceparent=trace)
            answer = caller.say(words).answer()
        assert answer.status == (202 if method == "ordered" else 200), answer
        assert (answer.json["region"], answer.json["buyer"]) == (region, buyer)
        location = answer.headers.get("location") or answer.headers["content-location"]
        assert location == f"/v1/sales/{sale}/purchases/{answer.json['id']}"
        assert front.call("GET", location, prefer="wait=10").json["id"] == answer.json["id"]
        assert front.buy(sale, buyer, prefer="wait=10").json["state"] == "won"
    traced = (small_world.folder / "gateway-there-0.log").read_text()
    assert any(answer.json["id"] in line and trace[3:35] in line for line in traced.splitlines()), (
        "the trace goes along"
    )
    assert front.buy(sale, far, authorization="Bearer nobody").problem == "unauthorized"


def test_redirected_to_the_buyers_home(start: Start, small_world: World) -> None:
    port = small_world.ports["there"]
    front = start("here", free_port(), "--routing", "redirect", *peer("there", port))
    sale = sale_by(front, "sharded")
    far = buyer_of("there")
    answer = front.call("POST", f"/v1/sales/{sale}/purchases?a=1", {"buyer": far})
    assert answer.status == 307
    assert answer.headers["location"] == f"http://127.0.0.1:{port}/v1/sales/{sale}/purchases?a=1&routed=here"
    followed = httpx.post(answer.headers["location"], json={"buyer": far}, headers=front.headers)
    assert (followed.status_code, followed.json()["region"]) == (200, "there")
    looked_up = front.call("GET", f"/v1/sales/{sale}/purchases/{followed.json()['id']}")
    assert looked_up.status == 307
    assert httpx.get(looked_up.headers["location"], headers=front.headers).json() == followed.json()
    assert front.buy(sale, buyer_of("here")).json["region"] == "here"


@pytest.mark.parametrize("policy", ["forward", "redirect"])
def test_two_that_think_the_other_is_home_make_no_loop(start: Start, policy: str) -> None:
    """Both are of region `here`, and take each other for `there`."""
    one, other = free_port(), free_port()
    first = start("here", one, "--routing", policy, *peer("there", other))
    start("here", other, "--routing", policy, *peer("there", one))
    answers: dict[str, Answered] = {}
    for method in ("ordered", "sharded"):
        sale, far = sale_by(first, method), buyer_of("there")
        answer = first.buy(sale, far)
        if policy == "redirect":
            assert answer.status == 307
            path = answer.headers["location"].removeprefix(f"http://127.0.0.1:{other}")
            with Caller(other) as caller:
                answer = caller.say(request("POST", path, {"buyer": far}, **first.headers)).answer()
        answers[method] = answer
    assert (answers["ordered"].status, answers["ordered"].json["region"]) == (202, "here")
    assert (answers["sharded"].status, answers["sharded"].problem) == (421, "not_home")
    assert answers["sharded"].json["home"] == "there"


@pytest.mark.parametrize("policy", ["forward", "redirect"])
def test_a_home_that_is_down(start: Start, policy: str) -> None:
    """An ordered sale goes on here; one by shares waits for home, unless the operator takes over."""
    home_port, flags = free_port(), ("--routing", policy)
    home = start("there", home_port)
    front = start("here", free_port(), *flags, *peer("there", home_port))
    bold = start("here", free_port(), *flags, *peer("there", home_port), "--take-over")
    ordered, by_shares = sale_by(front, "ordered"), sale_by(front, "sharded")
    central = publish(front, terms(0.5, method="central", central_region="there", regions=list(REGIONS)))
    home.program.end(signal.SIGKILL)
    far = buyer_of("there")
    until(lambda: front.buy(ordered, far).status == 202)
    assert front.buy(ordered, far, prefer="wait=10").json["region"] == "here"
    until(lambda: front.buy(by_shares, far).status == 503)
    for sale in (by_shares, central):
        answer = front.buy(sale, far)
        assert (answer.status, answer.problem, answer.json["home"]) == (503, "home_unavailable", "there")
        assert answer.headers["retry-after"] == "1"
    until(lambda: bold.buy(by_shares, far).status == 200)
    assert bold.buy(by_shares, far).json["region"] == "here"
    until(lambda: bold.buy(central, far).status == 503)
    start("there", home_port)
    until(lambda: front.buy(by_shares, far).status in {200, 307})


def test_a_central_sale_needs_a_way_to_its_region(start: Start) -> None:
    lonely = start("here", free_port())
    sale = publish(lonely, terms(0.5, method="central", central_region="there", regions=list(REGIONS)))
    answer = lonely.buy(sale, fresh())
    assert (answer.status, answer.problem) == (503, "central_unreachable")
    assert "--peer there=URL" in answer.json["detail"]


def test_a_home_that_is_claimed(start: Start, small_world: World, here: Gateway) -> None:
    flags = ("--routing", "forward", *peer("there", small_world.ports["there"]))
    front = start("here", free_port(), *flags, "--home-claim")
    sale = sale_by(front, "sharded")
    path = f"/v1/sales/{sale}/purchases"
    for home in REGIONS:
        answer = front.call("POST", path, {"buyer": fresh(), "home": home})
        assert answer.json.get("region") == home or answer.problem == "invalid", answer
    unknown = front.call("POST", path, {"buyer": fresh(), "home": "mars"})
    assert (unknown.status, unknown.json["errors"][0]["field"]) == (422, "home")
    assert here.call("POST", path, {"buyer": fresh(), "home": "here"}).status == 422, "only where the operator says so"


@pytest.mark.parametrize(
    "flags", [["--peer", "there"], ["--peer", "there=ftp://x"], ["--peer", "here=http://x:1"], ["--routing", "guess"]]
)
def test_flags_that_cannot_be(tmp_path: Path, flags: list[str]) -> None:
    words = ["gateway", "--region", "here", "--arbiter-store", "unix:///none", "--tokens", "none", *flags]
    with Program(tmp_path, *words) as program:
        assert program.status() == 2
        assert flags[0] in program.said()
