"""One attempt to hand a message over: signed, to an address that was checked, with an end to everything.

A status of 200 to 299 means that it was taken; anything else means that it was not, a redirect included: it is not
followed, since where it leads was never agreed on. What the receiver says beside its status is not looked at, and
only so much of it is read that the connection can be used again.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
from standardwebhooks import Webhook as Signer

from service.notify.addresses import AddressError, checked_addresses, read_url

CONNECT_SECONDS: Final = 5.0
ATTEMPT_SECONDS: Final = 15.0
"""From looking its name up to its status; the body included, as far as it is read."""
MOST_READ_BYTES: Final = 65_536
CONNECTIONS: Final = 8
"""To one webhook."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How it went. `failure` is "" where the message was taken."""

    failure: str = ""
    retry_after_seconds: float = 0.0
    """The receiver's wish; 0 where it has none."""


class CheckedTransport(httpx.AsyncBaseTransport):
    """Connects to addresses that were checked, and to no other; whom the certificate must name stays the URL's host.

    Use one for each webhook: connections are kept by address, and two hosts may share one.
    """

    def __init__(self, allows_private: bool, trust: ssl.SSLContext) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._allows_private = allows_private
        self._inner = httpx.AsyncHTTPTransport(verify=trust, limits=limits, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make a request at the first of the host's addresses that can be connected to.

        Raises:
            AddressError: it has none, or must not be called.
            httpx.HTTPError: it cannot be reached, or does not speak HTTP.
        """
        *others, last = await checked_addresses(request.url, self._allows_private)
        for address in others:
            try:
                return await self._inner.handle_async_request(_at(request, address))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._inner.handle_async_request(_at(request, last))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._inner.aclose()


def _at(request: httpx.Request, address: str) -> httpx.Request:
    """The same request at an address: the Host header and the name in TLS are still the URL's."""
    extensions = {**request.extensions, "sni_hostname": request.url.raw_host.decode("ascii")}
    url = request.url.copy_with(host=address)
    return httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=extensions)


class Sender:
    """The connections to one webhook.

    Args:
        trust: whose certificates are good.
    """

    def __init__(
        self, url: str, allows_private: bool, trust: ssl.SSLContext, attempt_seconds: float = ATTEMPT_SECONDS
    ) -> None:
        self._url = url
        self._attempt_seconds = attempt_seconds
        self._client = httpx.AsyncClient(
            transport=CheckedTransport(allows_private, trust),
            timeout=httpx.Timeout(attempt_seconds, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, message: str, body: bytes, secrets: Sequence[str]) -> Attempt:
        """Try once.

        Args:
            message: the id that the receiver knows it by.
            secrets: every one signs.
        """
        at, text = datetime.now(UTC), body.decode()
        headers = {
            "content-type": "application/json",
            "user-agent": "firstcome-notifier",
            "webhook-id": message,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(Signer(secret).sign(message, at, text) for secret in secrets),
        }
        answer: httpx.Response | None = None
        try:
            read_url(self._url)
            async with asyncio.timeout(self._attempt_seconds):
                async with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                    await _read_some(answer)
        except AddressError as error:
            return Attempt(f"its URL {error}")
        except (TimeoutError, httpx.TimeoutException):
            if answer is None:
                return Attempt(f"it did not answer within {self._attempt_seconds:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            if answer is None:
                return Attempt(f"{_KINDS.get(type(error), 'the call failed')}: {error}"[:300])
        return _judge(answer)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


_KINDS: Final[dict[type, str]] = {
    httpx.ConnectError: "it cannot be connected to",
    httpx.ReadError: "it ended the connection without an answer",
    httpx.WriteError: "it ended the connection before it had the message",
    httpx.RemoteProtocolError: "its answer is not HTTP",
}


async def _read_some(answer: httpx.Response) -> None:
    read = 0
    async for piece in answer.aiter_raw():
        read += len(piece)
        if read > MOST_READ_BYTES:
            return


def _judge(answer: httpx.Response | None) -> Attempt:
    assert answer is not None
    if answer.is_success:
        return Attempt()
    redirects = ", a redirect, which is not followed" if answer.is_redirect else ""
    wish = 0.0
    if answer.status_code in {429, 503}:
        wish = _retry_after(answer.headers.get("retry-after", ""))
    return Attempt(f"it answered {answer.status_code}{redirects}", wish)


def _retry_after(text: str) -> float:
    """Seconds of a Retry-After header, a number or a date (RFC 9110, 10.2.3); 0 where it is none."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
