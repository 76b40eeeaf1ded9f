"""One request of the public port, as it is read: bytes in, a head and a body out, or why it is refused. No I/O.

The time of a request is the receive time of its last byte, so a request has one only when it is complete and nothing
follows it. It may come in pieces; it may not be chunked, carry two lengths, or hold anything behind its body.

A service sends the same head with every call: path, token and length change rarely or never. What the parser said of
a head is remembered under the head's very bytes, and a request that comes whole in one read under a known head is not
parsed again. Only heads whose token was good are remembered, so strangers cannot fill the memory, and never one
that asked for more than a body (`Expect`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httptools

from service.gateway import problems
from service.gateway.answers import Answer

MAX_HEAD_BYTES: Final = 16_384
MAX_BODY_BYTES: Final = 16_384
MAX_BATCH_BYTES: Final = 262_144
"""Room for the largest batch: 1 000 buyers of 128 characters, and some blanks."""
MOST_KNOWN_HEADS: Final = 512
LONGEST_KNOWN_HEAD_BYTES: Final = 2_048

_PURCHASE_PATH: Final = re.compile(rb"/v1/sales/([A-Za-z0-9._~-]{1,128})/purchases(:batch)?")
_END_OF_HEAD: Final = b"\r\n\r\n"
ROUTED_HEADER: Final = "firstcome-routed"
"""On what another region has forwarded: that region."""
ROUTED_PARAMETER: Final = "routed"
"""The same, in the query of what a caller was redirected to."""
_ROUTED_HEADER: Final = ROUTED_HEADER.encode()


def is_marked_as_routed(query: bytes) -> bool:
    """Whether a caller was redirected here by another region."""
    return any(part.startswith(b"%s=" % ROUTED_PARAMETER.encode()) for part in query.split(b"&"))


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of a purchase call says."""

    sale: str
    authorization: bytes
    prefer: bytes = b""
    is_batch: bool = False
    length: int = 0
    """Of the body, in bytes."""
    keeps: bool = True
    """Whether the connection stays open after the answer, as far as the caller is concerned."""
    traceparent: bytes = b""
    """Of which trace the call is part, as the caller says."""
    query: bytes = b""
    idempotency_key: bytes = b""
    was_routed: bool = False
    """Whether another region has sent it here."""

    @property
    def path(self) -> str:
        """Of the call."""
        return f"/v1/sales/{self.sale}/purchases{':batch' if self.is_batch else ''}"

    @property
    def longest_body_bytes(self) -> int:
        """The largest body that such a call may have."""
        return MAX_BATCH_BYTES if self.is_batch else MAX_BODY_BYTES


class KnownHeads:
    """Heads whose meaning is known; forgotten all at once when there are too many."""

    def __init__(self) -> None:
        self._heads: dict[bytes, Head] = {}

    def match(self, data: bytes) -> tuple[Head, bytes] | None:
        """Head and body, where `data` is one whole request under a known head and nothing else."""
        end = data.find(_END_OF_HEAD)
        if end < 0:
            return None
        head = self._heads.get(data[:end])
        if head is None or len(data) - end - 4 != head.length:
            return None
        return head, data[end + 4 :]

    def remember(self, whole: bytes, head: Head) -> None:
        """What the parser said of a whole request's head."""
        end = whole.find(_END_OF_HEAD)
        if 0 < end <= LONGEST_KNOWN_HEAD_BYTES:
            if len(self._heads) >= MOST_KNOWN_HEADS:
                self._heads.clear()
            self._heads[whole[:end]] = head


class IncomingRequest:
    """One request in the making. Exactly one of these holds once something is known: it is to be handed over, it is
    refused, or it is complete and has a head and a body.

    Args:
        go_on: called where the caller wants to be told before it sends the body (`Expect: 100-continue`).
    """

    __slots__ = (
        "_authorization",
        "_chunked",
        "_expects",
        "_go_on",
        "_head_bytes",
        "_idempotency_key",
        "_is_batch",
        "_length",
        "_parser",
        "_prefer",
        "_sale",
        "_traceparent",
        "_url",
        "_was_routed",
        "body",
        "complete",
        "is_foreign",
        "keeps",
        "refusal",
        "whole",
    )

    def __init__(self, go_on: Callable[[], None]) -> None:
        self._parser: Any = httptools.HttpRequestParser(self)
        self._go_on = go_on
        self._url = self._authorization = self._prefer = self._traceparent = self._idempotency_key = b""
        self._length: bytes | None = None
        self._sale: str | None = None
        self._chunked = self._is_batch = self._expects = self._was_routed = False
        self._head_bytes = 0
        self.whole = self.body = b""
        self.refusal: Answer | None = None
        self.is_foreign = False
        """Not a purchase: FastAPI's."""
        self.complete = self.keeps = False

    def feed(self, data: bytes) -> None:
        """The next bytes of the connection."""
        assert self._parser is not None
        self.whole = self.whole + data if self.whole else data
        self._parse(self._parser, data)
        if not self.is_foreign and self.refusal is None:
            if self.complete and not self._ends_with_body():
                self.refusal = problems.pipelined()
            elif self._sale is None and len(self.whole) > MAX_HEAD_BYTES:
                self.refusal = problems.headers_too_large(MAX_HEAD_BYTES)
        if self.is_foreign or self.refusal is not None or self.complete:
            self._parser = None  # it refers back here: together they would wait for the garbage collector

    def head(self) -> Head:
        """What the head of a complete request says."""
        assert self._sale is not None
        length = int(self._length or 0)
        query = self._url.partition(b"?")[2]
        return Head(
            *(self._sale, self._authorization, self._prefer, self._is_batch, length, self.keeps, self._traceparent),
            *(query, self._idempotency_key, self._was_routed or is_marked_as_routed(query)),
        )

    @property
    def is_plain(self) -> bool:
        """Whether the same head always means the same, and may come again: that of a traced call does not."""
        return not self._expects and not self._traceparent

    def _parse(self, parser: Any, data: bytes) -> None:
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.is_foreign = self._sale is None
            if not self.is_foreign:
                self.refusal = problems.bad_request("Purchases take no upgrade.")
        except httptools.HttpParserError as error:
            if self.refusal is None:
                self.refusal = (
                    problems.pipelined() if self.complete else problems.bad_request(f"This is not HTTP/1.1: {error}")
                )

    def _ends_with_body(self) -> bool:
        """Whether the last byte read is the request's. The parser passes over line ends that follow a body, and the
        kernel's time would be theirs.
        """
        request = self.whole.lstrip(b"\r\n")
        return len(request) == request.find(_END_OF_HEAD) + 4 + int(self._length or 0)

    # What the parser calls.

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        name = name.lower()
        if name == b"authorization":
            self._authorization = value
        elif name == b"content-length":
            if self._length is not None and self._length != value:
                self.refusal = problems.bad_request("Send one Content-Length.")
            self._length = value
        elif name == b"prefer":
            self._prefer = self._prefer + b"," + value if self._prefer else value
        elif name == b"traceparent":
            self._traceparent = value
        elif name == b"idempotency-key":
            self._idempotency_key = value
        elif name == _ROUTED_HEADER:
            self._was_routed = True
        elif name == b"transfer-encoding":
            self._chunked = True
        elif name == b"expect" and value.lower() == b"100-continue":
            self._expects = True
            self._go_on()

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        if len(self._url) + self._head_bytes > MAX_HEAD_BYTES:
            self.refusal = problems.headers_too_large(MAX_HEAD_BYTES)
            return
        found = _PURCHASE_PATH.fullmatch(self._url.partition(b"?")[0])
        if found is None or self._parser.get_method() != b"POST":
            self.is_foreign = True
            return
        self._sale = found[1].decode()
        self._is_batch = found[2] is not None
        limit_bytes = MAX_BATCH_BYTES if self._is_batch else MAX_BODY_BYTES
        if self._chunked:
            self.refusal = self.refusal or problems.length_required()
        elif self._length is not None and int(self._length) > limit_bytes:
            self.refusal = self.refusal or problems.too_large(limit_bytes)

    def on_body(self, body: bytes) -> None:
        self.body = self.body + body if self.body else body

    def on_message_begin(self) -> None:
        if self.complete:
            self.refusal = problems.pipelined()

    def on_message_complete(self) -> None:
        self.complete = True
        self.keeps = self._parser.should_keep_alive()
