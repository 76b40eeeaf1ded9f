"""A lane is one webhook's way through one sale's messages: one after the other, each until it is taken or given up.

    pauses between attempts: 1, 2, 4, … 512 s, then 10 minutes, each shortened at random by up to half
    given up: after a failed attempt, once the message is 24 hours old

A later message of a sale waits for an earlier one, so a receiver sees a sale in order. Sales do not wait for each
other. What is given up is a dead letter: the lane goes on behind it, and whoever replays it sends the same bytes under
the same id, for as long again.

A lane remembers on disk only what was taken. A notifier that dies after a message was taken and before that is
written sends it once more: the id is the same, which is how a receiver takes it once.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from model.vocabulary import NANOSECONDS_IN_SECOND
from service.notify.counts import Counts
from service.notify.messages import message_id
from service.notify.outbox import Message, message, messages
from service.notify.planning import Planner
from service.notify.sending import Attempt, Sender
from service.notify.webhooks import DeadLetter, Event, Webhook, encode_dead_letter
from service.store import keys
from service.store.opening import Store

_log = structlog.get_logger()

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 600.0
GIVE_UP_AFTER_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a message is tried, and how often."""

    first_pause_seconds: float = FIRST_PAUSE_SECONDS
    longest_pause_seconds: float = LONGEST_PAUSE_SECONDS
    give_up_after_seconds: float = GIVE_UP_AFTER_SECONDS

    def pause_seconds(self, failures: int, wish_seconds: float, chance: float) -> float:
        """How long to wait after some failed attempts in a row.

        Args:
            wish_seconds: the receiver's, which is followed up to the longest pause.
            chance: from 0 to 1, so that a thousand lanes do not come back at the same moment.
        """
        doubled = self.first_pause_seconds * float(1 << min(failures - 1, 40))
        pause = min(doubled, self.longest_pause_seconds) * (1 - chance / 2)
        return max(pause, min(wish_seconds, self.longest_pause_seconds))


class Lane:
    """One webhook and one sale.

    Args:
        secrets: those that sign now.
        slots: how many attempts there are at once, over all lanes of the webhook.
        now_ns: the time, in ns since the epoch.
    """

    def __init__(
        self,
        store: Store,
        webhook: Webhook,
        planner: Planner,
        sender: Sender,
        secrets: Callable[[], list[str]],
        slots: asyncio.Semaphore,
        patience: Patience,
        counts: Counts,
        now_ns: Callable[[], int],
    ) -> None:
        self.taken = 0
        """The number of the last message that is done with."""
        self.waits_since_ns: int | None = None
        """When the message was planned that is being handed over; None where there is none."""
        self.is_done = False
        self.planner = planner
        self._store: Any = store
        self._webhook = webhook
        self._sender = sender
        self._secrets = secrets
        self._slots = slots
        self._patience = patience
        self._counts = counts
        self._now_ns = now_ns

    @property
    def waiting(self) -> int:
        """How many messages are not done with."""
        return max(0, self.planner.number - self.taken)

    async def run(self) -> None:
        """Until the sale's last message is done with.

        Raises:
            redis.exceptions.RedisError: the store does not answer.
        """
        kept = await self._store.hget(keys.taken(self._webhook.id), self.planner.sale)
        self.taken = int(kept or 0)
        while not self.is_done:
            grown = self.planner.grown
            found = await messages(self._store, self.planner.sale, self.taken + 1)
            for next_message in found:
                await self._pass(next_message)
                if next_message.event in self._webhook.events or next_message is found[-1]:
                    await self._store.hset(keys.taken(self._webhook.id), self.planner.sale, next_message.number)
            if not found:
                await grown.wait()

    async def _pass(self, next_message: Message) -> None:
        """Hand a message over, if it is wanted; in any case it is done with then."""
        if next_message.event in self._webhook.events:
            self.waits_since_ns = next_message.planned_ns
            old_from_ns = max(next_message.planned_ns, self._webhook.created_ns)
            letter = await self.hand_over(next_message, old_from_ns)
            if letter is not None:
                await self.bury(next_message, letter)
            self.waits_since_ns = None
        self.taken = next_message.number
        self.is_done = next_message.is_end

    async def replay(self, number: int, asked_ns: int) -> None:
        """Hand a dead letter over after all; if that fails it is one again.

        Raises:
            redis.exceptions.RedisError: the store does not answer.
        """
        name = f"{self.planner.sale}/{number}"
        dead = await message(self._store, self.planner.sale, number)
        letter = None if dead is None else await self.hand_over(dead, asked_ns)
        if letter is None or dead is None:
            await self._store.hdel(keys.dead_letters(self._webhook.id), name)
        else:
            await self.bury(dead, letter)
        await self._store.hdel(keys.REPLAYS, f"{self._webhook.id}/{name}")

    async def hand_over(self, handed: Message, old_from_ns: int) -> DeadLetter | None:
        """Try until it is taken, or given up: then how it failed.

        Args:
            old_from_ns: since when the message counts as waiting.
        """
        failures, first_ns = 0, self._now_ns()
        give_up_ns = old_from_ns + int(self._patience.give_up_after_seconds * NANOSECONDS_IN_SECOND)
        while True:
            attempt = await self._attempt(handed)
            if not attempt.failure:
                self._counts.messages += 1
                self._counts.purchases += handed.purchases
                return None
            failures += 1
            now_ns = self._now_ns()
            if now_ns >= give_up_ns:
                event: Event = handed.event  # type: ignore[assignment]  # the end is never handed over
                return DeadLetter(event, failures, first_ns, now_ns, attempt.failure)
            if failures == 1:
                _log.warning(
                    "a webhook does not take a message; trying again",
                    webhook=self._webhook.id,
                    sale=self.planner.sale,
                    number=handed.number,
                    reason=attempt.failure,
                )
            left_seconds = (give_up_ns - now_ns) / NANOSECONDS_IN_SECOND
            chance = random.random()
            pause = self._patience.pause_seconds(failures, attempt.retry_after_seconds, chance)
            await asyncio.sleep(min(pause, left_seconds))

    async def _attempt(self, handed: Message) -> Attempt:
        async with self._slots:
            planner = self.planner
            text = await planner.bodies.body(handed)
            name = message_id(self._webhook.id, planner.sale, handed.number)
            attempt = await self._sender.send(name, text, self._secrets())
        self._counts.attempts["failed" if attempt.failure else "taken"] += 1
        return attempt

    async def bury(self, dead: Message, letter: DeadLetter) -> None:
        """Put a message on the list of dead letters."""
        name = f"{self.planner.sale}/{dead.number}"
        await self._store.hset(keys.dead_letters(self._webhook.id), name, encode_dead_letter(letter))
        self._counts.given_up += 1
        _log.error(
            "a message is given up: it is a dead letter now",
            webhook=self._webhook.id,
            sale=self.planner.sale,
            number=dead.number,
            reason=letter.reason,
        )
