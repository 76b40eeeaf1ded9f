"""A reservation's list, as decisions tell it: who has a unit, who waits for one, what became of the others. Pure.

Everybody who is drawn gets a place on one list, in serving order. Units go down that list: first to the first places;
then each that is given back or not confirmed in time, to the least place that still waits. So the one who is served
next is always the one who has waited longest, in the order of the draw, and those who wait are served in order.

What is told to somebody who waits never gets worse. `ahead` counts those who wait before them: nobody can join there.
`known_by_ns` says when they will know at the latest: every unit that is out is confirmed or back within its hold and
what settling takes (`settling_ns`); if one is back the list moves, and if none is, everything is sold. So with n who
wait ahead it takes at most n + 1 rounds of that. It holds while there is an arbiter to settle.

The arbiter (`reservation.py`) decides over this list; gateways tell from it.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Literal, TypeAlias

from model.terms import Terms
from model.vocabulary import (
    BuyerId,
    Confirmed,
    Decision,
    Expired,
    Held,
    Listed,
    ListFull,
    Released,
    RequestId,
)

TurnState: TypeAlias = Literal["waiting", "held", "confirmed", "released", "expired"]


@dataclass(slots=True)
class Turn:
    """One place on the list, and what has become of it.

    `unit` and `until_ns` are of the unit that is, or was, held; None and 0 before.
    """

    request: RequestId
    buyer: BuyerId | None
    rank: int
    state: TurnState
    waits_since: int = 0
    """How many had begun to wait before."""
    unit: int | None = None
    until_ns: int = 0


def settling_ns(terms: Terms) -> int:
    """How long after a hold is over it is settled, at the latest: clocks differ, marks follow them a grace later, and a
    region that keeps everybody waiting is cut off."""
    return terms.intake_grace_ns + 2 * terms.skew_bound_ns + terms.cut_off_after_ns


@dataclass(slots=True)
class Holds:
    """The list of one sale."""

    terms: Terms
    turns: dict[RequestId, Turn] = field(default_factory=dict)
    """In the order of their ranks."""
    request_of: dict[BuyerId, RequestId] = field(default_factory=dict)
    """Each buyer has one place."""
    is_full: bool = False
    confirmed: int = 0
    """Units that are sold for good."""
    _free: list[int] = field(default_factory=list)
    """Units that were out and are back, as a heap."""
    _unit: int = 0
    """The least unit that was never out."""
    _queue: deque[Turn] = field(default_factory=deque)
    _held: dict[RequestId, Turn] = field(default_factory=dict)
    _began_to_wait: int = 0
    _waits_over: int = 0
    """How many of those wait no longer."""
    _known_by_ns: int | None = None
    """When the first who ever waited had known; each behind them a round later. It only falls while somebody waits:
    then every unit is out or sold, and units go to nobody else."""

    def apply(self, decision: Decision, buyer: BuyerId | None = None) -> None:
        """The next record of the decision log; others than a list's change nothing here."""
        match decision:
            case Listed(request, _, rank):
                turn = self._new(request, buyer, rank, "waiting")
                turn.waits_since = self._began_to_wait
                self._began_to_wait += 1
                if not self._queue:
                    self._known_by_ns = None
                    self._foresee()
                self._queue.append(turn)
            case Held(request, _, rank, unit, until_ns):
                turn = self.turns.get(request) or self._new(request, buyer, rank, "held")
                if self._queue and self._queue[0] is turn:
                    self._queue.popleft()
                    self._waits_over += 1
                turn.state, turn.unit, turn.until_ns = "held", unit, until_ns
                self._held[request] = turn
                self._take(unit)
                if self._queue:
                    self._foresee()
            case Confirmed(request):
                self._end(request, "confirmed")
                self.confirmed += 1
            case Released(request):
                heappush(self._free, self._end(request, "released"))
            case Expired(request):
                heappush(self._free, self._end(request, "expired"))
            case ListFull():
                self.is_full = True
            case _:
                pass

    def _new(self, request: RequestId, buyer: BuyerId | None, rank: int, state: TurnState) -> Turn:
        turn = self.turns[request] = Turn(request, buyer, rank, state)
        if buyer is not None:
            self.request_of[buyer] = request
        return turn

    def _take(self, unit: int) -> None:
        if self._free and self._free[0] == unit:
            heappop(self._free)
        else:
            self._unit = max(self._unit, unit + 1)

    def _end(self, request: RequestId, state: TurnState) -> int:
        turn = self._held.pop(request)
        turn.state = state
        assert turn.unit is not None
        return turn.unit

    def _foresee(self) -> None:
        """Held units are known of when the last of them is settled; each who waits ahead takes a round at most."""
        latest_ns = max((turn.until_ns for turn in self._held.values()), default=0)
        first_ns = latest_ns + settling_ns(self.terms) - self._waits_over * self._round_ns
        self._known_by_ns = first_ns if self._known_by_ns is None else min(self._known_by_ns, first_ns)

    @property
    def _round_ns(self) -> int:
        return self.terms.hold_ns + settling_ns(self.terms)

    @property
    def drawn(self) -> int:
        """How many places are taken."""
        return len(self.turns)

    @property
    def held(self) -> int:
        """How many units are out, and not sold."""
        return len(self._held)

    @property
    def waiting(self) -> int:
        """How many wait for a unit."""
        return len(self._queue)

    def free_unit(self) -> int | None:
        """The least unit that nobody has; None where all are out or sold."""
        if self._free:
            return self._free[0]
        return self._unit if self._unit < self.terms.stock else None

    def next_in_line(self) -> Turn | None:
        """Who gets the next unit, of those who wait."""
        return self._queue[0] if self._queue else None

    def turns_held(self) -> Iterator[Turn]:
        """Units that are out, in no particular order."""
        return iter(self._held.values())

    def ahead(self, turn: Turn) -> int:
        """How many wait before somebody who waits."""
        return turn.waits_since - self._waits_over

    def known_by_ns(self, turn: Turn) -> int | None:
        """When somebody who waits will know at the latest, in UTC nanoseconds; None where no unit was ever out."""
        return None if self._known_by_ns is None else self._known_by_ns + turn.waits_since * self._round_ns
