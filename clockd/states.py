"""The four states of a clock, and what each event makes of each: one table, total. Pure.

                    evidence agrees   nothing new for long   something it rests on broke
    unknown         synchronized      unknown                disrupted
    synchronized    synchronized      free_running           disrupted
    free_running    synchronized      free_running           disrupted
    disrupted       synchronized      disrupted              disrupted

`synchronized` and `free_running` have a time, the other two have none. What breaks: evidence that contradicts what was
believed, a suspend, a leap second, another virtual machine's clock. Numbers are ClockBound's. Next: `tracking.py`.
"""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """What the host's time is worth; in the order of ClockBound's status numbers."""

    UNKNOWN = "unknown"
    SYNCHRONIZED = "synchronized"
    FREE_RUNNING = "free_running"
    DISRUPTED = "disrupted"

    @property
    def number(self) -> int:
        """ClockBound's status."""
        return STATES.index(self)

    @property
    def has_time(self) -> bool:
        """Whether there is a time at all."""
        return self in {State.SYNCHRONIZED, State.FREE_RUNNING}


STATES: Final = tuple(State)


class Event(StrEnum):
    """What can happen to a belief."""

    AGREED = "agreed"
    AGED = "aged"
    BROKE = "broke"


class Why(StrEnum):
    """What was wrong at the last look at the evidence; empty when nothing was. In the order of the page's numbers."""

    NOTHING = ""
    SILENT = "silent"  # too few sources were heard lately to know anything new
    SPLIT = "split"  # too few of them agree with each other
    WANDER = "wander"  # the oscillator's rate changed faster than stated; the bound now rests on the drift alone
    STEP = "step"  # most sources contradict what each said before: this clock jumped, or the world's did
    LIARS = "liars"  # a majority now says what contradicts the majority before, without having changed: too many lie
    SUSPEND = "suspend"  # this host slept
    LEAP = "leap"  # a leap second: Unix time says one second twice
    MACHINE = "machine"  # the virtual machine was moved or restored


WHYS: Final = tuple(Why)

_U, _S, _F, _D = STATES
NEXT: Final = {
    (_U, Event.AGREED): _S,
    (_U, Event.AGED): _U,
    (_U, Event.BROKE): _D,
    (_S, Event.AGREED): _S,
    (_S, Event.AGED): _F,
    (_S, Event.BROKE): _D,
    (_F, Event.AGREED): _S,
    (_F, Event.AGED): _F,
    (_F, Event.BROKE): _D,
    (_D, Event.AGREED): _S,
    (_D, Event.AGED): _D,
    (_D, Event.BROKE): _D,
}
