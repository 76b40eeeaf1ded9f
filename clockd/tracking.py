"""What the daemon believes: exchanges go in, what is possible for this host's clock and a state come out. Pure.

Per source: what is possible after all its exchanges since it last contradicted itself (`model/track.py`). If that is
empty the source has changed its mind, or this clock is worse than stated; then it starts anew from its newest word.

Across sources: of n that count at most f = ⌊(n − 1)/2⌋ lie. Sources that have not been heard of lately may be the
honest ones, so of h that were heard, truth is sure to lie in h − f only, and with h ≤ f nothing is known. The hull of
the points in that many is what this update says. Sources that follow the same upstream speak with one voice.

Across updates: the hull and what was believed before, together. Empty means that something this rests on has broken:
`disrupted`, no time, and the next update starts anew. Which of the assumptions broke is told as well as it can be:
`wander` when the drift alone still explains everything (the belief then goes on from that), `step` when as many sources
as agree have each contradicted themselves since the last update, `liars` otherwise. An update that nobody agrees on
changes nothing: the old belief goes on growing, and after a while is called `free_running`.

The model is `model/track.py`; the states are in `states.py`; the loop that carries this out is `daemon.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from clockd.ntp.exchange import Exchange
from clockd.states import NEXT, Event, State, Why
from model import track
from model.clock import hull, intersect, tolerated_liars
from model.track import Broken, Oscillator, Track

STALE_AFTER_POLLS: Final = 8  # as chrony and ClockBound have it
WANDER_DISTRUST: Final = 8  # a stated wander that was broken is believed this many times less
UPSTREAM_FROM_STRATUM: Final = 2  # a server of stratum 1 names its kind of clock, not its upstream
NO_UPSTREAM: Final = frozenset({0, *(int.from_bytes(name, "big") for name in (b"LOCL", b"PAGE", b"PTP\0", b"CHRN"))})
LOOPBACK_NET: Final = 127  # reference ids 127.x.y.z name a local clock, not an upstream


@dataclass(frozen=True, slots=True)
class Voice:
    """What one source says: its track, and the newest exchange behind it. `broken` is how it last began anew."""

    track: Track
    newest: Exchange
    exchanges: int = 1
    broken: Broken | None = None
    broken_at_raw_ns: int = 0


@dataclass(frozen=True, slots=True)
class Belief:
    """What is possible (None: no time), from the evidence numbered `update`, and what was wrong when last looked at."""

    state: State
    track: Track | None
    update: int
    sources: int = 0
    agreeing: int = 0
    why: Why = Why.NOTHING


def nothing(update: int) -> Belief:
    """What is believed at the start; `update` is the last number that was ever used."""
    return Belief(State.UNKNOWN, None, update)


def hear(voice: Voice | None, newest: Exchange, oscillator: Oscillator) -> Voice:
    """A source after one more exchange, which does not contradict itself."""
    at_raw_ns = newest.received_raw_ns if voice is None else max(newest.received_raw_ns, voice.track.as_of_raw_ns)
    offset = newest.offset(at_raw_ns, oscillator.drift_ppb)
    assert offset is not None  # `judge` lets no other exchange through
    if voice is None:
        return Voice(track.begin(at_raw_ns, offset, oscillator), newest)
    before = track.later(voice.track, at_raw_ns, oscillator)
    now = track.narrowed(before, offset)
    if isinstance(now, Track):
        return replace(voice, track=now, newest=newest, exchanges=voice.exchanges + 1)
    left = intersect(before.loose, offset) if now is Broken.WANDER else None
    again = track.begin(at_raw_ns, left or offset, oscillator)
    return Voice(again, newest, 1, now, at_raw_ns)


def recent(voice: Voice | None, now_raw_ns: int, stale_ns: int) -> bool:
    """Whether a source has been heard of lately."""
    return voice is not None and now_raw_ns - voice.newest.received_raw_ns <= stale_ns


def upstreams(newest: Mapping[str, Exchange]) -> dict[str, str]:
    """Who speaks for whom: each source's name to the name of the first source that follows the same clock.

    Two servers with the same reference id follow the same upstream; a server whose reference id is another one's
    address follows that one (IPv4 only: of an IPv6 address the id is a hash). Both can only ever lie together.
    """
    speaker = {name: name for name in newest}

    def root(name: str) -> str:
        while speaker[name] != name:
            name = speaker[name]
        return name

    first: dict[int, str] = {}
    for name, exchange in newest.items():
        own = _address_id(exchange.address[0])
        if own is not None and own >> 24 != LOOPBACK_NET:
            first.setdefault(own, name)
    for name, exchange in newest.items():
        upstream = exchange.reference_id
        if exchange.stratum < UPSTREAM_FROM_STRATUM or upstream in NO_UPSTREAM or upstream >> 24 == LOOPBACK_NET:
            continue
        other = root(first.setdefault(upstream, name))
        speaker[max(other, root(name))] = min(other, root(name))
    return {name: root(name) for name in newest}


def one_voice_each(
    voices: Mapping[str, Voice], groups: Mapping[str, str], now_raw_ns: int, oscillator: Oscillator
) -> dict[str, Track]:
    """What each group of sources with one upstream says now, by the name of its most precise member.

    Args:
        voices: of the sources heard of lately.
        groups: who speaks for whom, by `upstreams`.
    """
    best: dict[str, tuple[int, str, Track]] = {}
    for name, voice in voices.items():
        now = track.later(voice.track, now_raw_ns, oscillator)
        best[groups[name]] = min(best.get(groups[name], (_width(now), name, now)), (_width(now), name, now))
    return {name: now for _, name, now in best.values()}


def advance(
    old: Belief, said: Sequence[Track], configured: int, jumped: int, now_raw_ns: int, oscillator: Oscillator
) -> Belief:
    """The belief after an update.

    Args:
        said: what is possible now, by each source that counts and was heard of lately.
        configured: how many sources count, heard or not.
        jumped: how many of the heard have contradicted themselves since the last update.
    """
    needed = len(said) - tolerated_liars(configured)
    if needed <= 0:
        return replace(old, why=Why.SILENT)
    loose = hull([each.loose for each in said], needed)
    if loose is None:
        return replace(old, why=Why.SPLIT)
    why = Why.NOTHING
    now = track.agreed(said, needed)
    before = track.later(old.track, now_raw_ns, oscillator) if old.track else None
    if before is not None:
        left = intersect(loose, before.loose)
        if left is None:
            return interrupted(old, Why.STEP if jumped >= needed else Why.LIARS)
        loose = left
        joined = track.both(before, now) if now is not None else Broken.WANDER
        now = joined if isinstance(joined, Track) else None
    if now is None:
        now, why = track.begin(now_raw_ns, loose, oscillator), Why.WANDER
    agreeing = sum(track.touches(each, now) for each in said)
    return Belief(NEXT[old.state, Event.AGREED], now, old.update + 1, len(said), agreeing, why)


def interrupted(old: Belief, why: Why) -> Belief:
    """The belief after what it rests on has broken."""
    return replace(nothing(old.update + 1), state=NEXT[old.state, Event.BROKE], why=why)


def aged(belief: Belief, now_raw_ns: int, stale_ns: int) -> Belief:
    """The belief when nothing new has come."""
    if belief.track is None or now_raw_ns - belief.track.as_of_raw_ns <= stale_ns:
        return belief
    return replace(belief, state=NEXT[belief.state, Event.AGED])


def distrusted(oscillator: Oscillator) -> Oscillator:
    """What is believed of an oscillator whose rate changed faster than stated."""
    faster = max(oscillator.wander_ppt_s, 1) * WANDER_DISTRUST
    return replace(oscillator, wander_ppt_s=min(faster, 2**32 - 1))


def _width(one: Track) -> int:
    offset = track.extent(one)
    return offset.latest_ns - offset.earliest_ns


def _address_id(address: str) -> int | None:
    """The reference id that the clients of an IPv4 address show."""
    parts = address.split(".")
    return int.from_bytes(bytes(map(int, parts)), "big") if len(parts) == 4 else None
