"""The outbox: whatever is sold, however it ends and whenever the planner dies, everybody is told once, in order."""

import asyncio
import json
import random
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.moves import parse_line
from model.note import ARBITER_KEY, VerifierKey, region_key_name
from model.stated import Keys
from model.vocabulary import Closed, CutOff, Entry, Outcome, RegionSeen, Seen, SoldOut, Won
from model.wire import FIRST_HEAD, decision_line, log_line
from service.evidence.bundle import Recipe
from service.evidence.seal import Sealed
from service.notify.outbox import Message, OutboxMovedError, append, message, messages
from service.notify.planning import Planner
from service.store import keys
from service.store.embedded import EmbeddedStore
from service.store.opening import Store, connect
from tests.door_stories import DoorStory, door_stories
from tests.search import many
from tests.service.notify.scenes import Scene, Step
from tests.stories import SEED, entry, terms

FINAL = {"purchase.won", "purchase.lost", "purchase.confirmed", "purchase.released", "purchase.expired"}


async def everything(store: Store, sale: str) -> list[Message]:
    """A sale's whole outbox."""
    found: list[Message] = []
    while some := await messages(store, sale, len(found) + 1):
        found += some
    return found


class Stage:
    """A sale in a store, and planners that come and go. `most` outcomes are in a message."""

    def __init__(self, store: Store, scene: Scene, chance: random.Random, most: int) -> None:
        self.store: Any = store
        self.scene = scene
        self.sale = scene.terms.sale()
        self._chance = chance
        self._most = most
        self._copied: Counter[str] = Counter()
        self._recorded = 0
        self.deaths = 0
        self.told_that_it_moved = 0

    async def planner(self) -> Planner:
        made = Planner(self.store, self.sale, self.scene.terms, lambda: 1_700_000_000_000_000_000, self._most)
        await made.load()
        return made

    async def write(self, step: Step) -> None:
        for region, lines in step.lines.items():
            self._copied[region] += len(lines)
            number = f"{self._copied[region]}-0"
            await self.store.xadd(keys.copied_log(self.sale, region), {"l": b"\n".join(lines)}, id=number)
        for line, buyer in step.records:
            self._recorded += 1
            await self.store.xadd(keys.ledger(self.sale), {"l": line, "b": buyer}, id=f"{self._recorded}-0")

    async def run(self) -> list[dict[str, Any]]:
        """Every message as it is sent, once the sale is over."""
        first, second = await self.planner(), await self.planner()
        for step in self.scene.steps():
            await self.write(step)
            if self._chance.random() < 0.3:
                first = await self._go_on(first)
            if self._chance.random() < 0.1:
                second = await self._go_on(second)
            if self._chance.random() < 0.1:
                self.deaths += 1
                first = await self.planner()
        while not first.is_done:
            first = await self._go_on(first)
        sent = [one for one in await everything(self.store, self.sale) if not one.is_end]
        bodies = [json.loads(await first.bodies.body(one)) for one in sent]
        fresh = await self.planner()
        assert [json.loads(await fresh.bodies.body(one)) for one in sent] == bodies
        return bodies

    async def _go_on(self, planner: Planner) -> Planner:
        try:
            await planner.go_on()
        except OutboxMovedError:
            self.told_that_it_moved += 1
            return await self.planner()
        return planner


def told(server: EmbeddedStore, scene: Scene, seed: int, most: int = 3) -> list[dict[str, Any]]:
    async def run() -> list[dict[str, Any]]:
        store = connect(server.url)
        try:
            await store.flushall()
            return await Stage(store, scene, random.Random(seed), most).run()
        finally:
            await store.aclose()

    return asyncio.run(run())


def as_told(outcome: Outcome) -> dict[str, Any]:
    known = {"reason": outcome.reason, "rank": outcome.rank, "unit": outcome.unit, "of": outcome.of}
    known |= {"pays": outcome.price}
    return {"state": outcome.state, **{name: value for name, value in known.items() if value is not None}}


@pytest.mark.parametrize("kind", ["flash", "auction", "reservation"])
@settings(max_examples=many(20))
@given(seed=st.integers(0, 10**9))
def test_everybody_is_told_once_what_became_of_them(server: EmbeddedStore, kind: str, seed: int) -> None:
    scene = Scene(kind, seed)
    bodies = told(server, scene, seed)
    assert [body["data"]["number"] for body in bodies] == list(range(1, len(bodies) + 1))
    final: dict[str, dict[str, Any]] = {}
    story: dict[str, list[str]] = {}
    for body in bodies:
        for one in body["data"].get("purchases", ()):
            story.setdefault(one["id"], []).append(body["type"])
            if body["type"] in FINAL:
                assert one["id"] not in final
                final[one["id"]] = one
    outcomes = scene.outcomes()
    assert final.keys() == outcomes.keys()
    buyers = {entry.request: (region, entry.buyer) for region, entry in scene.entries}
    for request, outcome in outcomes.items():
        expected = as_told(outcome)
        assert {name: final[request][name] for name in expected} == expected
        assert (final[request]["region"], final[request]["buyer"]) == buyers[request]
    for events in story.values():
        assert events[-1] in FINAL
        assert events[:-1] in ([], ["purchase.held"], ["purchase.listed"], ["purchase.listed", "purchase.held"])


@pytest.mark.parametrize("kind", ["flash", "auction", "reservation"])
@settings(max_examples=many(10))
@given(seed=st.integers(0, 10**9))
def test_the_order_of_a_sales_messages(server: EmbeddedStore, kind: str, seed: int) -> None:
    bodies = told(server, Scene(kind, seed), seed)
    ranks = [one["rank"] for body in bodies if body["type"] == "purchase.won" for one in body["data"]["purchases"]]
    assert ranks == list(range(len(ranks)))
    kinds = [body["type"] for body in bodies]
    assert kinds[-1] in {"sale.closed", "sale.halted"}
    assert not {"sale.closed", "sale.halted"} & set(kinds[:-1])
    decided = [one["decision"] for body in bodies for one in body["data"].get("purchases", ()) if "decision" in one]
    assert decided == sorted(decided)
    assert all(len(body["data"].get("purchases", ())) <= 3 for body in bodies)


def test_the_search_has_seen_what_it_must(server: EmbeddedStore) -> None:
    """Deaths, planners that came second, and every event."""
    events: set[str] = set()
    reasons: set[str] = set()
    for seed in range(12):
        for kind in ("flash", "auction", "reservation"):
            for body in told(server, Scene(kind, seed), seed):
                events.add(body["type"])
                reasons |= {one.get("reason", "") for one in body["data"].get("purchases", ())}
    assert events >= FINAL | {"purchase.listed", "purchase.held", "sale.closed", "sale.halted", "sale.cancelled"}
    assert reasons >= {"sold_out", "duplicate", "outbid", "list_full", "expired", "released", "cancelled", "halted"}


@settings(max_examples=many(20))
@given(story=door_stories(), seed=st.integers(0, 10**9))
def test_where_units_are_sold_at_the_door_buyers_are_told_as_they_are_copied(
    server: EmbeddedStore, story: DoorStory, seed: int
) -> None:
    sale, chance = story.terms.sale(), random.Random(seed)
    sold = {
        record.request: (name, record.buyer, record.unit)
        for name, store in story.stores.items()
        for record in map(parse_line, store.lines)
        if isinstance(record, Entry)
    }

    async def run() -> list[dict[str, Any]]:
        store: Any = connect(server.url)
        await store.flushall()
        try:
            planner = Planner(store, sale, story.terms, lambda: 0, most=3)
            await planner.load()
            for name in story.terms.regions:
                for number, line in enumerate(story.stores[name].lines, start=1):
                    await store.xadd(keys.copied_log(sale, name), {"l": line}, id=f"{number}-0")
                    if chance.random() < 0.2:
                        await planner.go_on()
                    if chance.random() < 0.1:
                        planner = Planner(store, sale, story.terms, lambda: 0, most=3)
                        await planner.load()
            await planner.go_on()
            return [json.loads(await planner.bodies.body(one)) for one in await everything(store, sale)]
        finally:
            await store.aclose()

    told_of = [one for body in asyncio.run(run()) for one in body["data"]["purchases"]]
    assert len(told_of) == len(sold)
    assert {one["id"]: (one["region"], one["buyer"], one["unit"]) for one in told_of} == sold
    for name in story.terms.regions:
        here = [one["id"] for one in told_of if one["region"] == name]
        assert here == sorted(here)


def test_who_was_logged_beyond_a_cut_off_is_told_when_that_is_known(server: EmbeddedStore) -> None:
    """Behind the sale's end: nobody could know before."""
    logged = [entry("north", 1, 1, "ann"), entry("north", 2, 2, "bob")]
    beyond = [entry("south", 1, 1, "joe"), entry("south", 2, 2, "zoe")]
    signers = {name: VerifierKey(region_key_name(name), bytes(32)) for name in ("north", "south")}
    of = terms(stock=1).committed(SEED, Keys(VerifierKey(ARBITER_KEY, bytes(32)), signers))
    seen = Seen({"north": RegionSeen(2, FIRST_HEAD, 10**18)}, 5, 9)
    decided = [seen, CutOff("south", 0, FIRST_HEAD), Won("north.0001", "north", 0, 0), SoldOut(), Closed("sold_out")]
    sale = of.sale()

    async def look(store: Any, is_settled: bool) -> list[dict[str, Any]]:
        """What a planner that has just started finds."""
        await store.set(keys.seal(sale), msgspec.json.encode(Sealed("{}", Recipe({}, {}, {}, {}), is_settled)))
        planner = Planner(store, sale, of, lambda: 0)
        await planner.load()
        await planner.go_on()
        assert planner.is_done == is_settled
        return [json.loads(await planner.bodies.body(one)) for one in await everything(store, sale) if not one.is_end]

    async def run() -> list[list[dict[str, Any]]]:
        store: Any = connect(server.url)
        await store.flushall()
        try:
            await store.xadd(keys.copied_log(sale, "north"), {"l": b"\n".join(map(log_line, logged))}, id="2-0")
            for index, decision in enumerate(decided):
                fields = {"l": decision_line(index, decision), "b": "ann" if isinstance(decision, Won) else ""}
                await store.xadd(keys.ledger(sale), fields, id=f"{index + 1}-0")
            looks = [await look(store, False)]
            for number, is_settled in ((1, False), (2, True)):
                line = {"l": log_line(beyond[number - 1])}
                await store.xadd(keys.copied_beyond(sale, "south"), line, id=f"{number}-0")
                looks.append(await look(store, is_settled))
            return looks
        finally:
            await store.aclose()

    first, second, third = asyncio.run(run())
    assert [body["type"] for body in first] == ["purchase.won", "purchase.lost", "sale.closed"]
    assert second[:3] == first
    assert third[:4] == second
    told_late = [(one["buyer"], one["reason"]) for body in third[3:] for one in body["data"]["purchases"]]
    assert told_late == [("joe", "cut_off"), ("zoe", "cut_off")]


def test_of_two_who_plan_the_second_is_told(server: EmbeddedStore) -> None:
    async def run() -> None:
        store = connect(server.url)
        await store.flushall()
        try:
            scene = Scene("flash", 1)
            stage = Stage(store, scene, random.Random(1), 3)
            for step in scene.steps():
                await stage.write(step)
            first, second = await stage.planner(), await stage.planner()
            await first.go_on()
            with pytest.raises(OutboxMovedError):
                await second.go_on()
            known = await message(store, stage.sale, 1)
            assert known is not None
            with pytest.raises(OutboxMovedError):
                await append(store, stage.sale, [known])
        finally:
            await store.aclose()

    asyncio.run(run())
