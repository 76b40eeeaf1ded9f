"""Requests that dawdle from the first test of a gateway on, so that nobody has to wait for them."""

import time
from collections.abc import Iterator

import pytest

from tests.service.caller import KINDS, Caller, Gateway
from tests.service.sales import Sales


@pytest.fixture(scope="session", autouse=True)
def dawdlers(here: Gateway, sales: Sales) -> Iterator[dict[str, tuple[Caller, float]]]:
    """By who serves them: requests that will never be whole, and when they began."""
    begun = here.request("POST", f"/v1/sales/{sales.open}/purchases", {"buyer": "dawdler"})[:-1]
    callers = {name: (connect(here), time.monotonic()) for name, connect in KINDS.items()}
    for caller, _ in callers.values():
        caller.say(begun)
    yield callers
    for caller, _ in callers.values():
        caller.__exit__()
