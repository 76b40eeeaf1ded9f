"""Following a sale: every decision once, in order, whatever becomes of the connection. No I/O: `exchange.py` says how.

Events carry their index in the decision log, the same in every region and in every gateway, so whoever says which came
last (`Last-Event-ID`) misses nothing. A stream that ends proves nothing: a gateway that is stopped ends it as neatly as
one whose sale is over. So a stream is asked to begin with the last event that is known, and only a record that no other
follows (`closed`, `halted`) is the end.

A connection that is quiet is fine: sales are, and comments keep it alive. Patience is for the time without one.
"""

from typing import Final

from firstcome.calls import sale_path
from firstcome.exchange import SECOND_NS, Ask, Call, Heard, Listen, Lost, Open, Opened, Reply, Said, Tell, paused
from firstcome.patience import Patience, least_pause_ns, pause, trouble_of
from firstcome.problems import BadAnswerError, FirstcomeError, UnreachableError
from firstcome.records import Event
from model.vocabulary import is_id

KEEP_ALIVE_NS: Final = 15 * SECOND_NS
"""A gateway says at least a comment so often."""
_LAST: Final = frozenset({"closed", "halted"})
_NO_MORE: Final = 204
"""The sale is over, and what is known is behind its last event."""


def follow(sale: str, after: int, patience: Patience) -> Call[None]:
    """The events behind index `after`, until the sale is over."""
    seen, tries = after, 0
    failing_since_ns: int | None = None
    while True:
        opened = yield Open(_asking(sale, seen))
        trouble: FirstcomeError | None
        if isinstance(opened, Opened):
            heard = yield from _heard()
            while isinstance(heard, Said):
                event = _read(heard)
                if event.id > seen:
                    seen, tries, failing_since_ns = event.id, 0, None
                    yield Tell(event)
                if event.type in _LAST:
                    return
                heard = yield from _heard()
            assert isinstance(heard, Lost)
            trouble, at_ns = UnreachableError(heard.why), heard.at_ns
            if at_ns - opened.at_ns > KEEP_ALIVE_NS:
                tries, failing_since_ns = 0, None
        elif isinstance(opened, Reply) and opened.status == _NO_MORE:
            return
        else:
            trouble, at_ns = trouble_of(opened), opened.at_ns
            if trouble is None:  # 204: the sale is over, and nothing is behind what is known
                return
        failing_since_ns = at_ns if failing_since_ns is None else failing_since_ns
        tries += 1
        wanted = pause(tries, least_pause_ns(trouble))
        if at_ns + wanted.most_ns - failing_since_ns > patience.longest_ns:
            raise trouble
        yield from paused(wanted.least_ns, wanted.most_ns)


def _heard() -> Call[Heard]:
    """The next event that says something: one without data, such as a `retry`, is none (WHATWG HTML, 9.2.6)."""
    heard = yield Listen()
    while isinstance(heard, Said) and not heard.data:
        heard = yield Listen()
    return heard


def _asking(sale: str, seen: int) -> Ask:
    """The request for a stream that begins with the last event that is known, or with the first of all."""
    resume = {"last-event-id": str(seen - 1)} if seen > 0 else {}
    return Ask("GET", f"{sale_path(sale)}/events", headers=resume, within_ns=3 * KEEP_ALIVE_NS)


def _read(said: Said) -> Event:
    if not (said.id.isascii() and said.id.isdigit() and is_id(said.type)):
        raise BadAnswerError(f"an event has a number and a type, not {said.id!r} and {said.type!r}")
    return Event(int(said.id), said.type, said.data)
