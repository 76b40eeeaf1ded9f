"""Webhooks: who is told of what, and the secrets that messages to them are signed with.

A webhook belongs to a merchant, the name of the token that made it, and is told of that merchant's sales: those that a
token of the same name has published. It is told of each of them from its beginning, whenever the webhook was made, as
long as the sale's closing time was still to come then. So neither a merchant who subscribes a little late misses
anything, nor does a notifier that was not running.

A record never changes; secrets are added. A new secret signs from now on; those before it go on signing beside it for
the overlap that it was made with, so that a receiver can change over when it likes. Gateways write secrets and need no
right to read any: a secret is shown once, to whoever had it made.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

import msgspec

from model.terms import Terms
from model.vocabulary import NANOSECONDS_IN_SECOND
from service.store import keys
from service.store.opening import Store

Event: TypeAlias = Literal[
    "purchase.won",
    "purchase.lost",
    "purchase.listed",
    "purchase.held",
    "purchase.confirmed",
    "purchase.released",
    "purchase.expired",
    "sale.cancelled",
    "sale.closed",
    "sale.halted",
]
EVENTS: Final[tuple[Event, ...]] = get_args(Event)

WebhookId: TypeAlias = str

MOST_OF_A_MERCHANT: Final = 20
DEFAULT_OVERLAP_SECONDS: Final = 86_400
LONGEST_OVERLAP_SECONDS: Final = 30 * 86_400
MOST_SIGNING: Final = 5
"""However often a merchant rotates: a message has one signature for each."""
SECRET_BYTES: Final = 32
_PREFIX: Final = "whsec_"


class Webhook(msgspec.Struct, frozen=True):
    """A subscription. `events` are those that are sent, in order of their names."""

    id: WebhookId
    merchant: str
    url: str
    events: tuple[Event, ...]
    created_ns: int
    note: str = ""

    def hears_of(self, terms: Terms) -> bool:
        """Whether it is told of a sale of its merchant's: one whose closing time was to come when it was made."""
        return terms.closes_ns > self.created_ns


class Secret(msgspec.Struct, frozen=True):
    """One secret, `whsec_` and Base64, and for how long those before it go on signing once it is there."""

    secret: str
    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_OVERLAP_SECONDS)] = DEFAULT_OVERLAP_SECONDS


encode_webhook = msgspec.json.Encoder().encode
decode_webhook = msgspec.json.Decoder(Webhook).decode
encode_secret = msgspec.json.Encoder().encode
decode_secret = msgspec.json.Decoder(Secret).decode


def new_id() -> WebhookId:
    """A fresh webhook's name."""
    return f"wh_{secrets.token_hex(12)}"


def id_for(merchant: str, key: str) -> WebhookId:
    """The name of the webhook that a merchant makes under an Idempotency-Key."""
    return f"wh_{hashlib.sha256(f'{merchant} {key}'.encode()).hexdigest()[:24]}"


def new_secret(overlap_seconds: int = DEFAULT_OVERLAP_SECONDS) -> Secret:
    """A fresh secret, to be shown once."""
    return Secret(_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(), overlap_seconds)


def secret_name(webhook: WebhookId, made_ns: int) -> str:
    """Where among all secrets one is kept."""
    return f"{webhook}/{made_ns}"


def signing(made: Mapping[int, Secret], now_ns: int) -> list[str]:
    """The secrets of a webhook that sign now, newest first.

    Args:
        made: all of its secrets, by when they were made.
    """
    signing: list[str] = []
    newer: tuple[int, Secret] | None = None
    for made_ns in sorted(made, reverse=True):
        if len(signing) == MOST_SIGNING:
            break
        if newer is not None and now_ns >= newer[0] + newer[1].overlap_seconds * NANOSECONDS_IN_SECOND:
            break
        newer = made_ns, made[made_ns]
        signing.append(newer[1].secret)
    return signing


async def known_webhooks(store: Store) -> dict[WebhookId, Webhook]:
    """Every webhook that there is.

    Raises:
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    arbiter: Any = store
    found = [decode_webhook(line) for line in await arbiter.hvals(keys.WEBHOOKS)]
    return {webhook.id: webhook for webhook in sorted(found, key=lambda webhook: (webhook.created_ns, webhook.id))}


async def known_secrets(store: Store) -> dict[WebhookId, dict[int, Secret]]:
    """Every secret, by webhook and when it was made.

    Raises:
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    arbiter: Any = store
    made: dict[WebhookId, dict[int, Secret]] = {}
    for name, secret in (await arbiter.hgetall(keys.WEBHOOK_SECRETS)).items():
        webhook, _, made_ns = name.decode().partition("/")
        made.setdefault(webhook, {})[int(made_ns)] = decode_secret(secret)
    return made


class DeadLetter(msgspec.Struct, frozen=True):
    """How a message failed that was given up. Times are in ns since the epoch."""

    event: Event
    attempts: int
    first_ns: int
    last_ns: int
    reason: str
    """Of the last attempt."""


encode_dead_letter = msgspec.json.Encoder().encode
decode_dead_letter = msgspec.json.Decoder(DeadLetter).decode


async def dead_letters(store: Store, webhook: WebhookId) -> dict[tuple[str, int], DeadLetter]:
    """The messages to a webhook that were given up, by sale and number, in that order.

    Raises:
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    arbiter: Any = store
    found = {}
    for name, letter in (await arbiter.hgetall(keys.dead_letters(webhook))).items():
        sale, _, number = name.decode().partition("/")
        found[sale, int(number)] = decode_dead_letter(letter)
    return dict(sorted(found.items()))
