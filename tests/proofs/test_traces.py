"""The golden stories of `tests/traces/`: model and audit tell them as they are written, and so does whoever else reads
the rules: `oracle.py` of flash sales, `auction_stories.read_again` of auctions."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from model import wire
from model.arbiter import Fold
from model.folds import new_fold
from model.outcomes import Standing
from model.terms import Terms
from model.vocabulary import (
    Closed,
    Complete,
    Confirmed,
    Decision,
    Entry,
    Expired,
    Held,
    Listed,
    ListFull,
    Naming,
    Outcome,
    Released,
    Reply,
    SoldOut,
    Won,
)
from proofs.audit import audit
from tests import auction_stories, oracle, reservation_stories
from tests.stories import LOOKED_NS, OPENS_NS, SEED, Story, beacon_value, entry, seal, seed_record, terms

TRACES = sorted((Path(__file__).parents[1] / "traces").glob("*.txt"))


@dataclass
class Told:
    """A story as it was read, performed on the way."""

    terms: Terms
    fold: Fold = field(init=False)
    logs: dict[str, list[Entry | Reply]] = field(init=False)
    delivered: dict[str, int] = field(init=False)
    standing: Standing = field(init=False)
    decisions: list[Decision] = field(default_factory=list)
    cut_offs: dict[str, int] = field(default_factory=dict)
    due: list[str] = field(default_factory=list)
    """What follows from the last line, in the story's words."""

    def __post_init__(self) -> None:
        fold = new_fold(self.terms, SEED)
        assert isinstance(fold, Fold)
        self.fold, self.standing = fold, Standing(self.terms)
        self.logs = {region: [] for region in self.terms.regions}
        self.delivered = dict.fromkeys(self.terms.regions, 0)

    def record(self, first: Decision, following: list[Decision]) -> None:
        for decision in [first, *following]:
            self.decisions.append(decision)
            self.standing.apply(
                decision, self.fold.buyer_of(decision.request) if isinstance(decision, Naming) else None
            )
        self.due = [self.in_words(decision) for decision in following]

    def look(self, words: str) -> None:
        """Everything that was logged is read, then the arbiter looks."""
        for region in self.fold.regions:
            for record in self.logs[region][self.delivered[region] :]:
                self.fold.deliver(region, reservation_stories.line_of(record))
                self.delivered[region] += 1
        told = dict(each.split() for each in words.split(",")) if not words.strip().isdigit() else {}
        marks = {region: OPENS_NS + int(told.get(region, words)) for region in self.fold.regions}
        # Holds last from a look, so there looks have the times of a story; elsewhere any will do.
        looked_ns = LOOKED_NS if self.terms.kind != "reservation" else (max(marks.values()), max(marks.values()))
        seen = self.fold.look(marks, *looked_ns)
        self.record(seen, self.fold.see(seen))

    def obey(self, verb: str, words: str) -> None:
        """What comes from the world."""
        match verb:
            case "look":
                self.look(words)
            case "cut":
                region = words.removeprefix("off ")
                self.cut_offs[region] = self.delivered[region]
                self.record(*self.fold.cut_off(region))
            case "cancel":
                self.record(self.fold.cancel("the merchant asked for it"), [])
            case "halt":
                self.record(self.fold.halt("south: log numbers have no gap"), [])
            case "beacon":
                value = beacon_value(self.terms)
                self.record(value, self.fold.enter_beacon(value))
            case "close":
                self.record(self.fold.close(), [])
            case "confirm" | "release":
                buyer, after_ns = words.split()
                purchase = self.request_of(buyer)
                log = self.logs[purchase.rpartition(".")[0]]
                log.append(Reply(len(log) + 1, verb, purchase, OPENS_NS + int(after_ns), 0, "host/1", 0))
            case region:
                buyer, after_ns, *price = words.replace(" at ", " ").split()
                log = self.logs[region]
                seq, bids = len(log) + 1, int(price[0]) if price else None
                log.append(
                    entry(region, seq, int(after_ns), buyer) if bids is None
                    else auction_stories.bid(region, seq, int(after_ns), buyer, bids)
                )  # fmt: skip

    def request_of(self, buyer: str) -> str:
        """Which of a buyer's purchases a reply is about: the one that has a place."""
        return self.standing.holds.request_of[buyer]

    def in_words(self, decision: Decision) -> str:
        match decision:
            case Won(request, price=None):
                return f"{self.fold.buyer_of(request)} wins"
            case Won(request, price=price):
                return f"{self.fold.buyer_of(request)} wins, pays {price}"
            case Listed(request, _, rank):
                return f"{self.fold.buyer_of(request)} waits at {rank}"
            case Held(request, _, rank, unit, until_ns):
                return f"{self.fold.buyer_of(request)} holds {unit} at {rank} until {until_ns - OPENS_NS}"
            case Confirmed(request) | Released(request) | Expired(request):
                return f"{self.fold.buyer_of(request)}: {type(decision).__name__.lower()}"
            case ListFull():
                return "list full"
            case SoldOut():
                return "sold out"
            case Complete():
                return "complete"
            case Closed(reason):
                return f"closed: {reason}"
        raise AssertionError(decision)

    def entries(self) -> list[tuple[str, Entry]]:
        return [(name, each) for name, log in self.logs.items() for each in log if isinstance(each, Entry)]

    def outcomes(self) -> list[Outcome]:
        found = [self.standing.outcome_of(region, logged) for region, logged in self.entries()]
        return [outcome for outcome in found if outcome is not None]

    def told_in_the_end(self) -> dict[str, str]:
        """Of each buyer, what became of each request, in the order of the logs."""
        ends: dict[str, list[str]] = {}
        for (_, logged), outcome in zip(self.entries(), self.outcomes(), strict=True):
            pays = "" if outcome.price is None else f", pays {outcome.price}"
            ends.setdefault(logged.buyer, []).append(f"lost: {outcome.reason}" if outcome.reason else f"won{pays}")
        return {buyer: ", ".join(each) for buyer, each in ends.items()}

    def write(self, folder: Path) -> Path:
        """The bundle."""
        files = {
            "terms.json": [self.terms.line()],
            "seed.json": [wire.canonical(seed_record(self.terms, self.decisions))],
            "decisions.jsonl": [wire.decision_line(index, each) for index, each in enumerate(self.decisions)],
            "outcomes.jsonl": list(map(wire.outcome_line, self.outcomes())),
            **{f"regions/{name}.jsonl": list(map(reservation_stories.line_of, log)) for name, log in self.logs.items()},
        }
        (folder / "regions").mkdir(parents=True)
        for name, lines in files.items():
            (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
        return seal(folder)


def begin(words: str) -> Told:
    kind, *stated = words.split(", ") if words.startswith(("auction", "reservation")) else ["flash", *words.split(", ")]
    how = {name: int(number) for name, number in (each.split() for each in stated)}
    if kind == "auction":
        pricing = "uniform" if how.pop("uniform") else "first_price"
        return Told(auction_stories.auction_terms(pricing=pricing, reserve_price=how.pop("reserve"), **how))
    if kind == "reservation":
        return Told(reservation_stories.terms(waiting_list=how.pop("waiting"), **how))
    return Told(terms(**how))


def read_by_others(told: Told, folder: Path) -> None:
    """Somebody else's reading of the rules agrees."""
    if told.terms.kind == "flash":
        assert [each.get("reason", each["state"]) for each in oracle.read_bundle(folder).outcomes] == [
            outcome.reason or outcome.state for outcome in told.outcomes()
        ]
    elif told.terms.kind == "auction":
        logs = {name: [each for each in log if isinstance(each, Entry)] for name, log in told.logs.items()}
        again = auction_stories.read_again(Story(told.terms, logs, told.cut_offs))
        assert auction_stories.told(told.outcomes()) == again.outcomes


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_a_golden_story_is_told_alike_by_model_audit_and_others(path: Path, tmp_path: Path) -> None:
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
    assert told.told_in_the_end() == outcomes
    folder = told.write(tmp_path / "bundle")
    assert audit(folder).findings == ()
    read_by_others(told, folder)


def test_there_are_stories_of_every_kind() -> None:
    texts = [path.read_text() for path in TRACES]
    for kind in ("sale stock", "sale auction", "sale reservation"):
        assert sum(kind in text for text in texts) >= 4, kind
