"""Which sales a notary looks at, over a real store: those that have grown, those that are due, and no other."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from service.evidence.lookout import Lookout
from service.store.embedded import EmbeddedStore
from service.store.opening import Store, connect

Scene = Callable[[Store, Lookout], Awaitable[None]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("l") / "s") as store:
        yield store


def play(server: EmbeddedStore, scene: Scene) -> None:
    async def run() -> None:
        store = connect(server.url)
        try:
            await store.flushall()
            await scene(store, Lookout(store))
        finally:
            await store.aclose()

    asyncio.run(run())


async def look(store: Store, watch: Lookout, sale: str) -> None:
    watch.looked(sale, {key: await store.xrevrange(key, count=1) for key in (f"{sale}:a", f"{sale}:b")})


def follow(watch: Lookout, *sales: str) -> None:
    for sale in sales:
        watch.follow(sale, f"{sale}:a", f"{sale}:b")


def test_a_sale_is_worth_a_look_at_first_and_whenever_one_of_its_streams_has_grown(server: EmbeddedStore) -> None:
    async def scene(store: Store, watch: Lookout) -> None:
        assert await watch.worth_a_look() == []
        follow(watch, "one", "two")
        assert await watch.worth_a_look() == ["one", "two"]
        await look(store, watch, "one")
        assert await watch.worth_a_look() == ["two"]
        await look(store, watch, "two")
        for stream in ("a", "b"):
            assert await watch.worth_a_look() == []
            await store.xadd(f"two:{stream}", {"l": "line"})
            assert await watch.worth_a_look() == ["two"]
            await look(store, watch, "two")
        watch.forget("two")
        await store.xadd("two:a", {"l": "line"})
        assert await watch.worth_a_look() == []

    play(server, scene)


def test_a_quiet_sale_is_looked_at_once_in_a_while(server: EmbeddedStore) -> None:
    async def scene(store: Store, watch: Lookout) -> None:
        impatient = Lookout(store, quiet_seconds=0.0)
        for each in (watch, impatient):
            follow(each, "one")
            await look(store, each, "one")
        assert await watch.worth_a_look() == []
        assert await impatient.worth_a_look() == ["one"]
        watch.start_over()
        assert await watch.worth_a_look() == ["one"]

    play(server, scene)


def test_where_a_key_holds_something_else_who_looks_finds_out_whose(server: EmbeddedStore) -> None:
    async def scene(store: Store, watch: Lookout) -> None:
        follow(watch, "one", "two")
        for sale in ("one", "two"):
            await look(store, watch, sale)
        await store.set("one:a", "no stream")
        assert await watch.worth_a_look() == ["one", "two"]
        watch.forget("one")
        assert await watch.worth_a_look() == []

    play(server, scene)


def test_a_stream_that_was_emptied_and_filled_anew_has_grown_once_that_was_seen(server: EmbeddedStore) -> None:
    async def scene(store: Store, watch: Lookout) -> None:
        follow(watch, "one")
        await store.xadd("one:a", {"l": "line"}, id="7-0")
        await look(store, watch, "one")
        await store.delete("one:a")
        await look(store, watch, "one")
        await store.xadd("one:a", {"l": "line"}, id="3-0")
        assert await watch.worth_a_look() == ["one"]

    play(server, scene)
