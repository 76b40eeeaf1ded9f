"""A reservation: units are held for who is first, and go down the list where they are not confirmed in time. Pure.

The order is that of any ordered sale (`arbiter.py`): the window lottery draws, and whoever is drawn gets the next place
on the list (`holds.py`), of as many places as the terms have, beyond the stock. A unit that is free goes to the first
who waits there, and is held until `hold_ns` after the look at which it was given out. Within that time its holder may
confirm it or give it back, by a stamped line of the region's log.

*Both can never happen.* A confirmation counts if it came certainly before the hold was over: stamp + ε < until. A hold
is over only when the frontier is past `until`: then every stamp that is less has been delivered, so no confirmation
that counts can follow. In between nothing is decided. And since a line that was read is settled at that very look, no
confirmation that counts waits while another's is decided.

At each look, in this order: what holders said, in the order of regions and of their logs; holds that are over, the
oldest first; units that are free, to those who wait; then the draw. A reply about a unit that is not held then says
nothing. So everything follows from the records of looks and the logs, as for every sale: the list does not hang on when
lines were delivered, and holds hang on looks alone, which are on record.

Sold out is the end only when every unit is confirmed. When the list is full nobody else can get a place, and the sale
goes on without entries. When everybody was heard and nobody holds a unit, it is complete.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from model import guards
from model.arbiter import Fold
from model.deliveries import Delivered
from model.holds import Holds
from model.replies import parse_line
from model.terms import Terms
from model.vocabulary import (
    BuyerId,
    CloseReason,
    Complete,
    Confirmed,
    Contradiction,
    Decision,
    Entry,
    Expired,
    Held,
    Listed,
    ListFull,
    RegionName,
    Released,
    Reply,
    RequestId,
    Seen,
    SoldOut,
)
from model.wire import extend

NEVER_NS: Final = 10**19
"""Past every stamp there can be."""

_BIT: Final = {"confirm": 1, "release": 2}


class ReservationFold(Fold):
    """One reservation, from its first entry to its last decision."""

    def __init__(self, terms: Terms, seed: bytes) -> None:
        super().__init__(terms, seed)
        self.holds = Holds(terms)
        self._logged: dict[RequestId, int] = {}
        """What was said of each purchase that was logged, as bits."""
        self._replies: dict[RegionName, list[Reply]] = {}
        """Delivered since the last look."""
        self._looked_ns = 0
        """The latest time of the last look."""

    @property
    def _most_drawn(self) -> int:
        return self.terms.places

    @property
    def is_decided(self) -> bool:
        return self.sold_out or self.cancelled or self.is_complete or self.over

    @property
    def _takes_entries(self) -> bool:
        return not (self.is_decided or self.holds.is_full)

    @property
    def waiting(self) -> int:
        return 0 if self.is_decided else len(self._waiting) + self.holds.waiting + self.holds.held

    @property
    def frontier_ns(self) -> int:
        """The least mark; where no region is left nobody can say anything any more."""
        return super().frontier_ns if self._regions else NEVER_NS

    def wanted_ns(self) -> int:
        until_ns = min((turn.until_ns for turn in self.holds.turns_held()), default=NEVER_NS)
        if self.holds.is_full:
            return until_ns
        is_heard = guards.everyone_is_heard(self.frontier_ns, self.terms.last_stamp_ns)
        return until_ns if is_heard else min(super().wanted_ns(), until_ns)

    def buyer_of(self, request: RequestId) -> BuyerId:
        turn = self.holds.turns.get(request)
        return super().buyer_of(request) if turn is None or turn.buyer is None else turn.buyer

    def deliver(self, region: RegionName, line: bytes) -> Entry | Reply:
        """As `Fold.deliver`, of a log that has replies, too."""
        if b'"type":"request"' in line:
            return super().deliver(region, line)
        state = self._regions[region]
        try:
            reply = parse_line(line)
        except ValueError as error:
            raise Contradiction(region, f"line {state.seq + 1} of its log is well formed ({error})") from error
        assert isinstance(reply, Reply)
        self._check_reply(region, state, reply)
        self._logged[reply.purchase] |= _BIT[reply.says]
        state.seq = reply.seq
        state.head = extend(state.head, line)
        if not self.is_decided:
            self._replies.setdefault(region, []).append(reply)
        return reply

    def deliver_all(self, region: RegionName, lines: Sequence[bytes]) -> None:
        for line in lines:
            self.deliver(region, line)

    def _check(self, region: RegionName, state: Delivered, entry: Entry) -> None:
        super()._check(region, state, entry)
        if entry.request in self._logged:
            raise Contradiction(region, f"every request is logged once (entry {entry.seq})")
        self._logged[entry.request] = 0

    def _check_reply(self, region: RegionName, state: Delivered, reply: Reply) -> None:
        if not guards.follows_in_log(reply.seq, state.seq):
            raise Contradiction(region, f"log numbers have no gap (after {state.seq} came {reply.seq})")
        if not guards.may_follow(reply.stamp_ns, state.mark_ns):
            raise Contradiction(region, f"no stamp is below its mark (line {reply.seq}, mark {state.mark_ns})")
        if not guards.bound_holds(reply.bound_ns, self.terms.skew_bound_ns):
            raise Contradiction(region, f"every stamp's bound is at most ε (line {reply.seq})")
        if guards.certainly_early(reply.stamp_ns, self.terms.skew_bound_ns, self.terms.entries_from_ns):
            raise Contradiction(region, f"no reply is certainly early (line {reply.seq})")
        if reply.purchase.rpartition(".")[0] != region or reply.purchase not in self._logged:
            raise Contradiction(region, f"a reply is about a purchase that was logged there before (line {reply.seq})")
        if self._logged[reply.purchase] & _BIT[reply.says]:
            raise Contradiction(region, f"a purchase is confirmed once and given back once (line {reply.seq})")

    def see(self, seen: Seen) -> list[Decision]:
        """As `Deliveries.see`; units that are given out now are held from this look on."""
        self._looked_ns = seen.latest_ns
        return super().see(seen)

    def _consequences(self) -> Iterator[Decision]:
        if self.is_decided:
            return
        yield from self._settle()
        if not guards.in_stock(self.holds.confirmed, self.terms.stock):
            self.sold_out = True
            self._forget_who_waits()
            yield SoldOut()
            return
        while (turn := self.holds.next_in_line()) is not None and (unit := self.holds.free_unit()) is not None:
            yield self._hold(turn.request, turn.rank, unit, turn.buyer)
        yield from self._draw()
        is_heard = self.holds.is_full or guards.everyone_is_heard(self.frontier_ns, self.terms.last_stamp_ns)
        if is_heard and not self.holds.held:
            self.is_complete = True
            self._forget_who_waits()
            yield Complete()

    def _settle(self) -> Iterator[Decision]:
        """What holders said, then holds that are over."""
        replies, self._replies = self._replies, {}
        for region in self.terms.regions:
            for reply in replies.get(region, ()):
                turn = self.holds.turns.get(reply.purchase)
                if turn is None or turn.state != "held":
                    continue
                if reply.says == "release":
                    yield self._on_record(Released(reply.purchase))
                elif guards.confirms_in_time(reply.stamp_ns, self.terms.skew_bound_ns, turn.until_ns):
                    yield self._on_record(Confirmed(reply.purchase))
        frontier_ns = self.frontier_ns
        over = [turn for turn in self.holds.turns_held() if guards.hold_is_over(turn.until_ns, frontier_ns)]
        for turn in sorted(over, key=lambda turn: (turn.until_ns, turn.rank)):
            yield self._on_record(Expired(turn.request))

    def _draw(self) -> Iterator[Decision]:
        """Places on the list, and units to those who come upon free ones."""
        terms, holds, frontier_ns = self.terms, self.holds, self.frontier_ns
        while not holds.is_full and guards.in_stock(holds.drawn, terms.places):
            request = self._lottery.draw(frontier_ns, terms.last_stamp_ns)
            if request is None:
                return
            buyer = self._buyers[request]
            self.winners[buyer] = request
            del self._waiting[buyer]
            unit = holds.free_unit()
            if unit is not None:
                yield self._hold(request, holds.drawn, unit, buyer)
                continue
            yield self._on_record(Listed(request, request.rpartition(".")[0], holds.drawn), buyer)
        if not holds.is_full:
            self._forget_who_waits()
            yield self._on_record(ListFull())

    def _hold(self, request: RequestId, rank: int, unit: int, buyer: BuyerId | None) -> Decision:
        until_ns = guards.held_until_ns(self._looked_ns, self.terms.hold_ns)
        return self._on_record(Held(request, request.rpartition(".")[0], rank, unit, until_ns), buyer)

    def _on_record(self, decision: Decision, buyer: BuyerId | None = None) -> Decision:
        """What follows next follows from this, too."""
        self.holds.apply(decision, buyer)
        return decision

    def _close_reason(self) -> CloseReason | None:
        if self.is_complete and not self.sold_out:
            return "time"
        return super()._close_reason()
