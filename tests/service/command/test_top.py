"""`firstcome top`: what it shows of a real system, and of one in which something is wrong."""

import json
import subprocess
import sys
from typing import Any

import pytest

from service.command.top import draw
from service.watching.picture import Picture, Told, show_arbiter, show_clock, show_region, show_sales
from service.world.world import ARBITER, World
from tests.patience import until
from tests.service.caller import Gateway
from tests.service.sales import Sales


def top(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    urls = [word for port in world.ports.values() for word in ("--gateway", f"http://127.0.0.1:{port}")]
    urls += ["--clock", f"http://127.0.0.1:{world.watched['clockd-here']}"]
    urls += ["--arbiter", f"http://127.0.0.1:{world.watched[ARBITER]}", "--token", world.token]
    command = [sys.executable, "-m", "service.command", "top", *words, *urls]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_shows_regions_clocks_sales_and_the_arbiter(small_world: World, here: Gateway, sales: Sales) -> None:
    told = until(lambda: (found := top(small_world, "--json")).returncode in {0, 1} and json.loads(found.stdout))
    assert [region["name"] for region in told["regions"]] == ["here", "there"]
    assert told["regions"][0]["clock"] == "safe"
    assert told["regions"][0]["logged"] > 0
    assert told["regions"][0]["least_skew_bound_seconds"] == 1e-6
    assert [clock["host"] for clock in told["clocks"]] == ["here-1"]
    assert told["arbiter"]["token"] >= 1
    assert sales.open in {sale["sale"] for sale in told["sales"]}
    assert sales.closed not in {sale["sale"] for sale in told["sales"]}
    # one sale asks for more than any clock here keeps
    assert any("here: the bound of its clock is" in trouble for trouble in told["troubles"])
    shown = top(small_world, "--once")
    assert shown.returncode == 1
    for word in ("Regions", "Sales", "Arbiter", "Clocks", "here-1", sales.open, "synchronized"):
        assert word in shown.stdout


def test_what_does_not_answer_is_said(small_world: World) -> None:
    command = [sys.executable, "-m", "service.command", "top", "--once", "--gateway", "http://127.0.0.1:1"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 1
    assert "its gateway does not answer" in shown.stdout


@pytest.mark.parametrize(("words", "said"), [(("--gateway", "here"), "no URL"), (("--token", "nonsense"), "a token")])
def test_what_cannot_run_is_one_line(small_world: World, words: tuple[str, ...], said: str) -> None:
    url = ["--gateway", f"http://127.0.0.1:{small_world.ports['here']}"]
    command = [sys.executable, "-m", "service.command", "top", "--once", *url, *words]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def sample(name: str, value: float, **labels: str) -> str:
    return name + "{" + ",".join(f'{key}="{text}"' for key, text in labels.items()) + f"}} {value}\n"


def region(**changed: Any) -> str:
    values = {
        "firstcome_clock_safe": 1,
        "firstcome_clock_bound_seconds": 0.001,
        "firstcome_skew_bound_seconds": 0.01,
        "firstcome_clock_page_age_seconds": 0.5,
        "firstcome_store_up": 1,
        "firstcome_arbiter_heartbeat_age_seconds": 0.2,
        "firstcome_gateway_stuck_processes": 0,
        **{f"firstcome_{name}": value for name, value in changed.items()},
    }
    return "".join(sample(name, value, region="east") for name, value in values.items())


@pytest.mark.parametrize(
    ("changed", "trouble"),
    [
        ({}, ""),
        ({"clock_bound_seconds": 0.0051}, "51% of the least ε"),
        ({"clock_page_age_seconds": 11}, "page is 11 s old"),
        ({"store_up": 0}, "store does not answer"),
        ({"arbiter_heartbeat_age_seconds": 6}, "arbiter is not heard"),
        ({"gateway_stuck_processes": 2}, "2 gateway processes stand still"),
    ],
)
def test_a_regions_troubles_are_those_that_alert(changed: dict[str, float], trouble: str) -> None:
    shown = show_region("http://x", Told(region(**changed)), None, 0.0)
    assert (shown.name, shown.answers) == ("east", True)
    assert len(shown.troubles) == bool(trouble)
    assert trouble in "".join(shown.troubles)


def test_rates_are_of_the_time_between_two_looks() -> None:
    def look(logged: float) -> Told:
        return Told(region() + sample("firstcome_purchases_total", logged, region="east", outcome="logged"))

    first = show_region("http://x", look(100), None, 0.0)
    assert first.logged_per_second is None
    second = show_region("http://x", look(150), first, 2.0)
    assert second.logged_per_second == 25.0


def test_an_empty_system_can_be_drawn() -> None:
    nobody = Told(None)
    picture = Picture(
        [show_region("http://x", nobody, None, 0.0)],
        [show_clock("http://y", nobody)],
        show_sales([nobody]),
        show_arbiter("http://z", nobody),
    )
    assert len(picture.troubles) == 3
    assert draw(picture)
