"""One host's clock journal, computed again: from raw timestamps to what its daemon said of UTC, update by update.

The journal tells each exchange with a time source by its four times (`docs/clock-page.md`). What is possible after them
is `model/track.py` and `model/clock.py`, the very functions that the daemon runs; around them this file does what
`clockd/tracking.py` does: a voice for each source, one voice for sources of one upstream, the hull of what n − f of
them agree on, joined with what was believed before. An update whose line does not come out to the nanosecond is a
finding.

What can be computed: everything after a `start`, which states drift, wander and sources, and where a daemon begins from
nothing, and after a `broke`. An excerpt has the `start` and then only the time around a sale: the first update in it
has not the number that follows the one in the `start`. From there to the next `broke` a line is only held against what
the newest exchanges allow (`_expect_agreement`), and the report says so. One thing the journal does not hold: when a
silent source stops counting. The record says how many were counted, so those heard of longest ago are left out until
the number fits.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from model import track
from model.clock import Interval, Line, exchange_offset, hull, intersect, tolerated_liars
from model.track import Broken, Oscillator, Track, straight
from proofs.findings import FindingError, shortened

WANDER_DISTRUST: Final = 8
"""A stated wander that was broken is believed this many times less, as the daemon does."""
GREATEST_WANDER: Final = 2**32 - 1
MOST_SOURCES: Final = 64
NO_UPSTREAM: Final = frozenset({0, *(int.from_bytes(name, "big") for name in (b"LOCL", b"PAGE", b"PTP\0", b"CHRN"))})
LOOPBACK_NET: Final = 127

RECOMPUTED: Final = "an update's line is what follows from the exchanges in the journal"


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
class Said:
    """What one update said: its line, and what was stated of the oscillator. `line` is None where there was no time."""

    number: int
    at: int
    """The line of the file, from 1."""
    line: Line | None
    drift_ppb: int
    wander_ppt_s: int
    is_recomputed: bool
    is_local: bool
    """Whether the host's own clock was taken for true because its operator said so."""


@dataclass(slots=True)
class _Voice:
    track: Track
    newest: Exchange


@dataclass(slots=True)
class _Daemon:
    """What the daemon behind a journal must have known."""

    file: str
    host: str
    oscillator: Oscillator | None = None
    sources: tuple[str, ...] = ()
    """In the order of the start record: the daemon asks them in this order, and rounding hangs on it."""
    is_complete: bool = False
    """Whether everything that was heard since the daemon began, or forgot, is in the journal."""
    started_after: int | None = None
    """When the daemon began, until its first update is read."""
    update: int | None = None
    belief: Track | None = None
    line: Line | None = None
    voices: dict[str, _Voice] = field(default_factory=dict)
    jumped: set[str] = field(default_factory=set)
    """Sources that have contradicted themselves since the belief last moved."""


def read_journal(file: str, host: str, lines: Iterable[bytes]) -> Iterator[Said]:
    """Every update of a journal, recomputed where that can be done.

    Raises:
        FindingError: the first record that is malformed, out of order, or not what follows from the exchanges.
    """
    daemon = _Daemon(file, host)
    for at, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            said = _take(daemon, at, record)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            rule = "every line is a record of a clock journal"
            raise FindingError(file, at, rule, f"{type(error).__name__}: {error}") from error
        if said is not None:
            yield said


def _take(daemon: _Daemon, at: int, record: dict[str, Any]) -> Said | None:
    match record["type"]:
        case "start":
            _expect_fields(record, {"type", "host", "boot", "sources", "drift_ppb", "wander_ppt_s", "update", "raw_ns"})
            if record["host"] != daemon.host:
                rule = "a journal is of the host that its file is named after"
                raise FindingError(daemon.file, at, rule, shortened(str(record["host"])), daemon.host)
            daemon.oscillator = Oscillator(_small(record["drift_ppb"]), _small(record["wander_ppt_s"]))
            daemon.sources = tuple(record["sources"])
            if not all(isinstance(name, str) for name in daemon.sources) or len(daemon.sources) > MOST_SOURCES:
                raise ValueError("sources")
            _number(record["raw_ns"])
            daemon.started_after = _small(record["update"])
            daemon.is_complete, daemon.update = True, None
            _forget(daemon)
        case "broke":
            _expect_fields(record, {"type", "why", "update", "raw_ns"})
            _expect_next(daemon, at, record["update"])
            _number(record["raw_ns"])
            daemon.is_complete = bool(daemon.sources)
            _forget(daemon)
            return Said(record["update"], at, None, *_stated(daemon), daemon.is_complete, is_local=False)
        case "update":
            return _update(daemon, at, record)
        case other:
            raise ValueError(f"no journal has records of type {shortened(str(other))}")
    return None


def _update(daemon: _Daemon, at: int, record: dict[str, Any]) -> Said:
    has_time = "raw_ns" in record
    timed = {"raw_ns", "utc_minus_raw_ns", "bound_ns", "rate_ppt", "rate_bound_ppt"} if has_time else set()
    _expect_fields(
        record,
        {"type", "update", "state", "why", "sources", "agreeing", "counted", "wander_ppt_s", "heard"} | timed,
    )
    line = None
    if has_time:
        line = Line(
            _number(record["raw_ns"]),
            _number(record["utc_minus_raw_ns"]),
            _number(record["bound_ns"]),
            _small(record["rate_ppt"]),
            _small(record["rate_bound_ppt"]),
        )
        if daemon.line is not None and line.as_of_raw_ns < daemon.line.as_of_raw_ns:
            raise FindingError(daemon.file, at, "updates are in order of time", f"{line.as_of_raw_ns}")
    heard = [_exchange(each) for each in record["heard"]]
    number, before = _small(record["update"]), daemon.update
    wander_ppt_s = _small(record["wander_ppt_s"])
    moved = before is None or number != before
    if moved:
        _expect_next(daemon, at, number)
    elif line != daemon.line:
        raise FindingError(daemon.file, at, "an update keeps its number only where nothing changed", f"update {number}")
    is_local = any(each.address == "local" for each in heard)
    daemon.update = number
    if daemon.started_after is not None:
        daemon.is_complete = number <= daemon.started_after + 1
        daemon.started_after = None
    if daemon.oscillator is None or not daemon.is_complete:
        daemon.oscillator = replace(daemon.oscillator or Oscillator(0, 0), wander_ppt_s=wander_ppt_s)
        _expect_agreement(daemon, at, heard, line)
        daemon.line = line
        return Said(number, at, line, *_stated(daemon), is_recomputed=False, is_local=is_local)
    for each in heard:
        _hear(daemon, at, each)
    expected = _advanced(daemon, record, line, moved)
    if daemon.oscillator.wander_ppt_s != wander_ppt_s:
        raise FindingError(
            daemon.file, at, "the wander that is believed is the stated one, or less sure where that was broken",
            f"{wander_ppt_s}", f"{daemon.oscillator.wander_ppt_s}",
        )  # fmt: skip
    if line != expected:
        raise FindingError(daemon.file, at, RECOMPUTED, _told(line), _told(expected))
    daemon.line = line
    return Said(number, at, line, *_stated(daemon), is_recomputed=True, is_local=is_local)


def _expect_agreement(daemon: _Daemon, at: int, heard: list[Exchange], line: Line | None) -> None:
    """A line whose past is not in the journal must still touch what enough of the newest exchanges allow."""
    assert daemon.oscillator is not None
    drift_ppb = daemon.oscillator.drift_ppb
    for each in heard:
        offset = each.offset(each.received_raw_ns, drift_ppb)
        if offset is not None and len(daemon.voices) <= MOST_SOURCES:
            begun = track.begin(each.received_raw_ns, offset, daemon.oscillator)
            daemon.voices[each.source] = _Voice(begun, each)
    newest = [voice.newest for voice in daemon.voices.values()]
    if line is None or not drift_ppb or any(each.received_raw_ns > line.as_of_raw_ns for each in newest):
        return
    allowed = [offset for each in newest if (offset := each.offset(line.as_of_raw_ns, drift_ppb)) is not None]
    needed = len(allowed) - tolerated_liars(max(1, len(daemon.sources)))
    among = hull(allowed, needed) if needed > 0 else None
    stated = Interval(line.offset_ns - line.bound_ns, line.offset_ns + line.bound_ns)
    if among is not None and intersect(among, stated) is None:
        rule = "an update's line agrees with enough of the exchanges that were heard last"
        raise FindingError(daemon.file, at, rule, _told(line), f"UTC − RAW in [{among.earliest_ns}, {among.latest_ns}]")


def _hear(daemon: _Daemon, at: int, newest: Exchange) -> None:
    """A source after one more exchange."""
    assert daemon.oscillator is not None
    voice = daemon.voices.get(newest.source)
    at_raw_ns = newest.received_raw_ns if voice is None else max(newest.received_raw_ns, voice.track.as_of_raw_ns)
    offset = newest.offset(at_raw_ns, daemon.oscillator.drift_ppb)
    if offset is None or newest.received_raw_ns < newest.sent_raw_ns:
        rule = "an exchange does not contradict itself"
        raise FindingError(daemon.file, at, rule, f"with {shortened(newest.source)}")
    if voice is None:
        if newest.source not in daemon.sources and daemon.sources:
            raise FindingError(daemon.file, at, "nobody is heard but the stated sources", shortened(newest.source))
        daemon.voices[newest.source] = _Voice(track.begin(at_raw_ns, offset, daemon.oscillator), newest)
        return
    before = track.later(voice.track, at_raw_ns, daemon.oscillator)
    now = track.narrowed(before, offset)
    if not isinstance(now, Track):
        if now is Broken.STEP:
            daemon.jumped.add(newest.source)
        else:
            daemon.jumped.discard(newest.source)
        left = intersect(before.loose, offset) if now is Broken.WANDER else None
        now = track.begin(at_raw_ns, left or offset, daemon.oscillator)
    voice.track, voice.newest = now, newest


def _advanced(daemon: _Daemon, record: dict[str, Any], line: Line | None, moved: bool) -> Line | None:
    """The line that follows; the daemon's belief moves with it."""
    assert daemon.oscillator is not None
    if not moved:
        return daemon.line
    if line is None:
        daemon.belief, daemon.jumped = None, set()
        return None if _may_break(daemon, record) else daemon.line
    now_raw_ns = line.as_of_raw_ns
    said = _voices(daemon, now_raw_ns, _small(record["sources"]))
    needed = len(said) - tolerated_liars(max(1, len(daemon.sources) - _echoes(daemon)))
    if needed <= 0:
        return None
    loose = hull([each.loose for each in said], needed)
    if loose is None:
        return None
    now = track.agreed(said, needed)
    if daemon.belief is not None:
        before = track.later(daemon.belief, now_raw_ns, daemon.oscillator)
        left = intersect(loose, before.loose)
        if left is None:
            return None
        loose = left
        joined = track.both(before, now) if now is not None else Broken.WANDER
        now = joined if isinstance(joined, Track) else None
    if now is None:
        now = track.begin(now_raw_ns, loose, daemon.oscillator)
        wander_ppt_s = min(max(daemon.oscillator.wander_ppt_s, 1) * WANDER_DISTRUST, GREATEST_WANDER)
        daemon.oscillator = replace(daemon.oscillator, wander_ppt_s=wander_ppt_s)
    daemon.belief, daemon.jumped = now, set()
    return straight(now)


def _may_break(daemon: _Daemon, record: dict[str, Any]) -> bool:
    """Whether a daemon may have lost its time here: it says why. To say so too often is no lie about the time."""
    return record["why"] in {"step", "liars"} and daemon.is_complete


def _voices(daemon: _Daemon, now_raw_ns: int, counted: int) -> list[Track]:
    """What each upstream says now, by its most precise member; of as many upstreams as the record counted."""
    assert daemon.oscillator is not None
    groups = _groups(daemon)
    by_age = sorted(groups, key=lambda name: daemon.voices[name].newest.received_raw_ns)
    while by_age and len({groups[name] for name in by_age}) > counted:
        del by_age[0]
    best: dict[str, tuple[int, str, Track]] = {}
    for name in groups:
        if name not in by_age:
            continue
        voice = daemon.voices[name]
        now = track.later(voice.track, now_raw_ns, daemon.oscillator)
        offset = track.extent(now)
        mine = (offset.latest_ns - offset.earliest_ns, name, now)
        best[groups[name]] = min(best.get(groups[name], mine), mine)
    return [now for _, _, now in best.values()]


def _echoes(daemon: _Daemon) -> int:
    """How many of the sources only repeat another one's upstream."""
    return sum(name != speaker for name, speaker in _groups(daemon).items())


def _groups(daemon: _Daemon) -> dict[str, str]:
    """By source that was ever heard, in their stated order, who speaks for it."""
    return _upstreams({name: daemon.voices[name].newest for name in daemon.sources if name in daemon.voices})


def _upstreams(newest: dict[str, Exchange]) -> dict[str, str]:
    """Who speaks for whom: two servers with one reference id follow one clock, and so do a server and its client."""
    speaker = {name: name for name in newest}

    def root(name: str) -> str:
        while speaker[name] != name:
            name = speaker[name]
        return name

    first: dict[int, str] = {}
    for name, exchange in newest.items():
        own = _address_id(exchange.address)
        if own is not None and own >> 24 != LOOPBACK_NET:
            first.setdefault(own, name)
    for name, exchange in newest.items():
        upstream = exchange.reference_id
        if exchange.stratum < 2 or upstream in NO_UPSTREAM or upstream >> 24 == LOOPBACK_NET:
            continue
        other = root(first.setdefault(upstream, name))
        speaker[max(other, root(name))] = min(other, root(name))
    return {name: root(name) for name in newest}


def _address_id(address: str) -> int | None:
    parts = address.split(".")
    return int.from_bytes(bytes(map(int, parts)), "big") if len(parts) == 4 else None


def _forget(daemon: _Daemon) -> None:
    daemon.belief = daemon.line = None
    daemon.voices, daemon.jumped = {}, set()


def _stated(daemon: _Daemon) -> tuple[int, int]:
    known = daemon.oscillator
    return (0, 0) if known is None else (known.drift_ppb, known.wander_ppt_s)


def _expect_next(daemon: _Daemon, at: int, number: object) -> None:
    if daemon.update is not None and number != daemon.update + 1:
        rule = "updates are numbered without gaps"
        raise FindingError(daemon.file, at, rule, shortened(str(number)), f"{daemon.update + 1}")
    daemon.update = _small(number)


def _expect_fields(record: dict[str, Any], fields: set[str]) -> None:
    if record.keys() != fields:
        raise ValueError(f"fields {', '.join(sorted(record.keys() ^ fields))}")


def _exchange(record: dict[str, Any]) -> Exchange:
    times = {"t1_raw_ns", "t2_ns", "t3_ns", "t4_raw_ns", "distance_ns"}
    _expect_fields(record, {"source", "address", "stratum", "reference_id", "leap"} | times)
    reference_id = int(record["reference_id"], 16)
    if f"{reference_id:08x}" != record["reference_id"] or reference_id >= 2**32:
        raise ValueError("reference_id")
    _small(record["leap"])
    return Exchange(
        str(record["source"]),
        str(record["address"]),
        _number(record["t1_raw_ns"]),
        _number(record["t2_ns"]),
        _number(record["t3_ns"]),
        _number(record["t4_raw_ns"]),
        _number(record["distance_ns"]),
        _small(record["stratum"]),
        reference_id,
    )


def _number(text: object) -> int:
    """Nanoseconds in a decimal string of at most 20 digits."""
    if not isinstance(text, str) or len(text) > 21 or str(int(text)) != text:
        raise ValueError(f"{shortened(str(text))} is not a decimal string of nanoseconds")
    return int(text)


def _small(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or abs(number) >= 2**53:
        raise ValueError(f"{shortened(str(number))} is not a whole number")
    return number


def _told(line: Line | None) -> str:
    if line is None:
        return "no time"
    return (
        f"UTC − RAW = {line.offset_ns} ± {line.bound_ns} ns, "
        f"rate {line.rate_ppt} ± {line.rate_bound_ppt} ppt, at RAW {line.as_of_raw_ns}"
    )
