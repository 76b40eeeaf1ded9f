"""A message that came by webhook, believed only if it was signed with a secret of yours, just now.

The form is Standard Webhooks: an id, a timestamp, and signatures over both and the body. Hand over the bytes of the
body as they came, since another spelling of the same JSON has another signature. While a secret is being replaced
messages are signed with the old one and the new, and either may be given here.

Messages come at least once, in the order of their sale. The `id` stays the same when one is sent again: whoever keeps
the ids that are done takes each once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError

from firstcome.problems import WebhookError


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """What was told: `type` is such as `purchase.won`, `data` what belongs to it."""

    id: str
    type: str
    data: Mapping[str, Any] = field(repr=False)


def check_webhook(body: bytes, headers: Mapping[str, str], *secrets: str) -> WebhookMessage:
    """The message of a call that a server of yours got.

    Args:
        body: as it came.
        headers: of the call, names in either case; `webhook-id`, `webhook-timestamp` and `webhook-signature` are read.
        secrets: `whsec_` and so on; one that fits is enough.

    Raises:
        WebhookError: none fits, it is older than five minutes, or it is no message. Answer such a call with 400.
        ValueError: a secret is none.
    """
    named = {name.lower(): value for name, value in headers.items()}
    if not any(_is_signed(body, named, secret) for secret in secrets):
        raise WebhookError("the message is not signed with a secret that is known here, or is not of this time")
    try:
        stated = msgspec.json.decode(body, type=dict[str, Any])
        return WebhookMessage(named["webhook-id"], str(stated["type"]), dict(stated["data"]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError, ValueError) as error:
        raise WebhookError(f"what was signed is no message: {error!r}") from error


def _is_signed(body: bytes, headers: dict[str, str], secret: str) -> bool:
    signed_by = Webhook(secret)
    try:
        signed_by.verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):  # ValueError: of headers that are nobody's signature
        return False
    return True
