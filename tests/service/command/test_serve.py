"""`firstcome serve` as its help says: a sale by hand, kept over restarts, and nothing left behind however it ends."""

import json
import os
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.world.ports import free_port
from tests.patience import until
from tests.service.command.conftest import Firstcome
from tests.service.processes import Program, is_running, processes_with

TOKEN = "export FIRSTCOME_TOKEN="


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets, which only this test's processes name."""
    with tempfile.TemporaryDirectory(prefix="firstcome-serve-") as path:
        yield Path(path)


class Served(Program):
    """A running `serve`."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder, self.port = folder, free_port()
        listen = f"127.0.0.1:{self.port}"
        environment = {"FIRSTCOME_GATEWAY_DATA": "/nosuch", "FIRSTCOME_ARBITER_STORE": "nosuch"}
        words = ("serve", "--data", str(folder / "data"), "--listen", listen, *words)
        super().__init__(folder, *words, environment=environment)

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have the commands of this test go there."""
        monkeypatch.setenv("FIRSTCOME_GATEWAY", f"http://127.0.0.1:{self.port}/")
        monkeypatch.setenv("FIRSTCOME_TOKEN", self.line_with(TOKEN).removeprefix(TOKEN))


def test_a_sale_by_hand(folder: Path, firstcome: Firstcome, monkeypatch: pytest.MonkeyPatch) -> None:
    with Served(folder) as served:
        served.use(monkeypatch)
        assert "CLOCK IS TAKEN AS THE TRUTH" in served.line_with("TRUTH")
        words = ("sale", "publish", "--opens-in", "1", "--stock", "1")
        published = until(lambda: (ran := firstcome(*words)).status == 0 and ran)
        sale = published.out.splitlines()[0]
        assert re.fullmatch("[0-9a-f]{32}", sale)
        assert "seed commitment" in published.out
        bought = until(lambda: (ran := firstcome("sale", "buy", sale, "ada")).status == 0 and ran)
        assert json.loads(bought.out).items() >= {"state": "won", "rank": 0, "buyer": "ada"}.items()
        refused = firstcome("sale", "buy", sale, "bob")
        assert (refused.status, refused.err.startswith("firstcome: Sold out:")) == (1, True)
        watched = firstcome("sale", "watch", sale)
        assert [json.loads(line)["type"] for line in watched.out.splitlines()] == ["won", "sold_out", "closed"]
        assert firstcome("sale", "watch", sale, "--after", "10000000").out == ""
        assert sale in firstcome("sale", "list", "--json").out
        assert "A sale to try" in firstcome("sale", "list", "--tz", "Europe/Berlin").out
        shown = json.loads(firstcome("sale", "show", sale, "--tz", "UTC").out)
        assert (shown["state"], shown["reason"]) == ("closed", "sold_out")
        assert firstcome("sale", "show", "nosuch").status == 1
        other = json.loads(firstcome("sale", "publish", "--opens-in", "3600", "--json").out)["id"]
        assert "is cancelled" in firstcome("sale", "cancel", other, "--reason", "wrong price").out
        assert firstcome("sale", "cancel", other, "--reason", "again").status == 1
        assert served.end(signal.SIGINT) == 0
    until(lambda: not processes_with(str(folder)))
    with Served(folder) as again:
        again.use(monkeypatch)
        found = until(lambda: (ran := firstcome("sale", "buy", sale, "ada")).status == 0 and ran)
        assert json.loads(found.out) == json.loads(bought.out)
        assert [kept["id"] for kept in json.loads(firstcome("sale", "list", "--json").out)["sales"]] == [sale, other]
        assert again.end(signal.SIGTERM) == 0
    until(lambda: not processes_with(str(folder)))
    assert "Traceback" not in served.said() + again.said()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(folder: Path, firstcome: Firstcome, how: signal.Signals) -> None:
    """Also with two gateways, and also when it is killed before everything is up."""
    with Served(folder, "--processes", "2") as served:
        until(lambda: len(processes_with(str(folder))) >= 6)
        served.end(how)
    until(lambda: not processes_with(str(folder)))


def test_it_ends_when_one_of_its_processes_does(folder: Path) -> None:
    with Served(folder) as served:
        served.line_with("gateway listens")
        (arbiter,) = processes_with(f"{folder}/data/store-arbiter/store.sock\0--region")
        os.kill(arbiter, signal.SIGKILL)
        assert served.status() == 2
    assert "one of its processes ended" in served.said()
    until(lambda: not processes_with(str(folder)))


def test_a_folder_serves_one(folder: Path, firstcome: Firstcome) -> None:
    with Served(folder) as served:
        served.line_with("gateway listens")
        ran = firstcome("serve", "--data", str(folder / "data"), "--listen", f"127.0.0.1:{free_port()}")
        assert ran.status == 2
        assert "in use by another process" in ran.err


def test_a_killed_gateway_is_started_again(folder: Path) -> None:
    with Served(folder, "--processes", "2") as served:
        gateways = until(lambda: len(found := _gateways(folder)) == 2 and found)
        until(lambda: served.said().count("gateway listens") == 2)
        killed = min(gateways)
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(_gateways(folder) - {killed}) == 2)
        until(lambda: served.said().count("gateway listens") == 3)
        assert is_running(max(gateways))


def _gateways(folder: Path) -> set[int]:
    """The gateways that a supervisor has started: each is one process."""
    ours = processes_with(str(folder)) & processes_with("gateway\0--region\0here")
    return ours & processes_with("--processes\x001\0")
