"""One sale in the arbiter, over a real store: what is recorded when, who is called silent, what stops a region."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from itertools import count

import pytest

from model.clock import Interval
from model.vocabulary import Contradiction, Entry
from model.wire import log_line
from service.arbiter.ledger import CopiedLines, FencedError, Ledger
from service.arbiter.run import SaleRun
from service.store.embedded import EmbeddedStore
from service.store.opening import connect
from tests import stories
from tests.service.arbiter.conftest import CutLine

AT = Interval(stories.OPENS_NS, stories.OPENS_NS)
LATER = Interval(stories.OPENS_NS + 20, stories.OPENS_NS + 20)
"""Healthy regions have marks now that are past the pot of whoever came at the opening."""
AFTER = Interval(stories.OPENS_NS + 10**9, stories.OPENS_NS + 10**9)
Scene = Callable[[SaleRun, Ledger], Awaitable[None]]
numbers = count(40)


def play(url: str, scene: Scene, stock: int = 3, beacon: bool = False) -> None:
    """A scene with a sale of its own: two regions, W = 5, open for 40 ns and more, ε = 2, cut-off after 6 ns."""

    async def run() -> None:
        store = connect(url)
        try:
            ledger = await Ledger.take_over(store)
            terms = stories.terms(lasts=next(numbers), stock=stock, beacon=beacon)
            try:
                await scene(SaleRun(terms, stories.SEED, ledger, []), ledger)
            finally:
                await ledger.close()
        finally:
            await store.aclose()

    asyncio.run(run())


def lines(region: str, *stamps: tuple[int, str]) -> list[bytes]:
    entries: list[Entry] = [stories.entry(region, seq, at, buyer) for seq, (at, buyer) in enumerate(stamps, start=1)]
    return [log_line(entry) for entry in entries]


def mark(after_ns: int) -> int:
    return stories.OPENS_NS + after_ns


def kinds(run: SaleRun) -> list[str]:
    """The types of what is recorded."""
    return [str(json.loads(line)["type"]) for line, _ in run.recorded]


async def again(run: SaleRun, ledger: Ledger, copies: dict[str, list[bytes]]) -> SaleRun:
    """The same sale after a restart."""
    restarted = SaleRun(run.terms, stories.SEED, ledger, await ledger.decisions(run.sale))
    shelf = secrets.token_hex(16)
    for region, lines in copies.items():
        if lines:
            await ledger.copy([CopiedLines(shelf, region, 1, lines)])
    await restarted.load({region: ledger.kept(shelf, region) for region in copies})
    return restarted


def test_nothing_is_recorded_until_something_follows_and_then_with_what_was_seen(
    arbiter_store: EmbeddedStore,
) -> None:
    async def scene(run: SaleRun, ledger: Ledger) -> None:
        north = lines("north", (0, "a"))
        run.deliver("north", north, mark(6), 0)
        run.deliver("south", [], mark(3), 0)
        assert not await run.decide(AT)
        assert run.recorded == []
        run.deliver("south", [], mark(6), 1)
        assert await run.decide(AT)
        assert [line.split(b'"type":"')[1][:4] for line, _ in run.recorded] == [b"seen", b'won"']
        assert run.recorded[1][1] == b"a"
        restarted = await again(run, ledger, {"north": north, "south": []})
        assert restarted.fold.winners == run.fold.winners
        assert restarted.marks_ns == {"north": mark(6), "south": mark(6)}

    play(arbiter_store.url, scene)


def test_regions_are_stopped_only_by_what_is_on_disk(line: CutLine) -> None:
    """The reply to the append is lost once: until it is known to be there, no region may hear of it."""

    async def scene(run: SaleRun, ledger: Ledger) -> None:
        line.lose_reply(b"sold_out")
        run.deliver("north", lines("north", (0, "a")), mark(6), 0)
        run.deliver("south", [], mark(6), 0)
        deciding = asyncio.ensure_future(run.decide(AT))
        while not line.lost:
            assert run.stop_reason is None
            await asyncio.sleep(0)
        assert await deciding
        assert run.stop_reason == f"sold_out:{len(run.recorded) - 1}"
        assert run.recorded == await ledger.decisions(run.sale)

    play(line.url, scene, stock=1)


def test_a_sold_out_sale_closes_once_every_log_is_read_to_its_end(arbiter_store: EmbeddedStore) -> None:
    async def scene(run: SaleRun, ledger: Ledger) -> None:
        run.deliver("north", lines("north", (0, "a")), mark(6), 0)
        run.deliver("south", [], mark(6), 0)
        assert await run.decide(AT)
        run.log_ended("north")
        assert not await run.decide(AT)
        run.deliver("south", lines("south", (7, "b")), mark(6), 1)
        run.log_ended("south")
        assert await run.decide(AT)
        assert run.is_over
        assert json.loads(run.recorded[-2][0])["regions"]["south"]["seq"] == 1

    play(arbiter_store.url, scene, stock=1)


def test_a_draw_waits_for_the_beacon_and_looks_are_recorded_meanwhile(arbiter_store: EmbeddedStore) -> None:
    async def scene(run: SaleRun, ledger: Ledger) -> None:
        every, north = run.terms.look_every_ns, lines("north", (0, "a"), (9, "b"))
        value, end = stories.beacon_value(run.terms), run.terms.last_stamp_ns + 1
        run.deliver("north", north[:1], mark(6), 0)
        run.deliver("south", [], mark(6), 0)
        assert await run.decide(AT), "how far it had read is recorded, although nothing follows"
        run.deliver("north", north[1:], mark(12), 1)
        assert not await run.decide(Interval(AT.earliest_ns, AT.latest_ns + every - 1))
        run.deliver("north", [], mark(13), 1)
        assert await run.decide(Interval(AT.earliest_ns, AT.latest_ns + every))
        assert kinds(run) == ["seen", "seen"]
        assert not await run.enter_beacon(value, AFTER), "entries may still come"
        run.deliver("north", [], end, 2)
        run.deliver("south", [], end, 2)
        assert await run.decide(AFTER)
        assert kinds(run)[2:] == ["seen", "complete"]
        assert (run.awaits_beacon, run.wants_marks(AFTER), run.stop_reason) == (True, False, None)
        assert await run.cut_off_silent(10**18, AFTER) == [], "nobody is waited for"
        copies = {"north": north, "south": []}
        restarted = await again(run, ledger, copies)
        assert restarted.awaits_beacon
        assert await restarted.enter_beacon(value, AFTER)
        assert kinds(restarted)[4:] == ["seen", "beacon", "won", "won", "closed"]
        assert await restarted.enter_beacon(value, AFTER), "said again, nothing happens"
        assert not await restarted.enter_beacon(stories.BEACON.value(61), AFTER)
        assert (await again(restarted, ledger, copies)).is_over

    play(arbiter_store.url, scene, beacon=True)


def test_silence_is_counted_from_when_somebody_waits_and_never_while_the_arbiter_did_not_look(
    arbiter_store: EmbeddedStore,
) -> None:
    async def scene(run: SaleRun, ledger: Ledger) -> None:
        cut_off_after_ns = run.terms.cut_off_after_ns
        assert await run.cut_off_silent(10_000, LATER) == []
        run.deliver("north", lines("north", (0, "a")), mark(6), 10_000)
        assert await run.cut_off_silent(10_000 + cut_off_after_ns + 1, AT) == []
        assert await run.cut_off_silent(20_000, LATER) == []
        assert await run.cut_off_silent(20_000 + cut_off_after_ns, LATER) == []
        run.was_not_watched()
        assert await run.cut_off_silent(30_000, LATER) == []
        assert run.cut_off == set()
        assert await run.cut_off_silent(30_000 + cut_off_after_ns + 1, LATER) == ["south"]
        assert run.cut_off == {"south"}
        assert run.fold.regions == ("north",)
        assert kinds(run) == ["seen", "cut_off", "won"]

    play(arbiter_store.url, scene)


def test_marks_are_wanted_by_who_waits_and_by_the_closing(arbiter_store: EmbeddedStore) -> None:
    async def scene(run: SaleRun, ledger: Ledger) -> None:
        assert not run.wants_marks(LATER)
        assert run.wants_marks(AFTER)
        run.deliver("north", lines("north", (0, "a")), mark(1), 0)
        assert run.wants_marks(LATER)
        assert not run.wants_marks(None)

    play(arbiter_store.url, scene)


def test_a_halt_reads_the_sound_logs_to_their_end_and_decides_nothing_more(arbiter_store: EmbeddedStore) -> None:
    async def scene(run: SaleRun, ledger: Ledger) -> None:
        north = lines("north", (0, "a"), (9, "b"), (10, "c"))
        run.deliver("north", north[:1], mark(6), 0)
        run.deliver("south", [], mark(6), 0)
        await run.decide(AT)
        run.deliver("north", north[1:2], mark(30), 1)
        with pytest.raises(Contradiction) as found:
            run.deliver("south", lines("south", (2, "late")), mark(30), 2)
        run.halt(found.value)
        run.halt(Contradiction("north", "something else is true"))
        assert run.stop_reason == "halted"
        assert not await run.decide(AT)
        run.deliver("north", north[2:], mark(30), 3)
        run.log_ended("north")
        assert await run.decide(AT)
        assert kinds(run) == ["seen", "won", "seen", "halted"]
        assert json.loads(run.recorded[2][0])["regions"]["north"]["seq"] == 3
        assert json.loads(run.recorded[3][0])["reason"] == str(found.value)
        assert (await again(run, ledger, {"north": north, "south": []})).is_over

    play(arbiter_store.url, scene)


def test_a_restart_finds_copies_that_cannot_be_true(arbiter_store: EmbeddedStore) -> None:
    async def scene(run: SaleRun, ledger: Ledger) -> None:
        run.deliver("north", lines("north", (0, "a")), mark(6), 0)
        run.deliver("south", [], mark(6), 0)
        await run.decide(AT)
        with pytest.raises(Contradiction):
            await again(run, ledger, {"north": lines("north", (0, "other")), "south": []})
        with pytest.raises(Contradiction):
            await again(run, ledger, {"north": [], "south": []})

    play(arbiter_store.url, scene)


def test_an_arbiter_that_lost_the_fence_halts_nothing(arbiter_store: EmbeddedStore) -> None:
    async def scene(run: SaleRun, ledger: Ledger) -> None:
        await Ledger.take_over(ledger.store)
        run.halt(Contradiction("north", "something is true"))
        run.log_ended("south")
        with pytest.raises(FencedError):
            await run.decide(AT)
        assert run.recorded == []

    play(arbiter_store.url, scene)
