"""Tracking: contradictions are called by name, minorities have no say. Whole worlds are in `test_worlds.py`."""

from dataclasses import replace

import pytest

from clockd.ntp.exchange import Exchange
from clockd.states import NEXT, Event, State, Why
from clockd.tracking import (
    Belief,
    Voice,
    advance,
    aged,
    distrusted,
    hear,
    interrupted,
    nothing,
    one_voice_each,
    recent,
    upstreams,
)
from model import track
from model.clock import Interval
from model.track import Broken, Oscillator, Track

SECOND = 1_000_000_000
OSCILLATOR = Oscillator(50_000, 10_000)
STALE = 8 * 64 * SECOND


def exchange_at(raw_ns: int, offset_ns: int, half_ns: int = 1000) -> Exchange:
    utc_ns = raw_ns + offset_ns
    return Exchange(("192.0.2.1", 1), raw_ns, utc_ns, utc_ns, raw_ns, half_ns, 2, 0)


def says(earliest_ns: int, latest_ns: int, raw_ns: int = 0) -> Track:
    return track.begin(raw_ns, Interval(earliest_ns, latest_ns), OSCILLATOR)


def agree(old: Belief, said: list[Track], configured: int, raw_ns: int = 0, jumped: int = 0) -> Belief:
    return advance(old, said, configured, jumped, raw_ns, OSCILLATOR)


def extent(belief: Belief) -> Interval | None:
    return track.extent(belief.track) if belief.track else None


def test_a_source_is_as_good_as_its_exchanges_together() -> None:
    voice = hear(hear(None, exchange_at(0, 700), OSCILLATOR), exchange_at(0, -700), OSCILLATOR)
    assert track.extent(voice.track) == Interval(-300, 300)
    assert (voice.exchanges, voice.broken) == (2, None)


def test_a_source_that_contradicts_itself_is_taken_at_its_last_word() -> None:
    voice = hear(hear(None, exchange_at(0, 0), OSCILLATOR), exchange_at(0, 10**6), OSCILLATOR)
    assert track.extent(voice.track) == Interval(10**6 - 1000, 10**6 + 1000)
    assert (voice.exchanges, voice.broken) == (1, Broken.STEP)


def test_a_source_whose_rate_jumps_goes_on_from_what_the_drift_allows() -> None:
    voice: Voice | None = None
    for seconds in range(0, 160, 16):
        voice = hear(voice, exchange_at(seconds * SECOND, 0), OSCILLATOR)
    voice = hear(voice, exchange_at(160 * SECOND, 400_000), OSCILLATOR)
    assert voice.broken is Broken.WANDER
    assert track.extent(voice.track) == Interval(399_000, 401_000)


def test_a_source_not_heard_of_lately_says_nothing() -> None:
    assert not recent(None, 0, STALE)
    assert recent(hear(None, exchange_at(0, 0), OSCILLATOR), STALE, STALE)
    assert not recent(hear(None, exchange_at(0, 0), OSCILLATOR), STALE + 1, STALE)


def test_of_three_servers_one_alone_decides_nothing_and_two_only_what_either_says() -> None:
    start = nothing(4)
    assert agree(start, [says(0, 9)], 3) == replace(start, why=Why.SILENT)
    assert extent(agree(start, [says(0, 9), says(5, 12)], 3)) == Interval(0, 12)
    third = agree(start, [says(0, 9), says(5, 12), says(90, 99)], 3)
    assert extent(third) == Interval(5, 9)
    assert (third.state, third.update, third.sources, third.agreeing) == (State.SYNCHRONIZED, 5, 3, 2)


def test_updates_narrow_each_other_and_a_contradiction_is_a_disruption_then_a_new_start() -> None:
    belief = agree(nothing(0), [says(0, 100)], 1)
    belief = agree(belief, [says(50, 150)], 1)
    assert extent(belief) == Interval(50, 100)
    far = says(10**9, 10**9 + 1, SECOND)
    assert agree(belief, [far], 1, SECOND, jumped=1) == Belief(State.DISRUPTED, None, 3, why=Why.STEP)
    broken = agree(belief, [far], 1, SECOND)
    assert broken == Belief(State.DISRUPTED, None, 3, why=Why.LIARS)
    assert aged(broken, 10**15, STALE) == broken
    again = agree(broken, [far], 1, SECOND)
    assert (again.state, extent(again)) == (State.SYNCHRONIZED, Interval(10**9, 10**9 + 1))


def test_a_rate_that_changes_faster_than_stated_is_said_and_the_drift_still_bounds() -> None:
    belief = nothing(0)
    for seconds in range(0, 160, 16):
        belief = agree(belief, [says(-1000, 1000, seconds * SECOND)], 1, seconds * SECOND)
        assert belief.why is Why.NOTHING
    belief = agree(belief, [says(400_000, 402_000, 160 * SECOND)], 1, 160 * SECOND)
    assert (belief.state, belief.why, extent(belief)) == (State.SYNCHRONIZED, Why.WANDER, Interval(400_000, 402_000))
    assert distrusted(OSCILLATOR) == Oscillator(50_000, 80_000)
    assert distrusted(Oscillator(0, 0)).wander_ppt_s > 0


def test_without_agreement_the_old_interval_grows_and_is_free_running_after_a_while() -> None:
    belief = agree(nothing(0), [says(0, 1)] * 3, 3)
    split = agree(belief, [says(0, 1, SECOND), says(5, 6, SECOND), says(8, 9, SECOND)], 3, SECOND)
    assert split == replace(belief, why=Why.SPLIT)
    assert aged(belief, STALE, STALE).state is State.SYNCHRONIZED
    free = aged(belief, STALE + 1, STALE)
    assert free.state is State.FREE_RUNNING
    assert free.track == belief.track
    assert agree(free, [says(0, 1, STALE + 1)] * 3, 3, STALE + 1).state is State.SYNCHRONIZED


def test_a_suspend_takes_everything() -> None:
    known = agree(nothing(0), [says(0, 1)], 1)
    assert interrupted(known, Why.SUSPEND) == Belief(State.DISRUPTED, None, 2, why=Why.SUSPEND)


def test_the_table_of_states_is_total_and_only_agreement_gives_time() -> None:
    assert set(NEXT) == {(state, event) for state in State for event in Event}
    for (state, event), after in NEXT.items():
        assert after.has_time <= (event is Event.AGREED or state.has_time)
        assert (event is Event.BROKE) <= (after is State.DISRUPTED)


@pytest.mark.parametrize(
    ("newest", "groups"),
    [
        ({"a": ("192.0.2.1", 2, 7), "b": ("192.0.2.2", 2, 7)}, {"a": "a", "b": "a"}),
        ({"a": ("192.0.2.1", 2, 7), "b": ("192.0.2.2", 2, 8)}, {"a": "a", "b": "b"}),
        ({"a": ("192.0.2.1", 1, 7), "b": ("192.0.2.2", 1, 7)}, {"a": "a", "b": "b"}),
        ({"a": ("192.0.2.1", 1, 7), "b": ("192.0.2.2", 2, 0xC0000201)}, {"a": "a", "b": "a"}),
        (
            {"a": ("192.0.2.1", 3, 0xC0000202), "b": ("192.0.2.2", 2, 9), "c": ("192.0.2.3", 2, 9)},
            dict.fromkeys("abc", "a"),
        ),
        ({"a": ("127.0.0.1", 11, 0x4C4F434C), "b": ("127.0.0.1", 11, 0x4C4F434C)}, {"a": "a", "b": "b"}),
        ({"a": ("127.0.0.1", 8, 0x7F7F0101), "b": ("::1", 8, 0x7F7F0101)}, {"a": "a", "b": "b"}),
        ({"a": ("2001:db8::1", 3, 7), "b": ("2001:db8::2", 4, 7)}, {"a": "a", "b": "a"}),
    ],
)
def test_who_follows_the_same_upstream_has_one_voice(
    newest: dict[str, tuple[str, int, int]], groups: dict[str, str]
) -> None:
    exchanges = {
        name: replace(exchange_at(0, 0), address=(address, 123), stratum=stratum, reference_id=upstream)
        for name, (address, stratum, upstream) in newest.items()
    }
    assert upstreams(exchanges) == groups


def test_of_one_voice_the_most_precise_member_speaks() -> None:
    voices = {
        name: hear(None, replace(exchange_at(0, 0, half), reference_id=7), OSCILLATOR)
        for name, half in {"wide": 900, "narrow": 10, "wider": 5000}.items()
    }
    said = one_voice_each(voices, upstreams({name: v.newest for name, v in voices.items()}), 0, OSCILLATOR)
    assert {name: track.extent(each) for name, each in said.items()} == {"narrow": Interval(-10, 10)}
