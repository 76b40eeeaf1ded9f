"""Where the value of a beacon's round comes from: drand's HTTP API, asked until it answers; or a person brings it.

Any of the servers will do, since a round has one signature that its chain's key accepts, and nothing else is taken: a
server can be late or silent, and cannot lie. So they are asked in turn, from the moment when the round is published,
again and again with growing pauses, until the value is recorded or the sale is over. A sale whose beacon has fallen
silent for good can only be cancelled.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import httpx
import msgspec
import structlog

from model.beacon import Round
from model.vocabulary import BeaconValue
from service.arbiter.arbiter import Arbiter
from service.arbiter.run import SaleRun
from service.arbiter.told import LONGEST_ANSWER_BYTES, Told
from service.evidence.beacon import is_genuine

_log = structlog.get_logger()

PUBLIC_SERVERS: Final = ("https://api.drand.sh", "https://api2.drand.sh", "https://drand.cloudflare.com")
"""The League of Entropy's own, where an operator names no others."""
TIMEOUT_SECONDS: Final = 5.0
FIRST_PAUSE_SECONDS: Final = 0.5
GROWTH: Final = 1.5
"""Of the pause, each time all servers were asked."""
LONGEST_PAUSE_SECONDS: Final = 30.0
EARLY_NS: Final = 500_000_000
"""How long before the round is published it is asked for, since servers are early sometimes and clocks differ."""


_decode: Final = msgspec.json.Decoder(Told).decode


class Beacons:
    """The arbiter's way to public randomness."""

    def __init__(self, arbiter: Arbiter, servers: Sequence[str]) -> None:
        self._arbiter = arbiter
        self._servers = [server.rstrip("/") for server in servers]

    async def bring(self, run: SaleRun) -> None:
        """Wait for the round that a sale's terms name, and enter it. Returns once it is entered, or nobody waits.

        Raises:
            FencedError: another arbiter has taken over.
        """
        named = run.terms.beacon
        assert named is not None
        pause_seconds, asked = FIRST_PAUSE_SECONDS, 0
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client:
            while run.awaits_beacon:
                now = self._arbiter.now()
                if now is None or now.latest_ns + EARLY_NS < named.published_ns:
                    await asyncio.sleep(FIRST_PAUSE_SECONDS)
                    continue
                value = await self._ask(client, named, self._servers[asked % len(self._servers)])
                asked += 1
                now = self._arbiter.now()
                if value is not None and now is not None and await self.enter(run, value):
                    return
                await asyncio.sleep(pause_seconds)
                if asked % len(self._servers) == 0:
                    pause_seconds = min(GROWTH * pause_seconds, LONGEST_PAUSE_SECONDS)

    async def enter(self, run: SaleRun, value: BeaconValue) -> bool:
        """Verify a value, and record it where it is waited for.

        Returns: whether it is the sale's value now.

        Raises:
            FencedError: another arbiter has taken over.
        """
        named = run.terms.beacon
        if named is None or not await is_genuine(named, value):
            _log.error(
                "a beacon's value is refused: its chain has not signed it", sale=run.sale, signature=value.signature
            )
            return False
        now = self._arbiter.now()
        if now is None or not await run.enter_beacon(value, now):
            return False
        _log.info("the beacon's round is known", sale=run.sale, round=value.round)
        self._arbiter.tell_links()
        return True

    async def _ask(self, client: httpx.AsyncClient, named: Round, server: str) -> BeaconValue | None:
        """What one server says of the round; None where it does not know it yet, or says nothing sensible."""
        url = f"{server}/{named.chain.hash()}/public/{named.number}"
        try:
            async with client.stream("GET", url) as answer:
                body = b""
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > LONGEST_ANSWER_BYTES:
                        raise ValueError("it is too long")
                answer.raise_for_status()
            value = _decode(body).value(named)
            if wrong := named.wrong_with(value):
                raise ValueError(wrong)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            _log.warning("a beacon's server does not tell the round", url=url, error=_in_short(error))
            return None
        return value


def _in_short(error: Any) -> str:
    return (str(error) or type(error).__name__)[:200]
