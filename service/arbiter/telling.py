"""What a region is told: new sales, decisions, stops, the arbiter's pulse. Each once, by number, in order.

A reservation may be stopped twice: purchases once its list is full, the rest once it is decided (`stop.lua`).

What was sent and is still on its way is not sent again; what a region turns out to have counts, whatever was sent.
After a lost connection everything is asked and told anew, and repeats do nothing.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import structlog

from model.vocabulary import Contradiction, RegionName, SaleId
from service.arbiter.arbiter import Arbiter
from service.arbiter.ledger import DecidedLine, Ledger
from service.arbiter.pipe import Command
from service.arbiter.run import SaleRun
from service.store import keys
from service.store.opening import Store
from service.store.scripts import source

_log = structlog.get_logger()

_PUSH: Final = source("push")
_STOP: Final = source("stop")
PUSHED_AT_ONCE: Final = 1_000


class Push(NamedTuple):
    """Records that were sent: of which sale (None: the sales themselves), and the number of the last."""

    sale: SaleId | None
    last: int


class Telling:
    """How far one region has been told."""

    def __init__(self, region: RegionName, ledger: Ledger, arbiter: Arbiter) -> None:
        self.region = region
        self.sales_pushed = 0
        """How many sales the region knows."""
        self.stopped: set[SaleId] = set()
        """Sales in which the region is known to log nothing more."""
        self._ledger = ledger
        self._arbiter = arbiter
        self._sales_sent = 0
        self._sent: dict[SaleId, int] = {}
        """Records sent, by sale; the first look at a sale is sent none or more, to hear what the region has."""
        self._pushed: dict[SaleId, int] = {}
        """Records that the region is known to have."""
        self._stops_sent: dict[SaleId, str] = {}
        """The reason of the last stop that was sent, by sale."""

    async def start_over(self, store: Store) -> None:
        """Ask the region what it has.

        Raises:
            redis.exceptions.RedisError: it does not answer.
        """
        self.sales_pushed = self._sales_sent = int(await store.xlen(keys.SALES))
        self._sent.clear()
        self._pushed.clear()
        self._stops_sent.clear()
        self.stopped.clear()
        finished = [(sale, ended) for sale, ended in self._arbiter.finished.items() if self.region in ended.regions]
        if not finished:
            return
        async with store.pipeline(transaction=False) as batch:
            for sale, _ in finished:
                batch.xlen(keys.decisions(sale))
                batch.get(keys.stop(sale))
            answers = await batch.execute()
        for (sale, ended), length, stop in zip(finished, answers[::2], answers[1::2], strict=True):
            is_stopped = stop is not None and not stop.startswith(keys.LIST_FULL.encode())
            if length != ended.records or (ended.stops and not is_stopped):
                await self._arbiter.take_up(sale)

    def commands(self) -> tuple[list[Command], list[Push], list[SaleId]]:
        """Everything that the region has not been sent yet.

        Returns: the commands, what each of the first of them pushes, and in which sales nothing more is logged then.
        """
        commands: list[Command] = []
        pushes: list[Push] = []
        new_sales = self._arbiter.terms_lines[self._sales_sent :]
        if new_sales:
            commands.append(_push(keys.SALES, self._sales_sent, [(line, b"") for line in new_sales]))
            self._sales_sent += len(new_sales)
            pushes.append(Push(None, self._sales_sent))
        for sale, run in self._arbiter.runs.items():
            since = self._sent.get(sale)
            if self.region not in run.terms.regions or (since is not None and since >= len(run.recorded)):
                continue
            lines = run.recorded[since or 0 : (since or 0) + PUSHED_AT_ONCE]
            commands.append(_push(keys.decisions(sale), since or 0, lines))
            self._sent[sale] = (since or 0) + len(lines)
            pushes.append(Push(sale, self._sent[sale]))
        stops = []
        for sale, run in self._arbiter.runs.items():
            stops_all = self._stop_reason(run)
            reason = stops_all or (run.list_full if self.region in run.terms.regions else None)
            if reason is not None and self._stops_sent.get(sale) != reason:
                commands.append(("EVAL", _STOP, 1, keys.stop(sale), reason))
                self._stops_sent[sale] = reason
                if stops_all is not None:
                    stops.append(sale)
        pulse = self._arbiter.pulse(self.region)
        if pulse is not None:
            commands.append(("XADD", keys.PULSE, "MAXLEN", keys.PULSES_KEPT, "*", keys.LINE, pulse))
        return commands, pushes, stops

    def _stop_reason(self, run: SaleRun) -> str | None:
        """Why the region may log nothing more of a sale; None while it may."""
        if self.region not in run.terms.regions:
            return None
        if self.region in run.cut_off:
            return "cut_off"
        if self.region in run.fenced or self.region in run.fencing:
            return "fenced"
        return run.stop_reason

    async def heard(self, pushes: Sequence[Push], answers: Sequence[Any]) -> None:
        """Note how far the region has got. One that was told more, or otherwise, contradicts us, unless it was told so
        by an arbiter that has taken over.

        Raises:
            FencedError: another arbiter has taken over.
        """
        for (sale, last), answer in zip(pushes, answers, strict=False):
            length = int(answer)
            if sale is None:
                if length < 0:
                    _log.error("the region knows another sale under that number", region=self.region, number=-length)
                self.sales_pushed = abs(length)
                if self.sales_pushed < last:
                    self._sales_sent = self.sales_pushed
                continue
            run = self._arbiter.runs.get(sale)
            if run is None:
                continue
            if length < 0 or length > len(run.recorded):
                await self._ledger.still_ours()
                rule = f"its copy of the decision log is the arbiter's (record {abs(length) - 1} is another)"
                _log.error("the region was told other decisions", sale=sale, region=self.region, rule=rule)
                run.halt(Contradiction(self.region, rule))
                length = max(abs(length), len(run.recorded))
            self._pushed[sale] = length
            self._sent[sale] = length if length < last else max(length, self._sent[sale])

    def has_all(self, run: SaleRun) -> bool:
        """Whether the region has every decision of a sale, and its stop."""
        is_stopped = self._stop_reason(run) is None or run.sale in self.stopped
        return is_stopped and self._pushed.get(run.sale, -1) >= len(run.recorded)

    def forget(self, sale: SaleId) -> None:
        """A sale is finished, and everybody has been told."""
        self._sent.pop(sale, None)
        self._pushed.pop(sale, None)
        self._stops_sent.pop(sale, None)
        self.stopped.discard(sale)


def _push(key: str, since: int, lines: Sequence[DecidedLine]) -> Command:
    return ("EVAL", _PUSH, 1, key, since + 1, *(word for line in lines for word in line))
