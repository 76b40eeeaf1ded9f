"""Tracking in simulated worlds: whatever is believed contains the truth, and contradictions are called by name."""

import random
from dataclasses import dataclass
from fractions import Fraction

import pytest

from clockd.ntp.exchange import Exchange
from clockd.page import State
from clockd.tracking import (
    REMEMBERED,
    Belief,
    advance,
    aged,
    interrupted,
    nothing,
    remember,
    source_offset,
)
from model.clock import PPB, Interval, grow, tolerated_liars

SECOND = 1_000_000_000
DRIFT = 50_000
STALE = 8 * 64 * SECOND


@dataclass
class World:
    """True UTC as a function of this host's RAW clock, whose rate wanders within the stated drift."""

    chance: random.Random
    raw_ns: int
    utc_ns: Fraction

    def pass_ns(self, elapsed_ns: int) -> None:
        rate_ppb = self.chance.choice([-DRIFT, DRIFT, self.chance.randint(-DRIFT, DRIFT)])
        self.raw_ns += elapsed_ns
        self.utc_ns += elapsed_ns + Fraction(elapsed_ns * rate_ppb, PPB)

    def delay_ns(self) -> int:
        return int(self.chance.paretovariate(1.1) * self.chance.choice([1e3, 1e5, 1e7]))

    def exchange(self, lie_ns: int) -> Exchange:
        distance_ns = self.chance.randint(2, 10_000_000)

        def server_ns() -> int:
            return int(self.utc_ns) + self.chance.randint(2 - distance_ns, distance_ns - 2) + lie_ns

        sent_raw_ns = self.raw_ns
        self.pass_ns(self.delay_ns())
        received = server_ns()
        self.pass_ns(self.chance.randint(0, 100_000))
        sent = server_ns()
        self.pass_ns(self.delay_ns())
        return Exchange(("s", 1), sent_raw_ns, received, sent, self.raw_ns, distance_ns, 2, 0)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_believed_contains_the_truth_with_as_many_liars_as_are_tolerated(seed: int) -> None:
    chance = random.Random(seed)
    world = World(chance, chance.randint(0, 10**15), Fraction(1_790_000_000 * SECOND))
    configured = chance.randint(1, 7)
    liars = set(chance.sample(range(configured), chance.randint(0, tolerated_liars(configured))))
    histories: list[tuple[Exchange, ...]] = [()] * configured
    belief = nothing(0)
    checked = 0
    for _ in range(40):
        for source in range(configured):
            if chance.random() < 0.7:
                lie_ns = chance.choice([0, 10**6, -(10**7), 10**10, chance.randint(-(10**9), 10**9)])
                newest = world.exchange(lie_ns if source in liars else 0)
                histories[source] = remember(histories[source], newest, DRIFT)
        heard = [known for each in histories if (known := source_offset(each, world.raw_ns, DRIFT, STALE))]
        belief = aged(advance(belief, heard, configured, world.raw_ns, DRIFT), world.raw_ns, STALE)
        assert belief.state is not State.DISRUPTED
        world.pass_ns(chance.choice([SECOND, 16 * SECOND, 64 * SECOND, 700 * SECOND]))
        if belief.offset is not None:
            now = grow(belief.offset, world.raw_ns - belief.as_of_raw_ns, DRIFT)
            assert now.earliest_ns <= world.utc_ns - world.raw_ns <= now.latest_ns
            checked += 1
    assert checked > 20


def exchange_at(raw_ns: int, offset_ns: int, half_ns: int = 1000) -> Exchange:
    utc_ns = raw_ns + offset_ns
    return Exchange(("s", 1), raw_ns, utc_ns, utc_ns, raw_ns, half_ns, 2, 0)


def test_a_source_is_as_good_as_its_exchanges_together() -> None:
    exchanges = remember((exchange_at(0, 700),), exchange_at(0, -700), 0)
    assert source_offset(exchanges, 0, 0, STALE) == Interval(-300, 300)


def test_a_source_that_contradicts_itself_is_taken_at_its_last_word() -> None:
    assert remember((exchange_at(0, 0),), exchange_at(0, 10**6), 0) == (exchange_at(0, 10**6),)


def test_a_source_remembers_eight() -> None:
    exchanges: tuple[Exchange, ...] = ()
    for number in range(20):
        exchanges = remember(exchanges, exchange_at(number, 0), DRIFT)
    assert len(exchanges) == REMEMBERED
    assert exchanges[-1].sent_raw_ns == 19


def test_a_source_not_heard_of_lately_says_nothing() -> None:
    assert source_offset((), 0, 0, STALE) is None
    assert source_offset((exchange_at(0, 0),), STALE, 0, STALE) is not None
    assert source_offset((exchange_at(0, 0),), STALE + 1, 0, STALE) is None


def test_of_three_servers_one_alone_decides_nothing_and_two_only_what_either_says() -> None:
    start = nothing(4)
    assert advance(start, [Interval(0, 9)], 3, 0, 0) == start
    assert advance(start, [Interval(0, 9), Interval(5, 12)], 3, 0, 0).offset == Interval(0, 12)
    third = advance(start, [Interval(0, 9), Interval(5, 12), Interval(90, 99)], 3, 0, 0)
    assert third == Belief(State.SYNCHRONIZED, Interval(5, 9), 0, 5, 3, 2)


def test_updates_narrow_each_other_and_a_contradiction_is_a_disruption_then_a_new_start() -> None:
    belief = advance(nothing(0), [Interval(0, 100)], 1, 0, DRIFT)
    belief = advance(belief, [Interval(50, 150)], 1, 0, DRIFT)
    assert belief.offset == Interval(50, 100)
    broken = advance(belief, [Interval(10**9, 10**9)], 1, SECOND, DRIFT)
    assert broken == Belief(State.DISRUPTED, None, 0, 3, 0, 0)
    assert aged(broken, 10**15, STALE) == broken
    again = advance(broken, [Interval(10**9, 10**9)], 1, SECOND, DRIFT)
    assert (again.state, again.offset) == (State.SYNCHRONIZED, Interval(10**9, 10**9))


def test_without_agreement_the_old_interval_grows_and_is_free_running_after_eight_polls() -> None:
    belief = advance(nothing(0), [Interval(0, 1)] * 3, 3, 0, DRIFT)
    split = advance(belief, [Interval(0, 1), Interval(5, 6), Interval(8, 9)], 3, SECOND, DRIFT)
    assert split == belief
    assert aged(belief, STALE, STALE).state is State.SYNCHRONIZED
    free = aged(belief, STALE + 1, STALE)
    assert free.state is State.FREE_RUNNING
    assert free.offset == belief.offset
    assert advance(free, [Interval(0, 1)] * 3, 3, STALE + 1, DRIFT).state is State.SYNCHRONIZED


def test_a_suspend_takes_everything() -> None:
    assert interrupted(advance(nothing(0), [Interval(0, 1)], 1, 0, 0)) == Belief(State.DISRUPTED, None, 0, 2, 0, 0)
