"""A million who wait: memory, and how long a restarted arbiter needs until it knows them all again.

Everybody enters a lobby before the opening, so nothing can be decided and nothing forgotten. Then the arbiter is
killed and started again; it is back when its pulse says that it has read what was logged. Then the sale opens, and all
are in one pot.
"""

import time
from typing import Final

from service.bench.arbiter_stage import arbiter_stage, peak_mib, running_seconds
from service.bench.frame import Effort, Found, Reading, Rival, take_turns
from service.bench.stage import wait_until

WAITING: Final = 1_000_000
QUICK_WAITING: Final = 30_000
STOCK: Final = 10_000
_LONG_SECONDS: Final = 240.0

BACK: Final = "until a restarted arbiter is back"
READ: Final = "memory while all wait"
REPLAYED: Final = "memory after the restart"
DRAWN: Final = "memory when all were in one pot"
OPENING: Final = "from the opening's marks to the last record"


def measure(effort: Effort) -> Found:
    """A sale a round."""
    waiting = QUICK_WAITING if effort.quick else WAITING
    name = f"{waiting:,} in a lobby"
    rounds = take_turns(
        [Rival(name, lambda: _wait(waiting))],
        Effort(min(effort.rounds, 2), effort.seconds, effort.quick, effort.tell),
    )
    goals = {BACK: "< 10", READ: "< 400", REPLAYED: "< 400", DRAWN: "< 400", OPENING: ""}
    return Found(
        [rounds.figure(name, what, goal) for what, goal in [*goals.items(), ("processor time to come back", "")]],
        ["memory is the most that the arbiter's process ever had in use (VmHWM), everything included"],
    )


def _wait(waiting: int) -> list[Reading]:
    with arbiter_stage() as stage:
        terms = stage.publish(stock=STOCK, lobby_seconds=3_600)
        with stage.stopped():
            stage.fill(terms, waiting)
        of_first = -(-waiting // len(stage.regions))
        wait_until(lambda: stage.counted(terms) == of_first, "the arbiter to read all", _LONG_SECONDS)
        read_mib = peak_mib(stage.pid)
        stage.kill()
        began = time.monotonic()
        stage.start()
        wait_until(lambda: stage.counted(terms) == of_first, "the arbiter to be back", _LONG_SECONDS)
        back_seconds, used_seconds = time.monotonic() - began, running_seconds(stage.pid)
        replayed_mib = peak_mib(stage.pid)
        began = time.monotonic()
        stage.raise_marks(terms)
        stage.wait_until_over(terms)
        return [
            Reading(BACK, back_seconds, "s"),
            Reading("processor time to come back", used_seconds, "s"),
            Reading(READ, read_mib, "MiB"),
            Reading(REPLAYED, replayed_mib, "MiB"),
            Reading(DRAWN, peak_mib(stage.pid), "MiB"),
            Reading(OPENING, time.monotonic() - began, "s"),
        ]
