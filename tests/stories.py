"""Small whole sales: drawn worlds, delivered in pieces through the model, written out as bundles.

A `Story` is what the world does: terms, each region's log, who falls silent where, how it ends. `perform` is one way
in which an arbiter may live through it: which lines come when, when it looks, which marks it has heard. The same story
may be performed in many ways, and must always give the same decisions. Times are tiny (a sale lasts some forty
nanoseconds, ε is a few), so that ties, chains of windows and edges are the rule and not the exception.
"""

import json
import random
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from model import wire
from model.arbiter import Fold
from model.beacon import Round, draw_key, value_of
from model.invariants import Run
from model.outcomes import Standing
from model.replay import Replay
from model.terms import Terms, read_terms
from model.vocabulary import BeaconValue, Decision, Entry, Outcome, Won
from tests.beacons import OwnBeacon

SEED = bytes(range(32))
OPENS_NS = 1_795_809_600_000_000_000
"""2026-11-27T20:00:00Z."""
LOOKED_NS = OPENS_NS + 1_000, OPENS_NS + 1_009
"""Every look, by the arbiter's clock: after all that there is to be read."""
BEACON = OwnBeacon(OPENS_NS // 10**9 - 50)


@dataclass(frozen=True)
class Story:
    """What happens, whoever watches. `cut_offs` has the last number that counts of regions that fall silent.

    `ending` is `close`, `cancel` or `halt`; `true_arrival_ns` is what only a simulation knows.
    """

    terms: Terms
    logs: dict[str, list[Entry]]
    cut_offs: dict[str, int] = field(default_factory=dict)
    ending: str = "close"
    true_arrival_ns: dict[str, int] = field(default_factory=dict)

    @property
    def lines(self) -> dict[str, list[bytes]]:
        return {region: [wire.log_line(entry) for entry in entries] for region, entries in self.logs.items()}


def terms(
    *, stock: int = 3, regions: tuple[str, ...] = ("north", "south"), skew: int = 2, slack: int = 1, lasts: int = 40,
    lobby: int = 0, seed: bytes = SEED, beacon: bool = False
) -> Terms:  # fmt: skip
    """Terms of a tiny sale: W = 2ε + slack, `lasts` ns long, taking entries `lobby` ns before it opens; with `beacon`
    its draw waits for a round of the tests' own."""
    chain = Round(BEACON.chain, 60).stated()
    return read_terms(
        {
            "title": "Ten pairs of shoes",
            "stock": stock,
            "opens": moment(OPENS_NS),
            "closes": moment(OPENS_NS + lasts),
            "entries_from": moment(OPENS_NS - lobby),
            "regions": list(regions),
            "skew_bound_ns": str(skew),
            "tie_window_ns": str(2 * skew + slack),
            "intake_grace_ns": str(2 * skew + 1),
            "cut_off_after_ns": str(2 * skew + 2),
            **({"beacon": chain} if beacon else {}),
        }
    ).committed(seed)


def beacon_value(stated: Terms) -> BeaconValue:
    """The value of the round that the terms name."""
    assert stated.beacon is not None
    return BEACON.value(stated.beacon.number)


def drawn_by(stated: Terms) -> bytes:
    """The key of every ticket."""
    return SEED if stated.beacon is None else draw_key(SEED, beacon_value(stated))


def seed_record(stated: Terms, decisions: Sequence[Decision], seed: bytes = SEED) -> dict[str, Any]:
    """What `seed.json` says."""
    shown: dict[str, Any] = {"seed": seed.hex()}
    for value in decisions:
        if isinstance(value, BeaconValue) and stated.beacon is not None:
            told = {"round": value.round, "signature": value.signature, "value": value_of(value).hex()}
            before = {"previous_signature": value.previous_signature} if value.previous_signature else {}
            shown["beacon"] = {"chain": stated.beacon.chain.hash(), **told, **before}
    return shown


def moment(at_ns: int) -> str:
    """Of the second before opening and the one after, as RFC 9557."""
    after = at_ns - OPENS_NS
    return f"2026-11-27T20:00:00.{after:09}Z" if after >= 0 else f"2026-11-27T19:59:59.{10**9 + after:09}Z"


def entry(region: str, seq: int, after_ns: int, buyer: str, *, name: str = "", bound: int = 0) -> Entry:
    """An entry stamped `after_ns` after opening."""
    request = f"{region}.{name or f'{seq:04}'}"
    return Entry(seq, request, buyer, OPENS_NS + after_ns, bound, f"{region}-host/{seq}", 0)


@st.composite
def stories(draw: st.DrawFn, *, endings: tuple[str, ...] = ("close", "cancel", "halt"), most: int = 14) -> Story:
    """Any small world: lobby, late arrivals, several entries of a buyer, cut-offs, sold out exactly at the end."""
    regions = ("north", "south", "west")[: draw(st.integers(1, 3))]
    skew, lasts, lobby = draw(st.integers(0, 4)), draw(st.integers(1, 40)), draw(st.sampled_from([0, 0, 5, 20]))
    requests = draw(st.lists(
        st.tuples(
            st.sampled_from(regions), st.integers(-lobby, lasts), st.integers(-skew, skew), st.integers(0, 9)
        ), max_size=most,
    ))  # fmt: skip
    buyers = len({buyer for *_, buyer in requests})
    stock = draw(st.sampled_from([1, 2, 3, max(1, buyers), buyers + 1]))
    logs: dict[str, list[Entry]] = {region: [] for region in regions}
    arrivals: dict[str, int] = {}
    for position, (region, arrival_ns, error_ns, buyer) in enumerate(requests):
        log = logs[region]
        # Names carry no order of arrival: a request id must have no say beyond equal stamps and tickets.
        name = sha256(f"{position}".encode()).hexdigest()[:6]
        log.append(entry(region, len(log) + 1, arrival_ns + error_ns, f"b{buyer}", name=name, bound=abs(error_ns)))
        arrivals[log[-1].request] = OPENS_NS + arrival_ns
    silent = draw(st.sets(st.sampled_from(regions), max_size=len(regions))) if draw(st.booleans()) else set()
    return Story(
        terms(stock=stock, regions=regions, skew=skew, slack=draw(st.sampled_from([0, 0, 1, 5, 60])), lasts=lasts,
              lobby=lobby, beacon=draw(st.sampled_from([False, False, True]))),
        logs,
        {region: draw(st.integers(0, len(logs[region]))) for region in sorted(silent)},
        draw(st.sampled_from(endings)),
        arrivals,
    )  # fmt: skip


class Performance:
    """One way to live through a story. `steps` yields after every record; `decisions` grows."""

    def __init__(self, story: Story, delivery: int) -> None:
        self.story = story
        self.fold = Fold(story.terms, SEED)
        self.standing = Standing(story.terms)
        self.decisions: list[Decision] = []
        self.delivered = dict.fromkeys(story.terms.regions, 0)
        self._chance = random.Random(delivery)
        self._lines = story.lines
        self._marks = dict.fromkeys(story.terms.regions, 0)

    @classmethod
    def resumed(cls, story: Story, decisions: Sequence[Decision], delivery: int) -> "Performance":
        """An arbiter that was killed after these records and starts again from them.

        Raises:
            ReplayError: they end between a record and what follows from it, or do not hold.
        """
        run = Replay(story.terms, SEED, lambda name, first, last: story.lines[name][first - 1 : last])
        for decision in decisions:
            run.apply(decision)
        again = cls(story, delivery)
        again.fold, again.decisions = run.finish(), [*decisions]
        for region in again.fold.regions:
            delivered = again.fold.delivered(region)
            again.delivered[region], again._marks[region] = delivered.seq, delivered.mark_ns
        return again

    def steps(self) -> Iterator[Decision]:
        """Every record, as it is made, to the last."""
        while not self.fold.over:
            self._deliver_some()
            yield from self._look()
            for region in self.fold.regions:
                silent = self.delivered[region] == self.story.cut_offs.get(region)
                if silent and self._chance.random() < 0.3 and not self.fold.over:
                    record, follows = self.fold.cut_off(region)
                    yield from self._record([record, *follows])
            if self.fold.is_complete and self.fold.awaits_beacon and self._chance.random() < 0.5:
                yield from self._enter_beacon()
            if self._chance.random() < 0.1:
                yield from self._interfere()
            if (self.fold.sold_out or self.fold.cancelled) and self._all_read() and not self.fold.over:
                yield from self._look()
                yield from self._record([self.fold.close()])

    def run(self) -> "Performance":
        for _ in self.steps():
            pass
        return self

    def _enter_beacon(self) -> Iterator[Decision]:
        """The round is published, unless an operator was quicker."""
        if not self.fold.is_decided:
            value = beacon_value(self.story.terms)
            yield from self._record([value, *self.fold.enter_beacon(value)])

    def _interfere(self) -> Iterator[Decision]:
        if self.story.ending == "cancel" and not self.fold.is_decided:
            yield from self._record([self.fold.cancel("the merchant asked for it")])
        elif self.story.ending == "halt" and not self.fold.over:
            yield from self._record([self.fold.halt("south: log numbers have no gap")])

    def _last(self, region: str) -> int:
        return self.story.cut_offs.get(region, len(self._lines[region]))

    def _all_read(self) -> bool:
        """Whether whoever falls silent has been cut off, and every other log is read to its end."""
        return all(
            region not in self.story.cut_offs and self.delivered[region] == len(self._lines[region])
            for region in self.fold.regions
        )

    def _deliver_some(self) -> None:
        for region in self._chance.sample(self.fold.regions, len(self.fold.regions)):
            for _ in range(self._chance.choice([0, 0, 1, 2, 5])):
                if self.delivered[region] < self._last(region):
                    self.fold.deliver(region, self._lines[region][self.delivered[region]])
                    self.delivered[region] += 1

    def _mark_ns(self, region: str) -> int:
        """What the region can truly promise now, or less of it."""
        rest = self.story.logs[region][self.delivered[region] :]
        most = min((entry.stamp_ns for entry in rest), default=self.story.terms.last_stamp_ns + 1)
        if self._chance.random() < 0.5:
            most -= self._chance.choice([0, 1, 4, 30])
        self._marks[region] = max(self._marks[region], most)
        return self._marks[region]

    def _look(self) -> Iterator[Decision]:
        seen = self.fold.look({region: self._mark_ns(region) for region in self.fold.regions}, *LOOKED_NS)
        yield from self._record([seen, *self.fold.see(seen)])

    def _record(self, decisions: list[Decision]) -> Iterator[Decision]:
        winner_of = {request: buyer for buyer, request in self.fold.winners.items()}
        for decision in decisions:
            self.decisions.append(decision)
            self.standing.apply(decision, winner_of[decision.request] if isinstance(decision, Won) else None)
            yield decision

    def entries(self) -> list[tuple[str, Entry]]:
        """What a bundle holds: of each region in the terms' order, all, or for a halted sale what was counted."""
        return [
            (region, logged)
            for region in self.story.terms.regions
            for logged in self.story.logs[region]
            if self.standing.halted is None or logged.seq <= self.standing.counted.get(region, 0)
        ]

    def outcomes(self) -> list[Outcome | None]:
        return [
            self.standing.outcome(region, logged.seq, logged.request, logged.buyer) for region, logged in self.entries()
        ]

    def finished(self) -> Run:
        """The run as the invariants and the audit see it."""
        logs: dict[str, list[Entry]] = {region: [] for region in self.story.terms.regions}
        for region, logged in self.entries():
            logs[region].append(logged)
        outcomes = [outcome for outcome in self.outcomes() if outcome is not None]
        return Run(self.story.terms, logs, self.decisions, outcomes, self.story.true_arrival_ns)


def a_full_sale(ending: str = "close", delivery: int = 7) -> Performance:
    """A lobby, a tie, a duplicate, losers, a region cut off with a line beyond: something for every check."""
    logs = {
        "north": [entry("north", 1, -4, "ann"), entry("north", 2, 20, "bob", bound=1), entry("north", 3, 34, "eve")],
        "south": [entry("south", 1, 1, "joe"), entry("south", 2, 22, "ann"), entry("south", 3, 40, "zoe")],
        "west": [entry("west", 1, 30, "kim"), entry("west", 2, 31, "lee")],
    }
    story = Story(terms(stock=3, regions=("north", "south", "west"), lobby=5), logs, {"west": 1}, ending)
    return Performance(story, delivery).run()


def write_bundle(folder: Path, performance: Performance, seed: bytes = SEED) -> Path:
    """The bundle of a performance, as the service exports it."""
    run = performance.finished()
    files = {
        "terms.json": [run.terms.line()],
        "seed.json": [wire.canonical(seed_record(run.terms, run.decisions, seed))],
        "decisions.jsonl": [wire.decision_line(index, decision) for index, decision in enumerate(run.decisions)],
        "outcomes.jsonl": [wire.outcome_line(outcome) for outcome in run.outcomes],
        **{f"regions/{name}.jsonl": [wire.log_line(logged) for logged in log] for name, log in run.logs.items()},
    }
    (folder / "regions").mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
    return seal(folder)


def seal(folder: Path) -> Path:
    """Write the manifest of whatever lies in a folder: how a careful forger would end."""
    files, heads = {}, {}
    for path in sorted(folder.rglob("*.json*")):
        name, content = path.relative_to(folder).as_posix(), path.read_bytes()
        if name == "manifest.json":
            continue
        files[name] = sha256(content).hexdigest()
        if name == "decisions.jsonl" or name.startswith("regions/"):
            heads[name.removesuffix(".jsonl")] = wire.FIRST_HEAD
            for line in content.splitlines():
                heads[name.removesuffix(".jsonl")] = wire.extend(heads[name.removesuffix(".jsonl")], line)
    sale = sha256((folder / "terms.json").read_bytes().rstrip(b"\n")).hexdigest()[:32]
    manifest = {"format": "firstcome-bundle/1", "sale": sale, "files": files, "heads": heads}
    (folder / "manifest.json").write_bytes(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return folder


def zipped(folder: Path, around: str = "") -> Path:
    """A bundle's folder as a zip beside it; `around` is `name/` where it is zipped with a folder around it."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.json*")):
            archive.write(file, around + file.relative_to(folder).as_posix())
    return path
