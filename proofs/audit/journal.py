"""One host's clock journal, computed again: from raw timestamps to what its daemon said of UTC, update by update.

The journal tells each exchange with a time source by its four times (`docs/clock-page.md`); `daemon.py` says what must
be believed after them. An update whose line does not come out to the nanosecond is a finding.

What can be computed: everything after a `start`, which states drift, wander and sources and where a daemon begins
from nothing, and after a `broke`. An excerpt has the `start`, and then a `state` from some time before the sale: all
that the daemon went on from. That first state is taken as it is stated, as far as it agrees with the exchanges that it
rests on; everything after it is computed, every later state too. Where an excerpt begins without one (its daemon is of
an older version) a line is only held against what the newest exchanges allow. The report tells the three apart.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from model.clock import Line
from model.track import Oscillator
from proofs.audit.clock_records import MOST_SOURCES, expect_fields, number, read_exchange, read_state, small
from proofs.audit.daemon import Daemon, advanced, expect_agreement, expect_same_state, forget, go_on_from, hear, told
from proofs.findings import FindingError, shortened

RECOMPUTED: Final = "an update's line is what follows from the exchanges in the journal"


@dataclass(frozen=True, slots=True)
class Said:
    """What one update said: its line, and what was stated of the oscillator. `line` is None where there was no time."""

    number: int
    at: int
    """The line of the file, from 1."""
    line: Line | None
    drift_ppb: int
    wander_ppt_s: int
    is_recomputed: bool
    rests_on_state: bool
    """Whether it follows from a state that was stated, since what that follows from is not in the journal."""
    is_local: bool
    """Whether the host's own clock was taken for true because its operator said so."""


def read_journal(file: str, host: str, lines: Iterable[bytes]) -> Iterator[Said]:
    """Every update of a journal, recomputed where that can be done.

    Raises:
        FindingError: the first record that is malformed, out of order, or not what follows from the exchanges.
    """
    daemon = Daemon(file, host)
    for at, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            said = _take(daemon, at, record)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            rule = "every line is a record of a clock journal"
            raise FindingError(file, at, rule, f"{type(error).__name__}: {error}") from error
        if said is not None:
            yield said


def _take(daemon: Daemon, at: int, record: dict[str, Any]) -> Said | None:
    match record["type"]:
        case "start":
            expect_fields(record, {"type", "host", "boot", "sources", "drift_ppb", "wander_ppt_s", "update", "raw_ns"})
            if record["host"] != daemon.host:
                rule = "a journal is of the host that its file is named after"
                raise FindingError(daemon.file, at, rule, shortened(str(record["host"])), daemon.host)
            daemon.oscillator = Oscillator(small(record["drift_ppb"]), small(record["wander_ppt_s"]))
            daemon.sources = tuple(record["sources"])
            if not all(isinstance(name, str) for name in daemon.sources) or len(daemon.sources) > MOST_SOURCES:
                raise ValueError("sources")
            number(record["raw_ns"])
            daemon.started_after = small(record["update"])
            daemon.is_complete, daemon.update = True, None
            forget(daemon)
        case "broke":
            expect_fields(record, {"type", "why", "update", "raw_ns"})
            _expect_next(daemon, at, record["update"])
            number(record["raw_ns"])
            daemon.is_complete = bool(daemon.sources)
            forget(daemon)
            return _said(daemon, at, is_recomputed=daemon.is_complete)
        case "update":
            return _update(daemon, at, record)
        case "state":
            state = read_state(record)
            if daemon.is_complete and daemon.update is not None:
                expect_same_state(daemon, at, state)
                return None
            is_news = daemon.update is None
            go_on_from(daemon, at, state)
            if is_news:
                return _said(daemon, at, is_recomputed=False)
        case other:
            raise ValueError(f"no journal has records of type {shortened(str(other))}")
    return None


def _update(daemon: Daemon, at: int, record: dict[str, Any]) -> Said:
    has_time = "raw_ns" in record
    timed = {"raw_ns", "utc_minus_raw_ns", "bound_ns", "rate_ppt", "rate_bound_ppt"} if has_time else set()
    expect_fields(
        record,
        {"type", "update", "state", "why", "sources", "agreeing", "counted", "wander_ppt_s", "heard"} | timed,
    )
    line = None
    if has_time:
        line = Line(
            number(record["raw_ns"]),
            number(record["utc_minus_raw_ns"]),
            number(record["bound_ns"]),
            small(record["rate_ppt"]),
            small(record["rate_bound_ppt"]),
        )
        if daemon.line is not None and line.as_of_raw_ns < daemon.line.as_of_raw_ns:
            raise FindingError(daemon.file, at, "updates are in order of time", f"{line.as_of_raw_ns}")
    heard = [read_exchange(each) for each in record["heard"]]
    update, before = small(record["update"]), daemon.update
    wander_ppt_s = small(record["wander_ppt_s"])
    moved = before is None or update != before
    if moved:
        _expect_next(daemon, at, update)
    elif line != daemon.line:
        raise FindingError(daemon.file, at, "an update keeps its number only where nothing changed", f"update {update}")
    is_local = any(each.address == "local" for each in heard)
    daemon.update = update
    if daemon.started_after is not None:
        daemon.is_complete = update <= daemon.started_after + 1
        daemon.started_after = None
    if daemon.oscillator is None or not daemon.is_complete:
        daemon.oscillator = replace(daemon.oscillator or Oscillator(0, 0), wander_ppt_s=wander_ppt_s)
        expect_agreement(daemon, at, heard, line)
        daemon.line = line
        return _said(daemon, at, is_recomputed=False, is_local=is_local)
    for each in heard:
        hear(daemon, at, each)
    expected = advanced(daemon, record, line, moved)
    if daemon.oscillator.wander_ppt_s != wander_ppt_s:
        raise FindingError(
            daemon.file, at, "the wander that is believed is the stated one, or less sure where that was broken",
            f"{wander_ppt_s}", f"{daemon.oscillator.wander_ppt_s}",
        )  # fmt: skip
    if line != expected:
        raise FindingError(daemon.file, at, RECOMPUTED, told(line), told(expected))
    daemon.line = line
    return _said(daemon, at, is_recomputed=True, is_local=is_local)


def _said(daemon: Daemon, at: int, *, is_recomputed: bool, is_local: bool = False) -> Said:
    known = daemon.oscillator or Oscillator(0, 0)
    return Said(
        daemon.update or 0,
        at,
        daemon.line,
        known.drift_ppb,
        known.wander_ppt_s,
        is_recomputed,
        daemon.rests_on_state,
        is_local,
    )


def _expect_next(daemon: Daemon, at: int, number: object) -> None:
    if daemon.update is not None and number != daemon.update + 1:
        rule = "updates are numbered without gaps"
        raise FindingError(daemon.file, at, rule, shortened(str(number)), f"{daemon.update + 1}")
    daemon.update = small(number)
