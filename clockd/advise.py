"""Which ε a sale may ask for: from journals, how long each host's bound was above each ε. Pure but for reading files.

Every update in a journal is a line: an offset with a bound that grows by what is stated until the next update. So the
bound at any moment of the past can be computed again, and with it what part of the time purchases would have been
refused under an ε, had there been any. Time without any bound (a break, a daemon that was away for longer than its page
holds) is told apart: no ε helps against it.

The advice: the least ε, of 1, 2 and 5 times a power of ten, under which the worst host would have refused in at most a
stated part of the time, and which is twice the bound for 99 % of it, so that the warning at half of ε means something.
W is 2ε, the least that a sale may have; the intake grace must be above 2ε, and 4ε leaves as much again for the way.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from clockd.journal import FILES
from clockd.page import VALID_FOR_NS
from model.clock import Line, stamp

CANDIDATES_NS: Final = tuple(digit * 10**power for power in range(5, 10) for digit in (1, 2, 5))[:13]
"""From 100 µs to 1 s."""
LOOKS: Final = 16
"""At the bound between two updates; it grows steadily, so few are enough."""
QUIET_PART: Final = 0.99
LEAST_GRACE_NS: Final = 200_000_000


class JournalError(Exception):
    """A file is no journal. The message says which, where and why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some time with one bound; None: there was no time."""

    bound_ns: int | None
    lasted_ns: int


@dataclass(frozen=True, slots=True)
class HostAdvice:
    """What one host's journal says. Parts are of the time that it covers."""

    host: str
    covered_ns: int
    without_time_part: float
    median_bound_ns: int | None
    worst_bound_ns: int | None
    refused_part: dict[int, float]
    """By ε, of the time in which there was a bound: how much of it was above."""
    warned_part: dict[int, float]
    """By ε: how much was above half."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What is recommended; None where no ε that is looked at would do."""

    hosts: list[HostAdvice]
    refuse_at_most: float
    skew_bound_ns: int | None
    tie_window_ns: int | None
    intake_grace_ns: int | None

    def fields(self) -> dict[str, Any]:
        """For JSON; nanoseconds as decimal strings."""
        shown = asdict(self)
        for host in shown["hosts"]:
            for name in ("refused_part", "warned_part"):
                host[name] = {str(skew): part for skew, part in host[name].items()}
        return {
            name: str(value) if name.endswith("_ns") and value is not None else value for name, value in shown.items()
        }


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a journal and of the files that it was cut into, oldest first.

    Raises:
        JournalError: a file cannot be read, or a line is no record.
    """
    files = [path.with_name(f"{path.name}.{number}") for number in range(FILES - 1, 0, -1)]
    for file in [*(each for each in files if each.exists()), path]:
        try:
            with file.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, start=1):
                    try:
                        record = json.loads(line)
                        if not isinstance(record, dict) or "type" not in record:
                            raise ValueError("no record")
                    except ValueError as error:
                        raise JournalError(f"{file}, line {number}: {error}") from error
                    yield record
        except (OSError, UnicodeDecodeError) as error:
            raise JournalError(f"{file}: {error}") from error


def pieces(records: Iterable[dict[str, Any]]) -> Iterator[Piece]:
    """What the bound was, and for how long, from the first update on."""
    line: Line | None = None
    line_ends_ns = drift_ppb = wander_ppt_s = 0
    known_until_ns: int | None = None
    for record in records:
        at_ns = int(record.get("raw_ns", known_until_ns or 0))
        if record["type"] == "start":
            if known_until_ns is not None and at_ns < known_until_ns:
                line, known_until_ns = None, None  # another boot: its RAW began anew
            drift_ppb, wander_ppt_s = int(record["drift_ppb"]), int(record["wander_ppt_s"])
            line_ends_ns = at_ns if line is None else line.as_of_raw_ns + VALID_FOR_NS
        if known_until_ns is not None and at_ns > known_until_ns:
            yield from _between(line, known_until_ns, at_ns, line_ends_ns, (drift_ppb, wander_ppt_s))
        if record["type"] == "broke":
            line = None
        elif record["type"] == "update" and "bound_ns" in record:
            wander_ppt_s = int(record["wander_ppt_s"])
            line = Line(
                int(record["raw_ns"]),
                int(record["utc_minus_raw_ns"]),
                int(record["bound_ns"]),
                int(record["rate_ppt"]),
                int(record["rate_bound_ppt"]),
            )
            line_ends_ns = 1 << 62  # the daemon lives: it publishes every second
        if line is not None or known_until_ns is not None:
            known_until_ns = max(at_ns, known_until_ns or 0)


def _between(
    line: Line | None, from_ns: int, to_ns: int, line_ends_ns: int, oscillator: tuple[int, int]
) -> Iterator[Piece]:
    """The time between two records."""
    last_ns = from_ns if line is None else max(from_ns, min(to_ns, line_ends_ns))
    if line is not None and last_ns > from_ns:
        step_ns = -(-(last_ns - from_ns) // LOOKS)
        for begins_ns in range(from_ns, last_ns, step_ns):
            ends_ns = min(begins_ns + step_ns, last_ns)
            yield Piece(stamp(line, ends_ns, 0, *oscillator)[1], ends_ns - begins_ns)
    if to_ns > last_ns:
        yield Piece(None, to_ns - last_ns)


def weigh(host: str, found: Sequence[Piece]) -> HostAdvice:
    """What one host's time amounts to."""
    covered_ns = sum(piece.lasted_ns for piece in found)
    bounded = sorted((piece.bound_ns, piece.lasted_ns) for piece in found if piece.bound_ns is not None)
    bounded_ns = sum(lasted_ns for _, lasted_ns in bounded)

    def part_above(limit_ns: float) -> float:
        return sum(lasted_ns for bound_ns, lasted_ns in bounded if bound_ns > limit_ns) / max(bounded_ns, 1)

    middle_ns, passed_ns = None, 0
    for bound_ns, lasted_ns in bounded:
        passed_ns += lasted_ns
        if 2 * passed_ns >= bounded_ns:
            middle_ns = bound_ns
            break
    return HostAdvice(
        host,
        covered_ns,
        (covered_ns - bounded_ns) / max(covered_ns, 1),
        middle_ns,
        bounded[-1][0] if bounded else None,
        {skew_ns: part_above(skew_ns) for skew_ns in CANDIDATES_NS},
        {skew_ns: part_above(skew_ns / 2) for skew_ns in CANDIDATES_NS},
    )


def advise(hosts: Sequence[HostAdvice], refuse_at_most: float) -> Advice:
    """What to put into a sale's terms."""
    for skew_ns in CANDIDATES_NS:
        refuses = max(host.refused_part[skew_ns] for host in hosts)
        warns = max(host.warned_part[skew_ns] for host in hosts)
        if refuses <= refuse_at_most and warns <= 1 - QUIET_PART:
            return Advice(list(hosts), refuse_at_most, skew_ns, 2 * skew_ns, max(LEAST_GRACE_NS, 4 * skew_ns))
    return Advice(list(hosts), refuse_at_most, None, None, None)
