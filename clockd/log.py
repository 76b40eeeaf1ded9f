"""The log: one event a line on standard error, with what to do about it; for people on a terminal, JSON otherwise."""

import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

ADVICE: Final = {
    "journal_stopped": "make room on that disk: the time goes on, its evidence does not",
    "leap": "nothing: exchanges begin anew after it",
    "local_reference": "for trying things out only: name real sources for a sale that matters",
    "machine_moved": "nothing for now; keep this machine where it is while a sale is open (runbook ClockDisrupted)",
    "source_contradicts_itself": "nothing once; if it does so again, replace it (runbook ClockFalseticker)",
    "source_has_no_source": "it tells its own clock: give it a source, or refuse it with --refuse-local-servers",
    "source_rejected": "see the reason; kiss_deny and kiss_rate are its operator's wish (runbook ClockSourceLost)",
    "suspended": "keep hosts of a sale from sleeping (runbook ClockDisrupted)",
    "the webhook was not taken; trying again": "look at the receiver; the newest state is sent until it is taken",
    "wander_broken": "runbook ClockWanders",
}
"""What to do about each event that asks for something; a test holds that every warning has an entry."""


def advise(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: what to do, beside what happened."""
    known = ADVICE.get(str(line.get("event")))
    if known is not None:
        line["todo"] = known
    return line


def to_standard_error() -> None:
    """Set structlog up for a process; called once by a command."""
    people = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            advise,
            structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
