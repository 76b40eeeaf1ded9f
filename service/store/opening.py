"""Opens a store from its URL and refuses one that could lose or forget.

A 202 means *on disk*, so a server must run with an append-only file that is synced before it answers, and must never
evict. A server with other settings is refused with a sentence that says what to set, unless that is explicitly
allowed. One server for a region and one for the arbiter; clusters are refused, because gateways tail several sales
in one call.
"""

from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

CONNECT_TIMEOUT_SECONDS: Final = 2.0
REPLY_TIMEOUT_SECONDS: Final = 10.0
"""Longer than any script and any blocking read of ours; a server that is silent for longer is gone."""

Store = Redis
"""A connection pool to one server. Replies are bytes."""


_WANTED: Final = (
    ("appendonly", "yes"),
    ("appendfsync", "always"),
    ("no-appendfsync-on-rewrite", "no"),
    ("maxmemory-policy", "noeviction"),
)


class UnsafeStoreError(Exception):
    """The server's settings could lose what was acknowledged. The message says what to set."""


def connect(url: str) -> Store:
    """A client for `redis://`, `rediss://` or `unix://`; connects on first use.

    It does not retry by itself: a lost reply is told to the caller, who knows what a repeat means.

    Raises:
        ValueError: the URL is none of these.
    """
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError(
            f"store URL {url!r}: write redis://host:port/0, rediss://host:port/0 or unix:///path/to/socket"
        )
    return Redis.from_url(
        url,
        protocol=2,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=REPLY_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


async def check_settings(store: Store, name: str) -> None:
    """Refuse a server whose settings could lose an acknowledged entry.

    Raises:
        UnsafeStoreError: with what to set.
        redis.exceptions.RedisError: the server cannot be reached.
    """
    try:
        settings = await store.config_get(*(setting for setting, _ in _WANTED), "cluster-enabled")
    except ResponseError as error:
        raise UnsafeStoreError(
            f"store {name} does not let its settings be read ({error}): allow CONFIG GET, "
            "or vouch for appendonly yes, appendfsync always and noeviction with --allow-unsafe-store"
        ) from error
    wrong = [
        f"{setting} is {settings.get(setting)}: set {setting} {wanted}"
        for setting, wanted in _WANTED
        if settings.get(setting) != wanted
    ]
    if settings.get("cluster-enabled") == "yes":
        wrong.append("it is a cluster: use a single server for each region")
    if wrong:
        raise UnsafeStoreError(
            f"store {name} could lose what was acknowledged: {'; '.join(wrong)} (or pass --allow-unsafe-store)"
        )
