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

from service.gateway.examples import TERMS

ZONES = sorted(whenever.available_timezones() - {"Factory"})
FLASH, AUCTION, RESERVATION = OPEN_SALES = os.environ["FIRSTCOME_OPEN_SALES"].split()
"""Sales that are open, one of each kind."""
SPARE = os.environ["FIRSTCOME_SPARE_SALE"]
"""One that may be stopped."""
PURCHASES = dict(zip(OPEN_SALES, os.environ["FIRSTCOME_PURCHASES"].split(), strict=True))
"""A purchase in each, by the buyer `first`."""

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
    """Whoever buys at some sale or other does so at one that is open, and nobody stops those.

    Left to itself schemathesis takes ids from examples and from answers: sales that are not there, or cancelled.
    """
    called, path = label(context), case.path_parameters
    if path is None or not isinstance(path.get("sale"), str):
        return
    if called.endswith(("/cancel", "/fence", "/events")):
        if path["sale"] in OPEN_SALES:
            path["sale"] = SPARE if called.endswith("/cancel") else "nosuch"
    elif "/purchases" in called and re.fullmatch("[0-9a-f]{32}", path["sale"]):
        path["sale"] = FLASH
        if case.meta is None or case.meta.generation.mode is schemathesis.GenerationMode.POSITIVE:
            path["sale"] = fitted(called, case.body)
            if called.startswith("GET") or called.endswith("/confirm"):
                path["purchase"] = PURCHASES[path["sale"]]


def fitted(called: str, body: Any) -> str:
    """The sale for a good body, which is completed: bids in the auction's currency, a confirmation by who bought. The
    gateway that is asked takes no claims of a buyer's home, as a gateway may.
    """
    if called.endswith("/confirm"):
        body["buyer"] = "first"
        return RESERVATION
    if not called.endswith("/purchases") or not isinstance(body, dict):
        return FLASH
    body.pop("home", None)
    if "price" in body:
        body["currency"] = "EUR"
        return AUCTION
    body.pop("currency", None)
    return RESERVATION if len(body["buyer"]) % 2 else FLASH


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
