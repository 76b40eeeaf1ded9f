"""Purchases of reservations as a region's store has them: looked up, waited for, told.

Several processes of a region hear of decisions one by one, each when it does. Whoever asks here is answered by what the
region's store had when they asked, so nobody who asks twice, of two processes, is told that they have moved back.
"""

from typing import Any, Final, NamedTuple

from model.replies import parse_line
from model.vocabulary import Entry, Reply
from service.gateway.answers import Answer
from service.gateway.book import Sale
from service.gateway.turns import MOVES_BY_ITSELF, body_of, state_of
from service.store import keys
from service.store.attempts import number_in, read_purchase
from service.store.chunks import line_at, line_in
from service.store.opening import Store

_CATCH_UP_SECONDS: Final = 2.0
"""How long the tail of the region's store may be behind the store; then what is known is told."""


class Found(NamedTuple):
    """A purchase, and what its holder has said of the unit, as they are logged."""

    entry: Entry
    reply: Reply | None

    def state(self, sale: Sale) -> dict[str, Any]:
        """How it stands now."""
        return state_of(sale, self.entry, None if self.reply is None else self.reply.says)


async def find(store: Store, sale: Sale, purchase: str) -> Found | None:
    """Look a purchase up, and catch up with what was decided until now; None where there is none of that name.

    Raises:
        redis.exceptions.RedisError, OSError: the store does not answer.
    """
    number = number_in(purchase)
    if number is None:
        return None
    async with store.pipeline(transaction=False) as batch:
        pipeline: Any = batch
        pipeline.xrange(keys.log(sale.id), min=f"{number}-0", count=1)
        pipeline.hget(keys.replies(sale.id), purchase)
        pipeline.xlen(keys.decisions(sale.id))
        chunk, reply_number, decided = await pipeline.execute()
    logged = read_purchase(line_in(chunk, number), purchase)
    if logged is None:
        return None
    said = None if reply_number is None else await line_at(store, keys.log(sale.id), int(reply_number))
    reply = None if said is None else parse_line(said)
    await sale.until(lambda: len(sale.lines) >= decided, _CATCH_UP_SECONDS)
    return Found(logged.entry, reply if isinstance(reply, Reply) else None)


async def show(sale: Sale, found: Found, wait_seconds: float | None) -> Answer:
    """How a purchase stands; with a wait, once the buyer has something to do or to know, if that comes in time."""
    now = found.state(sale)
    if wait_seconds and now["state"] in MOVES_BY_ITSELF:
        began = now["state"]
        await sale.until(lambda: found.state(sale)["state"] != began, wait_seconds)
        now = found.state(sale)
    again = (("retry-after", "1"),) if now["state"] in MOVES_BY_ITSELF else ()
    return Answer(200, body_of(sale, found.entry, now), again)
