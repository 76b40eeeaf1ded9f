"""What a caller gets back: a status, headers, a JSON body; the same from the intake and from FastAPI.

Errors are RFC 9457 problem documents. Their `type` is stable: a program may rely on it; `detail` says what to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec

encode: Final = msgspec.json.Encoder().encode

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:firstcome:problem:"

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class Answer:
    """A whole answer. `close` ends the connection after it."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = JSON
    close: bool = False
    slug: str = ""
    """Of a problem: which, for counting."""

    def bytes(self, close: bool) -> bytes:
        """The answer as HTTP/1.1."""
        headers = "".join([f"{name}: {value}\r\n" for name, value in self.headers])
        end = "connection: close\r\n\r\n" if close or self.close else "\r\n"
        return (
            f"HTTP/1.1 {self.status} {_REASONS[self.status]}\r\ncontent-type: {self.content_type}\r\n"
            f"content-length: {len(self.body)}\r\n{headers}{end}"
        ).encode("latin-1") + self.body


def problem(
    slug: str,
    status: int,
    title: str,
    detail: str,
    headers: tuple[tuple[str, str], ...] = (),
    extra: Mapping[str, Any] | None = None,
    close: bool = False,
) -> Answer:
    """An RFC 9457 problem document of type `urn:firstcome:problem:<slug>`."""
    document = {"type": TYPE_PREFIX + slug, "title": title, "status": status, "detail": detail, **(extra or {})}
    return Answer(status, encode(document), headers, PROBLEM, close, slug)
