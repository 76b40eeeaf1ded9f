"""The window lottery: who is served next, as far as clocks can tell and no further. Pure.

While stock is left, take every waiting request whose place is at most *earliest waiting place + W*. Those are the
ones that could still have been first: nobody waiting came certainly before any of them. Of them, serve the lowest
(ticket, request id). Repeat.

A ticket is HMAC-SHA256 under a key that was committed to before anybody entered, so nobody can choose a low one, and
anybody can draw again afterwards. Inside the window everybody is equal, as in a frequent batch auction (Budish,
Cramton, Shim 2015): a microsecond's head start buys nothing, so there is no race to buy. Across windows the order
is the clocks'.

The rule may be applied to a live stream as soon as *earliest + W* is below the frontier: then nobody who is still to
be heard of can join the pot or come before its earliest, and the draw is final.

The structure. A request waits in one of two rooms. `_later` is a heap by place. Once a pot is known to be complete,
its members move to the pot: a heap by ticket, to draw from, and a queue by place, to know the earliest. Moving only
when complete is what makes the pot's members stay members: whoever is delivered afterwards has a place beyond
*earliest + W*, so the earliest only rises while they wait, and whoever moves next goes to the end of the queue. Every
request moves once, so it costs O(log n). Tickets are computed on entering the pot: who never gets near one costs none.
Heaps hold plain integers, since a heap of tuples takes four times as long and far more room: a *slot* is a place and a
running number in one integer, a *lot* is a ticket and that number. Where only so many can be served at all (the
stock), a pot keeps no more lots than that: whoever has as many lower ones beside him is not served before they are.

Next: `arbiter.py`, which feeds this from the regions' logs.
"""

import hashlib
import hmac
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Final, Generic, Protocol, TypeVar

from model.guards import in_pot, pot_is_complete


class Placed(Protocol):
    """A request of a finished list: its place in time (ns) and its 256-bit ticket."""

    @property
    def stamp_ns(self) -> int: ...

    @property
    def ticket(self) -> int: ...


Name = TypeVar("Name", int, str)
Request = TypeVar("Request", bound=Placed)


def ticket(key: bytes, sale: str, buyer: str) -> int:
    """A buyer's lot in a sale: HMAC-SHA256(draw key, sale id ‖ "\\n" ‖ buyer id), as an integer in [0, 2²⁵⁶)."""
    return int.from_bytes(hmac.digest(key, f"{sale}\n{buyer}".encode(), hashlib.sha256), "big")


def ticket_drawer(key: bytes, sale: str) -> Callable[[str], int]:
    """The tickets of one sale's buyers, as `ticket` gives them, in less than half the time.

    HMAC (RFC 2104) is two hashes whose first block is the key's, xored with 0x36 and with 0x5c; here those blocks are
    hashed once for all buyers.
    """
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + f"{sale}\n".encode())
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def draw(buyer: str) -> int:
        within, around = inner.copy(), outer.copy()
        within.update(buyer.encode())
        around.update(within.digest())
        return int.from_bytes(around.digest(), "big")

    return draw


_NUMBER_BITS: Final = 40
_NUMBER_MASK: Final = (1 << _NUMBER_BITS) - 1
_SPARE_LOTS: Final = 8
"""Beyond twice as many as may be drawn, so that dropping lots is worth its sorting."""


def number_in(slot: int) -> int:
    """The running number in a slot or a lot: the first request that was offered has 0."""
    return slot & _NUMBER_MASK


class WindowLottery(Generic[Name]):
    """The waiting requests of one sale, and who of them is next.

    A request is known by a name that is unique and ordered (a request id, a position); equal tickets are drawn in
    the order of names. `ticket_of` gives a name's ticket; it is asked once, when the name enters a pot. No more than
    `most` are drawn, if it is given.
    """

    __slots__ = (
        "_gone",
        "_later",
        "_most",
        "_names",
        "_pot",
        "_pot_by_place",
        "_ticket_of",
        "_tie_window_ns",
    )

    def __init__(self, tie_window_ns: int, ticket_of: Callable[[Name], int], most: int | None = None) -> None:
        self._tie_window_ns = tie_window_ns
        self._ticket_of: Callable[[Name], int] = ticket_of
        self._most = most
        """How many may still be drawn; None: any number."""
        self._names: list[Name] = []
        self._later: list[int] = []
        self._pot: list[int] = []
        self._pot_by_place: deque[int] = deque()
        self._gone: set[int] = set()
        """Numbers that wait no longer and still lie in `_later` (withdrawn) or in `_pot_by_place` (served)."""

    def offer(self, place_ns: int, name: Name) -> int:
        """A request waits from now on. Its stamp must not be below a frontier that was drawn at before.

        Returns: its slot, for `withdraw`.
        """
        slot = (place_ns << _NUMBER_BITS) | len(self._names)
        self._names.append(name)
        heappush(self._later, slot)
        return slot

    def offer_all(self, places_ns: Iterable[int], names: Sequence[Name]) -> list[int]:
        """Many requests at once. Returns: their slots."""
        first, later = len(self._names), self._later
        slots = [place_ns << _NUMBER_BITS | number for number, place_ns in enumerate(places_ns, start=first)]
        self._names.extend(names)
        if later:
            for slot in slots:
                heappush(later, slot)
        else:
            later.extend(sorted(slots))
        return slots

    def name(self, slot: int) -> Name:
        """Who waits, or waited, in a slot."""
        return self._names[slot & _NUMBER_MASK]

    def withdraw(self, slot: int) -> None:
        """A request that has not been in a pot yet waits no longer: a lesser one of that buyer takes its turn."""
        self._gone.add(slot & _NUMBER_MASK)

    def earliest_place_ns(self) -> int | None:
        """The least place among those who wait, or None where nobody does."""
        gone, queue, later = self._gone, self._pot_by_place, self._later
        while gone and queue and queue[0] & _NUMBER_MASK in gone:
            gone.discard(queue.popleft() & _NUMBER_MASK)
        if queue:
            return queue[0] >> _NUMBER_BITS
        while gone and later and later[0] & _NUMBER_MASK in gone:
            gone.discard(heappop(later) & _NUMBER_MASK)
        return later[0] >> _NUMBER_BITS if later else None

    def draw(self, frontier_ns: int, last_stamp_ns: int) -> Name | None:
        """Serve the next request, if that is final already.

        Args:
            frontier_ns: no stamp below this will follow.
            last_stamp_ns: no stamp above this can be logged at all (closing + ε).

        Returns: the name served, which waits no longer; None where nobody waits or the pot may still grow.
        """
        earliest_ns = self.earliest_place_ns()
        if earliest_ns is None or not pot_is_complete(earliest_ns, self._tie_window_ns, frontier_ns, last_stamp_ns):
            return None
        later, gone = self._later, self._gone
        while later and in_pot(later[0] >> _NUMBER_BITS, earliest_ns, self._tie_window_ns):
            slot = heappop(later)
            number = slot & _NUMBER_MASK
            if number in gone:
                gone.discard(number)
            else:
                self._pot_by_place.append(slot)
                heappush(self._pot, (self._ticket_of(self._names[number]) << _NUMBER_BITS) | number)
                if self._most is not None and len(self._pot) > 2 * self._most + _SPARE_LOTS:
                    self._drop_hopeless(self._most)
        served = self._take()
        if self._most is not None:
            self._most -= 1
        gone.add(served)
        return self._names[served]

    def _drop_hopeless(self, most: int) -> None:
        """Keep the least lots of the pot, as many as may be drawn, and whoever has the last one's ticket too."""
        pot = self._pot
        pot.sort()
        keep = max(most, 1)
        while keep < len(pot) and pot[keep] >> _NUMBER_BITS == pot[keep - 1] >> _NUMBER_BITS:
            keep += 1
        del pot[keep:]

    def _take(self) -> int:
        """The number of the least (ticket, name), taken out of the pot."""
        pot = self._pot
        lot = heappop(pot)
        twins = [lot]
        while pot and pot[0] >> _NUMBER_BITS == lot >> _NUMBER_BITS:
            twins.append(heappop(pot))
        first = min(twins, key=lambda twin: self._names[twin & _NUMBER_MASK])
        for twin in twins:
            if twin != first:
                heappush(pot, twin)
        return first & _NUMBER_MASK


def order(requests: Sequence[Request], tie_window_ns: int) -> list[Request]:
    """The serving order of a finished list, one entry per buyer.

    Args:
        requests: each with `stamp_ns`, its place in time, and `ticket`. Equal tickets go by position in the input.
        tie_window_ns: W ≥ 0; places no further apart than that count as simultaneous.

    Returns: the same objects in serving order.

    Raises:
        ValueError: the window is negative.
    """
    if tie_window_ns < 0:
        raise ValueError(f"a tie window is at least 0 ns, not {tie_window_ns}")
    lottery = WindowLottery[int](tie_window_ns, lambda position: requests[position].ticket)
    lottery.offer_all((request.stamp_ns for request in requests), range(len(requests)))
    last_stamp_ns = max((request.stamp_ns for request in requests), default=0)
    served = []
    while (position := lottery.draw(last_stamp_ns + 1, last_stamp_ns)) is not None:
        served.append(requests[position])
    return served
