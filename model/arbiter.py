"""From the regions' logs to decisions: the arbiter of an ordered sale as a fold. Pure.

Lines of the regions' logs are delivered in any interleaving. A `Seen` says how far each log had been read and each
region's mark, read *before* the log, so that whatever the mark promises not to follow has been delivered. What can be
decided then, is: winners by the window lottery, `SoldOut` with the last unit, `Closed` when everybody has been heard.

Some decisions come from the world and not from the logs: that a region fell silent (`CutOff`), that an operator
stopped the sale (`Cancelled`), that the logs contradict themselves (`Halted`), which value a beacon's round has
(`BeaconValue`), that all logs were read to their end after the sale was over (`Closed`). Like `Seen` they are recorded,
and what follows from them follows. So the decision log together with the regions' logs and the seed gives the same
decisions again: on a restart, on a standby, on an auditor's desk (`replay.py`). Between two records no decision hangs
on when or in which pieces lines were delivered; that is the theorem *final is final* (`proofs/`).

Of a buyer's entries only the least (stamp, request id) waits. It can still be replaced by a lesser one from another
region, and never once it is in a pot: then the frontier is past it.

Where terms name a beacon's round nothing is decided before every entry is in (`Complete`, which follows from a look)
and the round's value is recorded: until then nobody knows a ticket.

What waits is kept small, for a million may: two dictionaries of ids, a number and a stamp each. Lines are delivered
one by one (`deliver`, the law) or many at once (`deliver_all`), which asks the same guards of the extremes of whole
columns (`columns.py`) and goes back to the law wherever something is not as it should be.

Before: `deliveries.py`, for what every method has in common.
"""

from array import array
from collections.abc import Iterable, Sequence

from model import guards
from model.beacon import draw_key
from model.columns import LINES_AT_ONCE, Columns, are_named_after, read_columns
from model.deliveries import Delivered, Deliveries, expect
from model.lottery import WindowLottery, number_in, ticket_drawer
from model.terms import Terms
from model.vocabulary import (
    BeaconValue,
    BuyerId,
    CloseReason,
    Complete,
    Contradiction,
    Decision,
    Entry,
    RegionName,
    Reply,
    RequestId,
    SoldOut,
    Won,
)
from model.wire import extend, extend_all, parse_log_line


class Fold(Deliveries):
    """One ordered sale, from its first entry to its last decision."""

    def __init__(self, terms: Terms, seed: bytes) -> None:
        super().__init__(terms)
        self.awaits_beacon = terms.beacon is not None
        self.winners: dict[BuyerId, RequestId] = {}
        """Who was drawn."""
        self._buyers: dict[RequestId, BuyerId] = {}
        """Of requests that wait or have won."""
        self._waiting: dict[BuyerId, int] = {}
        """By buyer, the slot of the least entry."""
        self._stamps_ns = array("q")
        """By number in the lottery; it has only the place, which all who came before the opening share."""
        self._seed = seed
        self._ticket_of_buyer = ticket_drawer(seed, terms.sale())
        """By the seed until the beacon's value is known, where one is named; no ticket is asked for before."""
        self._lottery = self._new_lottery()

    def _new_lottery(self) -> WindowLottery[str]:
        def ticket_of(request: RequestId) -> int:
            return self._ticket_of_buyer(self._buyers[request])

        return WindowLottery(self.terms.tie_window_ns, ticket_of, self._most_drawn)

    @property
    def _most_drawn(self) -> int:
        """How many can be drawn at all."""
        return self.terms.stock

    @property
    def is_decided(self) -> bool:
        return self.sold_out or self.cancelled or self.over

    @property
    def waiting(self) -> int:
        return 0 if self.is_decided else len(self._waiting)

    def buyer_of(self, request: RequestId) -> BuyerId:
        return self._buyers[request]

    def wanted_ns(self) -> int:
        earliest_ns = None if self.awaits_beacon else self._lottery.earliest_place_ns()
        if earliest_ns is None:
            return self.terms.last_stamp_ns
        return min(earliest_ns + self.terms.tie_window_ns, self.terms.last_stamp_ns)

    def deliver(self, region: RegionName, line: bytes) -> Entry | Reply:
        """The next line of a region's log.

        Raises:
            Contradiction: the line is malformed, leaves a gap, breaks the region's mark or the terms.
        """
        state = self._regions[region]
        try:
            entry = parse_log_line(line)
        except ValueError as error:
            raise Contradiction(region, f"line {state.seq + 1} of its log is well formed ({error})") from error
        self._check(region, state, entry)
        state.seq = entry.seq
        state.head = extend(state.head, line)
        if self._takes_entries:
            self._let_in(entry)
        return entry

    def _let_in(self, entry: Entry) -> None:
        """An entry that counts takes part in the draw."""
        self._wait(entry.request, entry.buyer, entry.stamp_ns)

    @property
    def _takes_entries(self) -> bool:
        """Whether who is delivered now can still be drawn."""
        return not self.is_decided

    def _check(self, region: RegionName, state: Delivered, entry: Entry) -> None:
        if not guards.follows_in_log(entry.seq, state.seq):
            raise Contradiction(region, f"log numbers have no gap (after {state.seq} came {entry.seq})")
        self._check_entry(region, state, entry)
        if entry.unit is not None:
            raise Contradiction(region, f"an ordered sale gives nobody a unit at the door (entry {entry.seq})")
        if (entry.price is not None) != (self.terms.kind == "auction"):
            raise Contradiction(region, f"a bid has a price, and no other entry has (entry {entry.seq})")
        if entry.request in self._buyers:
            raise Contradiction(region, f"every request is logged once (entry {entry.seq})")

    def deliver_all(self, region: RegionName, lines: Sequence[bytes]) -> None:
        """As `deliver` takes them one by one, several times faster."""
        state = self._regions[region]
        for at in range(0, len(lines), LINES_AT_ONCE):
            piece = lines[at : at + LINES_AT_ONCE]
            columns = read_columns(piece, state.seq + 1)
            if columns is None or not self._all_hold(region, state, columns):
                for line in piece:
                    self.deliver(region, line)
                continue
            state.seq += len(piece)
            state.head = extend_all(state.head, piece)
            if self._takes_entries:
                self._all_wait(columns)

    def _all_hold(self, region: RegionName, state: Delivered, columns: Columns) -> bool:
        """Whether every entry passes `_check`: each guard is monotone, so it holds for all if for the extremes."""
        terms = self.terms
        earliest_ns, latest_ns = min(columns.stamps_ns), max(columns.stamps_ns)
        return (
            terms.kind != "auction"  # columns hold entries without a price only
            and guards.follows_in_log(columns.first_seq, state.seq)
            and guards.may_follow(earliest_ns, state.mark_ns)
            and guards.bound_holds(columns.least_bound_ns, terms.skew_bound_ns)
            and guards.bound_holds(columns.greatest_bound_ns, terms.skew_bound_ns)
            and not guards.certainly_early(earliest_ns, terms.skew_bound_ns, terms.entries_from_ns)
            and not guards.certainly_late(latest_ns, terms.skew_bound_ns, terms.closes_ns)
            and are_named_after(region, columns.requests)
            and self._buyers.keys().isdisjoint(columns.requests)
            and len(set(columns.requests)) == len(columns.requests)
        )

    def _all_wait(self, columns: Columns) -> None:
        """Each entry waits as `_wait` says; in one go where every buyer is a new one."""
        requests, buyers, stamps_ns = columns.requests, columns.buyers, columns.stamps_ns
        are_new = self._waiting.keys().isdisjoint(buyers) and self.winners.keys().isdisjoint(buyers)
        if not are_new or len(set(buyers)) < len(buyers):
            for request, buyer, stamp_ns in zip(requests, buyers, stamps_ns, strict=True):
                self._wait(request, buyer, stamp_ns)
            return
        opens_ns, earliest_ns = self.terms.opens_ns, min(stamps_ns)
        places_ns = stamps_ns
        if guards.place_ns(earliest_ns, opens_ns) != earliest_ns:
            places_ns = [guards.place_ns(stamp_ns, opens_ns) for stamp_ns in stamps_ns]
        self._buyers.update(zip(requests, buyers, strict=True))
        self._stamps_ns.extend(stamps_ns)
        self._waiting.update(zip(buyers, self._lottery.offer_all(places_ns, requests), strict=True))

    def _wait(self, request: RequestId, buyer: BuyerId, stamp_ns: int) -> None:
        if buyer in self.winners:
            return
        known = self._waiting.get(buyer)
        if known is not None:
            known_request = self._lottery.name(known)
            if not guards.is_lesser_entry(stamp_ns, request, self._stamps_ns[number_in(known)], known_request):
                return
            self._lottery.withdraw(known)
            del self._buyers[known_request]
        self._buyers[request] = buyer
        self._stamps_ns.append(stamp_ns)
        self._waiting[buyer] = self._lottery.offer(guards.place_ns(stamp_ns, self.terms.opens_ns), request)

    def enter_beacon(self, value: BeaconValue) -> list[Decision]:
        """As `Deliveries` says; what follows is the whole draw."""
        named = self.terms.beacon
        expect(not self.is_decided, "no value is entered into a sale that is decided")
        expect(named is not None, "a beacon's value is entered only where the terms name a round")
        expect(self.is_complete, "the beacon's value is entered once every entry is in")
        expect(self.awaits_beacon, "the beacon's value is entered once")
        wrong = None if named is None else named.wrong_with(value)
        expect(wrong is None, f"the beacon's value is of the round that the terms name ({wrong})")
        self.awaits_beacon = False
        self._ticket_of_buyer = ticket_drawer(draw_key(self._seed, value), self.terms.sale())
        return list(self._consequences())

    def _close_reason(self) -> CloseReason | None:
        if self.sold_out:
            return "sold_out"
        return "cancelled" if self.cancelled else None

    def _forget_who_waits(self) -> None:
        """Who was drawn is remembered."""
        self._buyers = {request: buyer for buyer, request in self.winners.items()}
        self._waiting = {}
        self._stamps_ns = array("q")
        self._lottery = self._new_lottery()

    def _consequences(self) -> Iterable[Decision]:
        if self.is_decided:
            return
        terms, frontier_ns = self.terms, self.frontier_ns
        if self.awaits_beacon:
            yield from self._completes()
            return
        while guards.in_stock(len(self.winners), terms.stock):
            request = self._lottery.draw(frontier_ns, terms.last_stamp_ns)
            if request is None:
                break
            buyer = self._buyers[request]
            rank = len(self.winners)
            self.winners[buyer] = request
            del self._waiting[buyer]
            yield Won(request, request.rpartition(".")[0], rank, rank)
        if not guards.in_stock(len(self.winners), terms.stock):
            self.sold_out = True
            self._forget_who_waits()
            yield SoldOut()
        elif guards.everyone_is_heard(frontier_ns, terms.last_stamp_ns):
            yield self._end("time")

    def _completes(self) -> Iterable[Decision]:
        """That every entry is in, where the draw waits for a beacon."""
        if not self.is_complete and guards.everyone_is_heard(self.frontier_ns, self.terms.last_stamp_ns):
            self.is_complete = True
            yield Complete()
