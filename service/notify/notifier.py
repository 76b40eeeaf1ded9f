"""Who is told of what, kept up: sales and webhooks as they come, a planner for each sale, a lane for each pair.

A sale has a planner while anybody is to be told of it, and a lane for each webhook until its last message is done
with. New sales, webhooks, secrets and replays are found by looking once a second; news of a sale that is followed
wakes its planner at once.

Of several notifiers one is at work, the one that was started last; what two do at once for a moment is the same
messages under the same ids. Whatever goes wrong with the store ends all work, and it begins anew from what is there:
nothing is remembered that is not on disk.
"""

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import structlog

from model.terms import Terms, read_terms
from model.vocabulary import Contradiction, SaleId
from model.wire import parse_canonical
from service.notify.counts import Counts
from service.notify.lanes import Lane, Patience
from service.notify.outbox import newest
from service.notify.planning import Planner
from service.notify.sending import CONNECTIONS, Sender
from service.notify.webhooks import (
    Secret,
    Webhook,
    WebhookId,
    known_secrets,
    known_webhooks,
    secret_name,
    signing,
)
from service.store import keys
from service.store.opening import Store
from service.store.streams import read_range
from service.tasks import end

_log = structlog.get_logger()

LOOK_SECONDS: Final = 1.0
_SALES_AT_ONCE: Final = 500
_WAIT_MS: Final = 100
"""How long news is waited for at once: whoever has caught up meanwhile is waited for again after that."""
_BEYOND_SECONDS: Final = 2.0
_UNREADABLE: Final = (Contradiction, ValueError, KeyError)
"""What a store that somebody has written to by hand leads to; other sales go on."""


@dataclass(slots=True)
class Receiver:
    """A webhook, with its connections."""

    webhook: Webhook
    sender: Sender
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTIONS))
    taken: Mapping[SaleId, int] = field(default_factory=dict)
    """How far it was in each sale when we came to know it."""
    secrets: dict[int, Secret] = field(default_factory=dict)
    dead_letters: int = 0


class Notifier:
    """One turn of work, from what is in the store until it is cancelled or something goes wrong.

    Args:
        allows_private: whether private addresses are called, too.
    """

    def __init__(self, store: Store, patience: Patience, allows_private: bool, counts: Counts) -> None:
        self.receivers: dict[WebhookId, Receiver] = {}
        self.lanes: dict[tuple[WebhookId, SaleId], Lane] = {}
        self._store = store
        self._patience = patience
        self._allows_private = allows_private
        self._counts = counts
        self._trust: ssl.SSLContext = httpx.create_ssl_context()
        self._now_ns: Callable[[], int] = time.time_ns
        self._sales_read = 0
        self._terms: dict[SaleId, Terms] = {}
        """Of sales that have an owner."""
        self._sales_of: defaultdict[str, dict[SaleId, Terms]] = defaultdict(dict)
        """The same by owner."""
        self._planners: dict[SaleId, Planner] = {}
        self._idle: set[SaleId] = set()
        """Those whose planners wait for news."""
        self._woken: dict[SaleId, asyncio.Event] = {}
        self._finished: set[tuple[WebhookId, SaleId]] = set()
        self._tasks: dict[object, asyncio.Task[None]] = {}

    async def work(self) -> None:
        """Without end.

        Raises:
            OutboxMovedError: another notifier is at work, too.
            redis.exceptions.RedisError: the store does not answer.
        """
        try:
            self._start("news", self._hear_news())
            while True:
                await self._look()
                await asyncio.wait(
                    list(self._tasks.values()), timeout=LOOK_SECONDS, return_when=asyncio.FIRST_EXCEPTION
                )
                for name, task in list(self._tasks.items()):
                    if task.done():
                        del self._tasks[name]
                        task.result()
        finally:
            await end(self._tasks.values())
            for receiver in self.receivers.values():
                await receiver.sender.close()

    def _start(self, name: object, what: Any) -> None:
        self._tasks[name] = asyncio.create_task(what, name=str(name))

    async def _look(self) -> None:
        """Learn of sales, webhooks, secrets and replays, and start what is missing."""
        store: Any = self._store
        secrets = await known_secrets(self._store)  # first: a webhook and its secret are written together
        webhooks = await known_webhooks(self._store)
        for gone in (self.receivers.keys() | secrets.keys()) - webhooks.keys():
            await self._forget(gone, secrets.get(gone, {}))
        for name, webhook in webhooks.items():
            receiver = self.receivers.get(name)
            if receiver is None:
                receiver = self.receivers[name] = await self._receiver(webhook)
            receiver.secrets = secrets.get(name, {})
            receiver.dead_letters = await store.hlen(keys.dead_letters(name))
        await self._drop_old_secrets()
        await self._learn_sales()
        for name, receiver in self.receivers.items():
            for sale, terms in self._sales_of[receiver.webhook.merchant].items():
                pair = name, sale
                if pair in self._finished or pair in self._tasks or not receiver.secrets:
                    continue
                if receiver.webhook.hears_of(terms):
                    await self._open_lane(receiver, sale, terms)
        await self._replay()

    async def _receiver(self, webhook: Webhook) -> Receiver:
        store: Any = self._store
        kept = await store.hgetall(keys.taken(webhook.id))
        taken = {sale.decode(): int(number) for sale, number in kept.items()}
        return Receiver(webhook, Sender(webhook.url, self._allows_private, self._trust), taken=taken)

    async def _learn_sales(self) -> None:
        store: Any = self._store
        while found := await read_range(self._store, keys.ARBITER_SALES, self._sales_read + 1, None, _SALES_AT_ONCE):
            terms = [read_terms(parse_canonical(entry.line)) for entry in found]
            owners = await store.hmget(keys.OWNERS, [one.sale() for one in terms])
            for one, owner in zip(terms, owners, strict=True):
                if owner is not None:
                    self._terms[one.sale()] = self._sales_of[owner.decode()][one.sale()] = one
            self._sales_read = found[-1].number

    async def _open_lane(self, receiver: Receiver, sale: SaleId, terms: Terms) -> None:
        last = await newest(self._store, sale)
        if last is not None and last.is_end and receiver.taken.get(sale) == last.number:
            self._finished.add((receiver.webhook.id, sale))
            return
        planner = await self._planner(sale, terms)
        lane = self._lane(receiver, planner)
        self.lanes[receiver.webhook.id, sale] = lane
        self._start((receiver.webhook.id, sale), self._follow(lane, receiver.webhook.id, sale))

    async def _planner(self, sale: SaleId, terms: Terms) -> Planner:
        """The planner of a sale, at work unless everything is planned."""
        planner = self._planners.get(sale)
        if planner is None:
            planner = self._planners[sale] = Planner(self._store, sale, terms, self._now_ns)
            await planner.load()
            if not planner.is_done:
                self._start(sale, self._plan(planner))
        return planner

    def _lane(self, receiver: Receiver, planner: Planner) -> Lane:
        return Lane(
            self._store,
            receiver.webhook,
            planner,
            receiver.sender,
            lambda: signing(receiver.secrets, self._now_ns()),
            receiver.slots,
            self._patience,
            self._counts,
            self._now_ns,
        )

    async def _follow(self, lane: Lane, webhook: WebhookId, sale: SaleId) -> None:
        try:
            await lane.run()
        except _UNREADABLE as error:
            _log.error("a sale cannot be told of: what is stored of it cannot be read", sale=sale, error=repr(error))
        self._finished.add((webhook, sale))
        del self.lanes[webhook, sale]
        if not any(other == sale for _, other in self.lanes):
            self._planners.pop(sale, None)

    async def _plan(self, planner: Planner) -> None:
        """Keep a sale's outbox up to date, until nothing follows."""
        sale = planner.sale
        while True:
            before = planner.number
            try:
                await planner.go_on()
            except _UNREADABLE as error:
                _log.error(
                    "a sale cannot be told of: what is stored of it cannot be read", sale=sale, error=repr(error)
                )
                return
            self._counts.planned += planner.number - before
            if planner.is_done:
                return
            woken = self._woken[sale] = asyncio.Event()
            self._idle.add(sale)
            try:
                async with asyncio.timeout(_BEYOND_SECONDS if planner.awaits_beyond else None):
                    await woken.wait()
            except TimeoutError:
                pass
            finally:
                self._idle.discard(sale)

    async def _hear_news(self) -> None:
        """Wake the planners for whose sales something was written."""
        store: Any = self._store
        while True:
            sale_of = {key: (sale, known) for sale in self._idle for key, known in self._planners[sale].streams.items()}
            if not sale_of:
                await asyncio.sleep(_WAIT_MS / 1_000)
                continue
            positions = {key: known for key, (_, known) in sale_of.items()}
            found = await store.xread(positions, count=1, block=_WAIT_MS)
            for key, _ in found or ():
                sale = sale_of[key.decode()][0]
                self._idle.discard(sale)
                self._woken[sale].set()

    async def _replay(self) -> None:
        """Hand over what operators want to be sent again, each sale's messages in their order."""
        store: Any = self._store
        asked: dict[tuple[WebhookId, SaleId], list[tuple[int, int]]] = defaultdict(list)
        for name, asked_ns in (await store.hgetall(keys.REPLAYS)).items():
            webhook, sale, number = name.decode().split("/")
            asked[webhook, sale].append((int(number), int(asked_ns)))
        for (webhook, sale), letters in asked.items():
            receiver, terms = self.receivers.get(webhook), self._terms.get(sale)
            if receiver is None or terms is None:
                await store.hdel(keys.REPLAYS, *(f"{webhook}/{sale}/{number}" for number, _ in letters))
            elif ("replay", webhook, sale) not in self._tasks:
                planner = await self._replayed(sale, terms)
                self._start(("replay", webhook, sale), self._send_again(self._lane(receiver, planner), sorted(letters)))

    async def _replayed(self, sale: SaleId, terms: Terms) -> Planner:
        """A planner for reading only, where none is at work."""
        planner = self._planners.get(sale)
        if planner is None:
            planner = Planner(self._store, sale, terms, self._now_ns)
            await planner.load()
        return planner

    async def _send_again(self, lane: Lane, letters: list[tuple[int, int]]) -> None:
        for number, asked_ns in letters:
            await lane.replay(number, asked_ns)

    async def _forget(self, webhook: WebhookId, secrets: Mapping[int, Secret]) -> None:
        """A webhook that was deleted: it is told nothing more, and nothing is kept of it."""
        store: Any = self._store
        mine = [name for name in self._tasks if isinstance(name, tuple) and webhook in name]
        await end([self._tasks.pop(name) for name in mine])
        for pair in [pair for pair in self.lanes if pair[0] == webhook]:
            del self.lanes[pair]
        receiver = self.receivers.pop(webhook, None)
        if receiver is not None:
            await receiver.sender.close()
        await store.delete(keys.taken(webhook), keys.dead_letters(webhook))
        if secrets:
            await store.hdel(keys.WEBHOOK_SECRETS, *(secret_name(webhook, made_ns) for made_ns in secrets))
        _log.info("webhook deleted", webhook=webhook)

    async def _drop_old_secrets(self) -> None:
        """Secrets that sign no more."""
        store: Any = self._store
        for name, receiver in self.receivers.items():
            good = len(signing(receiver.secrets, self._now_ns()))
            for made_ns in sorted(receiver.secrets, reverse=True)[good:]:
                await store.hdel(keys.WEBHOOK_SECRETS, secret_name(name, made_ns))
                del receiver.secrets[made_ns]

    def waiting(self) -> tuple[int, float]:
        """How many messages wait, over all lanes, and how long the oldest of those at the head has waited, in s."""
        now_ns = self._now_ns()
        waits = [now_ns - lane.waits_since_ns for lane in self.lanes.values() if lane.waits_since_ns is not None]
        return sum(lane.waiting for lane in self.lanes.values()), max(waits, default=0) / 1e9
