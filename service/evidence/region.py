"""A region's notary: signs how each of its logs stands, within a second of it having grown.

It follows the region's store like any reader, a few times a second, far from the purchase path. Any number may run in a
region, on any host; one of them at a time does the signing, and another takes over soon after it has gone. Each hands
in the clock journal of its own host.

A sale is signed only if its terms name this very key. Where they name another, nothing is signed, and an alarm says so:
a region whose key was replaced cannot answer for what was published before.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from model.note import region_origin
from model.terms import read_terms
from model.vocabulary import RegionName, SaleId
from model.wire import parse_canonical
from service.evidence.journals import JournalDelivery, JournalFile, hand_in
from service.evidence.logs import LogChangedError, SignedLog
from service.evidence.lookout import Lookout
from service.evidence.office import Turn, is_over, is_wrong_type
from service.evidence.signing import SigningKey
from service.store import keys
from service.store.chunks import last_number
from service.store.lane import Lane
from service.store.opening import Store
from service.store.streams import read_range

_log = structlog.get_logger()

ROUND_SECONDS: Final = 0.25
_PAUSE_SECONDS: Final = 1.0
_SALES_AT_ONCE: Final = 500
_ASKED: Final = 5
"""Questions about each sale, in one go."""


@dataclass(slots=True)
class _Followed:
    """A sale that is not over, or not signed to its end."""

    log: SignedLog | None
    """None where this key may not sign it."""
    delivery: JournalDelivery | None
    has_begun: bool = False
    """Whether the region has raised a mark for it: from then on the clock journal is handed in."""


class RegionNotary:
    """Signs one region's logs."""

    def __init__(self, region: RegionName, store: Store, key: SigningKey, journal: JournalFile | None) -> None:
        self._region = region
        self._store = store
        self._key = key
        self._journal = journal
        self._turn = Turn(store, keys.REGION_NOTARY)
        self._sales_read = 0
        self._followed: dict[SaleId, _Followed] = {}
        self._lookout = Lookout(store)
        self._lane = Lane(store)
        self._had_turn = False
        self._answers = True

    async def run(self) -> None:
        """Rounds without end."""
        try:
            while True:
                await self._try_a_round()
                await asyncio.sleep(ROUND_SECONDS)
        finally:
            await self._lane.close()

    async def _try_a_round(self) -> None:
        try:
            await self._round()
            self._answers = True
        except (RedisError, OSError) as error:
            if self._answers:
                _log.warning("the region's store does not answer; trying again", error=str(error))
            self._answers = False
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _round(self) -> None:
        ours = await self._turn.is_ours()
        if ours and not self._had_turn:  # the one before may have ended between growth and signature
            self._lookout.start_over()
        self._had_turn = ours
        if self._journal is not None:
            self._journal.read_on()
        await self._learn()
        begun = [followed.delivery for followed in self._followed.values() if followed.has_begun]
        await hand_in(self._lane, [delivery for delivery in begun if delivery is not None])
        sales = await self._lookout.worth_a_look()
        if not sales:
            return
        async with self._store.pipeline(transaction=False) as batch:
            pipeline: Any = batch
            for sale in sales:
                pipeline.xrevrange(keys.decisions(sale), count=1)
                pipeline.xrevrange(keys.log(sale), count=1)
                pipeline.exists(keys.mark(sale))
                pipeline.hget(keys.checkpoint(sale), "size")
                pipeline.get(keys.stop(sale))
            answers = await pipeline.execute(raise_on_error=False)
        for number, sale in enumerate(sales):
            newest, logged, marked, signed, stop = told = answers[_ASKED * number : _ASKED * (number + 1)]
            followed = self._followed[sale]
            for error in told:
                if isinstance(error, RedisError) and not is_wrong_type(error):
                    raise error
            if any(isinstance(error, RedisError) for error in told):
                _log.error("a sale's keys hold something else: it is signed no more", sale=sale)
                self._leave(sale)
                continue
            self._lookout.looked(sale, {keys.decisions(sale): newest, keys.log(sale): logged})
            length = last_number(logged)
            if followed.delivery is not None and not followed.has_begun and (marked or length):
                followed.has_begun = True
                await hand_in(self._lane, [followed.delivery])
            may_grow = stop is not None and stop.startswith(keys.LIST_FULL.encode())  # what holders say is still logged
            is_ending = is_over(newest) and not may_grow
            if followed.log is not None and ours and not (is_ending and int(signed or 0) == length):
                await self._sign(sale, followed, followed.log, length)
                signed = followed.log.size if followed.log is not None else 0
            if is_ending and (followed.log is None or int(signed or 0) == length):
                self._leave(sale)

    async def _learn(self) -> None:
        """Sales that were published since."""
        while found := await read_range(self._store, keys.SALES, self._sales_read + 1, None, _SALES_AT_ONCE):
            for entry in found:
                self._open(entry.line)
            self._sales_read = found[-1].number

    def _open(self, line: bytes) -> None:
        terms = read_terms(parse_canonical(line))
        if self._region not in terms.regions:
            return
        sale = terms.sale()
        log = None
        if terms.keys is not None and terms.keys.regions[self._region] == self._key.verifier:
            names = (keys.log(sale), keys.checkpoint(sale), keys.blocks(sale))
            log = SignedLog(self._store, *names, region_origin(sale, self._region), self._key)
        elif terms.keys is not None:
            named = str(terms.keys.regions[self._region])
            _log.error("a sale is not signed: its terms name another key of this region", sale=sale, key=named)
        delivery = None if self._journal is None else JournalDelivery(self._store, sale, self._journal)
        if log is not None or delivery is not None:
            self._followed[sale] = _Followed(log, delivery)
            self._lookout.follow(sale, keys.decisions(sale), keys.log(sale))

    def _leave(self, sale: SaleId) -> None:
        del self._followed[sale]
        self._lookout.forget(sale)

    async def _sign(self, sale: SaleId, followed: _Followed, log: SignedLog, length: int) -> None:
        try:
            await log.catch_up(length)
        except LogChangedError as finding:
            _log.error("a log is not what was signed: it is signed no more", sale=sale, finding=str(finding))
            followed.log = None
