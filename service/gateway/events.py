"""Server-sent events: a sale's decisions as they are made, resumable from any of them.

An event's id is its record's index in the decision log, which is the same in every region and for every gateway, also
one that was started anew. So a client that lost its connection goes on behind the last event that it has, at any
gateway of any region of the sale, and misses none and gets none twice. A gateway that is behind what the client knows
waits until it is not. The stream ends with the sale; a client that comes back with the last event is answered 204, at
which browsers stop coming back.
"""

from collections.abc import AsyncIterator
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from model.wire import parse_canonical
from service.gateway.answers import Answer
from service.gateway.book import Sale
from service.gateway.problems import too_many_followers

KEEP_ALIVE_SECONDS: Final = 15
RETRY_MS: Final = 1_000
"""How long a client is told to wait before it comes back."""
MOST_FOLLOWERS: Final = 10_000
"""Of one gateway process; whoever comes then is asked to come again, or to ask for its own purchase."""
_SILENT: Final = frozenset({"seen"})
"""Evidence for auditors, not news for buyers."""


class Followers:
    """Those who follow sales at one gateway process."""

    def __init__(self, most: int = MOST_FOLLOWERS) -> None:
        self.count = 0
        self._most = most

    def stream(self, sale: Sale, after: int) -> Response | Answer:
        """Events from the record behind index `after`, until the sale is over."""
        if sale.standing.over and not any(_is_news(line) for line in sale.lines[after + 1 :]):
            return Response(status_code=204)
        if self.count >= self._most:
            return too_many_followers()
        return _response(self._counted(sale, after))

    async def _counted(self, sale: Sale, after: int) -> AsyncIterator[ServerSentEvent]:
        self.count += 1
        try:
            retry_ms: int | None = RETRY_MS
            async for event in _events(sale, after):
                event.retry, retry_ms = retry_ms, None  # not by itself: some readers take that for an event
                yield event
        finally:
            self.count -= 1


def _response(events: AsyncIterator[ServerSentEvent]) -> EventSourceResponse:
    return EventSourceResponse(events, ping=KEEP_ALIVE_SECONDS, sep="\n")


async def _events(sale: Sale, after: int) -> AsyncIterator[ServerSentEvent]:
    index = after + 1
    while True:
        changed = sale.changed
        while index < len(sale.lines):
            line = sale.lines[index]
            if _is_news(line):
                yield ServerSentEvent(line.decode(), event=_kind(line), id=str(index))
            index += 1
        if sale.standing.over:
            return
        await changed.wait()


def _kind(line: bytes) -> str:
    return str(parse_canonical(line)["type"])


def _is_news(line: bytes) -> bool:
    return _kind(line) not in _SILENT
