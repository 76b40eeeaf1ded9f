"""Which servers are taken: those that sync before they answer and never evict; each other one is told what to set."""

import asyncio
from pathlib import Path

import pytest
from redis import exceptions

from service.command.base import CannotRun, open_store
from service.store.lane import Lane
from service.store.opening import UnsafeStoreError, check_settings, connect
from service.world.ports import free_port
from tests.service.store.conftest import Redis


def check(url: str) -> None:
    async def run() -> None:
        store = connect(url)
        try:
            await check_settings(store, "of a test")
        finally:
            await store.aclose()

    asyncio.run(run())


def test_a_safe_server_is_taken(url: str) -> None:
    check(url)
    with open_store(url, None, "region here", False) as opened:
        assert opened == url


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "no append-only file": ({"appendonly": "no"}, "appendonly is no: set appendonly yes"),
    "synced once a second": ({"appendfsync": "everysec"}, "appendfsync is everysec: set appendfsync always"),
    "never synced": ({"appendfsync": "no"}, "appendfsync is no: set appendfsync always"),
    "not synced while rewriting": ({"no_appendfsync_on_rewrite": "yes"}, "set no-appendfsync-on-rewrite no"),
    "evicting": (
        {"maxmemory_policy": "allkeys-lru"},
        "is allkeys-lru: set maxmemory-policy noeviction",
    ),
    "a cluster": ({"cluster_enabled": "yes", "bind": "127.0.0.1"}, "single server"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_server_that_could_lose_is_refused(start_redis: Redis, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings, said = WRONG[case]
    if case == "a cluster":
        settings = {**settings, "port": str(free_port()), "cluster_port": str(free_port())}
    url = start_redis(**settings)
    with pytest.raises(UnsafeStoreError) as raised:
        check(url)
    assert said in str(raised.value)
    assert "--allow-unsafe-store" in str(raised.value)
    with pytest.raises(CannotRun, match="could lose"), open_store(url, None, "region here", False):
        pass
    with open_store(url, None, "region here", True) as opened:
        assert opened == url
    assert "could lose" in capsys.readouterr().out


def test_every_wrong_setting_is_named(start_redis: Redis) -> None:
    with pytest.raises(UnsafeStoreError) as raised:
        check(start_redis(appendonly="no", appendfsync="no", maxmemory_policy="volatile-ttl"))
    for setting in ("appendonly", "appendfsync", "maxmemory-policy"):
        assert f"set {setting} " in str(raised.value)


def test_a_server_that_hides_its_settings_must_be_vouched_for(start_redis: Redis) -> None:
    url = (
        start_redis(rename_command="CONFIG hidden")
        if False
        else start_redis(user="default on nopass ~* &* +@all -config")
    )
    with pytest.raises(UnsafeStoreError, match="allow CONFIG GET"):
        check(url)
    with open_store(url, None, "region here", True) as opened:
        assert opened == url


def test_a_server_that_wants_a_password_is_not_unsafe_but_shut(start_redis: Redis) -> None:
    url = start_redis(requirepass="secret")
    with pytest.raises(exceptions.AuthenticationError):
        check(url)
    with pytest.raises(CannotRun, match="cannot be reached"), open_store(url, None, "region here", True):
        pass
    check(f"{url}?password=secret")


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    for url in (f"unix://{tmp_path}/none", "redis://127.0.0.1:1/0"):
        with pytest.raises((exceptions.ConnectionError, exceptions.TimeoutError)):
            check(url)
        with pytest.raises(CannotRun, match="cannot be reached"), open_store(url, None, "region here", True):
            pass


@pytest.mark.parametrize("url", ["", "localhost:6379", "http://localhost", "/run/socket"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="redis://host:port/0"):
        connect(url)


def test_one_store_is_given_not_two_and_not_none(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="not both"), open_store("redis://x", tmp_path, "region here", False):
        pass
    with pytest.raises(CannotRun, match="--data DIR"), open_store("", None, "region here", False):
        pass


def test_a_server_that_comes_back_with_other_settings_is_as_good_as_gone(start_redis: Redis) -> None:
    """Whoever had a connection opens another one then, and each is looked at before anything goes over it."""

    async def run(url: str) -> None:
        async with connect(url, refuses_unsafe=True) as store:
            lane = Lane(store)
            assert await store.ping()
            await lane.call([("raise_mark", ["mark"], ["1"])])
            await store.config_set("appendfsync", "everysec")
            await store.connection_pool.disconnect()
            await lane.close()
            with pytest.raises(UnsafeStoreError, match="set appendfsync always"):
                await store.ping()
            with pytest.raises(UnsafeStoreError, match="set appendfsync always"):
                await lane.call([("raise_mark", ["mark"], ["2"])])

    url = start_redis()
    asyncio.run(run(url))

    async def allowed() -> bytes | None:
        async with connect(url) as store:
            await store.config_set("appendfsync", "always")
            return await store.get("mark")

    assert asyncio.run(allowed()) == b"1"
