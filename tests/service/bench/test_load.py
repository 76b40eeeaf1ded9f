"""The generators ask what they say: every purchase is of another buyer, and what they count is what the store has."""

from typing import Any

import pytest
import redis

from service.bench import load as load_module
from service.bench.frame import BenchmarkError
from service.bench.load import Asked, all_taken, load
from service.bench.openloop import press
from service.bench.overload import missing
from service.bench.stage import Stage
from service.store import keys
from service.world.world import World
from tests.patience import until
from tests.service.caller import Gateway
from tests.service.sales import Sales, publish, terms

CONNECTIONS = 4


@pytest.fixture(params=["wrk", "our own"])
def generator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "our own":
        monkeypatch.setattr(load_module, "WRK", None)
    elif load_module.WRK is None:
        pytest.skip("wrk is not installed")


@pytest.fixture
def sale(here: Gateway) -> str:
    """A sale that is open, with one entry in it."""
    made = publish(here, terms(0.5, stock=1_000_000))
    until(lambda: here.buy(made, "the-first").status == 202)
    return made


def logged(small_world: World, sale: str) -> int:
    with redis.Redis.from_url(small_world.stores["here"], protocol=2) as client:
        found: Any = client.hlen(keys.buyers(sale))
        return int(found) - 1


@pytest.mark.usefixtures("generator")
@pytest.mark.parametrize("purchases", [1, 20])
@pytest.mark.parametrize("another_head", [False, True])
def test_every_purchase_is_of_another_buyer(
    here: Gateway, small_world: World, sale: str, purchases: int, another_head: bool
) -> None:
    """Those that were under way when the time was over are logged too, and not counted."""
    path = f"/v1/sales/{sale}/purchases" + (":batch" if purchases > 1 else "")
    asked = Asked(here.port, path, here.token, purchases=purchases, another_head=another_head, connections=CONNECTIONS)
    answers = all_taken(asked, 1.0)
    counted = answers.requests * purchases
    assert 0 < counted <= logged(small_world, sale) <= counted + CONNECTIONS * purchases
    assert 0 < answers.p50_us <= answers.p99_us <= answers.max_us
    rate = next(reading for reading in answers.readings(purchases) if reading.what == "requests/s")
    assert rate.value == pytest.approx(counted / answers.seconds)


@pytest.mark.usefixtures("generator")
def test_paths_are_asked_in_turn_and_refusals_counted(here: Gateway, sales: Sales) -> None:
    asked = Asked(here.port, "/healthz,/v1/sales/nosuch", here.token, "GET", purchases=0, connections=1)
    answers = load(asked, 1.0)
    assert abs(answers.requests - 2 * answers.refused) <= 1
    with pytest.raises(BenchmarkError, match="refusals"):
        all_taken(asked, 1.0)


def test_an_open_load_is_what_was_asked_for_and_nothing_acknowledged_ismissing(
    here: Gateway, small_world: World, sale: str
) -> None:
    pressed = press(here.port, f"/v1/sales/{sale}/purchases", here.token, 50.0, 1.0, CONNECTIONS)
    assert pressed.begun + pressed.unsent == pytest.approx(50, abs=2)
    assert pressed.strange == 0
    assert len(pressed.acknowledged) + pressed.refused == pressed.begun
    stage = Stage(small_world)
    assert missing(stage, sale, pressed) == []
    request, seq = pressed.acknowledged[0]
    pressed.acknowledged.append((request, seq + 1))
    assert missing(stage, sale, pressed) == [f"1 acknowledged purchases are not in the log of {sale}"]
