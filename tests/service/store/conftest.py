"""The two servers that everything about the store runs on: the embedded one and Debian's Redis 7.0."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from service.store.embedded import EmbeddedStore
from tests.patience import until

DEBIAN = Path("/usr/bin/redis-server")

Redis = Callable[..., str]


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.fixture(scope="session")
def start_redis() -> Iterator[Redis]:
    """Starts Debian's server with settings (underscores are hyphens) and returns its URL; ends them all."""
    if not DEBIAN.exists() and not os.environ.get("CI"):
        pytest.skip("redis-server is not installed")
    started: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="firstcome-redis-") as folder:

        def start(**settings: str) -> str:
            path = Path(folder) / str(len(started))
            path.mkdir()
            safe = {"appendonly": "yes", "appendfsync": "always", "save": "", "port": "0"}
            stated = {**safe, "dir": str(path), "unixsocket": f"{path}/socket", **settings}
            flags = [
                word for name, value in stated.items() for word in (f"--{name.replace('_', '-')}", *value.split(" "))
            ]
            started.append(subprocess.Popen([DEBIAN, *flags], stdout=subprocess.DEVNULL))
            url = f"unix://{path}/socket"
            until(lambda: _listens(path / "socket"))
            return url

        yield start
        for server in started:
            server.terminate()
            server.wait()


@pytest.fixture(scope="session")
def embedded() -> Iterator[str]:
    """The URL of an embedded store."""
    with tempfile.TemporaryDirectory(prefix="firstcome-store-") as folder, EmbeddedStore(Path(folder)) as store:
        yield store.url


@pytest.fixture(scope="session", params=["embedded valkey", "redis 7.0"])
def url(request: pytest.FixtureRequest) -> str:
    """A safe server, each kind in turn."""
    if request.param == "embedded valkey":
        return str(request.getfixturevalue("embedded"))
    return str(request.getfixturevalue("start_redis")())


@pytest.fixture
def client(url: str) -> Iterator["redis.Redis[bytes]"]:
    """A client of an empty server."""
    with redis.Redis.from_url(url, protocol=2) as opened:
        opened.flushall()
        yield opened
