"""A buyer's home: redirected to, forwarded to, away; and two gateways that each think that the other is it.

Gateways of their own, beside those of the small world and on its stores, with the flags that an operator would give.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from model.routing import home_region
from service.world.ports import free_port
from service.world.world import ARBITER, World
from tests.patience import until
from tests.service.caller import KINDS, Gateway
from tests.service.processes import Program
from tests.service.sales import fresh, publish, terms

REGIONS = ("here", "there")


class Started(Gateway):
    """A gateway that was started for a test."""

    program: Program


Start = Callable[..., Started]


@pytest.fixture(scope="module")
def start(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a gateway of a region at a port, with more flags; ready when returned."""
    folder = tmp_path_factory.mktemp("gateways")
    with ExitStack() as opened:

        def gateway(region: str, port: int, *flags: str) -> Started:
            words = ["gateway", "--region", region, "--listen", f"127.0.0.1:{port}"]
            words += ["--store", small_world.stores[region], "--arbiter-store", small_world.stores[ARBITER]]
            words += ["--tokens", str(small_world.folder / "tokens.toml"), "--page", str(small_world.page(region))]
            program = opened.enter_context(Program(folder, *words, *flags))
            program.line_with("gateway listens")
            started = Started(port, small_world.token)
            started.program = program
            until(lambda: started.call("GET", "/readyz").status == 200)
            return started

        yield gateway


@pytest.fixture(scope="module")
def forwarding(start: Start, small_world: World) -> Started:
    """A gateway of `here` that forwards."""
    return start("here", free_port(), "--routing", "forward", *peer("there", small_world.ports["there"]))


@pytest.fixture(scope="module")
def redirecting(start: Start, small_world: World) -> Started:
    """One that redirects."""
    return start("here", free_port(), "--routing", "redirect", *peer("there", small_world.ports["there"]))


def buyer_of(home: str) -> str:
    """A buyer at home in a region."""
    return next(buyer for buyer in iter(fresh, "") if home_region(buyer, REGIONS) == home)


def peer(name: str, port: int) -> list[str]:
    return ["--peer", f"{name}=http://127.0.0.1:{port}"]


Open = Callable[[str], str]


@pytest.fixture
def sale_by(small_world: World) -> Open:
    """Publishes a sale of both regions by a method; it is open and set up in both when returned."""

    def published(method: str) -> str:
        gateways = [Gateway(small_world.ports[region], small_world.token) for region in REGIONS]
        stated = terms(0.5, method=method, regions=list(REGIONS), stock=20)
        sale = publish(gateways[0], stated | ({"quotas": {"here": 10, "there": 10}} if method == "sharded" else {}))
        for gateway in gateways:

            def sells(gateway: Gateway = gateway) -> bool:
                return gateway.buy(sale, "first").status in {200, 202}

            until(sells)
        return sale

    return published


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["ordered", "sharded"])
def test_forwarded_to_the_buyers_home(
    forwarding: Started, sale_by: Open, small_world: World, method: str, kind: str
) -> None:
    front = forwarding
    sale = sale_by(method)
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


def test_redirected_to_the_buyers_home(redirecting: Started, sale_by: Open, small_world: World) -> None:
    port, front = small_world.ports["there"], redirecting
    sale = sale_by("sharded")
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


def test_two_that_think_the_other_is_home_make_no_loop(start: Start, sale_by: Open) -> None:
    """Both are of region `here`, and take each other for `there`: one forwards, the other redirects.

    The first has looked for the other before it was there, and believes in it after the next look.
    """
    one, other = free_port(), free_port()
    forwards = start("here", one, "--routing", "forward", *peer("there", other))
    redirects = start("here", other, "--routing", "redirect", *peer("there", one))
    ordered, by_shares = sale_by("ordered"), sale_by("sharded")
    far = buyer_of("there")
    answer = forwards.buy(ordered, far)
    assert (answer.status, answer.json["region"]) == (202, "here")
    answer = until(lambda: (told := forwards.buy(by_shares, far)).status != 503 and told)
    assert (answer.status, answer.problem, answer.json["home"]) == (421, "not_home", "there")
    for sale, status in ((ordered, {200, 202}), (by_shares, {421})):
        sent = until(lambda sale=sale: (told := redirects.buy(sale, far)).status == 307 and told)
        path = sent.headers["location"].removeprefix(f"http://127.0.0.1:{one}")
        assert forwards.call("POST", path, {"buyer": far}).status in status


def test_a_home_that_is_down(start: Start, sale_by: Open) -> None:
    """An ordered sale goes on here; one by shares waits for home, unless the operator takes over."""
    home_port = free_port()
    home = start("there", home_port)
    front = start("here", free_port(), "--routing", "forward", *peer("there", home_port))
    bold = start("here", free_port(), "--routing", "redirect", *peer("there", home_port), "--take-over")
    ordered, by_shares = sale_by("ordered"), sale_by("sharded")
    central = publish(front, terms(0.5, method="central", central_region="there", regions=list(REGIONS)))
    far = buyer_of("there")
    until(lambda: bold.buy(by_shares, far).status == 307)
    until(lambda: front.buy(by_shares, far).json.get("region") == "there")
    home.program.end(signal.SIGKILL)
    far = buyer_of("there")
    assert front.buy(ordered, far, prefer="wait=10").json["region"] == "here"
    for sale in (by_shares, central):
        answer = front.buy(sale, far)
        assert (answer.status, answer.problem, answer.json["home"]) == (503, "home_unavailable", "there")
        assert answer.headers["retry-after"] == "1"
    until(lambda: bold.buy(by_shares, far).status == 200)
    assert bold.buy(by_shares, far).json["region"] == "here"
    assert bold.buy(central, far).problem == "home_unavailable", "all of the stock is there"
    start("there", home_port)
    another = buyer_of("there")
    until(lambda: front.buy(by_shares, another).status == 200)
    assert front.buy(by_shares, another).json["region"] == "there"
    until(lambda: bold.buy(by_shares, another).status == 307)


def test_a_central_sale_needs_a_way_to_its_region(start: Start) -> None:
    lonely = start("here", free_port())
    sale = publish(lonely, terms(0.5, method="central", central_region="there", regions=list(REGIONS)))
    answer = lonely.buy(sale, fresh())
    assert (answer.status, answer.problem) == (503, "central_unreachable")
    assert "--peer there=URL" in answer.json["detail"]


def test_a_home_that_is_claimed(start: Start, sale_by: Open, here: Gateway) -> None:
    port = free_port()
    start("there", port, "--home-claim")
    front = start("here", free_port(), "--routing", "forward", *peer("there", port), "--home-claim")
    sale = sale_by("sharded")
    path = f"/v1/sales/{sale}/purchases"
    for home in REGIONS:
        for buyer in (buyer_of("here"), buyer_of("there")):
            assert front.call("POST", path, {"buyer": buyer, "home": home}).json["region"] == home
    unknown = front.call("POST", path, {"buyer": fresh(), "home": "mars"})
    assert (unknown.status, unknown.json["errors"][0]["field"]) == (422, "home")
    refused = here.call("POST", path, {"buyer": fresh(), "home": "here"})
    assert (refused.status, refused.problem) == (422, "invalid"), "only where the operator says so"


def test_bids_are_forwarded_to_their_buyers_home_and_found_there(
    forwarding: Started, start: Start, small_world: World
) -> None:
    """Also where the home is claimed; a bid that cannot be is refused where it arrives."""
    there = Gateway(small_world.ports["there"], small_world.token)
    sale = publish(there, terms(0.5, regions=list(REGIONS), kind="auction", currency="EUR", reserve_price=100))
    path, buyer = f"/v1/sales/{sale}/purchases", buyer_of("there")
    made = until(
        lambda: (told := forwarding.call("POST", path, {"buyer": buyer, "price": 500})).status == 202 and told, 60
    )
    assert (made.json["region"], made.json["price"]) == ("there", 500)
    assert there.call("POST", path, {"buyer": buyer, "price": 500}).json == made.json
    assert forwarding.call("GET", f"{path}/{made.json['id']}").json == made.json
    assert forwarding.call("POST", path, {"buyer": buyer, "price": 99}).problem == "below_reserve"
    claiming = start("here", free_port(), "--home-claim")
    claimed = {"buyer": buyer, "price": 500, "home": "here"}
    served = until(lambda: (told := claiming.call("POST", path, claimed)).status == 202 and told)
    assert served.json["region"] == "here"
    assert claiming.call("POST", path, {**claimed, "price": 99}).problem == "below_reserve"
    unknown = claiming.call("POST", path, {**claimed, "home": 7})
    assert (unknown.status, unknown.json["errors"][0]["field"]) == (422, "home")
