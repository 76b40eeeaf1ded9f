"""What one region has to sell at the door, as the arbiter reaches it: set up once, looked at, given from, brought to.

Each call is a script in the region's store that can be repeated at any time (`service/store/set_up.lua`, `give.lua`,
`take.lua`): grants are numbered by the region that gives, and the one that takes knows what it has taken. So nobody
needs to know here whether a call whose reply was lost was done, nor whether another arbiter has done it before.

What a region had is never made anew. A log without its stock, or a stock with fewer grants than were read, means that
something was lost there, perhaps units that were sold: the sale halts.

Next: `balancing.py`, which says when.
"""

from collections.abc import Callable
from typing import Any, Final

import structlog

from model.rebalance import smoothed_mhz
from model.shards import Grant, ShardedFold
from model.units import count, read_units, units_text
from model.vocabulary import Contradiction, RegionName
from service.arbiter.run import SaleRun
from service.store import keys
from service.store.opening import Store
from service.store.scripts import script

_log = structlog.get_logger()

FRESH_NS: Final = 1_000_000_000
"""A region that has told what it has within this time is there."""


class RegionStock:
    """One region of one sale.

    Args:
        read_soon: have the region's log read at once; something was written there.
    """

    def __init__(self, region: RegionName, store: Store, run: SaleRun, read_soon: Callable[[], None]) -> None:
        self.region = region
        self.units = 0
        """How many are free there, as it told last."""
        self.grants = 0
        """How many grants it has made, as it told last."""
        self.asks_mhz = 0
        """How often units are asked for, smoothed, in thousandths of a hertz."""
        self.looked_raw_ns = 0
        """When it was asked for what it told last; 0 while it has told nothing."""
        self.moved_raw_ns = 0
        """When units were last given or brought there."""
        self._asked: int | None = None
        self._refused: set[tuple[RegionName, int]] = set()
        self._store: Any = store
        self._run = run
        self._read_soon = read_soon
        sale = run.sale
        self._stock_key = keys.stock(sale)
        self._keys = [keys.log(sale), keys.stop(sale), self._stock_key, keys.grants(sale)]
        self._set_up = script(store, "set_up")
        self._give = script(store, "give")
        self._take = script(store, "take")

    def is_there(self, now_raw_ns: int) -> bool:
        """Whether it has told what it has not long ago."""
        return self.looked_raw_ns > 0 and now_raw_ns - self.looked_raw_ns < FRESH_NS

    async def set_up(self, fold: ShardedFold) -> None:
        """Begin the region's log with its share, where it has none; let it sell once that line is copied.

        Raises:
            Contradiction: its log, or its stock, was there and is gone.
            redis.exceptions.RedisError: the store does not answer.
        """
        is_copied = fold.shares[self.region].is_stocked
        share = units_text(self._run.terms.share(self.region))
        answer = await self._set_up(keys=[self._keys[0], self._stock_key], args=[share, "1" if is_copied else ""])
        self._expect_there(answer)
        if is_copied:
            self._run.ready.add(self.region)
        else:
            self._read_soon()

    async def look(self, raw_ns: Callable[[], int]) -> None:
        """Ask what is free, and how much was asked for since the last time.

        Raises:
            Contradiction: its stock is gone, or is none.
            redis.exceptions.RedisError: the store does not answer.
        """
        now_raw_ns = raw_ns()
        free, asked, given = await self._store.hmget(self._stock_key, "free", "asked", "given")
        if free is None:
            self._expect_there([b"lost"])
        try:
            units, asks, self.grants = count(read_units(free.decode())), int(asked), int(given)
        except (AttributeError, TypeError, ValueError) as error:
            raise Contradiction("", f"the stock of region {self.region} is one ({error})") from error
        if self._asked is not None and now_raw_ns > self.looked_raw_ns:
            self.asks_mhz = smoothed_mhz(
                self.asks_mhz, max(asks - self._asked, 0), max(now_raw_ns - self.looked_raw_ns, 1)
            )
        self.units, self._asked, self.looked_raw_ns = units, asks, now_raw_ns

    async def give(self, number: int, to: RegionName, wanted: int, raw_ns: Callable[[], int]) -> None:
        """Have the region grant units, as its grant `number`; how many it grants is read in its log.

        Raises:
            Contradiction: its stock is gone.
            redis.exceptions.RedisError: the store does not answer; whether it has granted them, its log will say.
        """
        answer = await self._give(keys=self._keys[:3], args=[str(number), to, str(wanted)])
        self._expect_there(answer)
        self.moved_raw_ns = raw_ns()
        if answer[0] == b"granted":
            _log.info("units granted", sale=self._run.sale, region=self.region, to=to, units=answer[1].decode())
        self._read_soon()

    def wants(self, grant: Grant) -> bool:
        """Whether a grant is to be brought here; what was refused once is not offered again."""
        return grant.to == self.region and (grant.donor, grant.number) not in self._refused

    async def bring(self, grant: Grant, fold: ShardedFold, raw_ns: Callable[[], int]) -> None:
        """Have the region take a grant that its donor's log, or the decision log, tells of.

        Raises:
            Contradiction: its stock is gone.
            redis.exceptions.RedisError: the store does not answer; it is brought again.
        """
        last = str(len(fold.shares[grant.donor].granted)) if grant.donor in fold.fenced_out else ""
        regions = " ".join(self._run.terms.regions)
        words = [self.region, grant.donor, str(grant.number), grant.to, units_text(grant.units), regions, last]
        answer = await self._take(keys=self._keys, args=words)
        self._expect_there(answer)
        self.moved_raw_ns = raw_ns()
        if answer[0] == b"refused":
            self._refused.add((grant.donor, grant.number))
            _log.error(
                "a region refuses units that were granted to it",
                sale=self._run.sale,
                region=self.region,
                donor=grant.donor,
                number=grant.number,
                reason=answer[1].decode(),
            )
        self._read_soon()

    def _expect_there(self, answer: Any) -> None:
        if answer[0] == b"lost":
            raise Contradiction("", f"region {self.region} has the log and the stock that it had ({self._stock_key})")
