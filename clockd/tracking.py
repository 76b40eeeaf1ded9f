"""What the daemon believes: exchanges go in, an interval of UTC − RAW and a state come out. Pure.

Per source: the intersection of its last eight exchanges, each grown to now. If that is empty the server has changed its
mind, or this clock is worse than stated; then only its newest exchange counts.

Across sources: of n configured at most f = ⌊(n − 1)/2⌋ lie. Sources that have not been heard of lately may be the
honest ones, so of h that were heard, truth is sure to lie in h − f only, and with h ≤ f nothing is known. The hull of
the points in that many is what this update says.

Across updates: the hull intersected with what was believed before, grown. Empty means that something this rests on has
broken: `disrupted`, no time, and the next update starts anew. An update that nobody agrees on changes nothing: the old
interval goes on growing, and after eight poll intervals without a new one is called `free_running`.

The model is `model/clock.py`; the loop that carries this out is `daemon.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from clockd.ntp.exchange import Exchange
from clockd.page import State
from model.clock import Interval, grow, hull, intersect, tolerated_liars

REMEMBERED: Final = 8
STALE_AFTER_POLLS: Final = 8  # as chrony and ClockBound have it


@dataclass(frozen=True, slots=True)
class Belief:
    """UTC − RAW at RAW `as_of_raw_ns` (None: no time), from the evidence numbered `update`."""

    state: State
    offset: Interval | None
    as_of_raw_ns: int
    update: int
    sources: int
    agreeing: int


def nothing(update: int) -> Belief:
    """What is believed at the start; `update` is the last number that was ever used."""
    return Belief(State.UNKNOWN, None, 0, update, 0, 0)


def remember(exchanges: tuple[Exchange, ...], newest: Exchange, drift_ppb: int) -> tuple[Exchange, ...]:
    """A source's last exchanges, newest last; only the newest if they contradict each other."""
    recent = (*exchanges[1 - REMEMBERED :], newest)
    return recent if _common(recent, newest.received_raw_ns, drift_ppb) else (newest,)


def source_offset(exchanges: tuple[Exchange, ...], now_raw_ns: int, drift_ppb: int, stale_ns: int) -> Interval | None:
    """UTC − RAW by one source; None when its newest exchange is `stale_ns` ago or there is none."""
    if not exchanges or now_raw_ns - exchanges[-1].received_raw_ns > stale_ns:
        return None
    return _common(exchanges, now_raw_ns, drift_ppb)


def advance(old: Belief, heard: Sequence[Interval], configured: int, now_raw_ns: int, drift_ppb: int) -> Belief:
    """The belief after an update.

    Args:
        heard: UTC − RAW now, by each source that was heard of lately.
        configured: how many sources there are, heard or not.
    """
    needed = len(heard) - tolerated_liars(configured)
    said = hull(heard, needed) if needed > 0 else None
    if said is None:
        return old
    if old.offset is not None:
        said = intersect(said, grow(old.offset, now_raw_ns - old.as_of_raw_ns, drift_ppb))
    if said is None:
        return interrupted(old)
    agreeing = sum(intersect(each, said) is not None for each in heard)
    return Belief(State.SYNCHRONIZED, said, now_raw_ns, old.update + 1, len(heard), agreeing)


def interrupted(old: Belief) -> Belief:
    """The belief after what it rests on has broken: a contradiction, or a suspend."""
    return replace(nothing(old.update + 1), state=State.DISRUPTED)


def aged(belief: Belief, now_raw_ns: int, stale_ns: int) -> Belief:
    """The belief when nothing new has come."""
    if belief.state is State.SYNCHRONIZED and now_raw_ns - belief.as_of_raw_ns > stale_ns:
        return replace(belief, state=State.FREE_RUNNING)
    return belief


def _common(exchanges: Sequence[Exchange], now_raw_ns: int, drift_ppb: int) -> Interval | None:
    offsets = [exchange.offset(now_raw_ns, drift_ppb) for exchange in exchanges]
    common = offsets[0]
    for offset in offsets[1:]:
        common = intersect(common, offset) if common and offset else None
    return common
