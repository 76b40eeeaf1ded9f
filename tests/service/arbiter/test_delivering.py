"""What rounds bring, over a real store: kept before it is delivered, together where it came together, and all of it."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

from clockd.host import RealClock
from model.vocabulary import Contradiction
from model.wire import log_line
from service.arbiter.delivering import MOST_WAITING_LINES, Delivering
from service.arbiter.ledger import Ledger
from service.arbiter.process import ArbiterProcess, ArbiterSettings
from service.arbiter.run import SaleRun
from service.store import keys
from service.store.embedded import EmbeddedStore
from service.store.opening import connect
from tests import stories
from tests.service.arbiter.conftest import CutLine

Scene = Callable[[SaleRun, Ledger, Delivering], Awaitable[None]]
numbers = count(70_000)
MARK_NS = stories.OPENS_NS


def play(url: str, scene: Scene) -> None:
    """A scene with a sale of its own. Without a clock page nothing is decided: only what is delivered shows."""

    async def run() -> None:
        store = connect(url)
        ledger = await Ledger.take_over(store)
        try:
            arbiter = ArbiterProcess(ArbiterSettings(url, {}, Path("/nonexistent/page")), ledger, RealClock())
            sale = SaleRun(stories.terms(lasts=next(numbers)), stories.SEED, ledger, [])
            await scene(sale, ledger, Delivering("north", ledger, arbiter))
        finally:
            await ledger.close()
            await store.aclose()

    asyncio.run(run())


def lines(first: int, last: int) -> list[bytes]:
    return [log_line(stories.entry("north", seq, seq, f"buyer-{seq}")) for seq in range(first, last + 1)]


async def chunks(ledger: Ledger, run: SaleRun) -> list[list[bytes]]:
    found = await ledger.store.xrange(keys.copied_log(run.sale, "north"))
    return [fields[keys.LINE].split(b"\n") for _, fields in found]


def test_lines_are_on_disk_before_they_are_delivered(line: CutLine) -> None:
    """The reply to the copy is lost once: until it is known to be there, nothing may be decided by it."""

    async def scene(run: SaleRun, ledger: Ledger, brought: Delivering) -> None:
        line.lose_reply(b"buyer-2")
        brought.bring(run, lines(1, 2), MARK_NS, is_end=False)
        brought.end()
        working = asyncio.ensure_future(brought.work())
        while not line.lost:
            assert run.fold.delivered("north").seq == 0
            await asyncio.sleep(0)
        await working
        assert run.fold.delivered("north").seq == 2
        assert run.marks_ns == {"north": MARK_NS}
        assert await chunks(ledger, run) == [lines(1, 2)]

    play(line.url, scene)


def test_what_comes_while_the_disk_is_waited_for_is_kept_together(arbiter_store: EmbeddedStore) -> None:
    async def scene(run: SaleRun, ledger: Ledger, brought: Delivering) -> None:
        brought.bring(run, lines(1, 2), None, is_end=False)
        working = asyncio.ensure_future(brought.work())
        await asyncio.sleep(0)
        brought.bring(run, lines(3, 3), None, is_end=False)
        brought.bring(run, lines(4, 6), MARK_NS, is_end=True)
        brought.bring(run, [], MARK_NS + 1, is_end=False)
        brought.end()
        await working
        assert await chunks(ledger, run) == [lines(1, 2), lines(3, 6)]
        assert run.fold.delivered("north").seq == 6
        assert run.marks_ns == {"north": MARK_NS + 1}
        assert run.ended_logs == {"north"}

    play(arbiter_store.url, scene)


def test_what_no_decision_can_follow_from_is_worked_through_too(arbiter_store: EmbeddedStore) -> None:
    """Gathered for a moment, without anybody who hurries."""

    async def scene(run: SaleRun, ledger: Ledger, brought: Delivering) -> None:
        working = asyncio.ensure_future(brought.work())
        brought.bring(run, lines(1, 1), MARK_NS, is_end=False)
        await run.brought.wait()
        brought.end()
        await working
        assert await chunks(ledger, run) == [lines(1, 1)]

    play(arbiter_store.url, scene)


def test_what_came_before_a_contradiction_counts_and_nothing_after_it(arbiter_store: EmbeddedStore) -> None:
    async def scene(run: SaleRun, ledger: Ledger, brought: Delivering) -> None:
        brought.bring(run, lines(1, 2), MARK_NS, is_end=False)
        brought.find(run, Contradiction("north", "log numbers have no gap"))
        brought.bring(run, lines(4, 4), MARK_NS, is_end=False)
        brought.end()
        await brought.work()
        assert run.fold.delivered("north").seq == 2
        assert "no gap" in str(run.halting)
        assert await chunks(ledger, run) == [lines(1, 2)]

    play(arbiter_store.url, scene)


def test_a_mark_that_went_back_is_found_though_the_next_one_is_higher_again(arbiter_store: EmbeddedStore) -> None:
    async def scene(run: SaleRun, ledger: Ledger, brought: Delivering) -> None:
        for mark_ns in (MARK_NS, MARK_NS - 1, MARK_NS + 1):
            brought.bring(run, [], mark_ns, is_end=False)
        brought.end()
        await brought.work()
        assert "its mark only moves forward" in str(run.halting)
        assert run.marks_ns == {"north": MARK_NS}

    play(arbiter_store.url, scene)


def test_whoever_brings_too_much_waits_until_it_is_worked_through(arbiter_store: EmbeddedStore) -> None:
    async def scene(run: SaleRun, ledger: Ledger, brought: Delivering) -> None:
        await brought.room()
        brought.bring(run, lines(1, MOST_WAITING_LINES), MARK_NS, is_end=False)
        waiting = asyncio.ensure_future(brought.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        working = asyncio.ensure_future(brought.work())
        await waiting
        brought.end()
        await working
        assert run.fold.delivered("north").seq == MOST_WAITING_LINES
        assert len(await chunks(ledger, run)) == 1

    play(arbiter_store.url, scene)
