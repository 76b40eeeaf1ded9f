"""Waiting for what other processes do: by what they say, never by how long they should need."""

import time
from collections.abc import Callable
from typing import Any

POLL_SECONDS = 0.02


def until(condition: Callable[[], Any], seconds: float = 60, what: str = "it") -> Any:
    """What a condition gives, once it gives something. It is given long, since a busy machine is no fault.

    Raises:
        AssertionError: it gave nothing for so long.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} never came true"
        time.sleep(POLL_SECONDS)
    return found
