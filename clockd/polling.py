"""When a source is asked next. Pure: what happened goes in, a number of seconds comes out.

Asking costs others something, so the interval is as long as it may be: it doubles while waiting that long would widen
what the source says by no more than an eighth of its own width, between the operator's least and most. A burst of four,
2 s apart, at the beginning and after a disruption. RATE doubles the least for good, each time. Silence doubles the
interval after four questions without an answer, so a dead server is not hammered. The waits are jittered by a tenth
when they are slept: no herds, and nobody guesses when. Sources: RFC 5905 §7.4, §13; `reference/clocks.md` section 5.
"""

from dataclasses import dataclass, replace
from typing import Final

from clockd.tracking import Voice
from model.clock import PPB, rate_growth_ns
from model.track import Oscillator, extent, straight

BURST: Final = 4
BURST_SPACING_SECONDS: Final = 2  # RFC 5905: between the packets of a burst
MOST_SECONDS: Final = 1024
SILENT_AFTER: Final = 4
WORTH: Final = 8  # waiting may widen an answer by a part of this many of its own width


@dataclass(frozen=True, slots=True)
class Poll:
    """How one source is being asked."""

    least_seconds: int
    most_seconds: int
    interval_seconds: int
    burst_left: int = BURST
    unanswered: int = 0

    @property
    def wait_seconds(self) -> int:
        """Until the next question."""
        if self.burst_left > 0:
            return min(BURST_SPACING_SECONDS, self.interval_seconds)
        return self.interval_seconds


def start(least_seconds: int, most_seconds: int) -> Poll:
    """A source that has never been asked."""
    return Poll(least_seconds, most_seconds, least_seconds)


def answered(poll: Poll, voice: Voice, oscillator: Oscillator) -> Poll:
    """After an exchange."""
    seconds = poll.least_seconds
    while 2 * seconds <= poll.most_seconds and worth_waiting(voice, 2 * seconds, oscillator):
        seconds *= 2
    return replace(poll, interval_seconds=seconds, burst_left=max(0, poll.burst_left - 1), unanswered=0)


def worth_waiting(voice: Voice, seconds: int, oscillator: Oscillator) -> bool:
    """Whether an answer is hardly worse after so long a wait."""
    known = extent(voice.track)
    widened_ns = 2 * rate_growth_ns(seconds * PPB, straight(voice.track).rate_bound_ppt, oscillator.wander_ppt_s)
    return WORTH * widened_ns <= known.latest_ns - known.earliest_ns


def unanswered(poll: Poll) -> Poll:
    """After silence."""
    missing = poll.unanswered + 1
    longer = 2 * poll.interval_seconds if missing % SILENT_AFTER == 0 else poll.interval_seconds
    return replace(
        poll,
        unanswered=missing,
        burst_left=max(0, poll.burst_left - 1),
        interval_seconds=min(longer, max(poll.most_seconds, poll.least_seconds)),
    )


def rate_limited(poll: Poll) -> Poll:
    """After a kiss that says RATE."""
    least = 2 * poll.least_seconds
    return replace(
        poll,
        least_seconds=least,
        most_seconds=max(least, poll.most_seconds),
        interval_seconds=max(least, poll.interval_seconds),
        burst_left=0,
    )


def hurried(poll: Poll) -> Poll:
    """After a disruption: a burst, unless one is under way."""
    return poll if poll.burst_left > 0 else replace(poll, burst_left=BURST)
