"""A sale at the door in the arbiter, over real stores and the real scripts: shares set up once, units given and taken,
regions fenced out, and what is recorded of it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import count

import pytest
from redis.asyncio import Redis

from model.clock import Interval
from model.moves import line_of
from model.shards import ShardedFold
from model.terms import Terms, read_terms
from model.vocabulary import Contradiction, Entry, Granted, Stocked, Taken
from service.arbiter.counts import Counts
from service.arbiter.ledger import CopiedLines, Ledger
from service.arbiter.run import SaleRun
from service.arbiter.stock import RegionStock
from service.store import keys
from service.store.chunks import ChunkedLines
from service.store.embedded import EmbeddedStore
from service.store.opening import connect
from tests import stories

AT = Interval(stories.OPENS_NS, stories.OPENS_NS)
AFTER = Interval(stories.OPENS_NS + 10**9, stories.OPENS_NS + 10**9)
REGIONS = ("north", "south", "west")
numbers = count(2_000)
ticks = count(1_000_000_000, 100_000_000)


def terms() -> Terms:
    """Ten units in north, ten in south, none in west."""
    stated = dict(stories.terms(regions=REGIONS, stock=20).stated)
    del stated["seed_commitment"]
    quotas = {"north": 10, "south": 10, "west": 0}
    closes = stories.moment(stories.OPENS_NS + next(numbers))
    proposed = {**stated, "method": "sharded", "quotas": quotas, "closes": closes}
    return read_terms(proposed).committed(stories.SEED)


class Scene:
    """One sale, and what the arbiter does for it."""

    def __init__(self, run: SaleRun, ledger: Ledger, stores: dict[str, "Redis[bytes]"]) -> None:
        self.run, self.ledger, self.stores = run, ledger, stores
        self.stocks = {name: self.another(name) for name in REGIONS}

    def another(self, name: str) -> RegionStock:
        """As another arbiter has it."""
        return RegionStock(name, self.stores[name], self.run, lambda: None)

    async def read(self) -> None:
        """Copy and deliver what the logs have got since."""
        for name in self.run.fold.regions:
            seq = self.run.fold.delivered(name).seq
            async for lines in ChunkedLines(self.stores[name], keys.log(self.run.sale), seq).up_to(None):
                first = self.run.fold.delivered(name).seq + 1
                await self.ledger.copy([CopiedLines(self.run.sale, name, first, lines)])
                self.run.deliver(name, lines, 0, 0)

    async def set_up(self) -> None:
        for stock in self.stocks.values():
            await stock.set_up(self.fold)
        await self.read()
        for stock in self.stocks.values():
            await stock.set_up(self.fold)

    @property
    def fold(self) -> ShardedFold:
        fold = self.run.by_shares
        assert fold is not None
        return fold

    def kinds(self) -> list[str]:
        return [str(json.loads(line)["type"]) for line, _ in self.run.recorded]


def play(embedded: EmbeddedStore, scene: Callable[[Scene], Awaitable[None]]) -> None:
    """Each region has a database of its own in the server."""

    async def run() -> None:
        stores = {name: connect(f"{embedded.url}?db={number}") for number, name in enumerate(REGIONS, start=1)}
        own = connect(embedded.url)
        try:
            ledger = await Ledger.take_over(own)
            try:
                await scene(Scene(SaleRun(terms(), stories.SEED, ledger, []), ledger, stores))
            finally:
                await ledger.close()
        finally:
            for store in (own, *stores.values()):
                await store.aclose()

    asyncio.run(run())


def raw_ns() -> int:
    return next(ticks)


def test_a_share_is_set_up_once_and_sells_once_its_line_is_copied(arbiter_store: EmbeddedStore) -> None:
    async def scene(scene: Scene) -> None:
        north = scene.stocks["north"]
        await north.set_up(scene.fold)
        await north.set_up(scene.fold)
        assert scene.run.ready == set()
        await scene.read()
        assert scene.fold.shares["north"].free == ((0, 9),)
        await north.set_up(scene.fold)
        await scene.another("north").set_up(scene.fold)
        assert scene.run.ready == {"north"}
        kept = scene.stores["north"]
        assert await kept.hget(keys.stock(scene.run.sale), "ready") == b"1"
        assert (await scene.ledger.kept(scene.run.sale, "north").up_to(None).__anext__())[0] == line_of(
            Stocked(1, ((0, 9),))
        )

    play(arbiter_store, scene)


@pytest.mark.parametrize("lost", [keys.stock, keys.log])
def test_what_is_lost_is_never_set_up_anew(arbiter_store: EmbeddedStore, lost: Callable[[str], str]) -> None:
    async def scene(scene: Scene) -> None:
        await scene.set_up()
        store = scene.stores["south"]
        await store.delete(lost(scene.run.sale))
        if lost is keys.log:
            await store.delete(keys.stock(scene.run.sale))
        for act in (
            scene.stocks["south"].set_up(scene.fold),
            scene.stocks["south"].look(raw_ns),
            scene.stocks["south"].give(1, "north", 1, raw_ns),
        ):
            with pytest.raises(Contradiction, match=f"region south has .*{scene.run.sale}"):
                await act
        assert not await store.exists(lost(scene.run.sale))

    play(arbiter_store, scene)


def test_a_grant_is_carried_as_often_as_one_likes_and_taken_once(arbiter_store: EmbeddedStore) -> None:
    async def scene(scene: Scene) -> None:
        await scene.set_up()
        await scene.stocks["north"].give(1, "west", 4, raw_ns)
        await scene.another("north").give(1, "south", 3, raw_ns)
        await scene.read()
        [grant] = scene.fold.on_the_way
        assert (grant.to, grant.units) == ("west", ((6, 9),))
        for carrier in (scene.stocks["west"], scene.another("west"), scene.stocks["west"]):
            await carrier.bring(grant, scene.fold, raw_ns)
        await scene.stocks["south"].bring(grant, scene.fold, raw_ns)
        assert not scene.stocks["south"].wants(grant)
        await scene.read()
        assert scene.fold.on_the_way == ()
        assert [scene.fold.shares[name].free for name in REGIONS] == [((0, 5),), ((10, 19),), ((6, 9),)]
        assert [refused.reason for refused in scene.fold.shares["south"].refused] == ["foreign"]
        await scene.stocks["west"].look(raw_ns)
        assert (scene.stocks["west"].units, scene.stocks["north"].grants) == (4, 0)
        await scene.stocks["north"].look(raw_ns)
        assert scene.stocks["north"].grants == 1

    play(arbiter_store, scene)


def test_a_fenced_region_is_stopped_read_to_its_end_and_what_it_had_given_out_again(
    arbiter_store: EmbeddedStore,
) -> None:
    async def scene(scene: Scene) -> None:
        run = scene.run
        await scene.set_up()
        await scene.stocks["south"].give(1, "north", 2, raw_ns)
        await scene.read()
        run.fence("north", "data centre lost")
        assert not await run.decide(AT)
        run.log_ended("north")
        assert await run.decide(AT)
        assert scene.kinds() == ["seen", "fenced"]
        assert run.fenced == {"north"}
        assert run.fencing == {}
        assert scene.fold.nobodys == 12
        await scene.stocks["south"].give(2, "north", 1, raw_ns)
        await scene.read()
        assert scene.fold.nobodys == 13
        assert await run.reissue("west", 20, AT)
        assert not await run.reissue("west", 1, AT)
        assert scene.kinds() == ["seen", "fenced", "seen", "reissued"]
        [grant] = scene.fold.on_the_way
        await scene.stocks["west"].bring(grant, scene.fold, raw_ns)
        await scene.read()
        assert scene.fold.account().stock == scene.fold.account().free == 20
        again = SaleRun(run.terms, stories.SEED, scene.ledger, await scene.ledger.decisions(run.sale))
        await again.load({name: scene.ledger.kept(run.sale, name) for name in REGIONS})
        assert again.by_shares is not None
        assert again.by_shares.account() == scene.fold.account()
        assert again.fenced == {"north"}

    play(arbiter_store, scene)


def test_a_sale_that_time_ends_stops_its_regions_before_it_closes(arbiter_store: EmbeddedStore) -> None:
    async def scene(scene: Scene) -> None:
        run = scene.run
        await scene.set_up()
        for region in REGIONS:
            run.deliver(region, [], run.terms.last_stamp_ns + 1, 0)
        assert await run.decide(AFTER)
        assert (scene.kinds(), run.stop_reason) == (["seen", "complete"], "closed")
        for region in REGIONS:
            assert not await run.decide(AFTER)
            run.log_ended(region)
        assert await run.decide(AFTER)
        assert scene.kinds()[-2:] == ["seen", "closed"]

    play(arbiter_store, scene)


def test_a_unit_that_nobody_granted_halts_the_sale_with_the_look_that_shows_it(arbiter_store: EmbeddedStore) -> None:
    async def scene(scene: Scene) -> None:
        run = scene.run
        await scene.set_up()
        run.deliver("west", [line_of(Taken(2, "north", 1, ((8, 9),)))], 0, 0)
        with pytest.raises(Contradiction, match="what is taken was granted"):
            await run.decide(AT)
        for region in ("north", "south", "west"):
            run.log_ended(region)
        assert await run.decide(AT)
        assert scene.kinds() == ["seen", "halted"]

    play(arbiter_store, scene)


def test_lines_that_are_no_entries_are_not_held_against_the_clock() -> None:
    entry = Entry(3, "north.a", "ann", stories.OPENS_NS + 50, 2, "north-1/1", 0, 7)
    lines = [line_of(Granted(2, 1, "south", ((9, 9),))), line_of(entry), line_of(Granted(4, 2, "south", ((8, 8),)))]
    counts = Counts()
    assert counts.cross_check("north", lines[:1], AT, 1) is None
    assert counts.cross_check("north", lines, AFTER, 1) is None
    accused = counts.cross_check("north", lines, AT, 1)
    assert accused is not None
    assert accused.host == "north-1"
