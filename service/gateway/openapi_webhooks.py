"""How the calls about webhooks describe themselves."""

from typing import Any, Final

from service.gateway.openapi import AUTHORIZED, Responses, json_answer, problem_answer
from service.notify.addresses import LONGEST_URL
from service.notify.webhooks import DEFAULT_OVERLAP_SECONDS, EVENTS, LONGEST_OVERLAP_SECONDS

_EVENTS: Final = {"type": "array", "items": {"enum": list(EVENTS)}, "minItems": 1}
_TIME: Final = {"type": "string", "format": "date-time"}
_SECRET: Final = {"type": "string", "description": "whsec_ and Base64; shown once"}

WEBHOOK_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "url": {
            "type": "string",
            "maxLength": LONGEST_URL,
            "description": "https or http, of an address of the public internet; redirects are not followed",
            "examples": ["https://shop.example/firstcome"],
        },
        "events": {**_EVENTS, "description": "which are sent; default: all"},
        "note": {"type": "string", "maxLength": 200, "description": "for whoever reads the list"},
    },
    "required": ["url"],
    "additionalProperties": False,
}

ROTATE_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "overlap_seconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": LONGEST_OVERLAP_SECONDS,
            "default": DEFAULT_OVERLAP_SECONDS,
            "description": "for how long the secrets before go on signing, too",
        }
    },
    "additionalProperties": False,
}

_LETTER: Final = {
    "type": "object",
    "properties": {"sale": {"type": "string"}, "number": {"type": "integer"}},
    "required": ["sale", "number"],
    "additionalProperties": False,
}

REPLAY_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"messages": {"type": "array", "items": _LETTER, "minItems": 1, "maxItems": 200}},
    "additionalProperties": False,
}

_WEBHOOK: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "merchant": {"type": "string", "description": "the name of the token that made it"},
        "url": {"type": "string"},
        "events": _EVENTS,
        "created": _TIME,
        "note": {"type": "string"},
    },
    "required": ["id", "merchant", "url", "events", "created"],
}

_DEAD_LETTER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "what the receiver knows the message by, webhook-id"},
        "sale": {"type": "string"},
        "number": {"type": "integer"},
        "event": {"enum": list(EVENTS)},
        "attempts": {"type": "integer"},
        "first": _TIME,
        "last": _TIME,
        "reason": {"type": "string", "description": "how the last attempt failed"},
        "replaying": {"type": "boolean"},
    },
    "required": ["id", "sale", "number", "event", "attempts", "first", "last", "reason", "replaying"],
}


def _object(required: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": required, "required": list(required)}


_ARBITER_GONE: Final[Responses] = {
    503: problem_answer("the arbiter's store cannot be reached, or may not be used from here", "arbiter_unreachable")
}
_INVALID: Final[Responses] = {
    411: problem_answer("chunked", "length_required"),
    413: problem_answer("the body is too large", "too_large"),
    422: problem_answer("the body breaks a rule; errors name the field", "invalid"),
}
_OF_ONE: Final[Responses] = {
    **AUTHORIZED,
    **_ARBITER_GONE,
    404: problem_answer("no such webhook of yours", "unknown_webhook"),
}
_LOCATION: Final = {"Location": "the webhook"}

MAKE: Final[Responses] = {
    **AUTHORIZED,
    **_ARBITER_GONE,
    **_INVALID,
    200: json_answer("made before with the same Idempotency-Key; without the secret", _WEBHOOK, _LOCATION),
    201: json_answer(
        "made, with its secret", {**_WEBHOOK, "properties": {**_WEBHOOK["properties"], "secret": _SECRET}}, _LOCATION
    ),
    409: problem_answer("there are too many", "too_many_webhooks"),
    422: problem_answer(
        "the body breaks a rule, its URL too (errors name the field); or the key is not new",
        *("invalid", "idempotency_key_reused"),
    ),
}
LIST: Final[Responses] = {
    **AUTHORIZED,
    **_ARBITER_GONE,
    200: json_answer("webhooks", _object({"webhooks": {"type": "array", "items": _WEBHOOK}})),
}
SHOW: Final[Responses] = {**_OF_ONE, 200: json_answer("the webhook", _WEBHOOK)}
DELETE: Final[Responses] = {
    **_OF_ONE,
    200: json_answer("deleted", _object({"id": {"type": "string"}, "state": {"enum": ["deleted"]}})),
}
ROTATE: Final[Responses] = {
    **_OF_ONE,
    **_INVALID,
    200: json_answer(
        "the new secret", _object({"id": {"type": "string"}, "secret": _SECRET, "overlap_seconds": {"type": "integer"}})
    ),
}
DEAD_LETTERS: Final[Responses] = {
    **_OF_ONE,
    200: json_answer(
        "what was given up",
        _object({"webhook": {"type": "string"}, "dead_letters": {"type": "array", "items": _DEAD_LETTER}}),
    ),
}
REPLAY: Final[Responses] = {
    **_OF_ONE,
    **_INVALID,
    202: json_answer(
        "they will be sent again", _object({"webhook": {"type": "string"}, "replaying": {"type": "integer"}})
    ),
    404: problem_answer("no such webhook of yours, or no such dead letter", "unknown_webhook", "unknown_dead_letter"),
}
