"""The list: units go down it, and what is told to somebody who waits never gets worse."""

from hypothesis import event, given
from hypothesis import strategies as st

from model.holds import Holds, settling_ns
from model.terms import Terms
from model.vocabulary import Confirmed, Expired, Held, Listed, ListFull, Released, SoldOut
from tests.reservation_stories import Performance, Story, a_full_reservation, races, stories, terms
from tests.search import many
from tests.stories import OPENS_NS

NO_REGION = "north"


def held(holds: Holds, rank: int, unit: int, until_ns: int) -> None:
    holds.apply(Held(f"north.{rank}", NO_REGION, rank, unit, until_ns), f"b{rank}")


def listed(holds: Holds, rank: int) -> None:
    holds.apply(Listed(f"north.{rank}", NO_REGION, rank), f"b{rank}")


def ahead(holds: Holds, rank: int) -> int:
    return holds.ahead(holds.turns[f"north.{rank}"])


def known_by_ns(holds: Holds, rank: int) -> int:
    found = holds.known_by_ns(holds.turns[f"north.{rank}"])
    assert found is not None
    return found


def round_ns(stated: Terms) -> int:
    return stated.hold_ns + settling_ns(stated)


def test_units_go_out_from_the_least_and_come_back_as_the_least_that_is_free() -> None:
    holds = Holds(terms(stock=3))
    assert holds.free_unit() == 0
    for rank in range(3):
        held(holds, rank, rank, OPENS_NS + 50)
    assert (holds.free_unit(), holds.held, holds.drawn) == (None, 3, 3)
    holds.apply(Released("north.2"))
    holds.apply(Expired("north.1"))
    assert holds.free_unit() == 1
    held(holds, 3, 1, OPENS_NS + 80)
    assert holds.free_unit() == 2
    holds.apply(Confirmed("north.3"))
    assert (holds.confirmed, holds.held, holds.free_unit()) == (1, 1, 2)
    held(holds, 4, 2, OPENS_NS + 90)
    assert holds.free_unit() is None


def test_who_waits_longest_is_next_and_each_who_is_served_brings_the_others_one_nearer() -> None:
    stated = terms(stock=1, waiting_list=3)
    holds = Holds(stated)
    held(holds, 0, 0, OPENS_NS + 30)
    for rank in (1, 2, 3):
        listed(holds, rank)
    holds.apply(ListFull())
    assert holds.is_full
    assert [ahead(holds, rank) for rank in (1, 2, 3)] == [0, 1, 2]
    first_ns = OPENS_NS + 30 + settling_ns(stated)
    assert [known_by_ns(holds, rank) - first_ns for rank in (1, 2, 3)] == [n * round_ns(stated) for n in (0, 1, 2)]
    holds.apply(Released("north.0"))
    assert holds.next_in_line() is holds.turns["north.1"]
    held(holds, 1, 0, OPENS_NS + 45)
    assert [ahead(holds, rank) for rank in (2, 3)] == [0, 1]
    assert known_by_ns(holds, 2) == OPENS_NS + 45 + settling_ns(stated), "the unit came back early"


def test_whoever_comes_to_an_empty_list_is_told_by_the_units_that_are_out_now() -> None:
    stated = terms(stock=1, waiting_list=9)
    holds = Holds(stated)
    held(holds, 0, 0, OPENS_NS + 30)
    listed(holds, 1)
    holds.apply(Expired("north.0"))
    held(holds, 1, 0, OPENS_NS + 400)
    listed(holds, 2)
    assert ahead(holds, 2) == 0
    assert known_by_ns(holds, 2) == OPENS_NS + 400 + settling_ns(stated)


@given(st.one_of(stories(), st.integers(0, 10**6).map(races)), st.integers(0, 2**32))
def test_what_is_told_to_somebody_who_waits_never_gets_worse(story: Story, delivery: int) -> None:
    event(f"waited {told_over_time(Performance(story, delivery).run())}")


def test_the_same_of_many_races() -> None:
    assert sum(told_over_time(Performance(races(seed), seed).run()) for seed in range(many(200))) > many(200)
    assert told_over_time(a_full_reservation()) == 3


def told_over_time(done: Performance) -> int:
    """Follow everybody who waits over the whole run. Returns how many did."""
    holds, told = Holds(done.story.terms), dict[str, tuple[int, int]]()
    for decision, buyer in zip(done.decisions, done.buyers, strict=True):
        holds.apply(decision, buyer)
        for turn in holds.turns.values():
            if turn.state != "waiting":
                continue
            by_ns = holds.known_by_ns(turn)
            assert by_ns is not None, "while somebody waits every unit is out or sold"
            now = holds.ahead(turn), by_ns
            before = told.setdefault(turn.request, now)
            assert now[0] <= before[0]
            assert now[1] <= before[1]
            told[turn.request] = now
        places = sorted(holds.ahead(turn) for turn in holds.turns.values() if turn.state == "waiting")
        assert places == list(range(len(places)))
    return len(told)


@given(st.integers(0, 10**6), st.integers(0, 2**32))
def test_who_waits_knows_by_then_where_holds_are_settled_in_time(seed: int, delivery: int) -> None:
    """The promise of `known_by`, under its assumption, in true time."""
    done = Performance(races(seed), delivery).run()
    stated, holds = done.story.terms, Holds(done.story.terms)
    told: dict[str, int] = {}
    now_ns, is_settled_in_time = 0, True
    for index, (decision, buyer) in enumerate(zip(done.decisions, done.buyers, strict=True)):
        now_ns = done.looked_at_ns.get(index, now_ns)
        if isinstance(decision, Expired | Confirmed | Released):
            is_settled_in_time &= now_ns <= holds.turns[decision.request].until_ns + settling_ns(stated)
        holds.apply(decision, buyer)
        waiting = [turn for turn in holds.turns.values() if turn.state == "waiting"]
        for turn in waiting:
            by_ns = holds.known_by_ns(turn)
            assert by_ns is not None
            told.setdefault(turn.request, by_ns)
        knows = [told[turn.request] for turn in waiting] if isinstance(decision, SoldOut) else []
        if isinstance(decision, Held) and decision.request in told:
            knows.append(told[decision.request])
        if is_settled_in_time:
            assert all(now_ns <= by_ns for by_ns in knows)
    event("settled in time" if is_settled_in_time else "too late")
