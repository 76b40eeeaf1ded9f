"""The whole description of the API, OpenAPI 3.1: what FastAPI gathers from the calls, completed and made plain.

Added here is what is true of many calls: objects by their names, the token and its scopes, how one call leads to
another, examples, and every type of problem (`x-problem-types`). `reference.py` makes pages of it for people.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from fastapi import FastAPI

from service.gateway import schemas
from service.gateway.catalogue import catalogue
from service.gateway.examples import ANSWERS, REQUESTS
from service.gateway.tokens import SCOPES

Description: TypeAlias = dict[str, Any]

_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch"})
_ALL: Final[tuple[str, ...]] = SCOPES
SCOPES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "publish_a_sale": ("publish",),
    "list_sales": _ALL,
    "show_a_sale": _ALL,
    "cancel_a_sale": ("operate",),
    "purchase": ("purchase",),
    "purchase_batch": ("purchase",),
    "show_a_purchase": ("purchase", "audit", "operate"),
    "follow_a_sale": _ALL,
    "show_the_clock": _ALL,
    "enter_a_beacons_value": ("operate",),
    "show_a_receipt": ("purchase", "audit", "operate"),
    "download_the_ledger": ("audit", "operate"),
    "fence_a_region_out": ("operate",),
    "confirm_a_purchase": ("purchase",),
    "give_a_purchase_back": ("purchase",),
    "make_a_webhook": ("publish",),
    **dict.fromkeys(
        ("list_webhooks", "show_a_webhook", "delete_a_webhook", "rotate_a_secret", "list_dead_letters"),
        ("publish", "operate"),
    ),
    "replay_dead_letters": ("publish", "operate"),
    "tell_monitoring": ("operate", "audit"),
    "health": (),
    "readiness": (),
}
"""By the name of the call: scopes of which a token must have one; none where no token is asked for."""

_SALE_HERE: Final = {"sale": "$request.path.sale"}
_PURCHASE_LINKS: Final = {
    call: {"operationId": call, "parameters": {"sale": "$response.body#/sale", "purchase": "$response.body#/id"}}
    for call in ("show_a_purchase", "show_a_receipt")
}
LINKS: Final[Mapping[tuple[str, str], Mapping[str, Any]]] = {
    ("publish_a_sale", "201"): {
        call: {"operationId": call, "parameters": {"sale": "$response.body#/id"}}
        for call in (
            "show_a_sale",
            "purchase",
            "purchase_batch",
            "cancel_a_sale",
            "follow_a_sale",
            "fence_a_region_out",
        )
    },
    ("cancel_a_sale", "200"): {
        call: {"operationId": call, "parameters": _SALE_HERE}
        for call in ("show_a_sale", "follow_a_sale", "download_the_ledger")
    },
    ("make_a_webhook", "201"): {
        call: {"operationId": call, "parameters": {"webhook": "$response.body#/id"}}
        for call in (
            "show_a_webhook",
            "rotate_a_secret",
            "list_dead_letters",
            "replay_dead_letters",
            "delete_a_webhook",
        )
    },
    ("purchase", "202"): _PURCHASE_LINKS,
    ("purchase", "200"): _PURCHASE_LINKS,
}
"""What may be asked next, by the name of a call and the status of its answer."""


def describe(app: FastAPI) -> None:
    """Have an application describe itself so, once all its calls are added."""
    app.openapi = partial(_described, app.openapi)  # type: ignore[method-assign]


def _described(gather: Any) -> Description:
    described: Description = gather()
    if "x-problem-types" in described:
        return described
    components = described.setdefault("components", {})
    components["schemas"] = dict(schemas.SCHEMAS)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for operations in described["paths"].values():
        for method in operations.keys() & _METHODS:
            _complete(operations[method])
    described["x-problem-types"] = {
        told.slug: {"status": told.status, "title": told.title, "meaning": told.meaning} for told in catalogue()
    }
    return described


def _complete(operation: dict[str, Any]) -> None:
    """What is true of a call beyond its own words."""
    name = operation["operationId"]
    if operation["summary"] == name.replace("_", " ").title():  # nobody has said it in other words
        operation["summary"] = name.replace("_", " ").capitalize()
    operation["security"] = [{"token": [scope]} for scope in SCOPES_OF.get(name, _ALL)]
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _not_null(parameter["schema"])
    answers = operation["responses"]
    for status in [status for status, told in answers.items() if "HTTPValidationError" in str(told)]:
        del answers[status]  # FastAPI's own form; where a parameter can be wrong, ours is described
    for status, answer in answers.items():
        for shown in answer.get("content", {}).values():
            if (name, int(status)) in ANSWERS:
                shown["example"] = ANSWERS[name, int(status)]
        if (name, status) in LINKS:
            answer["links"] = LINKS[name, status]
    if name in REQUESTS:
        operation["requestBody"]["content"]["application/json"]["example"] = REQUESTS[name]


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The form of a parameter. One that may be absent is nullable for FastAPI, but a header or a query has no null."""
    if "anyOf" not in schema:
        return schema
    (form,) = [one for one in schema["anyOf"] if one != {"type": "null"}]
    return {**form, **{key: value for key, value in schema.items() if key != "anyOf"}}
