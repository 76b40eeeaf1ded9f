"""A running fold, seen as a state of `proofs/protocol.py`: what the proofs speak of, read off heaps and dictionaries.

`WatchedFold` is the shipped fold, looked at between any two of its steps. `Sale` keeps what a fold forgets, and the
proofs do not: entries that nobody waits with any more, marks and numbers of regions that were cut off, why it ended.
Nothing here decides anything. Requests keep their ids, and their names are the ranks of the ids.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from model.arbiter import Fold
from model.beacon import draw_key
from model.lottery import WindowLottery, ticket
from model.terms import Terms
from model.vocabulary import Cancelled, Closed, Decision, Entry, Halted, SoldOut, Won
from proofs.protocol import CANCELLED, CLOSED, HALTED, HEARD, LATE, OPEN, SOLD_OUT, UNREAD
from tests.refinement.finite import World
from tests.stories import beacon_value

UNLOGGED = "nobody.0"
"""A request that is never read: a sort has a member, even while nobody has asked for anything."""


@dataclass(frozen=True)
class Moment:
    """A state of the protocol, by request ids, buyers and regions. Whoever is not named is as at the start."""

    log: dict[str, int]
    unit: dict[str, int]
    """Of those who have won."""
    potted: frozenset[str]
    front: dict[str, str]
    mark: dict[str, int]
    read: dict[str, int]
    present: frozenset[str]
    ending: int

    def tables(self, tag: str, requests: Iterable[str], buyers: Iterable[str]) -> dict[str, Any]:
        """What the symbols of `State(tag)` mean."""
        known = list(requests)
        named = {
            "log": {request: self.log.get(request, UNREAD) for request in known},
            "won": {request: request in self.unit for request in known},
            "unit": {request: self.unit.get(request, 0) for request in known},
            "potted": {request: request in self.potted for request in known},
            "front": {buyer: self.front.get(buyer, UNLOGGED) for buyer in buyers},
            "mark": self.mark,
            "read": self.read,
            "present": {region: region in self.present for region in self.mark},
            "sold": len(self.unit),
            "ending": self.ending,
        }
        return {name + tag: table for name, table in named.items()}


def potted_in(lottery: WindowLottery[str]) -> set[str]:
    """Who is in a lottery's pot, or was just served from it."""
    return {lottery._names[slot & ((1 << 40) - 1)] for slot in lottery._pot_by_place}


class WatchedFold(Fold):
    """A fold that lets a watcher look between what follows from a record."""

    watcher: Callable[[Decision | None], None]

    def _consequences(self) -> Iterable[Decision]:
        self.watcher(None)
        for decision in super()._consequences():
            self.watcher(decision)
            yield decision


@dataclass
class Sale:
    """A fold, and what has become of everything that it was told."""

    terms: Terms
    seed: bytes
    entries: dict[str, Entry] = field(default_factory=dict)
    """Every request that the world speaks of, read or not."""
    true_arrival_ns: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = self.terms.regions[0]
        self.entries[UNLOGGED] = Entry(10**6, UNLOGGED, "nobody", self.terms.opens_ns, 0, "", 0)
        self.region_of = {UNLOGGED: first}
        self.fold = WatchedFold(self.terms, self.seed)
        self.fold.watcher = self.watch
        self._read: dict[str, int] = {}
        self._unit: dict[str, int] = {}
        self._potted: set[str] = set()
        self._front: dict[str, str] = {}
        self._states = dict.fromkeys(self.terms.regions, (0, 0))
        self._ending = OPEN
        key = self.seed if self.terms.beacon is None else draw_key(self.seed, beacon_value(self.terms))
        self._ticket_of = cache(partial(ticket, key, self.terms.sale()))
        self.passed: list[Moment] = []
        """The moments since they were last asked for."""

    def heard(self, region: str, entry: Entry, true_arrival_ns: int) -> None:
        """An entry that the world speaks of from now on."""
        self.entries[entry.request] = entry
        self.region_of[entry.request] = region
        self.true_arrival_ns[entry.request] = true_arrival_ns

    def delivered(self, entry: Entry, *, in_time: bool) -> None:
        """The fold has taken an entry, before or after its sale was decided."""
        self._read[entry.request] = HEARD if in_time else LATE

    def watch(self, decision: Decision | None) -> None:
        """Something has happened: keep what it left behind."""
        match decision:
            case Won(request, _, _, unit):
                self._unit[request] = unit
            case SoldOut():
                self._end(SOLD_OUT)
            case Cancelled():
                self._end(CANCELLED)
            case Halted():
                self._end(HALTED)
            case Closed():
                self._end(CLOSED)
        self.passed.append(self.now())

    def _end(self, ending: int) -> None:
        """The first ending is why nobody wins any more; what follows it only says that all was read."""
        if self._ending == OPEN:
            self._ending = ending

    def now(self) -> Moment:
        """The state that the proofs would see."""
        fold = self.fold
        for region in fold.regions:
            self._states[region] = (fold._regions[region].mark_ns, fold._regions[region].seq)
        self._potted |= potted_in(fold._lottery) | {*fold.winners.values()}
        waiting = {buyer: fold._lottery.name(slot) for buyer, slot in fold._waiting.items()}
        self._front |= waiting | fold.winners  # a sale that is decided forgets who waited
        return Moment(
            dict(self._read),
            dict(self._unit),
            frozenset(self._potted),
            dict(self._front),
            {region: mark_ns for region, (mark_ns, _) in self._states.items()},
            {region: seq for region, (_, seq) in self._states.items()},
            frozenset(fold.regions),
            self._ending,
        )

    def world(self, before: Moment, after: Moment | None = None, **constants: Any) -> World:
        """What never changes, the state before a step and, where there is one, the state after it."""
        requests = sorted(self.entries)
        buyers = sorted({entry.buyer for entry in self.entries.values()})
        terms, entries = self.terms, self.entries
        return World(
            {"Request": requests, "Buyer": buyers, "Region": terms.regions},
            {
                "name": {request: rank for rank, request in enumerate(requests)},
                "buyer": {request: entries[request].buyer for request in requests},
                "region": self.region_of,
                "seq": {request: entries[request].seq for request in requests},
                "stamp": {request: entries[request].stamp_ns for request in requests},
                "bound": {request: entries[request].bound_ns for request in requests},
                "true_arrival": {r: self.true_arrival_ns.get(r, entries[r].stamp_ns) for r in requests},
                "ticket": {buyer: self._ticket_of(buyer) for buyer in buyers},
                "stock": terms.stock,
                "opens": terms.opens_ns,
                "closes": terms.closes_ns,
                "entries_from": terms.entries_from_ns,
                "window": terms.tie_window_ns,
                "skew": terms.skew_bound_ns,
                "cut_off_after": terms.cut_off_after_ns,
                **before.tables("", requests, buyers),
                **({} if after is None else after.tables("+", requests, buyers)),
                **constants,
            },
        )
