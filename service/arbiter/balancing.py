"""A sale whose units are sold at the door, as the arbiter tends it: shares set up, units moved to where they sell.

Before anything is sold each region's share is set up, once: only where line 1 of its log was never read. A region may
sell from when that line is copied in the arbiter's store, so no share is set up twice whatever is lost when.

While the sale is open each region is asked a few times a second what it has left and how much was asked for. Who should
give how much to whom is said by the model (`rebalance.py`), and only once nothing is under way any more: what was given
is read in its donor's log, and what was taken is counted. A grant that was read is brought to its region again and
again until that region's log says that it was taken; so an arbiter that dies, or a second one, changes nothing. What
regions have left that were fenced out is given out again by the same rule, on record (`run.py`).

A region that cannot be reached keeps what it has, gets nothing new, and what is on its way to it waits.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from redis.exceptions import RedisError

from model.clock import Interval
from model.rebalance import Demand, transfers
from model.shards import Grant, ShardedFold
from model.vocabulary import Contradiction, RegionName
from service.arbiter.arbiter import Arbiter
from service.arbiter.pace import EARLY_NS
from service.arbiter.run import SaleRun
from service.arbiter.stock import RegionStock
from service.store.opening import Store
from service.tasks import end as end_tasks

LOOK_NS: Final = 150_000_000
"""Between two looks at what a region has, and two attempts to bring it something."""
RETRY_NS: Final = 500_000_000
"""Between two attempts to set a share up."""
LONGEST_PAUSE_SECONDS: Final = 30.0
NO_CLOCK_SECONDS: Final = 1.0


class Balancing:
    """One such sale.

    Args:
        reads_soon: by region, how to have its log of this sale read at once.
    """

    def __init__(
        self,
        run: SaleRun,
        stores: Mapping[RegionName, Store],
        arbiter: Arbiter,
        reads_soon: Mapping[RegionName, Callable[[], None]],
    ) -> None:
        self._run = run
        self._arbiter = arbiter
        self._stocks = {
            name: RegionStock(name, stores[name], run, reads_soon[name]) for name in run.terms.regions if name in stores
        }
        self._visits: dict[RegionName, asyncio.Task[None]] = {}
        self._visited_raw_ns: dict[RegionName, int] = {}
        self._gives: dict[RegionName, asyncio.Task[None]] = {}
        self._brought: set[Grant] = set()
        """Grants that were brought to their region at least once: from then on with every look there."""
        self._let_sell: set[RegionName] = set()
        """Regions that were told at least once that they may sell."""

    async def run(self) -> None:
        """Tend the sale until it is decided, or halts.

        Raises:
            FencedError: another arbiter has taken over.
        """
        run = self._run
        try:
            while (fold := run.by_shares) is not None and not (run.is_over or run.is_ending):
                run.brought.clear()
                now = self._arbiter.now()
                for stock in self._stocks.values():
                    self._visit_if_due(stock, fold, now)
                if now is not None and fold.terms.rebalances and self._is_settled(fold):
                    await self._rebalance(fold, now)
                await self._pause(now)
                for task in (*self._visits.values(), *self._gives.values()):
                    if task.done():
                        task.result()
        finally:
            await end_tasks([*self._visits.values(), *self._gives.values()])

    def _is_active(self, now: Interval | None) -> bool:
        """Whether the sale takes entries, or soon will."""
        return now is not None and now.latest_ns > self._run.terms.entries_from_ns - EARLY_NS

    async def _pause(self, now: Interval | None) -> None:
        """Until lines come, or something is due."""
        seconds = LOOK_NS / 1e9
        if now is None:
            seconds = NO_CLOCK_SECONDS
        elif self._run.ready >= self._stocks.keys() and not self._is_active(now):
            until_ns = self._run.terms.entries_from_ns - EARLY_NS - now.earliest_ns
            seconds = min(max(until_ns / 1e9, seconds), LONGEST_PAUSE_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._run.brought.wait()

    def _is_in(self, region: RegionName, fold: ShardedFold) -> bool:
        """Whether a region is in the sale, and not on its way out."""
        return region in fold.regions and region not in self._run.fencing

    def _visit_if_due(self, stock: RegionStock, fold: ShardedFold, now: Interval | None) -> None:
        region = stock.region
        under_way = self._visits.get(region)
        if (under_way is not None and not under_way.done()) or not self._is_in(region, fold):
            return
        since_ns = self._arbiter.raw_ns() - self._visited_raw_ns.get(region, 0)
        if region not in self._run.ready:
            is_copied = fold.shares[region].is_stocked
            if since_ns < RETRY_NS and not (is_copied and region not in self._let_sell):
                return
            if is_copied:
                self._let_sell.add(region)
            what = stock.set_up(fold)
        else:
            is_new = any(stock.wants(grant) and grant not in self._brought for grant in fold.on_the_way)
            if not self._is_active(now) or (since_ns < LOOK_NS and not is_new):
                return
            what = self._look_and_bring(stock, fold)
        self._visited_raw_ns[region] = self._arbiter.raw_ns()
        self._visits[region] = asyncio.create_task(self._guarded(what), name=f"stock {region} {self._run.sale}")

    async def _look_and_bring(self, stock: RegionStock, fold: ShardedFold) -> None:
        for grant in fold.on_the_way:
            if stock.wants(grant):
                self._brought.add(grant)
                await stock.bring(grant, fold, self._arbiter.raw_ns)
        await stock.look(self._arbiter.raw_ns)

    async def _guarded(self, what: Coroutine[Any, Any, object]) -> None:
        """Halt the sale where a region has lost what it had. One that does not answer is asked again in time."""
        try:
            await what
        except Contradiction as finding:
            self._run.halt(finding)
            self._arbiter.tell_links()
            self._arbiter.progress(self._run)
        except (RedisError, OSError):
            return  # its link says so

    def _are_there(self, fold: ShardedFold) -> dict[RegionName, RegionStock]:
        """The regions between which units may move."""
        now_raw_ns = self._arbiter.raw_ns()
        return {
            name: stock
            for name, stock in self._stocks.items()
            if name in self._run.ready and self._is_in(name, fold) and stock.is_there(now_raw_ns)
        }

    def _is_settled(self, fold: ShardedFold) -> bool:
        """Whether nothing is under way between regions that are there, and each has told what it has since."""
        there = self._are_there(fold)
        return not any(there.get(grant.to) and there[grant.to].wants(grant) for grant in fold.on_the_way) and all(
            stock.grants == len(fold.shares[name].granted) and stock.looked_raw_ns > stock.moved_raw_ns
            for name, stock in there.items()
        )

    async def _rebalance(self, fold: ShardedFold, now: Interval) -> None:
        """Have units granted where too many are. One grant of a region at a time: its number is the next."""
        there = self._are_there(fold)
        names = list(self._stocks)
        demands = [
            Demand(self._stocks[name].units, 0, self._stocks[name].asks_mhz, is_reached=name in there) for name in names
        ]
        demands.append(Demand(fold.nobodys, 0, 0, is_reached=True))
        granting = set[int]()
        for move in transfers(demands, self._run.terms.closes_ns - now.earliest_ns):
            if move.donor in granting:
                continue
            granting.add(move.donor)
            to = names[move.recipient]
            if move.donor == len(names):
                await self._guarded(self._run.reissue(to, move.units, now))
                continue
            donor = names[move.donor]
            stock = there[donor]
            stock.moved_raw_ns = self._arbiter.raw_ns()
            giving = stock.give(len(fold.shares[donor].granted) + 1, to, move.units, self._arbiter.raw_ns)
            self._gives[donor] = asyncio.create_task(self._guarded(giving), name=f"give {donor} {self._run.sale}")
