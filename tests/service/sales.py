"""The sales that tests of a gateway ask about, and how tests publish their own."""

from dataclasses import dataclass
from itertools import count
from typing import Any

from whenever import Instant, TimeDelta

from tests.patience import until
from tests.service.caller import Gateway

MILLISECOND = 1_000_000
_numbers = count()


def fresh(prefix: str = "buyer") -> str:
    """A buyer's pseudonym that no other test uses."""
    return f"{prefix}-{next(_numbers)}"


def terms(opens_in: float, lasts: float = 3600.0, **fields: Any) -> dict[str, Any]:
    """Terms of a sale that opens some seconds from now."""
    opens = (Instant.now() + TimeDelta(seconds=opens_in)).round("millisecond")
    return {
        "title": fresh("Sale"),
        "stock": 10,
        "opens": opens.format_iso(),
        "closes": (opens + TimeDelta(seconds=lasts)).format_iso(),
        "regions": ["here"],
        "skew_bound_ns": str(50 * MILLISECOND),
        **fields,
    }


def publish(gateway: Gateway, stated: dict[str, Any]) -> str:
    """Publish a sale, as whoever is told to try again does; returns its id."""
    key = fresh("publishing")
    answer = until(
        lambda: (told := gateway.call("POST", "/v1/sales", stated, idempotency_key=key)).status != 503 and told
    )
    assert answer.status == 201, answer
    return str(answer.json["id"])


@dataclass(frozen=True)
class Sales:
    """One sale in every state."""

    early: str
    """Opens in an hour."""
    open: str
    """Open for an hour, with more stock than tests buy."""
    elsewhere: str
    """Sold in the region `there` only."""
    sharp: str
    """Open, with a skew bound that no clock here keeps."""
    sold_out: str
    """The buyer `first` has the only unit."""
    closed: str
    """The time is over; the buyer `punctual` has a unit."""
    cancelled: str
    """Cancelled for the reason `wrong price`; the buyer `unlucky` had an entry."""
