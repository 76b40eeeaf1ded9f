"""Small whole sales of every kind, as the arbiter's store sees them grow: lines that are copied, records that follow.

Time goes by in nanoseconds, and everything that happens is a matter of chance: who enters where, what holders say,
what is delivered when, whether a region falls silent, how it ends. The folds are the shipped ones.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from model import guards
from model.deliveries import Deliveries
from model.folds import new_fold
from model.holds import Holds
from model.outcomes import Standing
from model.replies import reply_line
from model.reservation import ReservationFold
from model.terms import Terms, read_terms
from model.vocabulary import Decision, Entry, Naming, Outcome, Reply
from model.wire import decision_line, log_line
from tests.stories import OPENS_NS, SEED, moment

REGIONS = ("north", "south", "west")
CLOSES_NS = OPENS_NS + 60
SKEW_NS = 2


def scene_terms(kind: str, stock: int, **more: Any) -> Terms:
    """Terms of a tiny sale of a kind."""
    of_kind: dict[str, dict[str, Any]] = {
        "flash": {},
        "auction": {"currency": "EUR"},
        "reservation": {"hold_ns": "20", "waiting_list": 2},
    }
    return read_terms(
        {
            "title": "Ten pairs of shoes", "stock": stock, "opens": moment(OPENS_NS), "closes": moment(CLOSES_NS),
            "regions": list(REGIONS), "skew_bound_ns": str(SKEW_NS), "intake_grace_ns": "5", "cut_off_after_ns": "6",
            "kind": kind, **of_kind[kind], **more,
        }
    ).committed(SEED)  # fmt: skip


@dataclass
class Step:
    """What the arbiter's store gets at once: lines by region, then records with the buyer beside each."""

    lines: dict[str, list[bytes]] = field(default_factory=dict)
    records: list[tuple[bytes, str]] = field(default_factory=list)


class Scene:
    """One sale, and all that becomes of it."""

    def __init__(self, kind: str, seed: int) -> None:
        self._chance = random.Random(seed)
        self.terms = scene_terms(kind, self._chance.choice([1, 2, 3, 6]))
        self.fold: Deliveries = new_fold(self.terms, SEED)
        self.standing = Standing(self.terms)
        self.entries: list[tuple[str, Entry]] = []
        """Those that the arbiter has copied, by region."""
        self._logs: dict[str, list[bytes]] = {region: [] for region in REGIONS}
        self._coming: dict[str, list[Entry | Reply]] = {region: [] for region in REGIONS}
        self._said: set[tuple[str, str]] = set()
        self._decided = 0
        self._now_ns = OPENS_NS
        self._ending = self._chance.choice(["close", "close", "cancel", "halt"])

    def steps(self) -> Iterator[Step]:
        """From the first line to the last record."""
        while not self.fold.over:
            self._now_ns += self._chance.randint(0, 6)
            if self._now_ns <= CLOSES_NS and not self._is_stopped:
                self._enter()
            self._reply()
            step = Step()
            for region in self.fold.regions:
                if self._chance.random() < 0.8:
                    self._deliver(region, step)
            self._look(step)
            is_late = self._now_ns > CLOSES_NS + 400
            if self._ending == "cancel" and not self.fold.is_decided and self._chance.random() < 0.05:
                self._record(step, [self.fold.cancel("wrong price")])
            elif not self.fold.over and (is_late or (self._ending == "halt" and self._chance.random() < 0.02)):
                self._record(step, [self.fold.halt("south: log numbers have no gap")])
            elif len(self.fold.regions) > 1 and not self.fold.is_decided and self._chance.random() < 0.01:
                region = self._chance.choice(self.fold.regions)
                if not self._coming[region]:
                    record, follows = self.fold.cut_off(region)
                    self._record(step, [record, *follows])
            yield step
            if self._is_stopped and not self.fold.over:
                step = Step()
                for region in self.fold.regions:
                    self._deliver(region, step)
                self._look(step)
                if not self.fold.over:
                    self._record(step, [self.fold.close()])
                yield step

    def outcomes(self) -> dict[str, Outcome]:
        """Of every entry that was copied, by request."""
        found = {entry.request: self.standing.outcome_of(region, entry) for region, entry in self.entries}
        assert None not in found.values()
        return {request: outcome for request, outcome in found.items() if outcome is not None}

    @property
    def _is_stopped(self) -> bool:
        return self.fold.is_decided and self.standing.lost_reason() is not None and not self._has_list_only

    @property
    def _has_list_only(self) -> bool:
        return self.standing.lost_reason() == "list_full" and not self.fold.is_decided

    def _enter(self) -> None:
        for _ in range(self._chance.choice([0, 0, 1, 2])):
            region = self._chance.choice(REGIONS)
            buyer, bid = f"b{self._chance.randint(0, 12)}", self._chance.randint(1, 4)
            price = bid if self.terms.kind == "auction" else None
            key = (buyer if price is None else f"{buyer} {price}", region)
            if key in self._said or self.standing.holds.is_full:
                continue
            self._said.add(key)
            seq = len(self._logs[region]) + 1
            stamp_ns = max(OPENS_NS, self._now_ns)
            entry = Entry(seq, f"{region}.{seq:04}", buyer, stamp_ns, 0, f"{region}-1/{seq}", 0, price=price)
            self._append(region, entry, log_line(entry))

    def _reply(self) -> None:
        holds: Holds | None = self.fold.holds if isinstance(self.fold, ReservationFold) else None
        if holds is None or self.fold.is_decided:
            return
        for turn in list(holds.turns_held()):
            says = self._chance.choice(["confirm", "release", None, None, None, None, None])
            region = turn.request.rpartition(".")[0]
            if says is None or (turn.request, says) in self._said or region not in self.fold.regions:
                continue
            self._said.add((turn.request, says))
            seq = len(self._logs[region]) + 1
            stamp_ns = max(OPENS_NS, self._now_ns)
            reply = Reply(seq, says, turn.request, stamp_ns, 0, f"{region}-1/{seq}", 0)  # type: ignore[arg-type]
            self._append(region, reply, reply_line(reply))

    def _append(self, region: str, record: Entry | Reply, line: bytes) -> None:
        self._logs[region].append(line)
        self._coming[region].append(record)

    def _deliver(self, region: str, step: Step) -> None:
        come = self._coming[region]
        for record in come:
            line = self._logs[region][record.seq - 1]
            self.fold.deliver_all(region, [line])
            step.lines.setdefault(region, []).append(line)
            if isinstance(record, Entry):
                self.entries.append((region, record))
        come.clear()

    def _look(self, step: Step) -> None:
        marks = {
            region: min([self._now_ns, *(record.stamp_ns for record in self._coming[region])])
            for region in self.fold.regions
        }
        known = {region: self.fold.delivered(region).mark_ns for region in self.fold.regions}
        raised = {region: max(known[region], mark) for region, mark in marks.items()}
        seen = self.fold.look(raised, self._now_ns, self._now_ns + 1)
        follows = self.fold.see(seen)
        if follows or self.fold.is_decided or self._chance.random() < 0.2:
            self._record(step, [seen, *follows])
        else:
            self._record(step, [seen])

    def _record(self, step: Step, decisions: list[Decision]) -> None:
        for decision in decisions:
            buyer = self.fold.buyer_of(decision.request) if isinstance(decision, Naming) else ""
            step.records.append((decision_line(self._decided, decision), buyer))
            self.standing.apply(decision, buyer or None)
            self._decided += 1


assert guards.hold_covers_clocks(20, SKEW_NS, 5)
