"""One small system of real processes for all tests of this folder, and the sales that most of them ask about.

Two regions, so that a sale can be elsewhere; tests call `here`. Nothing in it is ever killed: tests that kill start
what they kill themselves.
"""

from collections.abc import Iterator

import pytest

from service.gateway.tokens import token_table
from service.world.world import RegionPlan, World, WorldPlan
from tests.patience import until
from tests.service.caller import Gateway
from tests.service.sales import MILLISECOND, Sales, publish, terms

AUDITOR = "a-token-of-an-auditor"
MERCHANTS = ("ann", "bob", "eve", "joe", "kim")
"""Names of tokens that may publish, and nothing else; each is its name with `-publishes` behind it."""


@pytest.fixture(scope="session")
def small_world() -> Iterator[World]:
    with World(WorldPlan(regions=(RegionPlan("here"), RegionPlan("there")))) as running:
        with (running.folder / "tokens.toml").open("a") as tokens:
            tokens.write(token_table(AUDITOR, "auditor", ["audit"]))
            for merchant in MERCHANTS:
                tokens.write(token_table(f"{merchant}-publishes", merchant, ["publish"]))
        running.kill("gateway-here-0")
        running.start("gateway-here-0")
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="session")
def here(small_world: World) -> Gateway:
    """The gateway of the region `here`."""
    return Gateway(small_world.ports["here"], small_world.token)


@pytest.fixture(scope="session")
def auditor(small_world: World) -> Gateway:
    """The same gateway with a token that may only look."""
    return Gateway(small_world.ports["here"], AUDITOR)


@pytest.fixture(scope="session")
def sales(here: Gateway) -> Sales:
    sharp = {"skew_bound_ns": "1000", "intake_grace_ns": str(200 * MILLISECOND)}
    made = Sales(
        early=publish(here, terms(3600)),
        open=publish(here, terms(1.0, stock=1_000_000)),
        elsewhere=publish(here, terms(3600, regions=["there"])),
        sharp=publish(here, terms(1.0, **sharp)),
        sold_out=publish(here, terms(1.0, stock=1)),
        closed=publish(here, terms(1.0, lasts=0.5)),
        cancelled=publish(here, terms(1.0)),
    )
    until(lambda: here.state(made.closed) == "open")
    for sale, buyer in ((made.sold_out, "first"), (made.closed, "punctual"), (made.cancelled, "unlucky")):
        until(lambda sale=sale, buyer=buyer: here.buy(sale, buyer).status in {200, 202})
    assert here.call("POST", f"/v1/sales/{made.cancelled}/cancel", {"reason": "wrong price"}).status == 200
    for sale, state in ((made.sold_out, "closed"), (made.closed, "closed"), (made.cancelled, "cancelled")):
        until(lambda sale=sale, state=state: here.state(sale) == state)
    until(lambda: here.buy(made.open, "first-of-all").status in {200, 202})
    return made
