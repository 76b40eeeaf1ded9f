"""What schemathesis must know of a gateway beyond its description: forms of strings that JSON Schema has no words for,
and sales that are there. Loaded by schemathesis itself.
"""

import os
import re
from typing import Any

import schemathesis
import whenever
from hypothesis import strategies as st
from whenever import Instant

from service.gateway.examples import PENDING, TERMS

ZONES = sorted(whenever.available_timezones() - {"Factory"})
OPEN_SALE, PURCHASE = os.environ["FIRSTCOME_OPEN_SALE"], os.environ["FIRSTCOME_PURCHASE"]
"""A sale that is open, and a purchase of it."""

schemathesis.openapi.format("iana-zone", st.sampled_from(ZONES))
schemathesis.openapi.format(
    "rfc9557",
    st.builds(
        lambda seconds, zone: Instant.from_timestamp(seconds).to_tz(zone).format_iso(),
        st.integers(4_000_000_000, 8_000_000_000),
        st.sampled_from(ZONES),
    ),
)


@schemathesis.hook
def map_body(_: schemathesis.HookContext, body: Any) -> Any:
    """JSON's 1.0 is an integer to JSON Schema, and none to us: whole numbers are written without a fraction.

    The world that is asked has one of the regions of the example.
    """
    if isinstance(body, dict) and body.get("regions") == TERMS["regions"]:
        body["regions"] = TERMS["regions"][:1]
    return whole(body)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, **_: Any) -> None:
    """Whoever buys at some sale or other does so at the one that is open, and nobody stops that one.

    Left to itself schemathesis takes ids from examples and from answers: sales that are not there, or cancelled. And
    the gateway that is asked takes no claims of a buyer's home, as a gateway may.
    """
    is_allowed = case.meta is None or case.meta.generation.mode is schemathesis.GenerationMode.POSITIVE
    if is_allowed and isinstance(case.body, dict):
        case.body.pop("home", None)
    called, path = label(context), case.path_parameters
    if path is None or not isinstance(path.get("sale"), str):
        return
    if called.endswith(("/cancel", "/fence", "/events")):
        if path["sale"] == OPEN_SALE:
            path["sale"] = "nosuch"
    elif "/purchases" in called and re.fullmatch("[0-9a-f]{32}", path["sale"]):
        path["sale"] = OPEN_SALE
        if path.get("purchase") == PENDING["id"]:
            path["purchase"] = PURCHASE


def label(context: schemathesis.HookContext) -> str:
    """Which call this is about, as `POST /v1/sales`."""
    return "" if context.operation is None else str(context.operation.label)


def whole(value: Any) -> Any:
    """The same value with its whole numbers as integers."""
    if isinstance(value, dict):
        return {key: whole(inside) for key, inside in value.items()}
    if isinstance(value, list):
        return [whole(inside) for inside in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
