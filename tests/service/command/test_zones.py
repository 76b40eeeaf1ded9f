"""Times at a terminal: in its own zone unless another is named, and said which."""

import json
from collections.abc import Iterator

import pytest
import whenever

from service.command.zones import readers_zone
from tests.service.caller import Gateway
from tests.service.command.conftest import Firstcome
from tests.service.sales import Sales, publish, terms


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, here: Gateway) -> Iterator[pytest.MonkeyPatch]:
    """A terminal whose zone can be set, on a gateway."""
    with monkeypatch.context() as patched:
        patched.setenv("FIRSTCOME_GATEWAY", f"http://127.0.0.1:{here.port}")
        patched.setenv("FIRSTCOME_TOKEN", here.token)
        patched.setenv("COLUMNS", "200")
        yield patched
    whenever.reset_system_tz()


@pytest.mark.parametrize(
    ("own", "zone"),
    [
        ("Asia/Kathmandu", "Asia/Kathmandu"),
        (":Asia/Kathmandu", "Asia/Kathmandu"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "UTC"),
        ("", "UTC"),
    ],
)
def test_the_zone_of_a_terminal(terminal: pytest.MonkeyPatch, own: str, zone: str) -> None:
    terminal.setenv("TZ", own)
    whenever.reset_system_tz()
    assert readers_zone(None)[0] == zone
    assert ("has no name" in readers_zone(None)[1]) == own.startswith("CET")


def test_sales_are_told_in_the_zone_of_the_reader(
    terminal: pytest.MonkeyPatch, firstcome: Firstcome, here: Gateway
) -> None:
    opens, closes = "2098-06-01T20:00:00+08:00[Asia/Shanghai]", "2098-06-01T21:00:00+08:00[Asia/Shanghai]"
    sale = publish(here, terms(3600, opens=opens, closes=closes))
    terminal.setenv("TZ", "Asia/Kathmandu")
    whenever.reset_system_tz()
    own, other = firstcome("sale", "list").out, firstcome("sale", "list", "--tz", "europe/berlin").out
    assert "times in Asia/Kathmandu (this terminal's zone" in own
    assert "2098-06-01 17:45:00+05:45" in own
    assert "times in Europe/Berlin" in other
    assert "2098-06-01 14:00:00+02:00" in other
    shown = json.loads(firstcome("sale", "show", sale).out)
    assert shown["opens"] == "2098-06-01T17:45:00+05:45[Asia/Kathmandu]"
    assert shown["terms"]["opens"] == opens
    assert json.loads(firstcome("sale", "show", sale, "--tz", "UTC").out)["closes"] == "2098-06-01T13:00:00+00:00[UTC]"
    for words, told in (((), opens), (("--tz", "UTC"), "2098-06-01T12:00:00+00:00[UTC]")):
        listed = json.loads(firstcome("sale", "list", "--json", *words).out)["sales"]
        assert next(one for one in listed if one["id"] == sale)["opens"] == told


def test_decisions_are_as_recorded_for_programs(
    terminal: pytest.MonkeyPatch, firstcome: Firstcome, here: Gateway, sales: Sales
) -> None:
    recorded = [event for _, event in here.events(sales.sold_out)]
    for words in ((), ("--tz", "Asia/Tokyo")):
        told = firstcome("sale", "watch", sales.sold_out, *words).out.splitlines()
        assert [json.loads(line) for line in told] == recorded


@pytest.mark.parametrize("words", [("list",), ("show", "x"), ("watch", "x")])
def test_a_zone_that_does_not_exist(firstcome: Firstcome, words: tuple[str, ...]) -> None:
    """Said before anybody is called."""
    ran = firstcome("sale", *words, "--tz", "Asia/Shangai", "--token", "t", "--gateway", "http://127.0.0.1:1")
    assert ran.status == 2
    assert "--tz: 'Asia/Shangai' is no zone of the IANA database: is it Asia/Shanghai?" in ran.err
