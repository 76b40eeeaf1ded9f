"""Small whole reservations, lived through moment by moment: who enters, who is told of a unit, what they say of it.

How to use it: `a_full_reservation()` is one with something for every check; `stories()` draws any small world, `races`
makes one out of a number in which everybody replies at the last moment; and
`Performance(story, delivery).run()` lives through one: `logs` (entries and replies), `decisions`, `standing`,
`outcomes()`, `finished()` (a `Run`, its logs with replies), `true_arrival_ns` and `true_reply_ns`, and the moments of
looks, `looked_at_ns`. `write_bundle(folder, performance)` writes it out as the service does. `each_unit_is_with_one` is
what is true of every decision log of a reservation.

What holders say follows from what they were told, so a story cannot be a finished log, as it is elsewhere
(`stories.py`): it is a plan, and true time passes. Every clock is off by at most ε, each time by something else: hosts
when they stamp and when they raise their mark, the arbiter's interval, which contains the true time. Replies come at
the very edge of the hold, before and behind it, and take their time to the log.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from hypothesis import strategies as st

from model import wire
from model.folds import new_fold
from model.invariants import Run
from model.outcomes import Standing
from model.replies import reply_line
from model.reservation import ReservationFold
from model.terms import Terms, read_terms
from model.vocabulary import (
    BuyerId,
    Confirmed,
    Decision,
    Entry,
    Expired,
    Held,
    Listed,
    Naming,
    Outcome,
    Released,
    Reply,
    ReplyKind,
    RequestId,
    Seen,
)
from tests.stories import OPENS_NS, SEED, moment, seal, seed_record

REGIONS = ("north", "south", "west")


@dataclass(frozen=True)
class Plan:
    """What one buyer does; all in nanoseconds of true time.

    They press `enters_ns` after the opening, by a clock that is off by `error_ns` just then, and `late_ns` later that
    is in the log. Once they were told of a unit, they say each of `says` so long after (or, below 0, before) the end
    of their hold as it says there, by a clock that is off by so much, and so much later that is in the log.
    """

    buyer: BuyerId
    region: str
    enters_ns: int
    error_ns: int = 0
    late_ns: int = 0
    says: tuple[tuple[ReplyKind, int, int, int], ...] = ()


@dataclass(frozen=True)
class Story:
    """What happens, whoever watches. `silent_ns` has when a region falls silent for good; `ending` is `close`, `cancel`
    or `halt`, and `ends_ns` when an operator or a contradiction comes. Both count from the opening."""

    terms: Terms
    plans: tuple[Plan, ...]
    silent_ns: dict[str, int] = field(default_factory=dict)
    ending: str = "close"
    ends_ns: int = 10**6


def terms(
    *, stock: int = 2, regions: tuple[str, ...] = REGIONS[:2], skew: int = 2, slack: int = 1, lasts: int = 40,
    lobby: int = 0, hold: int = 30, waiting_list: int = 3, seed: bytes = SEED,
) -> Terms:  # fmt: skip
    """Terms of a tiny reservation: W = 2ε + slack, `lasts` ns long, units held for `hold` ns."""
    return read_terms(
        {
            "title": "Ten tables for two",
            "kind": "reservation",
            "stock": stock,
            "opens": moment(OPENS_NS),
            "closes": moment(OPENS_NS + lasts),
            "entries_from": moment(OPENS_NS - lobby),
            "regions": list(regions),
            "skew_bound_ns": str(skew),
            "tie_window_ns": str(2 * skew + slack),
            "intake_grace_ns": str(2 * skew + 1),
            "cut_off_after_ns": str(2 * skew + 2),
            "hold_ns": str(hold),
            "waiting_list": waiting_list,
        }
    ).committed(seed)


def line_of(record: Entry | Reply) -> bytes:
    """A record as the line of its region's log."""
    return reply_line(record) if isinstance(record, Reply) else wire.log_line(record)


@st.composite
def stories(draw: st.DrawFn, *, endings: tuple[str, ...] = ("close", "cancel", "halt"), most: int = 10) -> Story:
    """Any small world: more buyers than places or fewer, replies at the edge, regions that fall silent."""
    regions = REGIONS[: draw(st.integers(1, 3))]
    skew, lasts = draw(st.integers(0, 4)), draw(st.integers(1, 40))
    lobby = draw(st.sampled_from([0, 0, 5, 20]))
    error, late = st.integers(-skew, skew), st.sampled_from([0, 0, 1, 2, 2 * skew])
    edge = st.one_of(st.integers(-2 * skew - 2, 2 * skew + 2), st.integers(-40, 4))
    reply = st.tuples(st.sampled_from(["confirm", "confirm", "release"]), edge, error, late)
    plan = st.builds(
        Plan,
        st.integers(0, 9).map("b{}".format), st.sampled_from(regions), st.integers(-lobby, lasts), error, late,
        st.lists(reply, max_size=2, unique_by=lambda one: one[0]).map(tuple),
    )  # fmt: skip
    silent = draw(st.sets(st.sampled_from(regions))) if draw(st.integers(0, 3)) == 0 else set()
    return Story(
        terms(
            stock=draw(st.integers(1, 3)), regions=regions, skew=skew, slack=draw(st.sampled_from([0, 0, 1, 5, 60])),
            lasts=lasts, lobby=lobby, hold=4 * skew + draw(st.integers(2, 40)), waiting_list=draw(st.integers(0, 4)),
        ),
        tuple(draw(st.lists(plan, max_size=most))),
        {region: draw(st.integers(-lobby, 120)) for region in sorted(silent)},
        draw(st.sampled_from(endings)),
        draw(st.integers(-lobby, 200)),
    )  # fmt: skip


class Performance:
    """One way to live through a story. `steps` yields after every record; `decisions` grows."""

    def __init__(self, story: Story, delivery: int) -> None:
        self.story = story
        fold = new_fold(story.terms, SEED)
        assert isinstance(fold, ReservationFold)
        self.fold: ReservationFold = fold
        self.standing = Standing(story.terms)
        self.decisions: list[Decision] = []
        self.buyers: list[BuyerId | None] = []
        """Beside each decision that names somebody: whom."""
        self.logs: dict[str, list[Entry | Reply]] = {region: [] for region in story.terms.regions}
        self.true_arrival_ns: dict[RequestId, int] = {}
        self.true_reply_ns: dict[tuple[RequestId, ReplyKind], int] = {}
        self.looked_at_ns: dict[int, int] = {}
        """By the index of each look's record: the true time of it."""
        self.now_ns = story.terms.entries_from_ns - 3 * story.terms.skew_bound_ns - 3
        """True time."""
        self._chance = random.Random(delivery)
        self._delivered = dict.fromkeys(story.terms.regions, 0)
        self._marks_ns = dict.fromkeys(story.terms.regions, 0)
        """As the regions' stores have them."""
        self._heard_ns = dict.fromkeys(story.terms.regions, 0)
        """As the arbiter has read them."""
        self._to_come: list[tuple[int, int, Plan, RequestId, ReplyKind | None, int, int]] = []
        """(when it is logged, a number, whose, of which request, what is said, true arrival, clock error)."""
        self._planned = 0
        self._entered: dict[str, BuyerId] = {}
        """By region and buyer: a region's log has one entry of each."""
        self._plan_of: dict[RequestId, Plan] = {}
        self._stopped_ns: dict[str, int] = {}
        """When a region hears that nothing more is logged."""
        self._list_full_ns: dict[str, int] = {}
        """The same of purchases."""
        for position, plan in enumerate(story.plans):
            # Names carry no order of arrival: a request id must have no say beyond equal stamps and tickets.
            request = f"{plan.region}.{sha256(f'{position}'.encode()).hexdigest()[:6]}"
            self._comes(plan, request, None, OPENS_NS + plan.enters_ns, plan.error_ns, plan.late_ns)

    # The world.

    def _comes(
        self, plan: Plan, request: RequestId, says: ReplyKind | None, at_ns: int, error_ns: int, late_ns: int
    ) -> None:
        self._planned += 1
        self._to_come.append((at_ns + late_ns, self._planned, plan, request, says, at_ns, error_ns))

    def _is_awake(self, region: str) -> bool:
        silent_ns = self.story.silent_ns.get(region)
        return silent_ns is None or self.now_ns < OPENS_NS + silent_ns

    def _pass_time(self) -> None:
        """To the next moment at which something may happen; what reaches a log meanwhile is logged then."""
        self.now_ns += self._chance.choice([0, 1, 1, 2, 3, 5])
        due = sorted(each for each in self._to_come if each[0] <= self.now_ns)
        self._to_come = [each for each in self._to_come if each[0] > self.now_ns]
        for _, _, plan, request, says, at_ns, error_ns in due:
            self._log(plan, request, says, at_ns, at_ns + error_ns, abs(error_ns))
        for region in self.story.terms.regions:
            if self._is_awake(region) and self._chance.random() < 0.6:
                skew_ns = self.story.terms.skew_bound_ns
                host_ns = self.now_ns + self._chance.randint(-skew_ns, skew_ns)
                self._marks_ns[region] = max(self._marks_ns[region], host_ns - self.story.terms.intake_grace_ns)

    def _log(
        self, plan: Plan, request: RequestId, says: ReplyKind | None, at_ns: int, stamp_ns: int, bound_ns: int
    ) -> None:
        """What a gateway and its store's script do; who is below the mark, or comes too late, is refused."""
        region, log, stated = plan.region, self.logs[plan.region], self.story.terms
        if not self._is_awake(region) or stamp_ns < self._marks_ns[region] or region in self._stops():
            return
        clock = f"{region}-host/{len(log) + 1}"
        if says is not None:
            log.append(Reply(len(log) + 1, says, request, stamp_ns, bound_ns, clock, 0))
            self.true_reply_ns[request, says] = at_ns
            return
        is_timely = stated.entries_from_ns - stated.skew_bound_ns <= stamp_ns <= stated.last_stamp_ns
        is_full = self.now_ns >= self._list_full_ns.get(region, 10**19)
        if not is_timely or is_full or f"{plan.buyer} {region}" in self._entered:
            return
        self._entered[f"{plan.buyer} {region}"] = plan.buyer
        self._plan_of[request] = plan
        log.append(Entry(len(log) + 1, request, plan.buyer, stamp_ns, bound_ns, clock, 0))
        self.true_arrival_ns[request] = at_ns

    def _stops(self) -> set[str]:
        return {region for region, at_ns in self._stopped_ns.items() if at_ns <= self.now_ns}

    # The arbiter.

    def steps(self) -> Iterator[Decision]:
        """Every record, as it is made, to the last."""
        while not self.fold.over:
            self._pass_time()
            self._read_some()
            yield from self._look()
            for region in self.fold.regions:
                gone = not self._is_awake(region) and self._delivered[region] == self._counted(region)
                if gone and self._chance.random() < 0.2 and not self.fold.over:
                    record, follows = self.fold.cut_off(region)
                    yield from self._record([record, *follows])
            if self.now_ns > OPENS_NS + self.story.ends_ns and self._chance.random() < 0.3:
                yield from self._interfere()
            if self.fold.is_decided and not self.fold.over and self._all_read():
                yield from self._look()
                yield from self._record([self.fold.close()])

    def run(self) -> "Performance":
        for _ in self.steps():
            pass
        return self

    def _interfere(self) -> Iterator[Decision]:
        if self.story.ending == "cancel" and not self.fold.is_decided:
            yield from self._record([self.fold.cancel("the merchant asked for it")])
        elif self.story.ending == "halt" and not self.fold.over:
            yield from self._record([self.fold.halt("south: log numbers have no gap")])

    def _counted(self, region: str) -> int:
        return self.standing.counted.get(region, 0)

    def _all_read(self) -> bool:
        """Whether every region was stopped and its log read to the end; who is silent has been cut off."""
        return all(
            region in self._stops() and self._is_awake(region) and self._delivered[region] == len(self.logs[region])
            for region in self.fold.regions
        )

    def _read_some(self) -> None:
        """Marks before logs; a log that is not read to its end counts for nothing until it is."""
        for region in self._chance.sample(self.fold.regions, len(self.fold.regions)):
            how = self._chance.choice(["not", "some", "all", "all"])
            if how == "not" or not self._is_awake(region):
                continue
            log = self.logs[region]
            last = len(log) if how == "all" else self._chance.randint(self._delivered[region], len(log))
            for record in log[self._delivered[region] : last]:
                self.fold.deliver(region, line_of(record))
            self._delivered[region] = last
            if last == len(log):
                self._heard_ns[region] = self._marks_ns[region]

    def _look(self) -> Iterator[Decision]:
        skew_ns = self.story.terms.skew_bound_ns
        earliest_ns, latest_ns = (self.now_ns + sign * self._chance.randint(0, skew_ns) for sign in (-1, 1))
        seen = self.fold.look({region: self._heard_ns[region] for region in self.fold.regions}, earliest_ns, latest_ns)
        yield from self._record([seen, *self.fold.see(seen)])

    def _record(self, decisions: list[Decision]) -> Iterator[Decision]:
        for decision in decisions:
            buyer = self.fold.buyer_of(decision.request) if isinstance(decision, Naming) else None
            if isinstance(decision, Seen):
                self.looked_at_ns[len(self.decisions)] = self.now_ns
            self.decisions.append(decision)
            self.buyers.append(buyer)
            self.standing.apply(decision, buyer)
            if isinstance(decision, Held):
                self._tell(decision)
            yield decision
        for region in self.story.terms.regions:
            if self.fold.is_decided:
                self._stopped_ns.setdefault(region, self.now_ns + self._chance.choice([0, 1, 4]))
            if self.fold.holds.is_full:
                self._list_full_ns.setdefault(region, self.now_ns + self._chance.choice([0, 1, 4]))

    def _tell(self, held: Held) -> None:
        """Who has a unit hears of it, and says of it what they had planned."""
        plan = self._plan_of[held.request]
        heard_ns = self.now_ns + self._chance.choice([0, 1, 3])
        for says, after_ns, error_ns, late_ns in plan.says:
            self._comes(plan, held.request, says, max(heard_ns, held.until_ns + after_ns), error_ns, late_ns)

    # What is left of it.

    @property
    def lines(self) -> dict[str, list[bytes]]:
        """Every line of every region's log, also of those that were cut off."""
        return {region: [line_of(record) for record in log] for region, log in self.logs.items()}

    def records(self) -> list[tuple[str, Entry | Reply]]:
        """What a bundle holds: of each region in the terms' order, all, or for a halted sale what was counted."""
        return [
            (region, logged)
            for region in self.story.terms.regions
            for logged in self.logs[region]
            if self.standing.halted is None or logged.seq <= self._counted(region)
        ]

    def entries(self) -> list[tuple[str, Entry]]:
        """The same without replies."""
        return [(region, logged) for region, logged in self.records() if isinstance(logged, Entry)]

    def outcomes(self) -> list[Outcome | None]:
        return [self.standing.outcome_of(region, logged) for region, logged in self.entries()]

    def finished(self) -> Run:
        """The run as the invariants and the audit see it; its logs hold replies, too."""
        logs: dict[str, list[Entry | Reply]] = {region: [] for region in self.story.terms.regions}
        for region, logged in self.records():
            logs[region].append(logged)
        outcomes = [outcome for outcome in self.outcomes() if outcome is not None]
        return Run(self.story.terms, logs, self.decisions, outcomes, self.true_arrival_ns)  # type: ignore[arg-type]


def each_unit_is_with_one(stated: Terms, decisions: Sequence[Decision]) -> Counter[str]:
    """By the decision log: a unit is held by one or sold to one, never both; units go to who has waited longest.

    Returns: how many decisions of each kind there are, and how many units went to somebody who had waited.

    Raises:
        AssertionError: it is not so.
    """
    reached: Counter[str] = Counter()
    holder: dict[int, str] = {}
    sold: dict[int, str] = {}
    unit_of: dict[str, int] = {}
    waiting: list[str] = []
    drawn: list[str] = []
    for decision in decisions:
        match decision:
            case Listed(request, _, rank):
                assert rank == len(drawn)
                drawn.append(request)
                waiting.append(request)
                assert len(holder) + len(sold) == stated.stock, "who waits, waits because no unit is free"
            case Held(request, _, rank, unit, _):
                assert unit not in holder
                assert unit not in sold
                assert 0 <= unit < stated.stock
                assert request not in unit_of, "each place has a unit once"
                if request in drawn:
                    assert waiting.pop(0) == request, "nobody is passed over"
                    reached["promoted"] += 1
                else:
                    assert rank == len(drawn)
                    drawn.append(request)
                    assert not waiting, "who comes last is not served first"
                holder[unit], unit_of[request] = request, unit
            case Confirmed(request):
                assert holder.pop(unit_of[request]) == request
                sold[unit_of[request]] = request
            case Released(request) | Expired(request):
                assert holder.pop(unit_of[request]) == request
            case _:
                pass
        reached[type(decision).__name__] += 1
    if reached["SoldOut"]:
        assert len(sold) == stated.stock
    assert len(drawn) <= stated.places
    return reached


def a_full_reservation(ending: str = "close", delivery: int = 3) -> Performance:
    """Two units and three who may wait. Ann confirms; joe does so too late; his unit goes to kim, whose region is
    silent and cut off by then, then to bob, who gives it back, and to the last in line, who confirms. Ann has come
    twice, and for eve the list is full."""
    plans = (
        Plan("ann", "north", -4, says=(("confirm", -20, 1, 1),)),
        Plan("joe", "south", 1, 1, says=(("confirm", -2, 0, 1),)),
        Plan("kim", "west", 6, says=(("confirm", -1, 0, 0),)),
        Plan("bob", "north", 13, says=(("release", -12, 2, 2),)),
        Plan("ann", "south", 16),
        Plan("zoe", "south", 19, says=(("confirm", -9, -1, 1),)),
        Plan("eve", "north", 27, 1, 1),
    )
    stated = terms(stock=2, regions=REGIONS, lobby=5, waiting_list=3)
    story = Story(stated, plans, {"west": 50}, ending, 45)
    return Performance(story, delivery).run()


def races(seed: int) -> Story:
    """A reservation all of whose holders reply within a few nanoseconds of the moment that decides, so that every hold
    is a race; without hypothesis, for thousands of them."""
    chance = random.Random(seed)
    skew = chance.choice([0, 1, 1, 2, 3])
    regions = REGIONS[: chance.randint(1, 3)]
    stated = terms(
        stock=chance.randint(1, 3), regions=regions, skew=skew, hold=4 * skew + chance.randint(2, 12), lasts=30,
        waiting_list=chance.randint(0, 8),
    )  # fmt: skip
    plans = tuple(
        Plan(
            f"b{number}", chance.choice(regions), chance.randint(0, 30), chance.randint(-skew, skew), 0,
            ((chance.choice(["confirm", "confirm", "confirm", "release"]), chance.randint(-2 * skew - 2, 1),
              chance.randint(-skew, skew), chance.randint(0, 2 * skew)),),
        )
        for number in range(chance.randint(1, 12))
    )  # fmt: skip
    return Story(stated, plans)


def write_bundle(folder: Path, performance: Performance, seed: bytes = SEED) -> Path:
    """The bundle of a performance, as the service exports it."""
    stated, decisions = performance.story.terms, performance.decisions
    outcomes = [outcome for outcome in performance.outcomes() if outcome is not None]
    logs: dict[str, list[bytes]] = {region: [] for region in stated.regions}
    for region, logged in performance.records():
        logs[region].append(line_of(logged))
    files = {
        "terms.json": [stated.line()],
        "seed.json": [wire.canonical(seed_record(stated, decisions, seed))],
        "decisions.jsonl": [wire.decision_line(index, decision) for index, decision in enumerate(decisions)],
        "outcomes.jsonl": [wire.outcome_line(outcome) for outcome in outcomes],
        **{f"regions/{name}.jsonl": lines for name, lines in logs.items()},
    }
    (folder / "regions").mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
    return seal(folder)
