"""A stock that is split over regions and sold at their doors, in virtual time, with and without rebalancing.

Each region's log is written line by line by `model.share.Share`, which refuses a line that cannot be; the arbiter's
part reads the logs over the distance, folds them by `model.shards.ShardedFold`, asks `model.rebalance` what should
move, has the donor give first and carries the grant when it has read it. So every simulated sale is one whose units
are accounted for by the law itself.

A buyer who finds nothing free here presses again a second later, as the answer says, where units may still come; where
none can, it is told so at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any, Final, TypeAlias

from model import guards, units
from model.moves import line_of
from model.rebalance import Demand, smoothed_mhz, transfers
from model.shards import ShardedFold
from model.share import Share
from model.terms import Terms
from model.vocabulary import Entry, Granted, Line, Stocked, Taken
from service.arbiter.balancing import LOOK_NS
from service.compare.recording import Recording
from service.compare.scene import OPENS_NS, REGIONS, SECOND
from service.compare.sold import Sold

RETRY_AFTER_NS: Final = SECOND
"""What a region answers that has nothing free just now (503 `restocking`)."""

Event: TypeAlias = tuple[int, int, Callable[[int, Any], None], Any]
"""When, a running number, what happens then, and to whom."""


@dataclass(slots=True)
class _Door:
    """One region's store: its share and its log."""

    name: str
    terms: Terms
    share: Share
    lines: list[bytes] = field(default_factory=list)
    asked: int = 0
    is_stopped: bool = False
    read: int = 0
    """How many lines the arbiter has."""

    def write(self, line: Line) -> None:
        """The next line of the log."""
        self.share.apply(self.terms, line)
        self.lines.append(line_of(line))

    @property
    def next_seq(self) -> int:
        return len(self.lines) + 1

    @property
    def free(self) -> int:
        return units.count(self.share.free)


@dataclass(frozen=True, slots=True)
class Sharded:
    """The method. The stock is split half and half: nobody knew better when the terms were written."""

    rebalances: bool

    def __call__(self, recording: Recording) -> Sold:
        """Sell a recording at the doors.

        Raises:
            Contradiction: a unit was sold, given or taken that was not there.
        """
        return _Sale(recording, self.rebalances).run()


class _Sale:
    """One sale on its way: what is to happen is a heap of events, by time."""

    def __init__(self, recording: Recording, rebalances: bool) -> None:
        scene = self._scene = recording.scene
        self._buyers = recording.buyers
        self._terms = scene.terms(recording.seed, method="sharded", quotas=scene.quotas, rebalance=rebalances)
        self._doors = [_Door(name, self._terms, Share(name)) for name in REGIONS]
        for door in self._doors:
            door.write(Stocked(1, self._terms.share(door.name)))
        self._fold = ShardedFold(self._terms)
        self._off_ns = scene.clocks_off_ns
        self._asks_mhz = [0] * len(REGIONS)
        self._asked = [0] * len(REGIONS)
        self._winners: list[int] = []
        self._told_ns = [0] * len(self._buyers)
        self._numbers = count()
        self._events: list[Event] = [
            (buyer.presses_ns, next(self._numbers), self._press, at) for at, buyer in enumerate(self._buyers)
        ]
        if rebalances:
            self._events.append((OPENS_NS, next(self._numbers), self._look, None))
        heapify(self._events)

    def run(self) -> Sold:
        """Until nothing more can happen."""
        while self._events:
            now_ns, _, happen, what = heappop(self._events)
            happen(now_ns, what)
        for place, door in enumerate(self._doors):
            self._read(place, len(door.lines))
        account = self._fold.account()
        assert account.stock == self._terms.stock
        came_ns = [buyer.presses_ns for buyer in self._buyers]
        return Sold(came_ns, self._winners, self._told_ns, account.stock - account.sold)

    def _later(self, at_ns: int, happen: Callable[[int, Any], None], what: Any) -> None:
        heappush(self._events, (at_ns, next(self._numbers), happen, what))

    def _press(self, now_ns: int, at: int) -> None:
        """A buyer is at its region's door."""
        buyer = self._buyers[at]
        door = self._doors[buyer.region]
        if now_ns >= self._terms.closes_ns:
            self._told_ns[at] = self._terms.closes_ns
            return
        door.asked += 1
        self._told_ns[at] = now_ns
        if door.share.free and not door.is_stopped:
            stamp_ns = now_ns + self._off_ns[buyer.region]
            entry = f"{door.name}.{at}"
            bound_ns = self._terms.skew_bound_ns
            unit = door.share.free[0][0]
            door.write(Entry(door.next_seq, entry, buyer.name, stamp_ns, bound_ns, f"{door.name}-1/1", 0, unit))
            self._winners.append(at)
        elif self._terms.rebalances and not door.is_stopped:
            self._later(now_ns + RETRY_AFTER_NS, self._press, at)

    def _look(self, now_ns: int, _: None) -> None:
        """The arbiter asks every region what it has; its own answer is ready when the farthest has answered."""
        for place, distance_ns in enumerate(self._scene.distances_ns):
            self._later(now_ns + distance_ns, self._answer, place)
        self._later(now_ns + 2 * max(self._scene.distances_ns), self._balance, None)
        if now_ns + LOOK_NS < self._terms.closes_ns and not self._is_sold_out:
            self._later(now_ns + LOOK_NS, self._look, None)

    def _answer(self, _: int, place: int) -> None:
        """A region says what it has, and what was asked for since the last look."""
        door = self._doors[place]
        self._asks_mhz[place] = smoothed_mhz(self._asks_mhz[place], door.asked - self._asked[place], LOOK_NS)
        self._asked[place] = door.asked
        self._read(place, len(door.lines))

    def _balance(self, now_ns: int, _: None) -> None:
        """Everybody has answered: what should move is asked of its donor; the last unit sold stops everybody."""
        distances_ns = self._scene.distances_ns
        if self._is_sold_out:
            for place, distance_ns in enumerate(distances_ns):
                self._later(now_ns + distance_ns, self._stop, place)
            return
        on_the_way = dict.fromkeys(REGIONS, 0)
        for grant in self._fold.on_the_way:
            on_the_way[grant.to] += units.count(grant.units)
        demands = [
            Demand(units.count(self._fold.shares[name].free), on_the_way[name], self._asks_mhz[place], is_reached=True)
            for place, name in enumerate(REGIONS)
        ]
        for move in transfers(demands, self._terms.closes_ns - now_ns):
            self._later(now_ns + distances_ns[move.donor], self._give, move)

    def _give(self, now_ns: int, move: Any) -> None:
        """The donor gives what it still has, and the arbiter reads so."""
        door = self._doors[move.donor]
        _, given = units.split_last(door.share.free, move.units)
        if given and not door.is_stopped:
            door.write(Granted(door.next_seq, len(door.share.granted) + 1, REGIONS[move.recipient], given))
            grant = (move.donor, move.recipient, door.share.granted[-1], len(door.lines))
            self._later(now_ns + self._scene.distances_ns[move.donor], self._carry, grant)

    def _carry(self, now_ns: int, grant: tuple[int, int, Granted, int]) -> None:
        """The arbiter has read a grant."""
        donor, recipient, _, seq = grant
        self._read(donor, seq)
        self._later(now_ns + self._scene.distances_ns[recipient], self._take, grant)

    def _take(self, _: int, grant: tuple[int, int, Granted, int]) -> None:
        donor, recipient, granted, _ = grant
        door = self._doors[recipient]
        door.write(Taken(door.next_seq, REGIONS[donor], granted.number, granted.units))

    def _stop(self, _: int, place: int) -> None:
        self._doors[place].is_stopped = True

    @property
    def _is_sold_out(self) -> bool:
        return not guards.in_stock(self._fold.sold, self._terms.stock)

    def _read(self, place: int, until: int) -> None:
        """The arbiter has the log of a region up to a line."""
        door = self._doors[place]
        if until > door.read:
            self._fold.deliver_all(door.name, door.lines[door.read : until])
            door.read = until
