"""The embedded server: its data outlive it, it comes back by itself, and it never outlives its holder."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from service.store.embedded import LONGEST_SOCKET_PATH, EmbeddedStore, EmbeddedStoreError
from tests.patience import until
from tests.service.processes import is_running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path / "data") as opened:
        yield opened


def client(store: EmbeddedStore) -> "redis.Redis[bytes]":
    return redis.Redis.from_url(store.url, protocol=2)


def answers(store: EmbeddedStore) -> bool:
    try:
        with client(store) as asked:
            return bool(asked.ping())
    except redis.RedisError:
        return False


def test_data_are_there_next_time(tmp_path: Path) -> None:
    for number in range(1, 4):
        with EmbeddedStore(tmp_path / "deep" / "data") as store, client(store) as asked:
            assert asked.incr("starts") == number
        assert not is_running(store.pid)


def test_a_killed_server_comes_back_with_its_data(store: EmbeddedStore) -> None:
    for number in range(1, 4):
        with client(store) as asked:
            assert asked.incr("kills") == number
        killed = store.pid
        os.kill(killed, signal.SIGKILL)
        until(lambda killed=killed: store.pid != killed and answers(store))


def test_a_folder_has_one_holder(store: EmbeddedStore) -> None:
    with pytest.raises(EmbeddedStoreError, match="in use by another process"), EmbeddedStore(store.folder):
        pass
    assert answers(store)


def test_only_its_owner_reaches_it(store: EmbeddedStore) -> None:
    assert store.folder.stat().st_mode & 0o077 == 0
    assert store.socket.stat().st_mode & 0o077 == 0
    with client(store) as asked:
        assert asked.config_get("port") == {"port": "0"}


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedStoreError, match="shorter path"), EmbeddedStore(tmp_path / ("x" * LONGEST_SOCKET_PATH)):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedStoreError, match="cannot be used"), EmbeddedStore(tmp_path / "file" / "data"):
        pass


def test_the_server_dies_with_a_holder_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from service.store.embedded import EmbeddedStore\n"
        "with EmbeddedStore(Path(sys.argv[1])) as store: print(store.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        server = int(holder.stdout.readline())
        assert is_running(server)
        holder.kill()
    until(lambda: not is_running(server))
    with EmbeddedStore(tmp_path) as store:
        assert answers(store)
