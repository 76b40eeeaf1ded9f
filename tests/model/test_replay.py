"""A decision log against the logs it came from: it replays, and no altered one does."""

import itertools
import random
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from model import replay as law
from model.arbiter import Fold
from model.replay import ReplayError
from model.vocabulary import (
    BeaconValue,
    Cancelled,
    Closed,
    Complete,
    CutOff,
    Decision,
    Halted,
    Seen,
    SoldOut,
    Won,
)
from model.wire import decision_line
from tests.stories import BEACON, SEED, Performance, Story, entry, stories, terms


def replay(story: Story, decisions: Sequence[Decision], seed: bytes = SEED) -> int:
    """Replay it; the number of records applied."""

    def lines(region: str, first: int, last: int) -> Iterable[bytes]:
        return story.lines[region][first - 1 : last]

    return [index for index, _ in law.replay(story.terms, seed, lines, decisions)][-1]


def a_sale(ending: str = "close", beacon: bool = False) -> Performance:
    """Two regions, a winner each and a loser, a region cut off, sold out, closed."""
    logs = {
        "north": [entry("north", 1, 3, "ann"), entry("north", 2, 20, "bob"), entry("north", 3, 34, "eve")],
        "south": [entry("south", 1, 4, "joe"), entry("south", 2, 22, "ann")],
        "west": [entry("west", 1, 30, "kim")],
    }
    story = Story(terms(stock=3, regions=("north", "south", "west"), beacon=beacon), logs, {"west": 0}, ending)
    return Performance(story, delivery=4).run()


SALE = a_sale()


def alterations(decisions: list[Decision]) -> Iterable[tuple[str, int, list[Decision]]]:
    """Every small lie about a decision log: what it is, the first record it touches, the log that results."""
    for at, decision in enumerate(decisions):
        before, after = decisions[:at], decisions[at + 1 :]
        if after:
            yield "dropped", at, before + after
        if after and after[0] != decision:
            yield "swapped", at, [*before, after[0], decision, *after[1:]]
        yield "repeated", at, [*before, decision, decision, *after]
        for what, other in altered(decision):
            yield what, at, [*before, other, *after]


def altered(decision: Decision) -> Iterable[tuple[str, Decision]]:
    match decision:
        case Seen(regions):
            for name, region in regions.items():
                lies = [
                    ("head", replace(region, head=region.head[::-1])),
                    ("seq", replace(region, seq=region.seq + 1)),
                    ("mark far ahead", replace(region, mark_ns=10**19)),
                    ("mark back", replace(region, mark_ns=-1)),
                ]
                for what, lie in lies:
                    yield f"{what} of {name}", replace(decision, regions={**regions, name: lie})
            yield "a region left out", replace(decision, regions=dict(list(regions.items())[1:]))
        case Won():
            yield "rank", replace(decision, rank=decision.rank + 1)
            yield "unit", replace(decision, unit=decision.unit + 1)
            yield "request", replace(decision, request="north.0003")
            yield "region", replace(decision, region="west")
        case CutOff():
            yield "cut further", replace(decision, seq=decision.seq + 1)
            yield "another region", replace(decision, region="south")
        case Closed():
            yield "reason", replace(decision, reason="cancelled")
    yield "replaced by sold_out", SoldOut() if decision != SoldOut() else Closed("time")


def test_the_story_has_all_that_can_be_altered() -> None:
    kinds = {type(decision) for decision in SALE.decisions}
    assert kinds == {Seen, Won, SoldOut, CutOff, Closed}
    assert replay(SALE.story, SALE.decisions) == len(SALE.decisions)


def harmless(at: int, decisions: list[Decision]) -> bool:
    """What nobody can hold against a log: a look more or less, or at another moment, that decides nothing."""
    try:
        return replay(SALE.story, decisions) >= 0 and what_follows(decisions) == what_follows(SALE.decisions)
    except ReplayError:
        return False


def what_follows(decisions: Iterable[Decision]) -> list[Decision]:
    return [decision for decision in decisions if isinstance(decision, Won | SoldOut | Closed)]


@pytest.mark.parametrize(
    ("at", "decisions"),
    [
        pytest.param(at, log, id=f"{at} {type(SALE.decisions[at]).__name__} {what}")
        for what, at, log in alterations(SALE.decisions)
    ],
)
def test_an_altered_log_does_not_replay_or_decides_the_same(at: int, decisions: list[Decision]) -> None:
    touched_only_looks = all(isinstance(record, Seen) for record in set_difference(decisions, SALE.decisions))
    if touched_only_looks and harmless(at, decisions):
        return
    with pytest.raises(ReplayError) as raised:
        replay(SALE.story, decisions)
    assert raised.value.index >= at
    assert str(raised.value).startswith(f"decision record {raised.value.index}: ")


def set_difference(one: list[Decision], other: list[Decision]) -> list[Decision]:
    return [record for record in one if record not in other] + [record for record in other if record not in one]


@given(stories(), st.integers(0, 2**32))
def test_what_was_recorded_replays(story: Story, delivery: int) -> None:
    performance = Performance(story, delivery).run()
    assert replay(story, performance.decisions) == len(performance.decisions)


@given(stories(endings=("close",)), st.integers(0, 2**32), st.integers(0, 2**32), st.data())
def test_an_arbiter_killed_anywhere_goes_on_to_the_same_end(
    story: Story, delivery: int, after: int, data: st.DataObject
) -> None:
    decisions = Performance(story, delivery).run().decisions
    stop = data.draw(st.integers(0, len(decisions)))
    while isinstance(decisions[stop] if stop < len(decisions) else None, Won | SoldOut | Complete | Closed):
        stop -= 1  # a record and what follows from it are appended in one piece
    resumed = Performance.resumed(story, decisions[:stop], after).run()
    assert what_follows(resumed.decisions) == what_follows(decisions)


@given(stories(), st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_between_two_records_lines_may_come_in_any_interleaving(
    story: Story, delivery: int, chance: random.Random
) -> None:
    """Line by line, regions in turn as chance has it: every record is decided as it stands, byte by byte."""
    decisions = Performance(story, delivery).run().decisions
    fold, due = Fold(story.terms, SEED), deque[Decision]()
    swapped = False
    for index, decision in enumerate(decisions):
        if due:
            assert decision_line(index, due.popleft()) == decision_line(index, decision)
            continue
        match decision:
            case Seen(regions):
                waiting = [name for name, seen in regions.items() for _ in range(seen.seq - fold.delivered(name).seq)]
                shuffled = chance.sample(waiting, len(waiting))
                swapped |= shuffled != waiting
                for name in shuffled:
                    fold.deliver(name, story.lines[name][fold.delivered(name).seq])
                due.extend(fold.see(decision))
            case CutOff(region):
                record, follows = fold.cut_off(region)
                assert record == decision
                due.extend(follows)
            case BeaconValue():
                due.extend(fold.enter_beacon(decision))
            case Cancelled(reason):
                fold.cancel(reason)
            case Halted(reason):
                fold.halt(reason)
            case _:
                assert fold.close() == decision
    assert not due
    event(f"shuffled {swapped}")


@given(stories(), st.integers(0, 2**32), st.integers(0, 2**32))
def test_an_arbiter_killed_again_and_again_decides_what_one_that_lives_does(
    story: Story, delivery: int, kills: int
) -> None:
    """Killed after any records, also after an operator stopped the sale, it goes on from them in its own way."""
    performance, chance, lives = Performance(story, delivery), random.Random(kills), 1
    while True:
        recorded = chance.randint(1, 12)
        if len(list(itertools.islice(performance.steps(), recorded))) < recorded:
            break
        performance = Performance.resumed(story, whole(performance.decisions), delivery + lives)
        lives += 1
    won = [decision for decision in performance.decisions if isinstance(decision, Won)]
    uncut = Performance(Story(story.terms, story.logs, story.cut_offs), delivery).run().decisions
    assert won == [decision for decision in uncut if isinstance(decision, Won)][: len(won)]
    assert replay(story, performance.decisions) == len(performance.decisions)
    event(f"lives {min(lives, 5)}")


def whole(decisions: Sequence[Decision]) -> list[Decision]:
    """Without a record at the end whose consequences are not all there: they are appended in one piece."""
    kept = [*decisions]
    while kept and isinstance(kept[-1], Won | SoldOut | Complete | Closed):
        kept.pop()
    return kept[:-1] if isinstance(kept[-1] if kept else None, Seen | CutOff | BeaconValue) else kept


def test_a_beacons_value_is_entered_once_and_only_when_every_entry_is_in() -> None:
    sale = a_sale(beacon=True)
    decisions = [each for each in sale.decisions if not isinstance(each, Seen)]
    assert [type(each) for each in decisions] == [CutOff, Complete, BeaconValue, Won, Won, Won, SoldOut, Closed]
    assert replay(sale.story, sale.decisions) == len(sale.decisions)
    at = next(at for at, each in enumerate(sale.decisions) if isinstance(each, BeaconValue))
    value, complete = sale.decisions[at], sale.decisions.index(Complete())
    for lie in (
        [*sale.decisions[:complete], *sale.decisions[complete + 1 :]],
        [*sale.decisions[: complete - 1], value, *sale.decisions[complete - 1 :]],
        [*sale.decisions[:at], *sale.decisions[at + 1 :]],
        [*sale.decisions[:at], BEACON.value(61), *sale.decisions[at + 1 :]],
        [*sale.decisions[: at + 1], value, *sale.decisions[at + 1 :]],
    ):
        with pytest.raises(ReplayError):
            replay(sale.story, lie)
    with pytest.raises(ReplayError):
        replay(a_sale().story, sale.decisions)


def test_what_follows_must_be_recorded() -> None:
    winner = next(at for at, decision in enumerate(SALE.decisions) if isinstance(decision, Won))
    with pytest.raises(ReplayError, match="what follows is recorded") as raised:
        replay(SALE.story, SALE.decisions[:winner])
    assert raised.value.index == winner


def test_another_seed_another_sale() -> None:
    tied = Story(terms(stock=1), {"north": [entry("north", 1, 3, "ann"), entry("north", 2, 3, "bob")], "south": []})
    decisions = Performance(tied, 0).run().decisions
    refused = 0
    for number in range(8):
        try:
            replay(tied, decisions, bytes([number]) * 32)
        except ReplayError:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize("record", [Won("north.0001", "north", 0, 0), SoldOut(), Closed("time"), Closed("sold_out")])
def test_nothing_decides_what_did_not_follow(record: Decision) -> None:
    with pytest.raises(ReplayError) as raised:
        replay(SALE.story, [record])
    assert raised.value.index == 0


def test_a_cancelled_and_a_halted_sale_replay_and_take_no_more() -> None:
    assert replay(SALE.story, [Cancelled("wrong price"), Closed("cancelled")]) == 2
    assert replay(SALE.story, [Halted("north: log numbers have no gap")]) == 1
    for log in ([Cancelled("x"), Closed("sold_out")], [Halted("x"), Halted("x")], [Cancelled("x"), Cancelled("x")]):
        with pytest.raises(ReplayError) as raised:
            replay(SALE.story, log)
        assert raised.value.index == 1


def test_a_log_that_lacks_what_was_seen_is_no_log() -> None:
    shorter = Story(SALE.story.terms, {**SALE.story.logs, "north": SALE.story.logs["north"][:1]})
    with pytest.raises(ReplayError) as raised:
        replay(shorter, SALE.decisions)
    assert raised.value.region == "north"
