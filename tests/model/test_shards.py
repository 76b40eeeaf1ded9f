"""Sales at the door: whatever regions, carriers and operators do, every unit is in one place, and a replay agrees."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from model.door_invariants import GRANT_PROMISES, UNIT_PROMISES, DoorRun
from model.moves import line_of
from model.replay import ReplayError, replay
from model.shards import Grant, ShardedFold
from model.share import Share
from model.units import count
from model.vocabulary import (
    Closed,
    Complete,
    Contradiction,
    Decision,
    Entry,
    Fenced,
    Granted,
    Line,
    Refused,
    Reissued,
    SoldOut,
    Stocked,
    Taken,
)
from model.wire import decision_line, parse_decision_line
from tests.door_stories import DoorStory, door_stories, door_terms, read_all
from tests.stories import OPENS_NS, SEED

END_NS = OPENS_NS + 10**6


@given(door_stories())
def test_every_unit_is_in_one_place_at_every_moment(story: DoorStory) -> None:
    run = story.run()
    assert [violation for promise in (*GRANT_PROMISES, *UNIT_PROMISES) for violation in promise(run)] == []
    assert sum(count(place.units) for place in run.places) == story.terms.stock
    for decision in story.decisions:
        event(type(decision).__name__)


@given(door_stories())
def test_the_account_is_the_stock_whenever_all_was_read(story: DoorStory) -> None:
    read_all(story)
    story.look()
    account = story.fold.account()
    assert account.stock == story.terms.stock
    assert min(account) >= 0
    places = story.run().places
    for kind, units in (("free", account.free), ("sold", account.sold), ("on the way", account.on_the_way),
                        ("nobody's", account.nobodys), ("not set up", account.not_stocked)):  # fmt: skip
        assert sum(count(place.units) for place in places if place.kind == kind) == units, kind


@given(door_stories(), st.integers(0, 2**32))
def test_in_whatever_order_and_pieces_logs_are_delivered_a_replay_agrees(story: DoorStory, seed: int) -> None:
    chance = random.Random(seed)

    def lines(region: str, first: int, last: int) -> list[bytes]:
        return story.stores[region].lines[first - 1 : last]

    class Shuffled(ShardedFold):
        @property
        def regions(self) -> tuple[str, ...]:
            names = list(super().regions)
            chance.shuffle(names)
            return tuple(names)

    written = [parse_decision_line(index, decision_line(index, each)) for index, each in enumerate(story.decisions)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.folds.ShardedFold", Shuffled)
        folds = [fold for _, fold in replay(story.terms, SEED, lines, written)]
    again = folds[-1]
    assert isinstance(again, ShardedFold)
    for region in again.regions:
        for line in story.stores[region].lines[again.delivered(region).seq : story.fold.delivered(region).seq]:
            again.deliver(region, line)
    assert again.account() == story.fold.account()
    assert sorted(again.on_the_way) == sorted(story.fold.on_the_way)
    if written:
        assert again.estate == story.fold.estate


@given(door_stories())
def test_nothing_stays_on_the_way_once_a_carrier_runs_undisturbed(story: DoorStory) -> None:
    read_all(story)
    story.look()
    for store in story.stores.values():
        store.set_up()
    for grant in story.fold.on_the_way:
        assert story.stores[grant.to].take(grant) is not None
        assert story.stores[grant.to].take(grant) is None
    read_all(story)
    story.look()
    assert story.fold.on_the_way == ()


@given(door_stories())
def test_all_that_is_left_can_be_sold(story: DoorStory) -> None:
    """No unit is stuck where a region lives: the last is sold, and only then `sold_out` is said."""
    read_all(story)
    for store in story.stores.values():
        store.set_up()
    living = next((name for name in story.terms.regions if name not in story.fenced), None)
    if living is None or story.fold.is_decided:
        return
    for _ in range(3):
        read_all(story)
        story.reissue(living, story.terms.stock)
        for grant in story.fold.on_the_way:
            story.stores[grant.to].take(grant)
    buyers = (f"last-{number}" for number in range(100))
    for name, store in story.stores.items():
        while name not in story.fenced and store.sell(next(buyers), OPENS_NS):
            pass
    read_all(story)
    assert not story.fold.sold_out
    story.look()
    assert story.fold.sold_out
    assert story.fold.account()._asdict() == {
        "free": 0, "sold": story.terms.stock, "on_the_way": 0, "nobodys": 0, "not_stocked": 0,
    }  # fmt: skip


def a_story() -> DoorStory:
    story = DoorStory(door_terms())
    for store in story.stores.values():
        store.set_up()
    return story


def test_what_is_granted_to_a_region_that_was_fenced_out_meanwhile_is_nobody_s() -> None:
    """The donor's log is read only after the recipient was fenced out; in whatever order donors are read."""
    estates = []
    for order in (("north", "south"), ("south", "north")):
        story = a_story()
        story.stores["north"].give(1, "west", 2)
        story.stores["south"].give(1, "west", 1)
        story.fence("west")
        assert story.fold.estate == ((5, 6),)
        for region in order:
            story.read(region)
        story.look()
        assert story.fold.on_the_way == ()
        assert story.fold.account().nobodys == 5
        estates.append(story.fold.estate)
    assert estates[0] == estates[1]


def test_what_is_nobody_s_hangs_on_looks_that_were_recorded() -> None:
    story = a_story()
    read_all(story)
    story.look()
    story.stores["north"].give(1, "west", 1)
    story.read("north")
    with pytest.raises(Contradiction, match="fenced out where every region was last seen"):
        story.fold.fence("west", "gone")
    story.look()
    story.fold.fence("west", "gone")
    story.stores["south"].sell("ann", OPENS_NS)
    story.read("south")
    with pytest.raises(Contradiction, match="reissued where every region was last seen"):
        story.fold.reissue("north", 1)


def test_a_region_is_fenced_out_once_and_only_when_it_has_a_share() -> None:
    story = DoorStory(door_terms())
    with pytest.raises(Contradiction, match="once its share was set up"):
        story.fold.fence("west", "gone")
    with pytest.raises(Contradiction, match="was in the sale"):
        story.fold.fence("mars", "gone")
    story.stores["west"].set_up()
    story.fence("west")
    with pytest.raises(Contradiction, match="was in the sale"):
        story.fold.fence("west", "gone")
    for to, wanted, rule in (("west", 1, "in the sale"), ("north", 3, "nobody's"), ("north", 0, "nobody's")):
        with pytest.raises(Contradiction, match=rule):
            story.fold.reissue(to, wanted)
    assert story.fold.reissue("north", 2) == Reissued(1, "north", ((5, 6),))


def test_nothing_is_reissued_where_nothing_moves() -> None:
    story = DoorStory(door_terms(rebalance=False))
    for store in story.stores.values():
        store.set_up()
    story.fence("west")
    with pytest.raises(Contradiction, match="only in a sale that rebalances"):
        story.fold.reissue("north", 1)


def test_a_silent_region_keeps_its_share() -> None:
    story = a_story()
    read_all(story)
    story.look()
    story.fold.cut_off("west")
    assert story.fold.estate == ()
    assert story.fold.account().free == 7
    assert {place.kind for place in replace(story.run(), decisions=[*story.decisions, *cut_off(story)]).places} == {
        "free", "unaccounted",
    }  # fmt: skip


def cut_off(story: DoorStory) -> list[Decision]:
    other = a_story()
    read_all(other)
    other.look()
    return [other.fold.cut_off("west")[0]]


def test_a_sale_ends_by_time_once_everybody_was_heard() -> None:
    story = a_story()
    story.stores["north"].sell("ann", OPENS_NS)
    read_all(story)
    story.look(dict.fromkeys(story.terms.regions, END_NS))
    assert isinstance(story.decisions[-1], Complete)
    assert not story.fold.over
    assert story.fold.close() == Closed("time")
    for refused in (story.fold.close, lambda: story.fold.fence("west", "late")):
        with pytest.raises(Contradiction):
            refused()


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ([Granted(1, 1, "south", ((0, 0),))], "begins with the region's share"),
        ([Stocked(1, ((0, 3),))], "the share is the one of the terms"),
        ([Stocked(1, ((0, 2),)), Stocked(2, ((0, 2),))], "has it once"),
        ([Stocked(1, ((0, 2),)), "sell 1"], "the first free unit is sold"),
        ([Stocked(1, ((0, 2),)), "sell None"], "gets a unit at once"),
        ([Stocked(1, ((0, 2),)), "sell 0", "sell 0"], "the first free unit is sold"),
        ([Stocked(1, ((0, 2),)), "sell 0", "again 1"], "one entry in a region"),
        ([Stocked(1, ((0, 2),)), Granted(2, 1, "south", ((0, 2),)), "sell 0"], "while one is free"),
        ([Stocked(1, ((0, 2),)), Granted(2, 1, "south", ((0, 1),))], "the last free units are given"),
        ([Stocked(1, ((0, 2),)), Granted(2, 1, "south", ())], "gives what it has"),
        ([Stocked(1, ((0, 2),)), Granted(2, 1, "south", ((0, 5),))], "gives what it has"),
        ([Stocked(1, ((0, 2),)), Granted(2, 2, "south", ((2, 2),))], "without gaps"),
        ([Stocked(1, ((0, 2),)), Granted(2, 1, "north", ((2, 2),))], "for another region"),
        ([Stocked(1, ((0, 2),)), Granted(2, 1, "mars", ((2, 2),))], "a region of the sale"),
        ([Stocked(1, ((0, 2),)), Taken(2, "north", 1, ((5, 5),))], "another region's"),
        ([Stocked(1, ((0, 2),)), Taken(2, "mars", 1, ((5, 5),))], "of a region of the sale"),
        ([Stocked(1, ((0, 2),)), Taken(2, "south", 1, ((4, 4),)), Taken(3, "south", 1, ((4, 4),))], "taken once"),
    ],
)
def test_a_log_that_cannot_be_is_refused_where_it_breaks(lines: list[Line | str], rule: str) -> None:
    share, terms = Share("north"), door_terms()
    records = [entry(line, seq) if isinstance(line, str) else line for seq, line in enumerate(lines, start=1)]
    for record in records[:-1]:
        share.apply(terms, record)
    with pytest.raises(Contradiction, match=rule):
        share.apply(terms, records[-1])


def entry(told: str, seq: int) -> Entry:
    """`sell 3`: a new buyer gets unit 3; `again 3`: the same buyer does."""
    verb, _, unit = told.partition(" ")
    buyer = "ann" if verb == "again" or seq == 2 else f"buyer-{seq}"
    return Entry(seq, f"north.{seq}", buyer, OPENS_NS, 0, "host/1", 0, None if unit == "None" else int(unit))


def test_units_stay_where_terms_say_that_they_stay() -> None:
    share, terms = Share("north"), door_terms(rebalance=False)
    share.apply(terms, Stocked(1, ((0, 2),)))
    with pytest.raises(Contradiction, match="only in a sale that rebalances"):
        share.apply(terms, Granted(2, 1, "south", ((2, 2),)))


def test_a_refusal_changes_nothing() -> None:
    share, terms = Share("north"), door_terms()
    share.apply(terms, Stocked(1, ((0, 2),)))
    share.apply(terms, Refused(2, "south", 9, ((90, 91),), "altered"))
    assert (share.free, share.taken, len(share.refused)) == (((0, 2),), {}, 1)


@pytest.mark.parametrize(
    ("taken", "rule"),
    [
        (Taken(2, "north", 1, ((2, 2), (9, 9))), "what is taken is what was granted"),
        (Taken(2, "north", 2, ((2, 2),)), "what is taken was granted"),
        (Taken(2, "", 1, ((2, 2),)), "what is taken was granted"),
    ],
)
def test_what_is_taken_and_was_not_granted_so_is_found_at_the_next_look(taken: Taken, rule: str) -> None:
    story = a_story()
    story.stores["north"].give(1, "south", 1)
    story.stores["south"].lines.append(line_of(taken))
    with pytest.raises(Contradiction, match=rule):  # noqa: PT012  (one at delivery, the others at the look)
        read_all(story)
        story.look()


def test_a_grant_for_another_is_nobody_else_s() -> None:
    story = a_story()
    story.stores["north"].give(1, "south", 1)
    story.stores["west"].lines.append(line_of(Taken(2, "north", 1, ((2, 2),))))
    with pytest.raises(Contradiction, match="what is taken is what was granted"):
        read_all(story)


Change = Callable[[list[Decision]], list[Decision]]
CHANGES: dict[str, Change] = {
    "a fence elsewhere": lambda log: [replace(d, region="north") if isinstance(d, Fenced) else d for d in log],
    "a fence's head": lambda log: [replace(d, head="11" * 32) if isinstance(d, Fenced) else d for d in log],
    "a reissue of others": lambda log: [replace(d, units=((4, 4),)) if isinstance(d, Reissued) else d for d in log],
    "another number": lambda log: [replace(d, number=2) if isinstance(d, Reissued) else d for d in log],
    "no fence": lambda log: [d for d in log if not isinstance(d, Fenced)],
    "sold out too early": lambda log: [*log, SoldOut()],
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_altered_decision_log_does_not_replay(change: str) -> None:
    story = a_story()
    read_all(story)
    story.fence("west")
    story.reissue("south", 2)
    altered = CHANGES[change](story.decisions)
    with pytest.raises(ReplayError):
        list(replay(story.terms, SEED, lambda r, first, last: story.stores[r].lines[first - 1 : last], altered))


def test_promises_name_what_breaks_them() -> None:
    story = a_story()
    story.stores["north"].give(1, "south", 1)
    read_all(story)
    story.stores["south"].take(story.known[0])
    run = story.run()
    wrong: dict[str, DoorRun] = {
        "unit 0 is sold, and was sold before": replace(run, sold={**run.sold, "west": lambda: [(2, 0), (3, 0)]}),
        "unit 70 is sold, of a stock of 7": replace(run, sold={**run.sold, "west": lambda: [(2, 70)]}),
        "grant 1 of north (line 2 there) was 2-2, and is taken as 2-3": with_taken(run, units=((2, 3),)),
        "grant 2 of north is taken, and was never made": with_taken(run, number=2),
        "grant 5 of the arbiter is taken, and was never made": with_taken(run, donor="", number=5),
        "grant 1 of north (line 2 there) is taken, and was taken before": with_taken(run, twice=True),
        "units 0-0 are nowhere": replace(run, free={**run.free, "north": ((1, 1),)}),
        "units 0-1 are free in north and free in west": replace(run, free={**run.free, "west": ((0, 1), (5, 6))}),
    }
    for told, broken in wrong.items():
        found = [violation.what for promise in (*GRANT_PROMISES, *UNIT_PROMISES) for violation in promise(broken)]
        assert told in found, (told, found)


def with_taken(run: DoorRun, *, twice: bool = False, **other: object) -> DoorRun:
    moves = list(run.moves["south"])
    taken = moves[-1]
    assert isinstance(taken, Taken)
    return replace(run, moves={**run.moves, "south": [*moves, taken] if twice else [moves[0], replace(taken, **other)]})


def test_a_grant_has_a_name() -> None:
    assert Grant("north", 1, "south", ((2, 2),)) == ("north", 1, "south", ((2, 2),))
