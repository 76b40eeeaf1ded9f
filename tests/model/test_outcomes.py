"""Outcomes: told only when they are for good, and then those that an independent reader derives from the bundle."""

import json
import tempfile
from pathlib import Path

from hypothesis import event, given
from hypothesis import strategies as st

from model import wire
from model.columns import read_ids
from model.outcomes import Standing
from model.vocabulary import Cancelled, Closed, CutOff, Halted, Outcome, RegionSeen, Seen, SoldOut, Won
from tests import oracle
from tests.stories import Performance, Story, stories, terms, write_bundle


@given(stories(), st.integers(0, 2**32))
def test_an_outcome_once_told_never_changes_and_in_the_end_everybody_has_one(story: Story, delivery: int) -> None:
    performance = Performance(story, delivery)
    told: dict[str, Outcome] = {}
    for _ in performance.steps():
        for region, log in story.logs.items():
            for entry in log:
                outcome = performance.standing.outcome(region, entry.seq, entry.request, entry.buyer)
                known = told.get(entry.request)
                assert known is None or outcome == known, f"{known} became {outcome}"
                if outcome is not None:
                    told[entry.request] = outcome
    assert {entry.request for _, entry in performance.entries()} <= told.keys()
    assert None not in performance.outcomes()
    for outcome in told.values():
        event(outcome.reason or "won")


@given(stories(), st.integers(0, 2**32))
def test_decisions_and_outcomes_are_those_of_an_independent_reading(story: Story, delivery: int) -> None:
    performance = Performance(story, delivery).run()
    with tempfile.TemporaryDirectory() as folder:
        reading = oracle.read_bundle(write_bundle(Path(folder), performance))
    decisions = [wire.decision_line(index, decision) for index, decision in enumerate(performance.decisions)]
    assert [json.loads(line) for line in decisions] == reading.decisions
    outcomes = [wire.outcome_line(outcome) for outcome in performance.outcomes() if outcome is not None]
    assert [json.loads(line) for line in outcomes] == reading.outcomes
    won = [decision.request for decision in performance.decisions if isinstance(decision, Won)]
    assert won == reading.final_order[: len(won)]
    if performance.standing.closed in {"time", "sold_out"}:
        assert len(won) == min(story.terms.stock, len(reading.final_order))


def standing(*decisions, winner: str = "ann") -> Standing:
    told = Standing(terms())
    for decision in decisions:
        told.apply(decision, winner if isinstance(decision, Won) else None)
    return told


def seen(north: int, south: int = 0) -> Seen:
    return Seen({"north": RegionSeen(north, "", 0), "south": RegionSeen(south, "", 0)}, 0, 0)


ANN_WINS = Won("north.1", "north", 0, 0)


def test_a_sale_without_decisions_is_open_and_everybody_pending() -> None:
    assert standing().state == "open"
    assert standing(seen(5)).outcome("north", 1, "north.1", "ann") is None


def test_who_is_not_counted_yet_is_pending_though_the_stock_is_gone() -> None:
    told = standing(seen(2), ANN_WINS, SoldOut())
    assert (told.state, told.sold_out_at) == ("closed", 2)
    assert told.outcome("north", 2, "north.2", "bob") == Outcome("north.2", "lost", reason="sold_out")
    assert told.outcome("north", 3, "north.3", "eve") is None
    told.apply(CutOff("north", 2, ""))
    assert told.outcome("north", 3, "north.3", "eve") == Outcome("north.3", "lost", reason="cut_off")


def test_a_duplicate_names_the_winner_and_beyond_a_cut_off_the_reason_is_the_cut_off() -> None:
    told = standing(seen(4), ANN_WINS)
    assert told.outcome("north", 4, "north.4", "ann") == Outcome("north.4", "lost", reason="duplicate", of="north.1")
    told.apply(CutOff("north", 4, ""))
    assert told.outcome("north", 5, "north.5", "ann") == Outcome("north.5", "lost", reason="cut_off")
    assert told.outcome("north", 1, "north.1", "ann") == Outcome("north.1", "won", rank=0, unit=0)


def test_every_ending_has_its_reason() -> None:
    reasons = {
        "closed": [Closed("time")],
        "cancelled": [Cancelled("x"), Closed("cancelled")],
        "halted": [Halted("x")],
        "sold_out": [SoldOut(), Closed("sold_out")],
    }
    for reason, ending in reasons.items():
        told = standing(seen(1), *ending)
        assert told.over
        assert told.outcome("north", 1, "north.1", "bob") == Outcome("north.1", "lost", reason=reason)
    assert standing(Halted("x")).state == "halted"
    assert standing(Cancelled("x")).state == "cancelled"


@given(stories(), st.integers(0, 2**32), st.integers(1, 5))
def test_lines_of_outcomes_are_those_of_each_outcome_alone(story: Story, delivery: int, at_once: int) -> None:
    """At every moment of a sale, in pieces of any size: all of a piece are known, or the piece is not told."""
    performance = Performance(story, delivery)
    for _ in performance.steps():
        for region, log in story.logs.items():
            for at in range(0, len(log), at_once):
                piece = log[at : at + at_once]
                requests, buyers = read_ids([wire.log_line(entry) for entry in piece])
                alone = [performance.standing.outcome(region, entry.seq, entry.request, entry.buyer) for entry in piece]
                expected = [wire.outcome_line(outcome) for outcome in alone if outcome is not None]
                told = performance.standing.outcome_lines(region, at + 1, requests, buyers)
                assert told == (expected if len(expected) == len(piece) else None)
                event("told" if told else "not told")
