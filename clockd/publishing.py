"""What the page says of a belief: both parts, pure but for reading the host's clocks.

The page carries straight lines, not a polygon: at its `as_of` the middle and half-width of what is possible, and the
same of the rate. The polygon is brought to the moment of publication first, so a reader extrapolates over a second or
so unless the daemon is dead.
"""

from dataclasses import dataclass

from clockd.host import HostClock
from clockd.page import VALID_FOR_NS, Page, Public
from clockd.states import State
from clockd.tracking import Belief
from model.clock import Line, stamp
from model.track import Oscillator, later, straight

NO_LINE = Line(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the page says beside the belief."""

    host_name: str
    boot: bytes
    suspended_ns: int
    marker: int
    stratum: int
    local_reference: bool
    void_after_raw_ns: int | None  # earlier than usual: a leap second is announced
    valid_for_ns: int = VALID_FOR_NS  # after each publication, should there be no other


def published(belief: Belief, standing: Standing, host: HostClock, oscillator: Oscillator) -> tuple[Public, Page]:
    """Both parts of the page, now."""
    now_raw_ns = host.raw_ns()
    known = straight(later(belief.track, now_raw_ns, oscillator)) if belief.track else NO_LINE
    void_after = now_raw_ns + standing.valid_for_ns
    if standing.void_after_raw_ns is not None:
        void_after = min(void_after, standing.void_after_raw_ns)
    page = Page(
        utc_minus_raw_ns=known.offset_ns,
        as_of_raw_ns=known.as_of_raw_ns,
        bound_ns=known.bound_ns,
        rate_ppt=known.rate_ppt,
        rate_bound_ppt=known.rate_bound_ppt,
        void_after_raw_ns=void_after,
        published_raw_ns=now_raw_ns,
        suspended_ns=standing.suspended_ns,
        marker=standing.marker,
        update=belief.update,
        drift_ppb=oscillator.drift_ppb,
        wander_ppt_s=oscillator.wander_ppt_s,
        state=belief.state,
        why=belief.why,
        local_reference=standing.local_reference,
        sources=belief.sources,
        agreeing=belief.agreeing,
        stratum=standing.stratum,
        boot=standing.boot,
        host=standing.host_name,
    )
    return _public(belief, standing, known, host, oscillator, void_after), page


def _public(
    belief: Belief, standing: Standing, known: Line, host: HostClock, oscillator: Oscillator, void_after_raw_ns: int
) -> Public:
    """For programs that read REALTIME uncorrected: how far that is off is part of the bound."""
    coarse_ns = host.monotonic_coarse_ns()  # before everything that it is the time of
    before_ns, realtime_ns, after_ns = host.raw_ns(), host.realtime_ns(), host.raw_ns()
    early_ns, _ = stamp(known, before_ns, 0, oscillator.drift_ppb, oscillator.wander_ppt_s)
    late_ns, bound_ns = stamp(known, after_ns, 0, oscillator.drift_ppb, oscillator.wander_ppt_s)
    ahead_ns = max(abs(early_ns - realtime_ns), abs(late_ns - realtime_ns))
    vouched_for = standing.local_reference and belief.state is State.SYNCHRONIZED
    return Public(
        as_of_ns=coarse_ns,
        void_after_ns=coarse_ns + max(0, void_after_raw_ns - after_ns),
        bound_ns=bound_ns + ahead_ns if belief.track else 0,
        marker=standing.marker,
        drift_ppb=oscillator.drift_ppb,
        state=State.FREE_RUNNING if vouched_for else belief.state,
    )
