"""A running system for tests: three regions, two gateways each, one world for the whole session.

Starting one takes seconds, so tests share it and each leaves it whole: what a test killed is started again after it.
Sales are cheap: every test publishes its own. `Outing` is a sale with what was done to it; its bundle is judged by the
audit and by the oracle, and every answer that a buyer got is looked up in it.
"""

import json
import secrets
import signal
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import uvloop

from model.beacon import Round
from model.terms import Terms, read_terms
from proofs.audit import audit
from service.export import ExportError, export
from service.store.opening import connect
from service.world.crowd import Crowd, Press, Pressed
from service.world.world import ARBITER, RegionPlan, World, WorldPlan
from tests.beacons import DrandServer, OwnBeacon
from tests.oracle import Reading, read_bundle
from tests.patience import until

_TLS = ssl.create_default_context()
"""Never used, but httpx would make one for every call."""

MILLISECOND = 1_000_000
SECOND = 1_000_000_000

TRIES = 6
"""A buyer who is told 503 presses again, as a service would: for some three seconds."""
LONGEST_SECONDS = 120
"""From here to the end of a sale, on a busy machine too."""

REGIONS = (
    RegionPlan("north", 0.0005, gateways=2),
    RegionPlan("south", 0.001, offset_ns=40 * MILLISECOND, drift_ppb=20_000, gateways=2),
    RegionPlan("west", 0.010, offset_ns=-25 * MILLISECOND, drift_ppb=-35_000, gateways=2),
)
"""The clock of north is right and good to about 1 ms, west's is good to 10 ms."""


@pytest.fixture(scope="session")
def shared_drand() -> Iterator[DrandServer]:
    with DrandServer() as server:
        yield server


@pytest.fixture
def drand(shared_drand: DrandServer) -> DrandServer:
    """A server of public beacons, honest and awake, as the arbiter of the world asks it."""
    shared_drand.behave()
    return shared_drand


@pytest.fixture(scope="session")
def shared_world(shared_drand: DrandServer) -> Iterator[World]:
    notifier = ("--allow-private", "--first-pause", "0.02")
    with World(WorldPlan(REGIONS, beacons=("http://127.0.0.1:1", shared_drand.url), notifier=notifier)) as world:
        yield world


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The world, whole before and after."""
    yield shared_world
    mend(shared_world)


def mend(world: World) -> None:
    """Start again whatever has ended, let go on whatever was stopped, and wait for them."""
    token = fence(world)
    decides = world.is_running(ARBITER)
    for name in world.process_names:
        if "twin" in name:
            world.kill(name)
        elif world.is_running(name):
            world.send(name, signal.SIGCONT)
        else:
            world.start(name)
    world.wait_until_ready()
    until(lambda: decides or fence(world) > token)


def fence(world: World) -> int:
    """The token of the arbiter that decides."""
    with store(world, ARBITER) as client:
        return int(client.get("arbiter:fence") or 0)


@dataclass
class Outing:
    """One sale in a world, and what its buyers were told."""

    world: World
    terms: Terms
    folder: Path
    pressed: list[Pressed] = field(default_factory=list)

    @property
    def sale(self) -> str:
        return self.terms.sale()

    def at_ns(self, seconds: float) -> int:
        """A moment after the opening."""
        return self.terms.opens_ns + int(seconds * SECOND)

    def press(self, presses: Iterable[tuple[str, str, float]], **how: Any) -> list[Pressed]:
        """Buyers press: (who, where, how many seconds after the opening). Returns once all have their answer."""
        return self.press_as([Press(buyer, region, self.at_ns(seconds)) for buyer, region, seconds in presses], **how)

    def press_as(self, plan: list[Press], tries: int = TRIES, **how: Any) -> list[Pressed]:
        """The same, as planned in full."""

        async def run() -> list[Pressed]:
            crowd = Crowd(self.world.ports, self.sale, self.world.token, tries=tries, **how)
            return await crowd.press_all(plan)

        pressed = uvloop.run(run())
        self.pressed += pressed
        return pressed

    def in_background(self, presses: Iterable[tuple[str, str, float]], **how: Any) -> Future[list[Pressed]]:
        """The same, while the test's own thread does something to the world."""
        with_one = ThreadPoolExecutor(1)
        future = with_one.submit(self.press, list(presses), **how)
        with_one.shutdown(wait=False)
        return future

    def call(self, method: str, path: str, region: str = "north", **more: Any) -> httpx.Response:
        """A call about this sale."""
        return call(self.world, method, f"/v1/sales/{self.sale}{path}", region, **more)

    def state(self, region: str = "north") -> dict[str, Any]:
        """What a region says about the sale."""
        shown: dict[str, Any] = self.call("GET", "", region).json()
        return shown

    def decisions(self) -> list[dict[str, Any]]:
        """The decision log as the arbiter has it on disk."""
        return [json.loads(line) for line in stream(self.world, ARBITER, f"arbiter:{{{self.sale}}}:decisions")]

    def decided(self) -> int:
        """How many records the decision log has."""
        return length(self.world, ARBITER, f"arbiter:{{{self.sale}}}:decisions")

    def logged(self, region: str) -> int:
        """How many entries a region's log has."""
        return length(self.world, region, f"{{{self.sale}}}:log")

    def of_type(self, *kinds: str) -> list[dict[str, Any]]:
        """The decisions of some types."""
        return [decision for decision in self.decisions() if decision["type"] in kinds]

    def log(self, region: str) -> list[dict[str, Any]]:
        """A region's log as its store has it."""
        return [json.loads(line) for line in stream(self.world, region, f"{{{self.sale}}}:log")]

    def is_over(self) -> bool:
        """Whether the last record is written."""
        with store(self.world, ARBITER) as client:
            last = client.xrevrange(f"arbiter:{{{self.sale}}}:decisions", count=1)
        return bool(last) and json.loads(last[0][1][b"l"])["type"] in {"closed", "halted"}

    def export(self) -> Path:
        """Wait for the end, and export. Returns the bundle's folder."""
        until(self.is_over, LONGEST_SECONDS)
        uvloop.run(_export(self.world, self.sale, self.folder))
        return self.folder

    def finish(self) -> "Finished":
        """Wait for the end, export, and have the bundle judged."""
        self.export()
        report = audit(self.folder)
        assert report.findings == (), report.findings
        return Finished(self, self.folder)


@dataclass
class Finished:
    """A bundle that passed the audit."""

    outing: Outing
    folder: Path

    def __post_init__(self) -> None:
        self.decisions = self.lines("decisions")
        self.outcomes = {outcome["request"]: outcome for outcome in self.lines("outcomes")}
        self.entries = {
            entry["request"]: (region, entry)
            for region in self.outing.terms.regions
            for entry in self.lines(f"regions/{region}")
            if entry["type"] == "request"
        }
        self.winners = [decision["request"] for decision in self.decisions if decision["type"] == "won"]

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / f"{name}.jsonl").read_bytes().splitlines()]

    def reasons(self) -> set[str]:
        """Why those who lost have lost."""
        return {outcome["reason"] for outcome in self.outcomes.values() if outcome["state"] == "lost"}

    def decided_again(self) -> Reading:
        """The oracle's reading, which must be the bundle's."""
        reading = read_bundle(self.folder, in_full=False)
        assert reading.decisions == self.decisions
        assert reading.outcomes == list(self.outcomes.values())
        return reading

    def keeps_its_word(self) -> int:
        """Whoever was told a number or an outcome finds just that in the bundle. Returns how many were."""
        acknowledged = [pressed.answer for pressed in self.outing.pressed if "seq" in pressed.answer]
        for answer in acknowledged:
            region, entry = self.entries[answer["id"]]
            assert answer["region"] == region
            for name in ("seq", "buyer", "stamp_ns", "bound_ns", "price"):
                assert answer.get(name) == entry.get(name)
            if answer["state"] != "pending":
                told = {name: answer[name] for name in ("state", "reason", "rank", "unit", "of") if name in answer}
                told |= {"price": answer["pays"]} if "pays" in answer else {}
                assert {"request": answer["id"], **told} == self.outcomes[answer["id"]]
        return len(acknowledged)


@pytest.fixture
def publish(world: World, tmp_path: Path) -> Callable[..., Outing]:
    """Publishes a sale; times in seconds, and in ms where the name says so. Whatever else is said are terms as stated.

    With a `beacon` its draw waits for the first round that is published `known_after` s after the last may enter.
    """
    numbers = iter(range(1_000))

    def sale(
        *,
        opens_in: float = 2.0,
        lasts: float = 60,
        lobby: float = 0,
        stock: int = 10,
        regions: tuple[str, ...] = world.regions,
        skew_ms: float = 50,
        grace_ms: float = 200,
        cut_off_ms: float = 30_000,
        beacon: OwnBeacon | None = None,
        known_after: float = 2,
        **more: Any,
    ) -> Outing:
        def stated() -> dict[str, Any]:
            opens_ns = time.time_ns() + int((opens_in + lobby) * SECOND)
            terms = {
                "title": "Ten pairs of shoes",
                "stock": stock,
                "entries_from": moment(opens_ns - int(lobby * SECOND)),
                "opens": moment(opens_ns),
                "closes": moment(opens_ns + int(lasts * SECOND)),
                "regions": list(regions),
                "skew_bound_ns": str(int(skew_ms * MILLISECOND)),
                "intake_grace_ns": str(int(grace_ms * MILLISECOND)),
                "cut_off_after_ns": str(int(cut_off_ms * MILLISECOND)),
                **more,
            }
            if beacon is not None:
                entered_ns = opens_ns + int((lasts + 2 * skew_ms / 1000 + grace_ms / 1000) * SECOND)
                number = beacon.chain.round_after(entered_ns + int(known_after * SECOND))
                terms["beacon"] = Round(beacon.chain, number).stated()
            return terms

        answer = state_sale(world, regions[0], stated())
        while "is in the future when the sale is published" in answer.text:  # a busy machine took longer than that
            answer = state_sale(world, regions[0], stated())
        assert answer.status_code == 201, answer.text
        return Outing(world, read_terms(answer.json()["terms"]), tmp_path / f"bundle-{next(numbers)}")

    return sale


def state_sale(world: World, region: str, stated: dict[str, Any]) -> httpx.Response:
    """Publish, and again where a disk kept the arbiter's store waiting: try again, it says."""
    key, told = {"idempotency-key": secrets.token_hex(8)}, list[httpx.Response]()

    def is_answered() -> bool:
        told.append(call(world, "POST", "/v1/sales", region, json=stated, headers=key))
        return told[-1].status_code != 503

    until(is_answered)
    return told[-1]


def moment(at_ns: int) -> str:
    """RFC 9557, as the oracle reads it."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at_ns // SECOND))}.{at_ns % SECOND:09}Z"


def call(world: World, method: str, path: str, region: str, **more: Any) -> httpx.Response:
    """One HTTP call on a connection of its own."""
    headers = {"authorization": f"Bearer {world.token}", **more.pop("headers", {})}
    return httpx.request(
        method, f"http://127.0.0.1:{world.ports[region]}{path}", headers=headers, timeout=30, verify=_TLS, **more
    )


def store(world: World, name: str) -> "redis.Redis[bytes]":
    """A client of a region's store, or of the arbiter's; for looking, and for tampering."""
    return redis.Redis.from_url(world.stores[name], protocol=2)


def stream(world: World, name: str, key: str) -> list[bytes]:
    """The lines of a stream."""
    with store(world, name) as client:
        return [line for _, fields in client.xrange(key) for line in fields[b"l"].split(b"\n")]


def length(world: World, name: str, key: str) -> int:
    """How many lines a stream has."""
    return len(stream(world, name, key))


async def _export(world: World, sale: str, folder: Path) -> None:
    stores = {name: connect(url) for name, url in world.stores.items()}
    try:
        await export(sale, stores[ARBITER], {name: stores[name] for name in world.regions}, folder)
    except ExportError as error:
        raise AssertionError(str(error)) from error
    finally:
        for opened in stores.values():
            await opened.aclose()
