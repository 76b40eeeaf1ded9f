"""The golden stories of `tests/traces/`: model, independent oracle and audit all tell them as they are written."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from model.arbiter import Fold
from model.outcomes import Standing
from model.vocabulary import Closed, Complete, Decision, Entry, SoldOut, Won
from proofs.audit import audit
from tests import oracle
from tests.stories import LOOKED_NS, OPENS_NS, SEED, Performance, Story, beacon_value, entry, terms, write_bundle

TRACES = sorted((Path(__file__).parents[1] / "traces").glob("*.txt"))


@dataclass
class Told:
    """A story as it was read, performed on the way."""

    fold: Fold
    performance: Performance
    logs: dict[str, list[Entry]]
    delivered: dict[str, int]
    decisions: list[Decision] = field(default_factory=list)
    standing: Standing = field(default_factory=Standing)
    due: list[str] = field(default_factory=list)
    """What follows from the last line, in the story's words."""

    def record(self, first: Decision, following: list[Decision]) -> None:
        buyers = {request: buyer for buyer, request in self.fold.winners.items()}
        for decision in [first, *following]:
            self.decisions.append(decision)
            self.standing.apply(decision, buyers[decision.request] if isinstance(decision, Won) else None)
        self.due = [in_words(decision, buyers) for decision in following]

    def look(self, words: str) -> None:
        """Everything that was logged is read, then the arbiter looks."""
        for region in self.fold.regions:
            for line in self.performance.story.lines[region][self.delivered[region] :]:
                self.fold.deliver(region, line)
                self.delivered[region] += 1
        marks = dict(each.split() for each in words.split(",")) if not words.strip().isdigit() else {}
        seen = self.fold.look(
            {region: OPENS_NS + int(marks.get(region, words)) for region in self.fold.regions}, *LOOKED_NS
        )
        self.record(seen, self.fold.see(seen))

    def obey(self, verb: str, words: str) -> None:
        """What comes from the world."""
        match verb:
            case "look":
                self.look(words)
            case "cut":
                self.record(*self.fold.cut_off(words.removeprefix("off ")))
            case "cancel":
                self.record(self.fold.cancel("the merchant asked for it"), [])
            case "halt":
                self.record(self.fold.halt("south: log numbers have no gap"), [])
            case "beacon":
                value = beacon_value(self.fold.terms)
                self.record(value, self.fold.enter_beacon(value))
            case "close":
                self.record(self.fold.close(), [])
            case region:
                buyer, after_ns = words.split()
                log = self.logs[region]
                log.append(entry(region, len(log) + 1, int(after_ns), buyer))


def in_words(decision: Decision, buyers: dict[str, str]) -> str:
    match decision:
        case Won(request):
            return f"{buyers[request]} wins"
        case SoldOut():
            return "sold out"
        case Complete():
            return "complete"
        case Closed(reason):
            return f"closed: {reason}"
    raise AssertionError(decision)


def begin(words: str) -> Told:
    stated = dict(each.split() for each in words.split(","))
    agreed = terms(**{name: int(number) for name, number in stated.items()})
    logs: dict[str, list[Entry]] = {region: [] for region in agreed.regions}
    performance = Performance(Story(agreed, logs), 0)
    return Told(Fold(agreed, SEED), performance, logs, dict.fromkeys(agreed.regions, 0))


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_a_golden_story_is_told_alike_by_model_oracle_and_audit(path: Path, tmp_path: Path) -> None:
    told: Told | None = None
    outcomes: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        where = f"{path.name}, line {number}"
        match re.split(r"\s+", line, maxsplit=1):
            case [""] | ["#", *_]:
                continue
            case ["sale", words]:
                told = begin(words)
            case [">", words]:
                assert told is not None
                assert told.due, where
                assert told.due.pop(0) == words, where
            case ["=", words]:
                buyer, outcome = words.split(" ", 1)
                outcomes[buyer] = outcome
            case [verb, *words]:
                assert told is not None
                assert not told.due, f"{where}: before it follows {told.due}"
                told.obey(verb, words[0] if words else "")
    assert told is not None
    assert not told.due
    performance = told.performance
    performance.decisions, performance.standing = told.decisions, told.standing
    assert told_in_the_end(performance) == outcomes
    folder = write_bundle(tmp_path, performance)
    assert audit(folder).findings == ()
    assert [each.get("reason", each["state"]) for each in oracle.read_bundle(folder).outcomes] == [
        outcome.reason or outcome.state for outcome in performance.outcomes() if outcome is not None
    ]


def told_in_the_end(performance: Performance) -> dict[str, str]:
    """Of each buyer, what became of each request, in the order of the logs."""
    ends: dict[str, list[str]] = {}
    for (_, logged), outcome in zip(performance.entries(), performance.outcomes(), strict=True):
        assert outcome is not None
        ends.setdefault(logged.buyer, []).append(f"lost: {outcome.reason}" if outcome.reason else "won")
    return {buyer: ", ".join(each) for buyer, each in ends.items()}


def test_there_are_stories() -> None:
    assert len(TRACES) >= 8
