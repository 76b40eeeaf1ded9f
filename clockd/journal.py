"""The journal: every update with the raw timestamps behind it, one JSON object a line, bounded in size.

With it anybody can compute every bound again: `start` says what was stated, `update` what each source said since the
last one and what followed, `broke` that everything before is worth nothing, and `state`, now and then, all that the
daemon goes on from, so that a reader of an excerpt need not begin at the beginning. Nanoseconds are decimal strings: a
double holds them to 256 ns only. When a file is full it becomes `.1`, `.1` becomes `.2`, and the oldest is gone. What
cannot be written (a full disk) stops the journal with a warning, and never the time; it goes on by itself when there is
room, with a whole line. Next: `docs/clock-page.md` names the fields.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from clockd.ntp.exchange import Exchange
from clockd.tracking import Belief
from model.track import Oscillator, Track, straight

FILES: Final = 4
Record = dict[str, object]

log = structlog.get_logger()


def start_record(
    host: str, boot: bytes, sources: list[str], oscillator: Oscillator, update: int, raw_ns: int
) -> Record:
    """What a daemon begins with; `update` is the last number that any evidence had before it."""
    return {
        "type": "start",
        "host": host,
        "boot": boot.hex(),
        "sources": sources,
        "drift_ppb": oscillator.drift_ppb,
        "wander_ppt_s": oscillator.wander_ppt_s,
        "update": update,
        "raw_ns": str(raw_ns),
    }


def update_record(belief: Belief, heard: dict[str, Exchange], counted: int, oscillator: Oscillator) -> Record:
    """A belief and what was heard since the last one."""
    record: Record = {
        "type": "update",
        "update": belief.update,
        "state": str(belief.state),
        "why": str(belief.why),
        "sources": belief.sources,
        "agreeing": belief.agreeing,
        "counted": counted,
        "wander_ppt_s": oscillator.wander_ppt_s,
        "heard": [_heard(name, exchange) for name, exchange in heard.items()],
    }
    if belief.track is not None:
        line = straight(belief.track)
        record |= {
            "raw_ns": str(line.as_of_raw_ns),
            "utc_minus_raw_ns": str(line.offset_ns),
            "bound_ns": str(line.bound_ns),
            "rate_ppt": line.rate_ppt,
            "rate_bound_ppt": line.rate_bound_ppt,
        }
    return record


def state_record(belief: Belief, voices: Mapping[str, tuple[Track, Exchange]], oscillator: Oscillator) -> Record:
    """All that the daemon goes on from after an update, so that a reader may begin here: what it believes, and of each
    source what is possible by it and its newest exchange."""
    return {
        "type": "state",
        "update": belief.update,
        "wander_ppt_s": oscillator.wander_ppt_s,
        "belief": None if belief.track is None else _track(belief.track),
        "voices": [
            {"track": _track(track), "newest": _heard(name, newest)} for name, (track, newest) in voices.items()
        ],
    }


def _track(track: Track) -> Record:
    """Offsets in picoseconds and rates in parts per trillion at the corners, and the interval by drift alone."""
    return {
        "raw_ns": str(track.as_of_raw_ns),
        "pairs": [[str(offset_ps), rate_ppt] for offset_ps, rate_ppt in track.pairs],
        "loose": [str(track.loose.earliest_ns), str(track.loose.latest_ns)],
    }


def broke_record(why: str, update: int, raw_ns: int) -> Record:
    """Everything before is worth nothing."""
    return {"type": "broke", "why": why, "update": update, "raw_ns": str(raw_ns)}


def _heard(name: str, exchange: Exchange) -> Record:
    return {
        "source": name,
        "address": exchange.address[0],
        "t1_raw_ns": str(exchange.sent_raw_ns),
        "t2_ns": str(exchange.server_received_ns),
        "t3_ns": str(exchange.server_sent_ns),
        "t4_raw_ns": str(exchange.received_raw_ns),
        "distance_ns": str(exchange.distance_ns),
        "stratum": exchange.stratum,
        "reference_id": f"{exchange.reference_id:08x}",
        "leap": exchange.leap,
    }


class Journal:
    """Appends records to a file and its predecessors.

    Args:
        most_bytes: of each of the four files.
    """

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._path, self._most_bytes = path, most_bytes
        self._stopped = False

    def append(self, records: list[Record]) -> None:
        """Write what there is to write; a failure is a warning, once."""
        if not records:
            return
        lines = "".join(json.dumps(each, separators=(",", ":"), sort_keys=True) + "\n" for each in records).encode()
        try:
            self._append(lines)
        except OSError as error:
            if not self._stopped:
                log.warning("journal_stopped", path=str(self._path), reason=error.strerror)
            self._stopped = True
            return
        if self._stopped:
            log.warning("journal_goes_on", path=str(self._path))
        self._stopped = False

    def _append(self, lines: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists() and self._path.stat().st_size + len(lines) > self._most_bytes:
            self._rotate()
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            before = os.fstat(file).st_size
            written = os.write(file, lines)
            if written < len(lines):
                os.ftruncate(file, before)  # no half a line: what follows must be read as lines again
                raise OSError(0, "no room")
        finally:
            os.close(file)

    def _rotate(self) -> None:
        if not self._path.is_file():
            return
        for number in range(FILES - 2, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
