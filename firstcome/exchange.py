"""The words that a call and its shell speak with each other. No I/O here, nor in whatever uses these words.

A call is a generator. It yields a step, what it wants done (`Ask` this, `Pause` that long), and is sent what came of it
(a `Reply`, or that it was `Lost`), until it returns its result. So what is asked, what an answer means, and whether to
ask again are written once, and can be tried without a network; a shell (`client.py`) carries steps out, one by waiting,
the other by awaiting. httpx's authentication flows work the same way.

Moments are nanoseconds of the shell's monotonic clock: they tell how long something took, and no time of day.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from firstcome.records import Event
from model.vocabulary import NANOSECONDS_IN_SECOND

SECOND_NS: Final = NANOSECONDS_IN_SECOND
ANSWER_NS: Final = 10 * SECOND_NS
"""A gateway answers within milliseconds, or within what it is asked to wait; after so much more nobody will."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Make this request. Comes back as a `Reply` or as `Lost`."""

    method: str
    path: str
    """From the gateway's root; or a whole URL, where a gateway has sent us elsewhere."""
    body: Any = None
    """Goes as JSON; None for none."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    within_ns: int = ANSWER_NS
    """How long the answer may take, or the next piece of it."""
    waits_ns: int = 0
    """How long the gateway is asked to wait before it answers: on top of that, and of anybody's patience."""
    into: Path | None = None
    """The file that the body of a 200 goes to, whole or not at all; the reply's own is then empty."""


@dataclass(frozen=True, slots=True)
class Open:
    """Make this request and keep its answer open, for `Listen`. Comes back as `Opened`, `Reply` (refused) or `Lost`."""

    ask: Ask


@dataclass(frozen=True, slots=True)
class Listen:
    """Wait for the next event of what is open. Comes back as `Said`, or as `Lost` where there is no more."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Give this event to who follows the sale. Comes back as `Woken`."""

    event: Event


@dataclass(frozen=True, slots=True)
class Pause:
    """Let a time pass, by chance between these two. Comes back as `Woken`."""

    least_ns: int
    most_ns: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. Names of headers are in lower case."""

    at_ns: int
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer, or no whole one: whatever was asked for may have been done, or not."""

    at_ns: int
    why: str


@dataclass(frozen=True, slots=True)
class Opened:
    """Events may come."""

    at_ns: int


@dataclass(frozen=True, slots=True)
class Said:
    """A server-sent event."""

    at_ns: int
    id: str
    type: str
    data: str


@dataclass(frozen=True, slots=True)
class Woken:
    """Time has passed."""

    at_ns: int


Step: TypeAlias = Ask | Open | Listen | Tell | Pause
Heard: TypeAlias = Reply | Lost | Opened | Said | Woken

T = TypeVar("T")
Call: TypeAlias = Generator[Step, Heard, T]
"""A call that comes to a T."""


def asked(ask: Ask) -> Call[Reply]:
    """What a gateway answered: one that is no problem, since `persist` raises those into the call."""
    heard = yield ask
    assert isinstance(heard, Reply)
    return heard


def paused(least_ns: int, most_ns: int) -> Call[int]:
    """The moment after a pause."""
    heard = yield Pause(least_ns, most_ns)
    return heard.at_ns
