"""Laws of `model/track.py`: the true pair is never lost, and what is emptied is called by its name."""

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import track
from model.clock import PPB, PPT, Interval, contains, stamp
from model.polygon import contains as has
from model.polygon import inflated
from model.track import Broken, Oscillator, Track

SECOND = 1_000_000_000
OSCILLATOR = Oscillator(drift_ppb=50_000, wander_ppt_s=10_000)


class Truth:
    """An oscillator that does all that is stated: its rate wanders as fast as it may, within the drift."""

    def __init__(self, chance: random.Random, oscillator: Oscillator) -> None:
        self.chance, self.oscillator = chance, oscillator
        self.raw_ns, self.offset = chance.randint(0, 10**15), Fraction(chance.randint(-(10**15), 10**18))
        self.rate = Fraction(chance.randint(-oscillator.drift_ppb, oscillator.drift_ppb), PPB)

    def pass_ns(self, elapsed_ns: int) -> None:
        """Bang-bang, which is as bad as it gets."""
        parts = self.chance.randint(1, 3)
        for _ in range(parts):
            most = Fraction(self.oscillator.wander_ppt_s * elapsed_ns, parts * PPT * PPB)
            limit = Fraction(self.oscillator.drift_ppb, PPB)
            change = self.chance.choice([-most, most, most * Fraction(self.chance.randint(-9, 9), 9)])
            change = max(-limit - self.rate, min(limit - self.rate, change))
            self.offset += (self.rate + change / 2) * Fraction(elapsed_ns, parts)
            self.rate += change
        self.raw_ns += elapsed_ns

    def said(self) -> Interval:
        """An interval that contains the truth, tight or not, as asymmetric as can be."""
        low, high = (int(min(self.chance.paretovariate(0.8), 1e9) * self.chance.choice([1, 100, 10**4])) for _ in "lh")
        return Interval(int(self.offset) - low, int(self.offset) + 1 + high)

    def is_in(self, known: Track) -> bool:
        pair = (round(self.offset * 1000), round(self.rate * PPT))
        return has(inflated(known.pairs, 1), pair) and contains(known.loose, int(self.offset))


@pytest.mark.parametrize("seed", range(40))
def test_the_true_pair_is_always_possible_and_every_stamp_covers_it(seed: int) -> None:
    chance = random.Random(seed)
    oscillator = Oscillator(chance.choice([0, 1000, 50_000]), chance.choice([0, 1, 10_000, 10**6]))
    truth = Truth(chance, oscillator)
    known = track.begin(truth.raw_ns, truth.said(), oscillator)
    for _ in range(40):
        line, before = track.straight(known), truth.raw_ns
        truth.pass_ns(chance.choice([1, 1000, 10**6, SECOND, 16 * SECOND, 64 * SECOND, 1024 * SECOND]))
        utc_ns, bound_ns = stamp(line, truth.raw_ns, 0, oscillator.drift_ppb, oscillator.wander_ppt_s)
        assert abs(utc_ns - truth.raw_ns - truth.offset) <= bound_ns
        known = track.later(known, truth.raw_ns, oscillator)
        assert truth.is_in(known), (seed, before)
        known_or_not = track.narrowed(known, truth.said())
        assert isinstance(known_or_not, Track)
        known = known_or_not
        assert truth.is_in(known)
        earliest, latest = track.extent(known).earliest_ns, track.extent(known).latest_ns
        assert earliest <= truth.offset <= latest
        assert len(known.pairs) <= track.CORNERS + 6


@given(st.integers(-(10**12), 10**12), st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_a_stamp_from_before_the_line_is_true_too(ago_ns: int, uncertainty_ns: int, chance: random.Random) -> None:
    truth = Truth(chance, OSCILLATOR)
    then = (truth.raw_ns, truth.offset)
    truth.pass_ns(abs(ago_ns))
    line = track.straight(track.begin(truth.raw_ns, truth.said(), OSCILLATOR))
    asked = then[0] + chance.choice([-uncertainty_ns, 0, uncertainty_ns])
    utc_ns, bound_ns = stamp(line, asked, uncertainty_ns, OSCILLATOR.drift_ppb, OSCILLATOR.wander_ppt_s)
    assert abs(utc_ns - then[0] - then[1]) <= bound_ns


def test_two_good_readings_tell_the_rate() -> None:
    oscillator = Oscillator(50_000, 1000)
    known = track.begin(0, Interval(-1000, 1000), oscillator)
    after = track.narrowed(track.later(known, 16 * SECOND, oscillator), Interval(319_000, 321_000))
    assert isinstance(after, Track)
    line = track.straight(after)
    assert abs(line.rate_ppt - 20_000_000) <= 150_000
    assert line.rate_bound_ppt < 150_000
    _, bound_ns = stamp(line, 32 * SECOND, 0, 50_000, 1000)
    assert bound_ns < 4000  # the drift alone would say 800 µs


def test_a_rate_that_jumps_within_the_drift_is_wander_and_a_jump_of_the_time_is_a_step() -> None:
    known = track.begin(0, Interval(-1000, 1000), OSCILLATOR)
    for seconds in range(16, 160, 16):
        narrowed = track.narrowed(track.later(known, seconds * SECOND, OSCILLATOR), Interval(-1000, 1000))
        assert isinstance(narrowed, Track)
        known = narrowed
    after = track.later(known, 160 * SECOND, OSCILLATOR)
    assert track.narrowed(after, Interval(400_000, 402_000)) is Broken.WANDER
    assert track.narrowed(after, Interval(900_000, 902_000)) is Broken.STEP
    other = track.begin(160 * SECOND, Interval(400_000, 402_000), OSCILLATOR)
    assert track.both(after, other) is Broken.WANDER
    assert track.touches(after, after)
    assert not track.touches(after, other)


def test_a_minority_has_no_say() -> None:
    honest = [track.begin(0, Interval(-2, 0), OSCILLATOR), track.begin(0, Interval(-3, 2), OSCILLATOR)]
    liar = track.begin(0, Interval(-2, -1), OSCILLATOR)
    agreed = track.agreed([*honest, liar], 2)
    assert agreed is not None
    assert track.extent(agreed) == Interval(-2, 0)
    assert track.agreed([track.begin(0, Interval(n * 10, n * 10), OSCILLATOR) for n in range(3)], 2) is None
