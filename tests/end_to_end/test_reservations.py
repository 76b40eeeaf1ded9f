"""Reservations in real processes, with kills: buyers who confirm at the last moment, let go, or come back for more.

Every holder's confirmation is timed for the very edge, *until − ε*, give or take some milliseconds, so every hold is a
race between confirming and expiring; the arbiter, a gateway and a store die meanwhile. Then the logs are replayed by
the model: no unit was ever with two people, and whoever was told that a unit is sold to them has it.
"""

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import uvloop

from model.outcomes import Standing
from model.replay import Replay
from model.replies import parse_line
from model.vocabulary import Entry
from model.wire import parse_decision_line
from service.world.world import ARBITER, World
from tests.patience import until
from tests.reservation_stories import each_unit_is_with_one
from tests.search import many
from tests.worlds import MILLISECOND, SECOND, Outing, store, stream

SKEW_MS = 20
REGIONS = ("north", "south", "west")
UNITS = 40
PLACES = 4 * UNITS


@dataclass
class Told:
    """One buyer, what they do once they hold a unit, and everything that they were told."""

    buyer: str
    region: str
    does: str
    """`confirm` at the edge, `release`, or `nothing`."""
    early_ms: float = 0
    """How long before *until − ε* they confirm; below 0: after."""
    id: str = ""
    states: list[dict[str, Any]] = field(default_factory=list)
    refused: str = ""
    """The problem that they met last."""

    @property
    def state(self) -> str:
        return self.states[-1]["state"] if self.states else ""


class Buyers:
    """Many buyers of one sale, each a task; whoever gets no answer asks again."""

    def __init__(self, outing: Outing) -> None:
        self._outing = outing

    def live(self, buyers: list[Told]) -> Future[None]:
        """They do what they do, while the test's own thread does something to the world."""
        with_one = ThreadPoolExecutor(1)
        future = with_one.submit(lambda: uvloop.run(self._all(buyers)))
        with_one.shutdown(wait=False)
        return future

    async def _all(self, buyers: list[Told]) -> None:
        await asyncio.gather(*(self._live(told) for told in buyers))

    async def _live(self, told: Told) -> None:
        entered = await self._ask(told, "POST", "", {"buyer": told.buyer})
        if entered is None:
            return
        told.id = entered["id"]
        while told.state in {"pending", "waiting"}:
            await self._ask(told, "GET", f"/{told.id}")
        if told.state == "held" and told.does != "nothing":
            await self._say(told)
        while told.state not in {"won", "lost"}:
            await asyncio.sleep(0.2 if told.state == "held" else 0)
            await self._ask(told, "GET", f"/{told.id}")

    async def _say(self, told: Told) -> None:
        if told.does == "release":
            await self._ask(told, "DELETE", f"/{told.id}?buyer={told.buyer}")
            return
        at_ns = int(told.states[-1]["until_ns"]) - int((SKEW_MS + told.early_ms) * MILLISECOND)
        await asyncio.sleep(max(0.0, (at_ns - time.time_ns()) / SECOND))
        await self._ask(told, "POST", f"/{told.id}/confirm", {"buyer": told.buyer})

    async def _ask(self, told: Told, method: str, path: str, body: Any = None) -> dict[str, Any] | None:
        """One call until it is answered; the problem that it met is noted."""
        while True:
            try:
                status, said = await self._call(told, method, path, body)
            except (OSError, EOFError):
                await asyncio.sleep(0.1)
                continue
            if status < 300:
                told.states.append(said)
                return said
            told.refused = said["type"].rpartition(":")[2]
            if status != 503:
                return None
            await asyncio.sleep(0.1)

    async def _call(self, told: Told, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """As lean as can be: on two cores with a whole system a library's client would be what is late."""
        sent = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} /v1/sales/{self._outing.sale}/purchases{path} HTTP/1.1\r\nhost: world\r\nprefer: wait=10\r\n"
            f"authorization: Bearer {self._outing.world.token}\r\nconnection: close\r\n"
            f"content-length: {len(sent)}\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", self._outing.world.ports[told.region])
        try:
            writer.write(head.encode() + sent)
            got, _, answer = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
        if not got:
            raise EOFError
        return int(got.split(b" ", 2)[1]), json.loads(answer)


def judge(outing: Outing, buyers: list[Told]) -> Counter[str]:
    """Audit and replay the sale, and hold everything that anybody was told against it. Returns what was reached."""
    outing.finish()
    terms = outing.terms
    with store(outing.world, ARBITER) as client:
        seed = bytes.fromhex(client.hget("arbiter:seeds", outing.sale).decode())  # type: ignore[union-attr]
        kept = [fields for _, fields in client.xrange(f"arbiter:{{{outing.sale}}}:decisions")]
    decisions = [parse_decision_line(index, fields[b"l"]) for index, fields in enumerate(kept)]
    lines = {region: stream(outing.world, region, f"{{{outing.sale}}}:log") for region in terms.regions}
    replay, standing = Replay(terms, seed, lambda name, first, last: lines[name][first - 1 : last]), Standing(terms)
    for decision, fields in zip(decisions, kept, strict=True):
        replay.apply(decision)
        standing.apply(decision, fields[b"b"].decode() or None)
    assert replay.finish().over
    entries = {
        logged.request: (region, logged)
        for region in terms.regions
        for logged in map(parse_line, lines[region])
        if isinstance(logged, Entry)
    }
    reached = each_unit_is_with_one(terms, decisions)
    for told in buyers:
        if not told.id:
            assert told.refused == "list_full", told
            reached["list_full"] += 1
            continue
        outcome = standing.outcome_of(*entries[told.id])
        assert outcome is not None
        shown = told.states[-1]
        assert (shown["state"], shown.get("reason"), shown.get("unit")) == (
            outcome.state,
            outcome.reason,
            outcome.unit,
        )
        waited = [state for state in told.states if state["state"] == "waiting"]
        for before, after in pairwise(waited):
            assert after["ahead"] <= before["ahead"]
            assert after["known_by"] <= before["known_by"]
        order = ("pending", "waiting", "held", "confirming", "releasing", "won", "lost")
        ranks = [order.index(state["state"]) for state in told.states]
        assert ranks == sorted(ranks), "nobody is told that they have moved back"
        if told.refused == "hold_expired":
            assert shown["state"] == "lost", "whoever was told that it is too late is not sold anything"
        reached[f"{told.does}: {outcome.state} {outcome.reason or ''}"] += 1
    return reached


def reserve(publish: Callable[..., Outing], hold_ms: int, **about: Any) -> Outing:
    return publish(
        kind="reservation",
        hold_ns=str(hold_ms * MILLISECOND),
        skew_ms=SKEW_MS,
        grace_ms=100,
        **{"opens_in": 3, "lasts": 20, **about},
    )


def test_no_unit_is_with_two_people_and_no_acknowledged_confirmation_is_lost(
    world: World, publish: Callable[..., Outing]
) -> None:
    for turn in range(many(1)):
        chance = random.Random(turn)
        sale = reserve(publish, 2_500, stock=UNITS, waiting_list=PLACES - UNITS)
        does, early_ms = ["confirm"] * 8 + ["release", "nothing"], (20, 20, 1_500)
        buyers = [
            Told(
                f"buyer-{n}", chance.choice(REGIONS), chance.choice(does), chance.uniform(-12, chance.choice(early_ms))
            )
            for n in range(PLACES + 10)
        ]
        until(lambda sale=sale: sale.state()["state"] == "open")
        living = Buyers(sale).live(buyers)
        until(lambda sale=sale: len(sale.of_type("held")) >= UNITS)
        world.kill(ARBITER)
        world.start(ARBITER)
        until(lambda sale=sale: len(sale.of_type("confirmed", "expired", "released")) > 5)
        world.kill("gateway-south-0")
        os.kill(world.embedded["north"].pid, signal.SIGKILL)
        world.start("gateway-south-0")
        until(lambda sale=sale: len(sale.of_type("confirmed", "expired", "released")) > UNITS or sale.is_over())
        world.kill(ARBITER)
        world.start(ARBITER)
        living.result()
        reached = judge(sale, buyers)
        print(dict(sorted(reached.items())))
        assert reached["Held"] > UNITS
        assert reached["confirm: won "] > 0
        assert reached["Listed"] > 0


def test_when_everybody_else_lets_go_the_last_in_line_gets_the_unit(
    world: World, publish: Callable[..., Outing]
) -> None:
    sale = reserve(publish, 2_000, stock=1, waiting_list=4, lasts=15)
    doing = [("nothing", 0.0), ("confirm", -8.0), ("release", 0.0), ("confirm", -8.0), ("confirm", 1_800.0)]
    buyers = [Told(f"buyer-{n}", REGIONS[n % 3], does, early) for n, (does, early) in enumerate(doing)]
    until(lambda: sale.state()["state"] == "open")
    ends = []
    for number, told in enumerate(buyers):
        ends.append(Buyers(sale).live([told]))
        until(lambda number=number: len(sale.of_type("held", "listed")) > number)
    world.kill(ARBITER)
    world.start(ARBITER)
    for end in ends:
        end.result()
    reached = judge(sale, buyers)
    assert (reached["Held"], reached["promoted"], reached["SoldOut"]) == (5, 4, 1)
    assert buyers[-1].state == "won"
    assert [told.states[-1].get("reason") for told in buyers] == ["expired", "expired", "released", "expired", None]


def test_a_region_that_is_cut_off_takes_its_holders_with_it_and_tells_them(
    world: World, publish: Callable[..., Outing]
) -> None:
    """Behind a dead line a confirmation is logged, or refused as isolated; it is never acknowledged."""
    sale = reserve(publish, 4_000, stock=1, waiting_list=1, cut_off_ms=4_000)
    lost, next_in_line = Told("lost", "west", "confirm", 300.0), Told("next", "north", "confirm", 3_500.0)
    until(lambda: sale.state()["state"] == "open")
    ends = [Buyers(sale).live([lost])]
    until(lambda: sale.of_type("held"))
    ends.append(Buyers(sale).live([next_in_line]))
    until(lambda: sale.of_type("listed"))
    until(lambda: lost.state == "held")
    world.kill("lines-west")
    until(lambda: sale.of_type("cut_off"))
    world.start("lines-west")
    for end in ends:
        end.result()
    reached = judge(sale, [lost, next_in_line])
    assert (reached["Expired"], reached["Confirmed"]) == (1, 1)
    assert (lost.state, next_in_line.state) == ("lost", "won")
    assert not any(state["state"] == "won" for state in lost.states)
    assert lost.states[-1]["reason"] == "expired"
