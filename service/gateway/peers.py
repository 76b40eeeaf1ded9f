"""The gateways of other regions: a call is sent on to one of them, and its answer passed back as it is.

The caller's token, preferences, key and trace go along. Where buyers are routed home every peer is looked at once a
second, so that purchases need not wait to find out that it is down. Where a call may have arrived but its answer did
not, nobody knows: it is never sent twice.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote

import httpx
import structlog

from model.vocabulary import RegionName
from service.gateway import problems
from service.gateway.answers import Answer
from service.gateway.request import ROUTED_HEADER, ROUTED_PARAMETER, Head
from service.gateway.routing import RoutingSettings
from service.gateway.told import preferred_wait

_log = structlog.get_logger()

CONNECT_TIMEOUT_SECONDS: Final = 2.0
ANSWER_TIMEOUT_SECONDS: Final = 12.0
"""Beyond what the caller prefers to wait: longer than a gateway waits for its store."""
MOST_AT_ONCE: Final = 1_000
LOOK_SECONDS: Final = 1.0
DOWN_SECONDS: Final = 1.0
"""For so long a peer that could not be reached is not tried again, where nobody looks at it."""
DOWN_UNSEEN_SECONDS: Final = 5.0
"""The same where somebody does, who will tell earlier: longer than a look that fails, and the pause before it."""
_PASSED_BACK: Final = (
    *("location", "content-location", "retry-after", "preference-applied"),
    *("www-authenticate", "allow"),
)


class NotSent(NamedTuple):
    """The peer could not be connected to."""


class Unknown(NamedTuple):
    """The peer may have got the call or not."""


class Peers:
    """The other regions' gateways, as one gateway process knows them."""

    def __init__(self, region: RegionName, settings: RoutingSettings) -> None:
        self.settings = settings
        self._region = region
        self._opened: httpx.AsyncClient | None = None
        self._down_until: dict[RegionName, float] = {}

    def is_up(self, region: RegionName) -> bool:
        """Whether there is no reason to think that a region cannot be reached."""
        return time.monotonic() >= self._down_until.get(region, 0.0)

    def location(self, region: RegionName, path: str, query: str) -> str:
        """Where a caller is redirected to: the same path and query there, marked as routed."""
        mark = f"{ROUTED_PARAMETER}={quote(self._region)}"
        return f"{self.settings.peers[region].rstrip('/')}{path}?{f'{query}&' if query else ''}{mark}"

    async def purchase(self, region: RegionName, head: Head, body: bytes) -> Answer | NotSent | Unknown:
        """Send a purchase call on."""
        told = {
            "authorization": head.authorization,
            "prefer": head.prefer,
            "idempotency-key": head.idempotency_key,
            "traceparent": head.traceparent,
        }
        return await self.ask(region, "POST", head.path, head.query.decode("latin-1"), told, body)

    async def ask(
        self,
        region: RegionName,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, bytes],
        body: bytes = b"",
    ) -> Answer | NotSent | Unknown:
        """One call to a peer; headers that are empty are left out."""
        seconds = ANSWER_TIMEOUT_SECONDS + (preferred_wait(headers.get("prefer", b"")) or 0.0)
        told = {name: value for name, value in headers.items() if value}
        told |= {ROUTED_HEADER: self._region.encode(), "content-type": b"application/json"}
        url = f"{self.settings.peers[region].rstrip('/')}{path}{f'?{query}' if query else ''}"
        try:
            answer = await self._client.request(
                method,
                url,
                headers={name.encode(): value for name, value in told.items()},
                content=body,
                timeout=httpx.Timeout(seconds, connect=CONNECT_TIMEOUT_SECONDS, pool=CONNECT_TIMEOUT_SECONDS),
            )
        except httpx.PoolTimeout:
            return problems.overloaded()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL) as error:
            self._note_down(region, error)
            return NotSent()
        except httpx.HTTPError as error:
            _log.warning("a peer did not answer what was forwarded", peer=region, error=repr(error))
            return Unknown()
        self._down_until.pop(region, None)
        passed = tuple((name, answer.headers[name]) for name in _PASSED_BACK if name in answer.headers)
        return Answer(answer.status_code, answer.content, passed, answer.headers.get("content-type", ""))

    async def watch(self) -> None:
        """Look at every peer without end, where buyers are routed to them."""
        while True:
            await asyncio.gather(*(self._look(region) for region in self.settings.peers))
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        """End the connections."""
        if self._opened is not None:
            await self._opened.aclose()

    @property
    def _client(self) -> httpx.AsyncClient:
        if self._opened is None:
            limits = httpx.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=100, keepalive_expiry=20.0)
            self._opened = httpx.AsyncClient(limits=limits, follow_redirects=False, trust_env=False)
        return self._opened

    async def _look(self, region: RegionName) -> None:
        try:
            url = f"{self.settings.peers[region].rstrip('/')}/healthz"
            answer = await self._client.get(url, timeout=CONNECT_TIMEOUT_SECONDS)
            answer.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._note_down(region, error)
        else:
            self._down_until.pop(region, None)

    def _note_down(self, region: RegionName, error: Exception) -> None:
        if region not in self._down_until:
            _log.warning("a peer cannot be reached", peer=region, error=repr(error))
        is_watched = self.settings.policy != "serve"
        self._down_until[region] = time.monotonic() + (DOWN_UNSEEN_SECONDS if is_watched else DOWN_SECONDS)
