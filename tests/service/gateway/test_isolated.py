"""A region that may be about to be cut off admits nothing; one whose arbiter comes back in time admits everything."""

import signal
from collections.abc import Iterator

import pytest

from service.world.world import ARBITER, RegionPlan, World, WorldPlan
from tests.patience import until
from tests.service.caller import Answered, Gateway
from tests.service.sales import fresh, publish, terms

SHORT_NS = str(3_000_000_000)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(WorldPlan(regions=(RegionPlan("here"),))) as running:
        yield running


@pytest.fixture
def gateway(world: World) -> Gateway:
    return Gateway(world.ports["here"], world.token)


def sells(gateway: Gateway, sale: str, buyer: str) -> None:
    """Waits until a buyer is taken."""
    until(lambda: gateway.buy(sale, buyer).status in {200, 202})


def test_without_the_arbiter_nothing_is_admitted_before_a_cut_off_could_come(world: World, gateway: Gateway) -> None:
    ordered = terms(0.5, cut_off_after_ns=SHORT_NS, stock=10_000)
    short = [publish(gateway, ordered), publish(gateway, ordered | {"method": "sharded", "quotas": {"here": 10_000}})]
    early, patient = publish(gateway, terms(3600, cut_off_after_ns=SHORT_NS)), publish(gateway, terms(0.5))
    for sale in (*short, patient):
        sells(gateway, sale, "known")
    world.send(ARBITER, signal.SIGSTOP)
    try:
        for sale in short:

            def is_refused(sale: str = sale) -> Answered | None:
                answer = gateway.buy(sale, fresh())
                return answer if answer.status == 503 else None

            refused = until(is_refused)
            assert refused.problem == "region_isolated"
            assert refused.headers["retry-after"] == "1"
            assert gateway.buy(sale, "known").status in {200, 202}, "a buyer's own entry is looked up first"
        assert gateway.buy(early, fresh()).problem == "too_early"
        assert gateway.buy(patient, fresh()).status == 202, "its cut-off is far"
    finally:
        world.send(ARBITER, signal.SIGCONT)
    for sale in short:
        sells(gateway, sale, fresh())


def test_an_arbiter_that_is_started_again_in_time_costs_nothing(world: World, gateway: Gateway) -> None:
    sale = publish(gateway, terms(0.5, stock=1_000_000))
    until(lambda: gateway.buy(sale, "first").status in {200, 202})
    world.kill(ARBITER)
    last, answers = fresh(), {gateway.buy(sale, fresh()).status}
    assert gateway.buy(sale, last).status == 202
    world.start(ARBITER)

    def is_decided() -> bool:
        answers.add(gateway.buy(sale, fresh()).status)
        return gateway.buy(sale, last).status == 200

    until(is_decided)
    assert answers <= {200, 202}


def test_a_gateway_that_starts_while_the_arbiter_is_away_is_not_fooled_by_an_old_pulse(
    world: World, gateway: Gateway
) -> None:
    sale = publish(gateway, terms(0.5, cut_off_after_ns=SHORT_NS, stock=10_000))
    until(lambda: gateway.buy(sale, "first").status in {200, 202})
    world.send(ARBITER, signal.SIGSTOP)
    try:
        until(lambda: gateway.buy(sale, fresh()).status == 503)
        world.kill("gateway-here-0")
        world.start("gateway-here-0")
        until(lambda: _healthy(gateway))
        assert gateway.buy(sale, fresh()).problem == "region_isolated"
    finally:
        world.send(ARBITER, signal.SIGCONT)
    until(lambda: gateway.buy(sale, fresh()).status in {200, 202})


def _healthy(gateway: Gateway) -> bool:
    try:
        return gateway.call("GET", "/healthz").status == 200
    except OSError:
        return False
