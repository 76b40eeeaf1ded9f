"""What the daemon behind a clock journal must have believed: from exchanges to a line, as `clockd/tracking.py` does.

A voice for each source, one voice for sources of one upstream, the hull of what n − f of them agree on, joined with
what was believed before. What is possible after an exchange is `model/track.py` and `model/clock.py`, the very
functions that the daemon runs. One thing the journal does not hold: when a silent source stops counting. The record
says how many were counted, so those heard of longest ago are left out until the number fits.

Next: `journal.py`, which reads the records and asks.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from model import track
from model.clock import Interval, Line, hull, intersect, tolerated_liars
from model.track import Broken, Oscillator, Track, straight
from proofs.audit.clock_records import MOST_SOURCES, Exchange, State, Voice, small
from proofs.findings import FindingError, shortened

WANDER_DISTRUST: Final = 8
"""A stated wander that was broken is believed this many times less, as the daemon does."""
GREATEST_WANDER: Final = 2**32 - 1
NO_UPSTREAM: Final = frozenset({0, *(int.from_bytes(name, "big") for name in (b"LOCL", b"PAGE", b"PTP\0", b"CHRN"))})
LOOPBACK_NET: Final = 127


@dataclass(slots=True)
class Daemon:
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
    voices: dict[str, Voice] = field(default_factory=dict)
    rests_on_state: bool = False
    """Whether what is believed goes back to a state that was stated, and not to the daemon's beginning."""


def expect_agreement(daemon: Daemon, at: int, heard: list[Exchange], line: Line | None) -> None:
    """A line whose past is not in the journal must still touch what enough of the newest exchanges allow."""
    assert daemon.oscillator is not None
    drift_ppb = daemon.oscillator.drift_ppb
    for each in heard:
        offset = each.offset(each.received_raw_ns, drift_ppb)
        if offset is not None and len(daemon.voices) <= MOST_SOURCES:
            begun = track.begin(each.received_raw_ns, offset, daemon.oscillator)
            daemon.voices[each.source] = Voice(begun, each)
    newest = [voice.newest for voice in daemon.voices.values()]
    if line is None or not drift_ppb or any(each.received_raw_ns > line.as_of_raw_ns for each in newest):
        return
    allowed = [offset for each in newest if (offset := each.offset(line.as_of_raw_ns, drift_ppb)) is not None]
    needed = len(allowed) - tolerated_liars(max(1, len(daemon.sources)))
    among = hull(allowed, needed) if needed > 0 else None
    stated = Interval(line.offset_ns - line.bound_ns, line.offset_ns + line.bound_ns)
    if among is not None and intersect(among, stated) is None:
        rule = "an update's line agrees with enough of the exchanges that were heard last"
        raise FindingError(daemon.file, at, rule, told(line), f"UTC − RAW in [{among.earliest_ns}, {among.latest_ns}]")


def hear(daemon: Daemon, at: int, newest: Exchange) -> None:
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
        daemon.voices[newest.source] = Voice(track.begin(at_raw_ns, offset, daemon.oscillator), newest)
        return
    before = track.later(voice.track, at_raw_ns, daemon.oscillator)
    now = track.narrowed(before, offset)
    if not isinstance(now, Track):
        left = intersect(before.loose, offset) if now is Broken.WANDER else None
        now = track.begin(at_raw_ns, left or offset, daemon.oscillator)
    daemon.voices[newest.source] = Voice(now, newest)


def advanced(daemon: Daemon, record: dict[str, Any], line: Line | None, moved: bool) -> Line | None:
    """The line that follows; the daemon's belief moves with it."""
    assert daemon.oscillator is not None
    if not moved:
        return daemon.line
    if line is None:
        daemon.belief = None
        return None if _may_break(daemon, record) else daemon.line
    now_raw_ns = line.as_of_raw_ns
    said = _voices(daemon, now_raw_ns, small(record["sources"]))
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
    daemon.belief = now
    return straight(now)


def _may_break(daemon: Daemon, record: dict[str, Any]) -> bool:
    """Whether a daemon may have lost its time here: it says why. To say so too often is no lie about the time."""
    return record["why"] in {"step", "liars"} and daemon.is_complete


def _voices(daemon: Daemon, now_raw_ns: int, counted: int) -> list[Track]:
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


def _echoes(daemon: Daemon) -> int:
    """How many of the sources only repeat another one's upstream."""
    return sum(name != speaker for name, speaker in _groups(daemon).items())


def _groups(daemon: Daemon) -> dict[str, str]:
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


def go_on_from(daemon: Daemon, at: int, state: State) -> None:
    """Take a state as it is stated, where what it follows from is not in the journal; only its exchanges can be held
    against it.

    Raises:
        FindingError: it does not agree with them.
    """
    if daemon.oscillator is None or not daemon.sources:
        raise FindingError(daemon.file, at, "a state comes after a start, which states drift and sources")
    line = None if state.belief is None else straight(state.belief)
    if daemon.update is not None and (state.update, line) != (daemon.update, daemon.line):
        rule = "a state is of the update before it"
        raise FindingError(daemon.file, at, rule, f"update {state.update}, {told(line)}", told(daemon.line))
    rule = "a state agrees with the exchanges that it rests on"
    for source, voice in state.voices.items():
        if source not in daemon.sources:
            raise FindingError(daemon.file, at, "nobody is heard but the stated sources", shortened(source))
        offset = voice.newest.offset(voice.track.as_of_raw_ns, daemon.oscillator.drift_ppb)
        if offset is None or intersect(offset, voice.track.loose) is None:
            raise FindingError(daemon.file, at, rule, f"with {shortened(source)}")
    daemon.oscillator = replace(daemon.oscillator, wander_ppt_s=state.wander_ppt_s)
    daemon.update, daemon.belief, daemon.voices = state.update, state.belief, dict(state.voices)
    daemon.line = line
    daemon.is_complete = daemon.rests_on_state = True
    daemon.started_after = None


def expect_same_state(daemon: Daemon, at: int, state: State) -> None:
    """A state that follows from what was read is just what is stated.

    Raises:
        FindingError: it is not.
    """
    assert daemon.oscillator is not None
    ours = State(daemon.update or 0, daemon.oscillator.wander_ppt_s, daemon.belief, daemon.voices)
    if state != ours:
        rule = "a state is what follows from the exchanges before it"
        raise FindingError(daemon.file, at, rule, f"update {state.update}", f"as after update {ours.update}")


def forget(daemon: Daemon) -> None:
    daemon.belief = daemon.line = None
    daemon.voices, daemon.rests_on_state = {}, False


def told(line: Line | None) -> str:
    if line is None:
        return "no time"
    return (
        f"UTC − RAW = {line.offset_ns} ± {line.bound_ns} ns, "
        f"rate {line.rate_ppt} ± {line.rate_bound_ppt} ppt, at RAW {line.as_of_raw_ns}"
    )
