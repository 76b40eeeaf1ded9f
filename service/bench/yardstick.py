"""How fast the machine is: the plain endpoint, in the same rounds.

The design's goals in purchases and requests a second were set on a machine where the plain endpoint, FastAPI and
redis.asyncio without durability (`rivals.py`), did 5,000 requests a second. Another machine is faster or slower, and a
shared one is both in turn; so beside each such goal stands the ratio to that endpoint, which travels.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import redis

from service.bench.frame import Rival
from service.bench.load import Asked, with_cost
from service.bench.stage import plain_store, rival_server

PLAIN: Final = "FastAPI + redis.asyncio, not durable"
PLAIN_RATE: Final = "requests/s"
PLAIN_PATH: Final = "/sales/shoes/purchases"
_THERE_PER_SECOND: Final = 5_000


def goal_of(per_second: int) -> str:
    """What a goal in units a second is as a ratio to the plain endpoint."""
    return f"≥ {per_second // _THERE_PER_SECOND}"


@contextmanager
def plain_endpoint(seconds: float) -> Iterator[Rival]:
    """The plain endpoint, asked for some seconds a turn."""
    with (
        tempfile.TemporaryDirectory(prefix="firstcome-bench-") as folder,
        plain_store(Path(folder) / "plain", False) as url,
        rival_server(url) as (port, pid),
    ):
        with redis.Redis.from_url(url) as store:
            store.set("shoes", 10**12)
        yield Rival(PLAIN, lambda: with_cost(Asked(port, PLAIN_PATH), seconds, pid, PLAIN_RATE))
