"""The two clients, asked the same questions by the same tests, in the world of `tests/worlds.py`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeAlias

import pytest

from firstcome import AsyncClient, Client, Event
from service.world.world import World

Connect: TypeAlias = Callable[..., Any]
"""Makes a client of a region, or of a URL; more arguments are the client's own."""


class Awaited:
    """An `AsyncClient` for tests that do not await: each call runs on its loop until it is done."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self._loop = asyncio.Runner()
        self._client = self._loop.run(self._made(*arguments, **more))

    async def _made(self, *arguments: Any, **more: Any) -> AsyncClient:
        return AsyncClient(*arguments, **more)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments, **more: self._loop.run(getattr(self._client, name)(*arguments, **more))

    def events(self, sale: str, *, after: int = -1) -> Iterator[Event]:
        """The same events, one by one."""
        events = self._client.events(sale, after=after)
        try:
            while (event := self._loop.run(_next(events))) is not None:
                yield event
        finally:
            self._loop.run(events.aclose())  # type: ignore[attr-defined]  # an asynchronous generator

    def close(self) -> None:
        """End the connections, and the loop."""
        self._loop.run(self._client.close())
        self._loop.close()


async def _next(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)


@pytest.fixture(params=[Client, Awaited], ids=["waits", "awaits"])
def connect(request: pytest.FixtureRequest, shared_world: World) -> Iterator[Connect]:
    opened: list[Any] = []

    def client(where: str = "north", token: str = "", **more: Any) -> Any:
        gateway = where if "://" in where else f"http://127.0.0.1:{shared_world.ports[where]}"
        opened.append(request.param(gateway, token or shared_world.token, **more))
        return opened[-1]

    yield client
    for each in opened:
        each.close()
