"""A receiver of webhooks, as a merchant would have one: it checks signatures, keeps what it took, and may misbehave.

What it takes once it knows by its id. A policy says how it answers, from the id and how often that was offered; it may
also do something to the connection by itself.
"""

import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from standardwebhooks import Webhook, WebhookVerificationError

from service.world.ports import free_port

Policy = Callable[["Offer"], int | None]
"""The status to answer with; None where it has dealt with the connection itself."""


@dataclass
class Offer:
    """One POST, with a good signature or none."""

    id: str
    message: dict[str, Any]
    times: int
    """How often it was offered, this time included."""
    signatures: int
    handler: BaseHTTPRequestHandler


def take(_: Offer) -> int:
    """Take everything."""
    return 200


@dataclass(eq=False)
class Receiver:
    """Listens on loopback. Use as a context manager."""

    policy: Policy = take
    secrets: list[str] = field(default_factory=list)
    """Those that it believes in."""
    certificate: Path | None = None
    """With its key; then it speaks TLS."""

    def __post_init__(self) -> None:
        self.taken: dict[str, dict[str, Any]] = {}
        """By id, in the order in which they were taken first."""
        self.offered: Counter[str] = Counter()
        self.refused = 0
        """With no signature that it knows."""
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver._receive(self, body)
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", f"{receiver.url}/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """The other side has hung up."""

        self._make = lambda port: Server(("127.0.0.1", port), Handler)
        self._server = self._make(free_port())
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_away()

    def go_away(self) -> None:
        """Nobody listens there any more."""
        self._server.shutdown()
        self._server.server_close()

    def come_back(self) -> None:
        """At the same port."""
        self._server = self._make(self.port)
        self.__enter__()

    def of(self, sale: str) -> list[dict[str, Any]]:
        """The messages of a sale, each once, in the order in which they were taken."""
        return [message for message in list(self.taken.values()) if message["data"]["sale"] == sale]

    def purchases(self, sale: str, event: str) -> list[dict[str, Any]]:
        """What was told of a sale's purchases by one kind of event, in order."""
        return [one for message in self.of(sale) if message["type"] == event for one in message["data"]["purchases"]]

    def _receive(self, handler: BaseHTTPRequestHandler, body: bytes) -> int | None:
        headers = dict(handler.headers)
        if not any(_is_signed(secret, body, headers) for secret in self.secrets):
            self.refused += 1
            return 401
        name = headers["webhook-id"]
        with self._lock:
            self.offered[name] += 1
            signatures = len(headers["webhook-signature"].split())
            offer = Offer(name, json.loads(body), self.offered[name], signatures, handler)
        status = self.policy(offer)
        if status is not None and 200 <= status < 300:
            with self._lock:
                assert self.taken.setdefault(name, offer.message) == offer.message, "another body under the same id"
        return status


def _is_signed(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True
