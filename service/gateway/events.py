"""Server-sent events: a sale's decisions as they are made, resumable from any of them."""

from collections.abc import AsyncIterator
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent

from model.wire import parse_canonical
from service.gateway.book import Sale

KEEP_ALIVE_SECONDS: Final = 15
_SILENT: Final = frozenset({"seen"})
"""Evidence for auditors, not news for buyers."""


def stream(sale: Sale, after: int) -> EventSourceResponse:
    """Events from the record behind index `after`; ends with the sale."""
    return EventSourceResponse(_events(sale, after), ping=KEEP_ALIVE_SECONDS, sep="\n")


async def _events(sale: Sale, after: int) -> AsyncIterator[ServerSentEvent]:
    index = after + 1
    while True:
        changed = sale.changed
        while index < len(sale.lines):
            line = sale.lines[index]
            kind = parse_canonical(line)["type"]
            if kind not in _SILENT:
                yield ServerSentEvent(line.decode(), event=kind, id=str(index))
            index += 1
        if sale.standing.over:
            return
        await changed.wait()
