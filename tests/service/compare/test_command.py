"""`firstcome compare` as it is run: repeatable to the last byte; its page is whole and needs nothing from outside."""

import base64
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from service.compare import simulation
from service.compare.comparison import Comparison
from service.compare.methods import CENTRAL, LOTTERY, METHODS
from service.compare.page import page
from service.compare.plots import draw
from service.compare.real import PLAN
from service.compare.recording import record
from service.compare.scene import EQUAL, SCENES, smaller
from service.compare.simulation import Effort, simulate
from service.compare.sweeps import bias_sweep, window_sweep
from service.compare.tables import SUMMARY_COLUMNS
from tests.service.command.conftest import Firstcome, firstcome

__all__ = ["firstcome"]

ONE_SALE = ("compare", "--only", "simulation", "--quick")
_PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def one_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than quick."""
    monkeypatch.setattr(simulation, "QUICK_SALES", (1, 1))


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """Small scenes, and some of the sweeps."""
    effort = Effort(seed=1, sales=2, sales_of_sweeps=1)
    simulated = simulate(effort, [smaller(scene, 5) for scene in SCENES])
    real = [replace(played, scene=replace(played.scene, name="real")) for played in simulated[:1]]
    return Comparison(1, simulated, [bias_sweep(effort, 10), window_sweep(effort)], real)


@pytest.fixture(scope="module")
def plots(comparison: Comparison) -> dict[str, bytes]:
    return draw(comparison)


@pytest.mark.usefixtures("one_sale")
def test_the_same_seed_gives_the_same_figures_to_the_last_byte(firstcome: Firstcome, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.json", "b.json")]
    shown = [firstcome(*ONE_SALE, "--seed", seed, "--json", str(file)) for seed, file in zip("77", files, strict=True)]
    assert [ran.status for ran in shown] == [0, 0], shown[0].err
    first, again = (file.read_bytes() for file in files)
    assert first == again
    assert shown[0].out == shown[1].out
    for column in SUMMARY_COLUMNS:
        assert column.split("\n")[0] in shown[0].out
    found = json.loads(first)
    assert found["seed"] == 7
    assert list(found["simulated"]) == [scene.name for scene in SCENES]
    for scene in found["simulated"].values():
        assert scene["methods"].keys() == METHODS.keys()
    assert found["real"] == {}


def test_another_seed_gives_other_arrivals() -> None:
    first, again, other = (record(EQUAL, seed, 0) for seed in (7, 7, 8))
    assert first == again
    assert first.buyers != other.buyers
    assert first.seed != other.seed


class _Outside(HTMLParser):
    """What a page would fetch, and what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_fetches_nothing(comparison: Comparison, plots: dict[str, bytes]) -> None:
    written = page(comparison, plots)
    seen = _Outside()
    seen.feed(written)
    assert not seen.tags & {"script", "link", "iframe", "object"}
    assert "url(" not in written
    assert "@import" not in written
    assert "http://" not in written
    assert "https://" not in written
    images = [base64.b64decode(address.removeprefix("data:image/png;base64,")) for address in seen.addresses]
    assert sorted(images) == sorted(plots.values())
    assert all(image.startswith(_PNG) for image in images)
    for scene in SCENES:
        assert scene.title in seen.text
    for method in METHODS.values():
        assert method.how in seen.text
        assert method.buys in seen.text
        assert method.costs in seen.text
    assert "On real processes" in seen.text


def test_the_numbers_of_the_page_are_those_of_the_run(comparison: Comparison, plots: dict[str, bytes]) -> None:
    written = page(comparison, plots)
    equal = comparison.scene(EQUAL.name).by_method
    for name in (CENTRAL, LOTTERY):
        found = equal[name].far_of_winners
        assert found is not None
        assert f"{found.value:.1%}" in written
    assert f"{equal[CENTRAL].sales} sales" in written


def test_plots_are_drawn_alike_from_the_same_figures(comparison: Comparison, plots: dict[str, bytes]) -> None:
    some = draw(replace(comparison, sweeps=comparison.sweeps[-1:]))
    assert some == {name: plots[name] for name in some}
    assert {"winners", "waits", "unsold", "bots"} <= plots.keys()
    assert {sweep.name for sweep in comparison.sweeps} <= plots.keys()


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "part": (("--only", "both"), "both"),
    "seed": (("--seed", "one"), "--seed"),
    "html is a folder": (("--html", "."), "name a file"),
    "json nowhere": (("--json", "no/such/folder/file"), "there is no folder"),
    "plots is a file": (("--plots", __file__), "is no folder"),
    "unknown flag": (("--fast",), "--fast"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_flags_are_one_line(firstcome: Firstcome, wrong: str) -> None:
    words, told = WRONG[wrong]
    ran = firstcome("compare", *words)
    assert ran.status == 2
    assert ran.out == ""
    assert told in ran.err
    assert ran.err.count("\n") == 1


def test_every_method_that_can_be_sold_is_played_on_real_processes() -> None:
    sold = {name for name, method in METHODS.items() if method.fields is not None}
    assert sold == {name for _, _, methods in PLAN for name in methods}
