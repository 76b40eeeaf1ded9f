"""When a source is asked next: politely, and only as often as asking helps."""

from dataclasses import replace

from clockd import polling
from clockd.tracking import Voice
from model import track
from model.clock import Interval
from model.track import Oscillator
from tests.clockd.test_tracking import OSCILLATOR, SECOND, exchange_at


def voice(half_ns: int, oscillator: Oscillator = OSCILLATOR, readings: int = 30) -> Voice:
    """A source that has been heard of every 16 s."""
    known = track.begin(0, Interval(-half_ns, half_ns), oscillator)
    for number in range(1, readings):
        narrowed = track.narrowed(track.later(known, number * 16 * SECOND, oscillator), Interval(-half_ns, half_ns))
        assert isinstance(narrowed, track.Track)
        known = narrowed
    return Voice(known, exchange_at(0, 0))


def test_a_burst_of_four_then_the_interval() -> None:
    poll, waits = polling.start(16, 1024), []
    for _ in range(6):
        waits.append(poll.wait_seconds)
        poll = polling.answered(poll, voice(1000, readings=1), OSCILLATOR)
    assert waits == [2, 2, 2, 2, 16, 16]
    assert polling.hurried(poll).wait_seconds == 2
    assert polling.start(1, 1).wait_seconds == 1


def test_a_precise_source_is_asked_often_and_a_poor_one_rarely() -> None:
    near = polling.answered(polling.start(16, 1024), voice(5000), OSCILLATOR).interval_seconds
    far = polling.answered(polling.start(16, 1024), voice(20_000_000, readings=300), OSCILLATOR).interval_seconds
    assert near == 16
    assert 64 <= far <= 1024
    assert polling.answered(polling.start(16, 64), voice(20_000_000, readings=300), OSCILLATOR).interval_seconds == 64
    assert polling.answered(polling.start(1, 1), voice(20_000_000), OSCILLATOR).interval_seconds == 1


def test_rate_asks_less_often_each_time_and_for_good() -> None:
    poll = polling.rate_limited(polling.rate_limited(polling.start(16, 16)))
    assert (poll.least_seconds, poll.wait_seconds) == (64, 64)
    assert polling.answered(poll, voice(10), OSCILLATOR).wait_seconds == 64


def test_silence_asks_less_and_less() -> None:
    poll = replace(polling.start(16, 1024), burst_left=0)
    for _ in range(4 * 10):
        poll = polling.unanswered(poll)
    assert poll.wait_seconds == 1024
    assert polling.answered(poll, voice(10), OSCILLATOR).wait_seconds == 16
