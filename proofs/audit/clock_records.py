"""The forms of a clock journal's records: exchanges and states as they are written, read strictly.

Nothing is computed here. What follows from them is `daemon.py`'s, in which order they may stand `journal.py`'s; the
fields are named in docs/clock-page.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from model import polygon
from model.clock import Interval, exchange_offset
from model.track import Track
from proofs.findings import shortened

MOST_SOURCES: Final = 64
MOST_CORNERS: Final = 64
"""Of a polygon; a daemon keeps hardly more than `track.CORNERS`."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange as the journal tells it."""

    source: str
    address: str
    sent_raw_ns: int
    server_received_ns: int
    server_sent_ns: int
    received_raw_ns: int
    distance_ns: int
    stratum: int
    reference_id: int

    def offset(self, reading_raw_ns: int, drift_ppb: int) -> Interval | None:
        """UTC − RAW by this exchange alone."""
        return exchange_offset(
            sent_raw_ns=self.sent_raw_ns,
            server_received_ns=self.server_received_ns,
            server_sent_ns=self.server_sent_ns,
            received_raw_ns=self.received_raw_ns,
            distance_ns=self.distance_ns,
            reading_raw_ns=reading_raw_ns,
            drift_ppb=drift_ppb,
        )


@dataclass(frozen=True, slots=True)
class Voice:
    """What one source says: what is possible by it, and the newest exchange behind that."""

    track: Track
    newest: Exchange


@dataclass(frozen=True, slots=True)
class State:
    """All that a daemon went on from after an update."""

    update: int
    wander_ppt_s: int
    belief: Track | None
    voices: Mapping[str, Voice]


def read_exchange(record: dict[str, Any]) -> Exchange:
    """An exchange of an update or a state.

    Raises:
        ValueError: it is none.
    """
    times = {"t1_raw_ns", "t2_ns", "t3_ns", "t4_raw_ns", "distance_ns"}
    expect_fields(record, {"source", "address", "stratum", "reference_id", "leap"} | times)
    reference_id = int(record["reference_id"], 16)
    if f"{reference_id:08x}" != record["reference_id"] or reference_id >= 2**32:
        raise ValueError("reference_id")
    small(record["leap"])
    return Exchange(
        str(record["source"]),
        str(record["address"]),
        number(record["t1_raw_ns"]),
        number(record["t2_ns"]),
        number(record["t3_ns"]),
        number(record["t4_raw_ns"]),
        number(record["distance_ns"]),
        small(record["stratum"]),
        reference_id,
    )


def read_state(record: dict[str, Any]) -> State:
    """A state record.

    Raises:
        ValueError: it is none.
    """
    expect_fields(record, {"type", "update", "wander_ppt_s", "belief", "voices"})
    if len(record["voices"]) > MOST_SOURCES:
        raise ValueError("voices")
    voices = {}
    for each in record["voices"]:
        expect_fields(each, {"track", "newest"})
        newest = read_exchange(each["newest"])
        if newest.source in voices:
            raise ValueError("voices")
        voices[newest.source] = Voice(_track(each["track"]), newest)
    belief = None if record["belief"] is None else _track(record["belief"])
    return State(small(record["update"]), small(record["wander_ppt_s"]), belief, voices)


def _track(record: dict[str, Any]) -> Track:
    expect_fields(record, {"raw_ns", "pairs", "loose"})
    pairs = tuple((number(offset), small(rate)) for offset, rate in record["pairs"])
    earliest_ns, latest_ns = map(number, record["loose"])
    if len(pairs) > MOST_CORNERS or earliest_ns > latest_ns or not pairs or polygon.hull(pairs) != pairs:
        raise ValueError("track")
    return Track(number(record["raw_ns"]), pairs, Interval(earliest_ns, latest_ns))


def expect_fields(record: dict[str, Any], fields: set[str]) -> None:
    """Raise ValueError where a record has not just these fields."""
    if record.keys() != fields:
        raise ValueError(f"fields {', '.join(sorted(record.keys() ^ fields))}")


def number(text: object) -> int:
    """A number in a decimal string: nanoseconds, of at most 20 digits, or picoseconds, of at most 24.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(text, str) or len(text) > 25 or str(int(text)) != text:
        raise ValueError(f"{shortened(str(text))} is not a decimal string")
    return int(text)


def small(value: object) -> int:
    """A whole number that JSON may hold.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**53:
        raise ValueError(f"{shortened(str(value))} is not a whole number")
    return value
