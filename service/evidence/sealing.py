"""When a sale that is over is sealed: once all that belongs into its bundle is there, or nobody can wait any longer.

A region that was not cut off must have signed its whole log, and handed in the clock updates that its stamps name. A
region that was cut off is waited for as long as it answers. What is missing after `PATIENCE_SECONDS` is left out, with
an alarm; should it come later, the sale is sealed anew.
"""

import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Final

import structlog

from model.vocabulary import RegionName, SaleId
from service.evidence.bundle import DECISIONS_CHECKPOINT, Finished, Recipe, counted_lines, finished
from service.evidence.collecting import Collected
from service.evidence.drawing import whys_of
from service.evidence.seal import Sealed, seal, sealed, settle
from service.evidence.signing import SigningKey
from service.store.opening import Store

_log = structlog.get_logger()

PATIENCE_SECONDS: Final = 60.0
SHORT_PATIENCE_SECONDS: Final = 3.0
_CLOCK: Final = b'"clock":"'
"""Whatever line has this is stamped: an entry, or what a holder said."""


@dataclass(slots=True)
class _Waiting:
    """A sale that is over, and since when."""

    of: Finished
    since: float
    """On the monotonic clock, in seconds."""
    named: dict[str, set[int]]
    """The updates that stamps name, by host."""
    whys: dict[RegionName, dict[str, str]]
    """What each region's store is to know of the draws; nothing where units were sold at the door."""
    seal: Sealed | None = None
    missing: set[str] = field(default_factory=set)
    """What an alarm was raised about."""
    is_told: bool = False
    """Whether it was said that the seal waits."""


class Sealer:
    """Seals sales with the arbiter's key."""

    def __init__(self, store: Store, key: SigningKey) -> None:
        self._store = store
        self._key = key
        self._waiting: dict[SaleId, _Waiting] = {}

    async def is_settled(self, sale: SaleId) -> bool:
        """Whether a sale is sealed and nothing can be added to it.

        Raises:
            redis.exceptions.RedisError: the arbiter's store does not answer.
        """
        known = await sealed(sale, self._store)
        return known is not None and known.settled

    async def seal(
        self,
        sale: SaleId,
        decisions_note: str,
        collected: Mapping[RegionName, Collected],
        reached: Set[str],
        told: bool,
    ) -> bool:
        """Seal a sale that is over, if what belongs into it is there. Returns whether it is settled.

        Args:
            reached: regions whose stores answer.
            told: every region has the last checkpoint of the decisions.

        Raises:
            BundleError: lines that were counted are not there.
            redis.exceptions.RedisError: the arbiter's store does not answer.
        """
        waiting = self._waiting.get(sale)
        if waiting is None:
            waiting = self._waiting[sale] = await self._begin(sale)
        for region, seq in waiting.of.standing.cut_offs.items():
            collected[region].cut_off_seq = seq
        missing = self._missing(waiting, collected, reached)
        is_worth_it = any(missing.values()) and waiting.of.standing.halted is None
        late_seconds = time.monotonic() - waiting.since
        if missing and late_seconds < (PATIENCE_SECONDS if is_worth_it else SHORT_PATIENCE_SECONDS):
            if not waiting.is_told and late_seconds > SHORT_PATIENCE_SECONDS:
                waiting.is_told = True
                _log.warning("a finished sale waits to be sealed: is a notary missing?", sale=sale, missing=[*missing])
            return False
        for what in missing.keys() - waiting.missing:
            waiting.missing.add(what)
            _log.error("a sale is sealed although something is missing", sale=sale, missing=what)
        recipe = self._recipe(waiting.of, decisions_note, collected)
        settled = told and all(self._is_settled(waiting.of, region, each) for region, each in collected.items())
        if waiting.seal is None or waiting.seal.recipe != recipe:
            waiting.seal = await seal(waiting.of, recipe, settled, self._store, self._key, waiting.seal)
            _log.info("sale sealed", sale=sale, settled=settled)
        elif settled:
            waiting.seal = await settle(sale, waiting.seal, self._store)
        if settled:
            del self._waiting[sale]
        return settled

    async def _begin(self, sale: SaleId) -> _Waiting:
        of = await finished(sale, self._store)
        named: dict[str, set[int]] = {}
        for region, counted in of.standing.counted.items():
            clocks: set[bytes] = set()
            async for lines in counted_lines(self._store, sale, region, counted):
                clocks.update(line.split(_CLOCK, 1)[1].split(b'"', 1)[0] for line in lines if _CLOCK in line)
            for clock in clocks:
                host, _, update = clock.decode().rpartition("/")
                named.setdefault(host, set()).add(int(update))
        whys = await whys_of(of, self._store) if of.terms.method == "ordered" else {}
        return _Waiting(of, time.monotonic(), named, whys, await sealed(sale, self._store))

    def whys(self, sale: SaleId, region: RegionName) -> dict[str, str]:
        """What a region's store is to know of the draws of a sale that is over; {} while that is not worked out."""
        waiting = self._waiting.get(sale)
        return {} if waiting is None else waiting.whys.get(region, {})

    def _missing(
        self, waiting: _Waiting, collected: Mapping[RegionName, Collected], reached: Set[str]
    ) -> dict[str, bool]:
        """What is not there yet, and whether it is worth the long wait."""
        missing = {}
        standing = waiting.of.standing
        for region, each in collected.items():
            if region in standing.cut_offs:
                if region in reached and not self._is_settled(waiting.of, region, each):
                    missing[f"the end of region {region}'s log"] = True
            elif each.checkpoint_size < standing.counted.get(region, 0):
                missing[f"region {region}'s checkpoint of its whole log"] = True
        for host in waiting.named:
            told = set[int]().union(*(each.updates.get(host, ()) for each in collected.values()))
            if not waiting.named.get(host, set()) <= told:
                missing[f"updates of the clock of {host}"] = False
        return missing

    def _is_settled(self, of: Finished, region: RegionName, collected: Collected) -> bool:
        """Whether nothing can follow from a region."""
        seq = of.standing.cut_offs.get(region)
        if seq is None:
            return collected.checkpoint_size >= of.standing.counted.get(region, 0)
        if not collected.is_stopped:
            return False
        if collected.length > seq and not collected.is_same:
            return collected.is_same is False
        return collected.length == seq + collected.beyond == collected.checkpoint_size

    def _recipe(self, of: Finished, decisions_note: str, collected: Mapping[RegionName, Collected]) -> Recipe:
        checkpoints = {
            f"checkpoints/regions/{region}": each.checkpoint
            for region, each in sorted(collected.items())
            if each.checkpoint
        }
        journals: dict[str, dict[RegionName, int]] = {}
        for region, each in sorted(collected.items()):
            for host, lines in sorted(each.journals.items()):
                if lines:
                    journals.setdefault(host, {})[region] = lines
        return Recipe(
            counted={region: of.standing.counted.get(region, 0) for region in of.terms.regions},
            beyond={region: each.beyond for region, each in sorted(collected.items()) if each.beyond},
            journals=dict(sorted(journals.items())),
            checkpoints={DECISIONS_CHECKPOINT: decisions_note, **checkpoints},
        )
