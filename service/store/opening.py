"""Opens a store from its URL and refuses one that could lose or forget.

A 202 means *on disk*, so a server must run with an append-only file that is synced before it answers, and must never
evict. A server with other settings is refused with a sentence that says what to set, unless that is explicitly
allowed: at the start of a process, and again on every connection that is opened later, for a server may have been
restarted with another file of settings. One server for a region and one for the arbiter; clusters are refused, because
gateways tail several sales in one call.
"""

from collections.abc import Mapping
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as StoreConnectionError
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


class UnsafeStoreError(StoreConnectionError):
    """The server's settings could lose what was acknowledged. The message says what to set."""


def connect(url: str, *, refuses_unsafe: bool = False) -> Store:
    """A client for `redis://`, `rediss://` or `unix://`; connects on first use.

    It does not retry by itself: a lost reply is told to the caller, who knows what a repeat means.

    Args:
        refuses_unsafe: whether every connection looks at the server's settings first, and fails with
            `UnsafeStoreError` where they could lose an acknowledged entry.

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
        redis_connect_func=_open_safely if refuses_unsafe else None,
    )


async def _open_safely(connection: Any) -> None:
    """What redis-py does on a new connection, and a look at the server's settings before anything else goes over it."""
    await connection.on_connect()
    await connection.send_command("CONFIG", "GET", *(setting for setting, _ in _WANTED), "cluster-enabled")
    try:
        found: list[str | None] = [word.decode() for word in await connection.read_response()]
    except ResponseError as error:
        raise UnsafeStoreError(f"the store does not let its settings be read ({error})") from error
    wrong = _wrong_settings(dict(zip(found[::2], found[1::2], strict=True)))
    if wrong:
        raise UnsafeStoreError(f"the store could lose what was acknowledged: {'; '.join(wrong)}")


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
    wrong = _wrong_settings(settings)
    if wrong:
        raise UnsafeStoreError(
            f"store {name} could lose what was acknowledged: {'; '.join(wrong)} (or pass --allow-unsafe-store)"
        )


def _wrong_settings(settings: Mapping[str | None, str | None]) -> list[str]:
    wrong = [
        f"{setting} is {settings.get(setting)}: set {setting} {wanted}"
        for setting, wanted in _WANTED
        if settings.get(setting) != wanted
    ]
    if settings.get("cluster-enabled") == "yes":
        wrong.append("it is a cluster: use a single server for each region")
    return wrong
