"""A caller that says exactly the bytes it is told to, and hears the answer as it came.

Clients that are well behaved cannot send what a gateway must refuse: pieces, two lengths, two requests at once. This
one can. It keeps its connection until it is closed, so a test decides what is sent where.
"""

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

TIMEOUT_SECONDS = 30.0


def request(method: str, path: str, body: Any = None, **headers: str) -> bytes:
    """The bytes of a request; a body that is not bytes goes as JSON. Underscores in names of headers are hyphens."""
    payload = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    stated = {"host": "here", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if method == "POST" and "content-length" not in stated and "transfer-encoding" not in stated:
        stated["content-length"] = str(len(payload))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in stated.items())]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + payload


@dataclass(frozen=True)
class Answered:
    """One answer. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The last word of the problem's type; fails where the answer is no problem document."""
        assert self.headers["content-type"] == "application/problem+json", self
        document = self.json
        assert document["status"] == self.status
        assert document["title"]
        assert document["detail"]
        prefix, _, slug = document["type"].rpartition(":")
        assert prefix == "urn:firstcome:problem"
        return str(slug)


class Caller:
    """One connection to a gateway. Use as a context manager."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._heard = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def say(self, data: bytes) -> Self:
        """Send bytes; a connection that was ended meanwhile is no fault: what was said before it can be heard."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)
        return self

    def say_no_more(self) -> None:
        """Hang up the caller's side; the gateway may still answer."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def receive_little(self) -> None:
        """Take as little as possible at once, so that long answers do not fit into the connection."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)

    def hear(self) -> Answered | None:
        """The next answer; None where the connection ended without one."""
        while b"\r\n\r\n" not in self._heard:
            if not self._more():
                return None
        head, _, rest = self._heard.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self._heard = rest
        status = int(status_line.split(" ")[1])
        if status < 200:
            return self.hear()
        length = int(headers.get("content-length", "0"))
        while len(self._heard) < length:
            assert self._more(), "the answer is cut short"
        body, self._heard = self._heard[:length], self._heard[length:]
        return Answered(status, headers, body)

    def answer(self) -> Answered:
        """The next answer, which must come."""
        heard = self.hear()
        assert heard is not None, "the connection ended without an answer"
        return heard

    def is_ended(self) -> bool:
        """Whether the gateway ends the connection without another word; waits for it."""
        try:
            return self._socket.recv(1) == b"" and not self._heard
        except ConnectionResetError:
            return True

    def _more(self) -> bool:
        try:
            data = self._socket.recv(65_536)
        except ConnectionResetError:
            return False
        self._heard += data
        return data != b""


@dataclass
class Gateway:
    """A region's public port, and a token with every scope."""

    port: int
    token: str
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.headers = {"authorization": f"Bearer {self.token}"}

    def connect(self) -> Caller:
        """A fresh connection: the intake's."""
        return Caller(self.port)

    def handed_over(self) -> Caller:
        """A connection that uvicorn and FastAPI serve."""
        caller = self.connect()
        assert caller.say(request("GET", "/healthz")).answer().status == 200
        return caller

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> bytes:
        """The bytes of a request with the token."""
        return request(method, path, body, **{**self.headers, **headers})

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        """One call on a connection of its own."""
        with self.connect() as caller:
            return caller.say(self.request(method, path, body, **headers)).answer()

    def buy(self, sale: str, buyer: str, **headers: str) -> Answered:
        """A purchase call."""
        return self.call("POST", f"/v1/sales/{sale}/purchases", {"buyer": buyer}, **headers)

    def events(self, sale: str, after: int = -1) -> Iterator[tuple[int, dict[str, Any]]]:
        """The events of a sale behind a number, each with its own, until the sale is over."""
        headers = self.headers | ({"last-event-id": str(after)} if after >= 0 else {})
        url = f"http://127.0.0.1:{self.port}/v1/sales/{sale}/events"
        with httpx.stream("GET", url, headers=headers, timeout=TIMEOUT_SECONDS) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            number = -1
            for line in answer.iter_lines():
                field, _, value = line.partition(": ")
                if field == "id":
                    number = int(value)
                elif field == "data":
                    yield number, json.loads(value)

    def event(self, sale: str, number: int) -> dict[str, Any]:
        """One event of a sale, by its number."""
        found, event = next(self.events(sale, number - 1))
        assert found == number
        return event

    def state(self, sale: str) -> str:
        """A sale's state."""
        return str(self.call("GET", f"/v1/sales/{sale}").json["state"])


Kind = Callable[[Gateway], Caller]
KINDS: dict[str, Kind] = {"fresh": Gateway.connect, "handed over": Gateway.handed_over}
"""Who serves a connection: the intake, or uvicorn and FastAPI."""
