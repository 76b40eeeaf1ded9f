"""A store for planners, and merchants and notifiers of the small world."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from service.store import keys
from service.store.embedded import EmbeddedStore
from service.world.world import ARBITER, World
from tests.service.caller import Gateway
from tests.service.command.conftest import firstcome
from tests.service.notify.telling import Merchant, Notifier
from tests.service.processes import Program

__all__ = ["firstcome"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """One that forgets: what is on disk when is not the subject of whoever uses it, and every sync would cost."""
    with EmbeddedStore(tmp_path_factory.mktemp("n") / "s") as store:
        with redis.Redis.from_url(store.url, protocol=2) as client:
            client.config_set("appendonly", "no")
        yield store


@pytest.fixture(scope="module")
def arbiter(small_world: World) -> Iterator["redis.Redis[bytes]"]:
    """The arbiter's store; nothing is left of webhooks afterwards."""
    with redis.Redis.from_url(small_world.stores[ARBITER], protocol=2) as client:
        client.set(keys.NOTIFIER_ALLOWANCE, "private")
        yield client
        for name in client.keys("arbiter:webhooks*") + client.keys("arbiter:notifier*"):
            client.delete(name)


@pytest.fixture
def notifier(small_world: World, tmp_path: Path, arbiter: Any) -> Notifier:
    """Starts one with more flags."""
    return lambda *flags: Program(tmp_path, "notifier", "--store", small_world.stores[ARBITER], *flags)


@pytest.fixture
def merchant(small_world: World) -> Merchant:
    """A gateway as a merchant calls it. A webhook hears of its merchant's sales before it, too."""
    return lambda name: Gateway(small_world.ports["here"], f"{name}-publishes")
