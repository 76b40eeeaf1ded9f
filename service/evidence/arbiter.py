"""The arbiter's notary: signs decision logs, collects what the regions have signed, and seals sales that are over.

Three kinds of rounds go on side by side, so that a region that cannot be reached holds nobody up. The first follows the
decision logs in the arbiter's store and signs each within a second of it having grown. Then one for each region: it
hands the newest checkpoint of the decisions over, for receipts, and brings back the region's own checkpoints and clock
journals, and of a region that was cut off what it has logged beyond. Last, whatever is over and collected is sealed.

A region's checkpoint is kept only if the key that the terms name has signed it. Whether it is true of the log is not
asked here: both are in the bundle, and the audit asks.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple

import structlog
from redis.exceptions import RedisError, ResponseError

from model.note import NoteError, decisions_origin, parse_checkpoint, parse_note, region_origin
from model.terms import Terms, read_terms
from model.vocabulary import Contradiction, RegionName, SaleId
from model.wire import parse_canonical
from service.evidence.bundle import BundleError
from service.evidence.collecting import Collected, collect_beyond, collect_journals, journal_hosts
from service.evidence.logs import LogChangedError, SignedLog
from service.evidence.lookout import QUIET_SECONDS, Lookout
from service.evidence.office import Turn, bring_key, is_over, is_wrong_type
from service.evidence.sealing import Sealer
from service.evidence.signing import SigningKey, has_signed
from service.store import keys
from service.store.opening import Store
from service.store.scripts import script
from service.store.streams import read_range

_log = structlog.get_logger()

ROUND_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 2.0
PATIENT_VISITS: Final = 480
"""After two minutes a sale that is over and not settled is looked at only every so often."""
RARE_VISITS: Final = 40
_SALES_AT_ONCE: Final = 500


@dataclass(slots=True)
class Followed:
    """A sale that is not settled yet."""

    terms: Terms
    log: SignedLog
    collected: dict[RegionName, Collected]
    over: bool = False
    is_changed: bool = False
    """The decision log is not the one that was signed before: it is signed and sealed no more."""
    given_up: set[RegionName] = field(default_factory=set)
    """Regions whose store holds what nothing of ours would put there."""
    explained: set[RegionName] = field(default_factory=set)
    """Regions that know what the draws were like; all of them where nothing is drawn."""
    visits_since_over: dict[RegionName, int] = field(default_factory=dict)
    told: dict[RegionName, int] = field(default_factory=dict)
    """The size of the newest decision checkpoint that each region has."""
    due_seconds: dict[RegionName, float] = field(default_factory=dict)
    """When each region is asked about it again, while it is not over and there is nothing to tell."""


class _There(NamedTuple):
    """What a region's store has of a sale."""

    size: bytes | None
    note: bytes | None
    """Its newest checkpoint, and how many lines that covers."""
    hosts: list[str]
    """Whose clock journals there are."""
    lengths: dict[str, int]
    """How many lines those have that are known already."""


class ArbiterNotary:
    """Signs the arbiter's logs and seals its sales.

    Args:
        regions: every region's store.
    """

    def __init__(self, store: Store, regions: Mapping[RegionName, Store], key: SigningKey) -> None:
        self._store = store
        self._regions = regions
        self._key = key
        self._turn = Turn(store, keys.ARBITER_NOTARY)
        self._is_our_turn = False
        self._keep = script(store, "checkpoint")
        self._sealer = Sealer(store, key)
        self._sales_read = 0
        self._followed: dict[SaleId, Followed] = {}
        self._lookout = Lookout(store)
        self._reached: set[RegionName] = set()

    async def run(self) -> None:
        """Rounds without end."""
        async with asyncio.TaskGroup() as together:
            together.create_task(self._repeat("arbiter", self._sign_round))
            together.create_task(self._repeat("arbiter", self._seal_round))
            for region, store in self._regions.items():
                together.create_task(
                    self._repeat(region, lambda region=region, store=store: self._visit(region, store))
                )

    async def _repeat(self, where: str, what: Any) -> None:
        """A round, again and again; where a store does not answer, with growing pauses."""
        pause_seconds = ROUND_SECONDS
        while True:
            try:
                await what()
                self._reached.add(where)
                pause_seconds = ROUND_SECONDS
            except (RedisError, OSError) as error:
                if pause_seconds == ROUND_SECONDS:
                    _log.warning("a store does not answer; trying again", store=where, error=str(error))
                self._reached.discard(where)
                pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause_seconds)

    async def _sign_round(self) -> None:
        self._is_our_turn = await self._turn.is_ours()
        if not self._is_our_turn:
            return
        await self._learn()
        sales = await self._lookout.worth_a_look()
        if not sales:
            return
        async with self._store.pipeline(transaction=False) as batch:
            pipeline: Any = batch
            for sale in sales:
                pipeline.xlen(keys.ledger(sale))
                pipeline.xrevrange(keys.ledger(sale), count=1)
            answers = await pipeline.execute()
        for sale, length, newest in zip(sales, answers[::2], answers[1::2], strict=True):
            await self._sign(sale, length, newest)
            self._lookout.looked(sale, {keys.ledger(sale): newest})
            if self._followed[sale].over:
                self._lookout.forget(sale)

    async def _sign(self, sale: SaleId, length: int, newest: Any) -> None:
        followed = self._followed[sale]
        try:
            await followed.log.catch_up(length)
        except LogChangedError as finding:
            _log.error("a decision log is not what was signed: it is signed no more", sale=sale, finding=str(finding))
            followed.is_changed = followed.over = True
            return
        at_end = bool(newest) and int(newest[0][0].partition(b"-")[0]) == followed.log.size
        followed.over = at_end and is_over(newest)

    async def _learn(self) -> None:
        """Sales that were published since."""
        while found := await read_range(self._store, keys.ARBITER_SALES, self._sales_read + 1, None, _SALES_AT_ONCE):
            for entry in found:
                await self._open(entry.line)
                self._sales_read = entry.number

    async def _open(self, line: bytes) -> None:
        terms = read_terms(parse_canonical(line))
        sale = terms.sale()
        if terms.keys is None or await self._sealer.is_settled(sale):
            return
        if terms.keys.arbiter != self._key.verifier:
            _log.error("a sale is not signed: its terms name another key", sale=sale, key=str(terms.keys.arbiter))
            return
        names = (keys.ledger(sale), keys.ledger_checkpoint(sale), keys.ledger_blocks(sale))
        log = SignedLog(self._store, *names, decisions_origin(sale), self._key)
        collected = {region: await Collected.load(self._store, sale, region) for region in terms.regions}
        followed = self._followed[sale] = Followed(terms, log, collected)
        self._lookout.follow(sale, keys.ledger(sale))
        if terms.method != "ordered":
            followed.explained.update(terms.regions)

    async def _visit(self, region: RegionName, store: Store) -> None:
        """Bring a region what it needs, and back what it has."""
        if not self._is_our_turn:
            return
        await bring_key(region, store, self._store)
        due = [sale for sale, followed in self._followed.items() if self._is_due(region, followed)]
        if not due:
            return
        hosts = {sale: list(self._followed[sale].collected[region].journals) for sale in due}
        async with store.pipeline(transaction=False) as batch:
            pipeline: Any = batch
            for sale in due:
                pipeline.hmget(keys.checkpoint(sale), "size", "note")
                pipeline.smembers(keys.journals(sale))
                for host in hosts[sale]:
                    pipeline.xlen(keys.journal(sale, host))
            answers = iter(await pipeline.execute(raise_on_error=False))
        for sale, followed in [(sale, self._followed.get(sale)) for sale in due]:
            told = list(islice(answers, 2 + len(hosts[sale])))
            if followed is None:
                continue
            try:
                for answer in told:
                    if isinstance(answer, RedisError):
                        raise answer
                (size, note), shown, *lengths = told
                there = _There(size, note, journal_hosts(shown), dict(zip(hosts[sale], lengths, strict=True)))
                await self._exchange(sale, region, store, followed, there)
            except (ResponseError, KeyError, ValueError) as error:
                if isinstance(error, ResponseError) and not is_wrong_type(error):
                    raise
                followed.given_up.add(region)
                _log.error("a region's keys hold something else", sale=sale, region=region, error=repr(error))

    def _is_due(self, region: RegionName, followed: Followed) -> bool:
        """Whether a region is asked about a sale in this round."""
        if region not in followed.terms.regions or region in followed.given_up:
            return False
        if followed.over:
            visits = followed.visits_since_over[region] = followed.visits_since_over.get(region, 0) + 1
            return visits <= PATIENT_VISITS or visits % RARE_VISITS == 0
        now_seconds = time.monotonic()
        if followed.log.size <= followed.told.get(region, -1) and now_seconds < followed.due_seconds.get(region, 0.0):
            return False
        followed.due_seconds[region] = now_seconds + QUIET_SECONDS
        return True

    async def _exchange(
        self, sale: SaleId, region: RegionName, store: Store, followed: Followed, there: _There
    ) -> None:
        """Bring a region what it needs for one sale, and back what it has."""
        if followed.log.size > followed.told.get(region, -1):
            size, note = followed.log.size, followed.log.note
            told = script(store, "checkpoint")
            await told(
                keys=[keys.decisions_checkpoint(sale), keys.blocks(sale)], args=[str(size), note.encode(), "0", ""]
            )
            followed.told[region] = size
        collected = followed.collected[region]
        if there.size is not None and int(there.size) > collected.checkpoint_size:
            await self._take(sale, region, followed.terms, collected, there.note)
        have = collected.journals
        grown = [host for host in there.hosts if host not in have or there.lengths.get(host, 0) > have[host]]
        await collect_journals(sale, region, store, self._store, collected, grown)
        if followed.over and region not in followed.explained and (whys := self._sealer.whys(sale, region)):
            remote: Any = store
            await remote.hset(keys.whys(sale), mapping=whys)
            followed.explained.add(region)
        if followed.over:
            await collect_beyond(sale, region, store, self._store, collected)

    async def _take(
        self, sale: SaleId, region: RegionName, terms: Terms, collected: Collected, kept: bytes | None
    ) -> None:
        """Keep a region's checkpoint, if it is that region's."""
        assert terms.keys is not None
        try:
            text = (kept or b"").decode()
            note = parse_note(text)
            checkpoint = parse_checkpoint(note.text)
            if checkpoint.origin != region_origin(sale, region) or not has_signed(terms.keys.regions[region], note):
                raise NoteError("it is not signed by the key that the terms name for it")
        except (NoteError, UnicodeDecodeError) as error:
            if not collected.is_blamed:
                _log.error("a region's checkpoint is not taken", sale=sale, region=region, finding=str(error))
            collected.is_blamed = True
            return
        where = [keys.copied_checkpoint(sale, region), keys.ledger_blocks(sale)]
        await self._keep(keys=where, args=[str(checkpoint.size), text.encode(), "0", ""])
        collected.checkpoint_size, collected.checkpoint = checkpoint.size, text

    async def _seal_round(self) -> None:
        if not self._is_our_turn:
            return
        for sale, followed in list(self._followed.items()):
            if not followed.over or followed.is_changed:
                continue
            told = all(
                followed.told.get(region, -1) == followed.log.size and region in followed.explained
                for region in followed.terms.regions
            )
            try:
                done = await self._sealer.seal(sale, followed.log.note, followed.collected, self._reached, told)
            except (BundleError, Contradiction, KeyError, ValueError) as error:  # whose lines are not what they must be
                _log.error("a sale cannot be sealed", sale=sale, error=repr(error))
                done = True
            if done:
                del self._followed[sale]
