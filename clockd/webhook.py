"""Alerts without Prometheus: a signed call to a URL when a state changes. clockd and the gateways send them.

The form is Standard Webhooks (standardwebhooks.com): an id that stays the same when a call is repeated, a timestamp,
and an HMAC over both and the body, so that a receiver knows who sent it and takes it once. What is sent:

    {"type": "clock.changed", "timestamp": …, "data": {"host": …, "now": {…}, "was": {…}}}

States are what is sent, not events: only a change is told, and what changes back before it could be told is not. What
is normal is stated, and after a start there is some time to reach it before anybody is told that it is not so. After
a call the next comes no sooner than `QUIET_SECONDS` later, so a state that flaps costs a receiver two calls a minute.
A call that fails is repeated with growing pauses until it is taken or there is something newer to say. All of it runs
beside the work, in a thread while it waits for the network: nobody who is stamped or served waits for it.
"""

import asyncio
import base64
import binascii
import json
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Final

import structlog
from standardwebhooks import Webhook as Signer

QUIET_SECONDS: Final = 30.0
SETTLE_SECONDS: Final = 60.0
PAUSES_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
"""Between attempts; the last is repeated."""
TIMEOUT_SECONDS: Final = 10.0
LEAST_SECRET_BYTES: Final = 24
PREFIX: Final = "whsec_"

State = Mapping[str, str]
_log = structlog.get_logger()


class WebhookError(Exception):
    """The webhook cannot be used as it was stated. The message says why."""


def read_secret(path: Path) -> str:
    """A secret from its file: `whsec_` and Base64 of 24 bytes or more.

    Raises:
        WebhookError: there is none.
    """
    try:
        secret = path.read_text(encoding="ascii").strip()
        if len(base64.b64decode(secret.removeprefix(PREFIX), validate=True)) >= LEAST_SECRET_BYTES:
            return secret
    except OSError as error:
        raise WebhookError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, binascii.Error):
        pass
    raise WebhookError(f"{path} holds no secret: make one with echo whsec_$(openssl rand -base64 32)")


class Webhook:
    """Tells one URL of one thing's state.

    Args:
        kind: of the message, such as `clock.changed`.
        who: what names the sender in every message.
        normal: the state of which nobody need be told.
        settle_seconds: how long after a start it may take.

    Raises:
        WebhookError: the URL is none.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        kind: str,
        who: State,
        normal: State,
        settle_seconds: float = SETTLE_SECONDS,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        if not url.startswith(("https://", "http://")):
            raise WebhookError(f"{url!r} is no URL")
        self._url, self._kind, self._who = url, kind, dict(who)
        self._signer = Signer(secret)
        self._settle_seconds, self._quiet_seconds = settle_seconds, quiet_seconds
        self._normal = dict(normal)
        self._told, self._now = self._normal, self._normal
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        """Set once things have stood as they should, if only for a moment."""

    def tell(self, state: State) -> None:
        """How things stand."""
        now = dict(state)
        if now == self._normal:
            self._settled.set()
        if now != self._now:
            self._now = now
            self._changed.set()

    async def run(self) -> None:
        """Send changes, without end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settle_seconds):
                await self._settled.wait()
        while True:
            if self._now == self._told:
                self._changed.clear()
                await self._changed.wait()
                continue
            self._told = await self._send(self._now, self._told)
            await asyncio.sleep(self._quiet_seconds)

    async def _send(self, now: dict[str, str], was: dict[str, str]) -> dict[str, str]:
        """Until it is taken, or something newer is to be said. Returns what the receiver knows then."""
        at = datetime.now(UTC)
        data = {**self._who, "now": now, "was": was}
        body = json.dumps({"type": self._kind, "timestamp": at.isoformat(), "data": data})
        message = f"msg_{token_hex(12)}"
        for attempt in range(1 << 30):
            failure = await asyncio.to_thread(self._post, message, body)
            if failure is None:
                return now
            if attempt == 0:
                _log.warning("the webhook was not taken; trying again", reason=failure)
            await asyncio.sleep(PAUSES_SECONDS[min(attempt, len(PAUSES_SECONDS) - 1)])
            if self._now != now:
                break
        return was

    def _post(self, message: str, body: str) -> str | None:
        """One attempt; why it failed, or None."""
        at = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(message, at, body),
        }
        request = urllib.request.Request(self._url, body.encode(), headers, method="POST")  # a scheme that was checked
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
                return None
        except OSError as error:  # refusals by status are among them
            return str(error)


def open_webhook(url: str, secret: Path | None, kind: str, who: State, normal: State) -> Webhook | None:
    """The webhook that flags ask for; None where they ask for none.

    Raises:
        WebhookError: they contradict each other, or cannot be followed.
    """
    if not url and secret is None:
        return None
    if not url or secret is None:
        raise WebhookError("--webhook and --webhook-secret belong together")
    return Webhook(url, read_secret(secret), kind, who, normal)
