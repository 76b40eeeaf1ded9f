"""The calls about webhooks: a merchant makes and deletes its own, and rotates their secrets; ops see what was given up.

What is kept lies in the arbiter's store, where the notifier finds it within a second (`service/notify/`). A token with
the scope `publish` sees the webhooks of its own name only, one with `operate` all of them. A secret is answered once,
by the call that made it: gateways write secrets and need no right to read any.

Plain commands, no scripts: a gateway's user in the arbiter's store needs little (ARCHITECTURE.md).
"""

import time
from typing import Annotated, Any, Final

import msgspec
from fastapi import FastAPI, Header, Request
from redis.exceptions import RedisError
from starlette.responses import Response

from service.gateway import openapi_webhooks as described
from service.gateway import problems
from service.gateway.answers import Answer, encode
from service.gateway.api import Api, Refusal, read_body, response
from service.gateway.bodies import field_and_rule
from service.gateway.openapi import body as body_of
from service.gateway.request import MAX_BODY_BYTES
from service.gateway.times import utc
from service.notify.addresses import AddressError, checked_addresses, read_url
from service.notify.messages import message_id
from service.notify.webhooks import (
    DEFAULT_OVERLAP_SECONDS,
    EVENTS,
    LONGEST_OVERLAP_SECONDS,
    MOST_OF_A_MERCHANT,
    Event,
    Webhook,
    dead_letters,
    decode_webhook,
    encode_secret,
    encode_webhook,
    id_for,
    known_webhooks,
    new_id,
    new_secret,
    secret_name,
)
from service.store import keys
from service.store.opening import Store

LONGEST_NOTE: Final = 200
MOST_REPLAYED: Final = 200


class _WebhookBody(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    events: Annotated[tuple[Event, ...], msgspec.Meta(min_length=1)] = EVENTS
    note: Annotated[str, msgspec.Meta(max_length=LONGEST_NOTE)] = ""


class _RotateBody(msgspec.Struct, forbid_unknown_fields=True):
    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_OVERLAP_SECONDS)] = DEFAULT_OVERLAP_SECONDS


class _Letter(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    sale: str
    number: int


class _ReplayBody(msgspec.Struct, forbid_unknown_fields=True):
    messages: Annotated[list[_Letter], msgspec.Meta(min_length=1, max_length=MOST_REPLAYED)] | None = None


_decode_webhook: Final = msgspec.json.Decoder(_WebhookBody).decode
_decode_rotate: Final = msgspec.json.Decoder(_RotateBody).decode
_decode_replay: Final = msgspec.json.Decoder(_ReplayBody).decode


class Webhooks:
    """What one gateway process does about webhooks."""

    def __init__(self, api: Api, store: Store) -> None:
        self._api = api
        self._store = store
        self._arbiter: Any = store

    async def make(self, request: Request, key: str | None) -> Answer:
        merchant = self._api.allow(request, "publish")
        asked = await _body(request, _decode_webhook)
        try:
            url = read_url(asked.url)
            allowance = await self._arbiter.get(keys.NOTIFIER_ALLOWANCE)
            await checked_addresses(url, allows_private=allowance == b"private")
        except AddressError as error:
            return problems.invalid([("url", str(error))])
        name = new_id() if key is None else id_for(merchant, key)
        events = tuple(event for event in EVENTS if event in asked.events)
        made = Webhook(name, merchant, asked.url, events, time.time_ns(), asked.note)
        if key is not None and (known := await self._arbiter.hget(keys.WEBHOOKS, name)) is not None:
            return _repeated(decode_webhook(known), made)
        mine = [webhook for webhook in (await known_webhooks(self._store)).values() if webhook.merchant == merchant]
        if len(mine) >= MOST_OF_A_MERCHANT:
            return problems.too_many_webhooks(MOST_OF_A_MERCHANT)
        secret = new_secret()
        async with self._arbiter.pipeline(transaction=True) as together:
            together.hsetnx(keys.WEBHOOK_SECRETS, secret_name(name, made.created_ns), encode_secret(secret))
            together.hsetnx(keys.WEBHOOKS, name, encode_webhook(made))
            _, is_new = await together.execute()
        if not is_new:
            return _repeated(decode_webhook(await self._arbiter.hget(keys.WEBHOOKS, name)), made)
        shown = {**_shown(made), "secret": secret.secret}
        return Answer(201, encode(shown), (("location", f"/v1/webhooks/{name}"),))

    async def list_all(self, request: Request) -> Answer:
        caller = self._caller(request)
        known = (await known_webhooks(self._store)).values()
        return Answer(200, encode({"webhooks": [_shown(one) for one in known if caller in (None, one.merchant)]}))

    async def show(self, request: Request, name: str) -> Answer:
        return Answer(200, encode(_shown(await self._find(request, name))))

    async def delete(self, request: Request, name: str) -> Answer:
        webhook = await self._find(request, name)
        await self._arbiter.hdel(keys.WEBHOOKS, webhook.id)
        return Answer(200, encode({"id": webhook.id, "state": "deleted"}))

    async def rotate(self, request: Request, name: str) -> Answer:
        webhook = await self._find(request, name)
        asked = await _body(request, _decode_rotate)
        secret, now_ns = new_secret(asked.overlap_seconds), time.time_ns()
        await self._arbiter.hsetnx(keys.WEBHOOK_SECRETS, secret_name(webhook.id, now_ns), encode_secret(secret))
        told = {"id": webhook.id, "secret": secret.secret, "overlap_seconds": secret.overlap_seconds}
        return Answer(200, encode(told))

    async def dead_letters(self, request: Request, name: str) -> Answer:
        webhook = await self._find(request, name)
        letters = await dead_letters(self._store, webhook.id)
        replays = await self._arbiter.hgetall(keys.REPLAYS)
        shown = [
            {
                "id": message_id(webhook.id, sale, number),
                "sale": sale,
                "number": number,
                "event": letter.event,
                "attempts": letter.attempts,
                "first": utc(letter.first_ns),
                "last": utc(letter.last_ns),
                "reason": letter.reason,
                "replaying": f"{webhook.id}/{sale}/{number}".encode() in replays,
            }
            for (sale, number), letter in letters.items()
        ]
        return Answer(200, encode({"webhook": webhook.id, "dead_letters": shown}))

    async def replay(self, request: Request, name: str) -> Answer:
        webhook = await self._find(request, name)
        asked = await _body(request, _decode_replay)
        letters = await dead_letters(self._store, webhook.id)
        wanted = list(letters) if asked.messages is None else [(one.sale, one.number) for one in asked.messages]
        unknown = [wish for wish in wanted if wish not in letters]
        if unknown:
            return problems.unknown_dead_letter(*unknown[0])
        now_ns = str(time.time_ns())
        async with self._arbiter.pipeline(transaction=True) as together:
            for sale, number in wanted:
                together.hsetnx(keys.REPLAYS, f"{webhook.id}/{sale}/{number}", now_ns)
            await together.execute()
        return Answer(202, encode({"webhook": webhook.id, "replaying": len(wanted)}))

    def _caller(self, request: Request) -> str | None:
        """Whose webhooks the caller sees; None: everybody's."""
        merchant = self._api.allow(request, "publish", "operate")
        return None if self._api.has_scope(request, "operate") else merchant

    async def _find(self, request: Request, name: str) -> Webhook:
        caller = self._caller(request)
        kept = await self._arbiter.hget(keys.WEBHOOKS, name)
        webhook = None if kept is None else decode_webhook(kept)
        if webhook is None or caller not in (None, webhook.merchant):
            raise Refusal(problems.unknown_webhook(name))
        return webhook


def _shown(webhook: Webhook) -> dict[str, Any]:
    """A webhook as its readers see it."""
    noted = {"note": webhook.note} if webhook.note else {}
    return {
        "id": webhook.id,
        "merchant": webhook.merchant,
        "url": webhook.url,
        "events": webhook.events,
        "created": utc(webhook.created_ns),
        **noted,
    }


def _repeated(known: Webhook, asked: Webhook) -> Answer:
    """The answer to a call that was made before with the same key: the webhook, without its secret."""
    if (known.url, known.events, known.note) != (asked.url, asked.events, asked.note):
        return problems.repeated_with_another_body()
    return Answer(200, encode(_shown(known)), (("location", f"/v1/webhooks/{known.id}"),))


async def _body(request: Request, decode: Any) -> Any:
    """A call's body; one that is left out is an empty object.

    Raises:
        Refusal: it breaks a rule.
    """
    try:
        return decode(await read_body(request, MAX_BODY_BYTES) or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(problems.invalid([field_and_rule(str(error))])) from error
    except RecursionError as error:
        raise Refusal(problems.invalid([("", "is nested too deeply")])) from error


async def _done(work: Any) -> Response:
    try:
        return response(await work)
    except (RedisError, OSError) as error:
        detail = f"The arbiter's store does not answer, or keeps this gateway from webhooks ({type(error).__name__})."
        return response(problems.arbiter_gone(f"{detail} See what is there before you repeat the call."))


def add_webhook_calls(app: FastAPI, webhooks: Webhooks) -> None:
    """The calls of this page."""

    @app.post("/v1/webhooks", status_code=201, responses=described.MAKE, openapi_extra=body_of(described.WEBHOOK_BODY))
    async def make_a_webhook(
        request: Request,
        idempotency_key: Annotated[
            str | None, Header(max_length=200, description="a word of your own for this webhook")
        ] = None,
    ) -> Response:
        """Have the outcomes of your sales posted to a URL, signed. The secret is in this answer only.

        A webhook is told of every sale that a token of the same name has published, from the sale's beginning, unless
        its closing time had passed when the webhook was made. A repeat with the same Idempotency-Key finds the webhook,
        and answers 200 without the secret.
        """
        return await _done(webhooks.make(request, idempotency_key))

    @app.get("/v1/webhooks", responses=described.LIST)
    async def list_webhooks(request: Request) -> Response:
        """Your webhooks; with the scope operate, everybody's."""
        return await _done(webhooks.list_all(request))

    @app.get("/v1/webhooks/{webhook}", responses=described.SHOW)
    async def show_a_webhook(request: Request, webhook: str) -> Response:
        """One webhook, without its secrets."""
        return await _done(webhooks.show(request, webhook))

    @app.delete("/v1/webhooks/{webhook}", responses=described.DELETE)
    async def delete_a_webhook(request: Request, webhook: str) -> Response:
        """Stop telling a webhook. Its dead letters and its secrets are forgotten."""
        return await _done(webhooks.delete(request, webhook))

    @app.post(
        "/v1/webhooks/{webhook}/rotate",
        responses=described.ROTATE,
        openapi_extra=body_of(described.ROTATE_BODY, required=False),
    )
    async def rotate_a_secret(request: Request, webhook: str) -> Response:
        """A new secret signs from now on, and those before it beside it for the overlap. 0: the old ones at once no
        more, for a secret that has leaked.
        """
        return await _done(webhooks.rotate(request, webhook))

    @app.get("/v1/webhooks/{webhook}/dead-letters", responses=described.DEAD_LETTERS)
    async def list_dead_letters(request: Request, webhook: str) -> Response:
        """The messages that were given up, and how the last attempt failed."""
        return await _done(webhooks.dead_letters(request, webhook))

    @app.post(
        "/v1/webhooks/{webhook}/replay",
        status_code=202,
        responses=described.REPLAY,
        openapi_extra=body_of(described.REPLAY_BODY, required=False),
    )
    async def replay_dead_letters(request: Request, webhook: str) -> Response:
        """Send dead letters again, all of them unless some are named: the same bytes under the same ids."""
        return await _done(webhooks.replay(request, webhook))
