"""Which messages a sale has, in which order: from its decision log and the copied logs to its outbox.

The order of a sale's messages is this. What decisions say of a purchase stands in their order: winners by rank, and in
a reservation everything that becomes of a place on the list. Losers follow once they are lost for good, region by
region as the terms name them, in the order of each log; there is no merit in it. The sale's own end comes last, behind
every outcome. Where units are sold at the door, a region's buyers stand in the order of its log. What a region that was
cut off has logged beyond what counts is known only when somebody has read it there (`evidence/collecting.py`): those
buyers are told when it is, behind the end.

Everything here is read from the arbiter's store and asked of `model/outcomes.py`; an outcome is told when it is for
good. A million losers are swept in pieces, and memory holds no more of a sale than its winners.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from model.outcomes import Standing
from model.terms import Terms
from model.vocabulary import (
    Cancelled,
    Confirmed,
    Entry,
    Expired,
    Held,
    Listed,
    RegionName,
    Released,
    SaleId,
    Seen,
    Won,
)
from model.wire import parse_decision_line
from service.evidence.seal import sealed
from service.notify.messages import Bodies
from service.notify.outbox import Message, Position, Ranges, append, extend, newest
from service.notify.reading import read_entry
from service.notify.webhooks import Event
from service.store import keys
from service.store.chunks import ChunkedLines
from service.store.opening import Store
from service.store.streams import StreamEntry, read_range

MOST_IN_A_MESSAGE: Final = 256
"""Outcomes. A million of them are four thousand calls, and each stays under 100 kB whatever ids its buyers have, which
is what widespread receivers take at most."""
_RECORDS_AT_ONCE: Final = 1_000

_EVENT_OF: Final[dict[type, Event]] = {
    Won: "purchase.won",
    Listed: "purchase.listed",
    Held: "purchase.held",
    Confirmed: "purchase.confirmed",
    Released: "purchase.released",
    Expired: "purchase.expired",
}
"""Records that are news of one purchase."""


class Planner:
    """One sale, as its messages are planned.

    Args:
        now_ns: the time, in ns since the epoch, that messages say they were planned at.
        most: outcomes in a message.
    """

    def __init__(
        self, store: Store, sale: SaleId, terms: Terms, now_ns: Callable[[], int], most: int = MOST_IN_A_MESSAGE
    ) -> None:
        self.sale = sale
        self.terms = terms
        self.standing = Standing(terms)
        self.bodies = Bodies(store, terms, self.standing)
        self.number = 0
        """Of the last message that is in the outbox."""
        self.is_done = False
        """Whether no message follows."""
        self.grown = asyncio.Event()
        """Set, and replaced by a new one, when messages were added."""
        self._store = store
        self._now_ns = now_ns
        self._most = most
        self._position = Position()
        self._planned: list[Message] = []
        """Messages that are not in the outbox yet."""
        self._run: tuple[Event, Ranges] | None = None
        """Records of one kind that will be a message."""
        self._in_run = 0
        self._beyond = {name: ChunkedLines(store, keys.copied_beyond(sale, name)) for name in terms.regions}

    @property
    def streams(self) -> dict[str, str]:
        """What there is news in: streams, and the id of the last entry that is known of each."""
        following = {keys.ledger(self.sale): f"{self.standing.decisions}-0"}
        if self._is_at_the_door:
            following |= {
                keys.copied_log(self.sale, region): f"{self._position.swept.get(region, 0)}-0"
                for region in self.terms.regions
            }
        return following

    @property
    def awaits_beyond(self) -> bool:
        """Whether only what was logged beyond a cut-off is missing."""
        return self._position.is_end_told and not self.is_done

    async def load(self) -> None:
        """Know what was planned before, whoever did.

        Raises:
            redis.exceptions.RedisError: the store does not answer.
        """
        last = await newest(self._store, self.sale)
        if last is not None:
            self.number, self._position, self.is_done = last.number, last.position, last.is_end
        decided = self._position.decisions
        while self.standing.decisions < decided and (found := await self._records(decided)):
            for record in found:
                self._apply(record)
        for region, lines in self._position.beyond.items():
            self._beyond[region] = ChunkedLines(self._store, keys.copied_beyond(self.sale, region), lines)

    async def go_on(self) -> None:
        """Plan all that follows from what is in the store.

        Raises:
            OutboxMovedError: somebody else plans this sale, too.
            redis.exceptions.RedisError: the store does not answer.
        """
        await self._sweep()
        while not self.is_done and (found := await self._records(None)):
            for record in found:
                await self._learn(record)
            self._cut()
            await self._save()

    @property
    def _is_at_the_door(self) -> bool:
        return self.terms.method != "ordered"

    async def _records(self, last: int | None) -> list[StreamEntry]:
        return await read_range(
            self._store, keys.ledger(self.sale), self.standing.decisions + 1, last, _RECORDS_AT_ONCE
        )

    def _apply(self, record: StreamEntry) -> object:
        decision = parse_decision_line(self.standing.decisions, record.line)
        self.standing.apply(decision, record.winner.decode() or None)
        return decision

    async def _learn(self, record: StreamEntry) -> None:
        index, decision = self.standing.decisions, self._apply(record)
        event = _EVENT_OF.get(type(decision))
        if event is None:
            if type(decision) is Seen and self.standing.lost_reason() is None:
                return
            self._cut()
            self._position.decisions = index + 1
            if type(decision) is Cancelled:
                self._add("sale.cancelled", records=[(index, index)])
            await self._sweep()
            return
        if self._run is None or self._run[0] != event or self._in_run == self._most:
            self._cut()
            self._run = event, []
        extend(self._run[1], index)
        self._in_run += 1
        self._position.decisions = index + 1

    def _cut(self) -> None:
        """The records of one kind so far are a message."""
        if self._run is not None:
            self._add(self._run[0], records=self._run[1])
        self._run, self._in_run = None, 0

    async def _sweep(self) -> None:
        """Tell what became of entries whose outcome is in no record; and of the sale, once that is all."""
        over = self.standing.over
        if self._is_at_the_door:
            await self._sweep_logs("purchase.won", self._position.swept, None, self._was_sold)
        elif self.standing.lost_reason() is not None:
            until = None if over else self.standing.counted
            await self._sweep_logs("purchase.lost", self._position.swept, until, self._has_no_place)
            if over and self.terms.kind == "reservation":
                await self._sweep_logs("purchase.lost", self._position.swept_again, None, self._had_a_place)
        if over:
            await self._finish()

    async def _sweep_logs(
        self,
        event: Event,
        swept: dict[RegionName, int],
        until: dict[RegionName, int] | None,
        is_told: Callable[[RegionName, Entry], bool],
    ) -> None:
        """Tell of the entries that are to be told of.

        Args:
            swept: how far each region's log was gone through; it is kept up.
            until: how far it may be; None: to its end.
        """
        found: dict[RegionName, Ranges] = {}
        count = 0
        for region in self.terms.regions:
            number = swept.get(region, 0)
            last = None if until is None else until.get(region, 0)
            async for lines in ChunkedLines(self._store, keys.copied_log(self.sale, region), number).up_to(last):
                for line in lines:
                    number += 1
                    swept[region] = number
                    entry = read_entry(self.terms, line)
                    if entry is None or not is_told(region, entry):
                        continue
                    extend(found.setdefault(region, []), number)
                    count += 1
                    if count == self._most:
                        self._add(event, entries=found)
                        found, count = {}, 0
                await self._save()
        if found:
            self._add(event, entries=found)
        await self._save()

    def _was_sold(self, region: RegionName, entry: Entry) -> bool:
        """Whether an entry got its unit at the door."""
        outcome = self.standing.outcome_of(region, entry)
        return outcome is not None and outcome.state == "won"

    def _has_no_place(self, region: RegionName, entry: Entry) -> bool:
        """Whether an entry is lost, and its buyer has no place on a list: then nothing was ever told of it."""
        if entry.buyer in self.standing.holds.request_of:
            return False
        outcome = self.standing.outcome_of(region, entry)
        return outcome is not None and outcome.state == "lost"

    def _had_a_place(self, region: RegionName, entry: Entry) -> bool:
        """Whether an entry is lost by the end of the sale alone, or with another of its buyer's that has the place."""
        request = self.standing.holds.request_of.get(entry.buyer)
        if request is None:
            return False
        if request == entry.request and self.standing.holds.turns[request].state in {
            "confirmed",
            "released",
            "expired",
        }:
            return False
        outcome = self.standing.outcome_of(region, entry)
        return outcome is not None and outcome.state == "lost"

    async def _finish(self) -> None:
        """Behind every outcome: the end of the sale, what comes later even so, and that nothing follows."""
        last = self.standing.decisions - 1
        if not self._position.is_end_told:
            self._position.is_end_told = True
            self._add("sale.halted" if self.standing.halted is not None else "sale.closed", records=[(last, last)])
        if not await self._tell_beyond():
            await self._save()
            return
        if not self.is_done:
            self._add("")
        await self._save()
        self.is_done = True

    async def _tell_beyond(self) -> bool:
        """Tell those beyond a cut-off as far as they are known. Returns whether all are."""
        cut_off = [region for region in self.terms.regions if region in self.standing.cut_offs]
        if not cut_off or self.terms.keys is None:
            return True
        seal = await sealed(self.sale, self._store)
        for region in cut_off:
            told = self._position.beyond.get(region, 0)
            async for lines in self._beyond[region].up_to(None):
                for first in range(0, len(lines), self._most):
                    some = min(self._most, len(lines) - first)
                    self._position.beyond[region] = told + some
                    self._add("purchase.lost", beyond={region: [(told + 1, told + some)]})
                    told += some
        return seal is not None and seal.settled

    def _add(self, event: Event | str, **references: object) -> None:
        """Plan a message that stands for all that was gone through so far."""
        number = self.number + len(self._planned) + 1
        position = msgspec.convert(msgspec.to_builtins(self._position), Position)
        made = Message(number, self._now_ns(), position, event, **references)  # type: ignore[arg-type]  # by its fields
        self._planned.append(made)

    async def _save(self) -> None:
        if not self._planned:
            return
        added, self._planned = self._planned, []
        await append(self._store, self.sale, added)
        self.number = added[-1].number
        self.grown.set()
        self.grown = asyncio.Event()
