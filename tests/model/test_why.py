"""What each draw was like, worked out from places alone, against a plain count beside the rule itself."""

from hypothesis import given

from model import guards
from model.lottery import ticket
from model.vocabulary import CutOff, Seen, Won
from model.why import Draw, draws, frontiers, last_place_that_matters_ns
from tests.stories import Performance, Story, drawn_by, stories, terms


def performed(story: Story) -> list:
    """The decisions of a whole performance."""
    performance = Performance(story, 0)
    for _ in performance.steps():
        pass
    return performance.decisions


def counted(story: Story) -> dict[str, tuple[int, str]]:
    """Of each buyer the least (stamp, request) that counts."""
    least: dict[str, tuple[int, str]] = {}
    for region, entries in story.logs.items():
        for entry in entries:
            if entry.seq <= story.cut_offs.get(region, entry.seq):
                key = (entry.stamp_ns, entry.request)
                least[entry.buyer] = min(least.get(entry.buyer, key), key)
    return least


@given(stories(endings=("close",)))
def test_every_draw_is_as_the_rule_says(story: Story) -> None:
    stated = story.terms
    decisions = performed(story)
    waiting = {
        request: (guards.place_ns(stamp_ns, stated.opens_ns), buyer)
        for buyer, (stamp_ns, request) in counted(story).items()
    }
    stamps = {entry.request: entry.stamp_ns for entries in story.logs.values() for entry in entries}
    won = [decision.request for decision in decisions if isinstance(decision, Won)]
    places = {request: guards.place_ns(stamps[request], stated.opens_ns) for request in won}
    most_ns = last_place_that_matters_ns(stated, (stamps[request] for request in won))
    known_ns = frontiers(stated, decisions)
    assert list(known_ns) == won
    in_order = sorted(place_ns for place_ns, _ in waiting.values() if place_ns <= most_ns)
    found = draws(stated, known_ns, in_order, places)
    marks: dict[str, int] = {}
    for decision in decisions:
        if isinstance(decision, Seen):
            marks = {name: seen.mark_ns for name, seen in decision.regions.items()}
        elif isinstance(decision, CutOff):
            del marks[decision.region]
        elif isinstance(decision, Won):
            earliest_ns = min(place_ns for place_ns, _ in waiting.values())
            pot = [
                (ticket(drawn_by(stated), stated.sale(), buyer), request)
                for request, (place_ns, buyer) in waiting.items()
                if place_ns <= earliest_ns + stated.tie_window_ns
            ]
            frontier_ns = min(marks.values()) if marks else stated.last_stamp_ns + 1
            assert found[decision.request] == Draw(earliest_ns, len(pot), frontier_ns)
            assert min(pot)[1] == decision.request
            del waiting[decision.request]


def test_without_winners_there_is_no_draw() -> None:
    assert last_place_that_matters_ns(terms(), []) == 0
    assert draws(terms(), {}, [], {}) == {}
