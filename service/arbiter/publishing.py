"""Proposals become sales: the arbiter's answer to gateways that publish, cancel, fence out, or bring a beacon's value.

A sale counts as published once each of its regions has the terms, and its share where units are sold at the door, and
only then is the answer given; so it waits for a region that is away. Proposals are done in order, one after the other;
answers wait each for itself.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from model.clock import Interval
from model.vocabulary import BeaconValue, Cancelled, Contradiction, Fenced, RegionName, SaleId
from model.wire import parse_decision_line
from service.arbiter.arbiter import Arbiter
from service.arbiter.beacons import Beacons
from service.arbiter.ledger import Ledger
from service.arbiter.link import RegionLink
from service.arbiter.proposals import Desk, Proposal, ProposalAnswer
from service.arbiter.told import Told

_log = structlog.get_logger()

_WAIT_MS: Final = 1_000
_NO_CLOCK_PAUSE_SECONDS: Final = 0.2
_STORE_PAUSE_SECONDS: Final = 0.25
_PUSH_PAUSE_SECONDS: Final = 0.025
FENCE_SECONDS: Final = 10.0
"""A region that is stopped and read to its end takes a round or two; gateways wait somewhat longer than this."""


class Publishing:
    """The arbiter's side of every proposal."""

    def __init__(
        self,
        arbiter: Arbiter,
        ledger: Ledger,
        links: Mapping[RegionName, RegionLink],
        add_sales: Callable[[], Awaitable[None]],
        beacons: Beacons,
    ) -> None:
        self._arbiter = arbiter
        self._ledger = ledger
        self._links = links
        self._add_sales = add_sales
        """Take up the sales that were recorded since the last time."""
        self._beacons = beacons
        self._desk = Desk(ledger, frozenset(links))
        self._answering: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Proposals without end.

        Raises:
            FencedError: another arbiter has taken over.
        """
        try:
            while True:
                try:
                    for proposal in await self._desk.next_proposals(_WAIT_MS):
                        await self._serve(proposal)
                except (RedisError, OSError) as error:
                    _log.warning("the arbiter's store does not answer; trying again", error=str(error))
                    self._desk.start_over()
                    await asyncio.sleep(_STORE_PAUSE_SECONDS)
        finally:
            for task in self._answering:
                task.cancel()

    async def _serve(self, proposal: Proposal) -> None:
        now = self._arbiter.now()
        while now is None:
            await asyncio.sleep(_NO_CLOCK_PAUSE_SECONDS)
            now = self._arbiter.now()
        if proposal.beacon is not None:
            await self._desk.answer(proposal, await self._enter_beacon(proposal, proposal.beacon))
            return
        if proposal.region:
            self._answer_later(self._fence(proposal), f"fence {proposal.sale}")
            return
        if proposal.terms is None:
            await self._desk.answer(proposal, await self._cancel(proposal, now))
            return
        opened = await self._desk.open(proposal, now.latest_ns)
        if opened is None:
            return
        if isinstance(opened, ProposalAnswer):
            await self._desk.answer(proposal, opened)
            return
        if opened not in self._arbiter.runs and opened not in self._arbiter.finished:
            await self._add_sales()
        self._answer_later(self._answer_when_pushed(proposal, opened), f"publish {opened}")

    def _answer_later(self, answer: Coroutine[Any, Any, None], name: str) -> None:
        answering = asyncio.create_task(answer, name=name)
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    async def _answer_when_pushed(self, proposal: Proposal, sale: SaleId) -> None:
        run = self._arbiter.runs.get(sale)
        if run is not None:
            missing = [region for region in run.terms.regions if region not in self._links]
            if missing:
                _log.error("a sale names regions that this arbiter was not given", sale=sale, missing=missing)
                return
            number = 1 + self._arbiter.terms_lines.index(run.terms.line())
            links = [self._links[region] for region in run.terms.regions]
            while behind := [link for link in links if link.telling.sales_pushed < number]:
                for link in behind:
                    link.news.set()
                await asyncio.sleep(_PUSH_PAUSE_SECONDS)
            while run.by_shares is not None and not run.ready >= set(run.terms.regions):
                if run.is_over or run.is_ending:
                    break
                await asyncio.sleep(_PUSH_PAUSE_SECONDS)
        with contextlib.suppress(RedisError):
            await self._desk.answer(proposal, ProposalAnswer(sale=sale))

    async def _cancel(self, proposal: Proposal, now: Interval) -> ProposalAnswer:
        run = self._arbiter.runs.get(proposal.sale)
        if run is None:
            return ProposalAnswer(sale=proposal.sale, problem=await self._why_not_cancelled(proposal))
        try:
            is_cancelled = await run.cancel(proposal.reason, now)
        except Contradiction:
            is_cancelled = False  # the sale halts
        if not is_cancelled:
            return ProposalAnswer(sale=proposal.sale, problem="already_decided")
        _log.warning("sale cancelled by an operator", sale=proposal.sale, reason=proposal.reason)
        for link in self._links.values():
            link.news.set()
        return ProposalAnswer(sale=proposal.sale)

    async def _fence(self, proposal: Proposal) -> None:
        """Stop a region, have its log read to its end, and say that it is out; or what keeps it in."""
        problem = await self._fenced(proposal.sale, proposal.region, proposal.reason)
        with contextlib.suppress(RedisError):
            await self._desk.answer(proposal, ProposalAnswer(sale=proposal.sale, problem=problem))

    async def _fenced(self, sale: SaleId, region: RegionName, reason: str) -> str:
        """The problem; "" once the region is out."""
        run = self._arbiter.runs.get(sale)
        if run is None:
            return await self._why_not_fenced(sale, region)
        link, fold = self._links.get(region), run.by_shares
        if fold is None or region not in run.terms.regions:
            return "already_decided"
        is_there = link is not None and link.is_reachable and fold.shares[region].is_stocked
        if link is None or not (is_there or region in run.fenced):
            return "unreachable"
        if region in fold.regions and not run.is_ending:
            run.fence(region, reason)
            link.news.set()
        deadline = time.monotonic() + FENCE_SECONDS
        while region not in run.fenced:
            if run.is_over or run.is_ending or region in run.cut_off:
                return "already_decided"
            if not link.is_reachable or time.monotonic() > deadline:
                return "unfinished"
            await asyncio.sleep(_PUSH_PAUSE_SECONDS)
        self._arbiter.tell_links()
        return ""

    async def _enter_beacon(self, proposal: Proposal, told: Told) -> ProposalAnswer:
        """A person has brought the round's value."""
        run = self._arbiter.runs.get(proposal.sale)
        if run is None and proposal.sale not in self._arbiter.finished:
            return ProposalAnswer(sale=proposal.sale, problem="unknown_sale")
        if run is None or run.terms.beacon is None or not run.awaits_beacon:
            recorded = await self._ledger.decisions(proposal.sale)
            records = (parse_decision_line(index, line) for index, (line, _) in enumerate(recorded))
            entered = next((record for record in records if isinstance(record, BeaconValue)), None)
            was_this = entered is not None and entered.signature == told.signature
            return ProposalAnswer(sale=proposal.sale, problem="" if was_this else "not_awaited")
        if not await self._beacons.enter(run, told.value(run.terms.beacon)):
            return ProposalAnswer(sale=proposal.sale, problem="forged")
        return ProposalAnswer(sale=proposal.sale)

    async def _why_not_fenced(self, sale: SaleId, region: RegionName) -> str:
        """What keeps a region of a sale that is not run from being fenced out; "" where it was before."""
        if sale not in self._arbiter.finished:
            return "unknown_sale"
        recorded = await self._ledger.decisions(sale)
        records = (parse_decision_line(index, line) for index, (line, _) in enumerate(recorded))
        was = any(isinstance(record, Fenced) and record.region == region for record in records)
        return "" if was else "already_decided"

    async def _why_not_cancelled(self, proposal: Proposal) -> str:
        """What keeps a sale that is not run from being cancelled; "" where this very call has done it before."""
        if proposal.sale not in self._arbiter.finished:
            return "unknown_sale"
        recorded = await self._ledger.decisions(proposal.sale)
        records = (parse_decision_line(index, line) for index, (line, _) in enumerate(recorded))
        return "" if Cancelled(proposal.reason) in records else "already_decided"
