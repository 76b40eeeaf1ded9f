"""The promises, one function each: a sentence for a name, the violations for a value. Pure.

Each takes a finished `Run` and yields what breaks its sentence, [] when it holds. Tests ask them of random runs, the
audit of a bundle; `proofs/` proves them of every run. Only promise 2 needs what no auditor has: true arrival times,
known in simulation only.

A run may be whole, with every entry and every outcome, or compact, as the audit of a million entries has it: then
`logs` and `outcomes` hold only those that a promise can name (every entry of a buyer who won, and the earliest who
did not), `stretches` says of all entries what the extremes are, and `others` counts the rest. Each promise means the
same of both, because what it asks of an entry is a comparison that holds for all where it holds for the extremes.

Here are those that hold of every ordered sale. What is promised of bids besides: `auction_invariants.py`; of units that
are held: `reservation_invariants.py`. Each kind of sale has its tuple of all.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

from model import guards
from model.terms import Terms
from model.vocabulary import (
    BeaconValue,
    Cancelled,
    Closed,
    Complete,
    Confirmed,
    CutOff,
    Decision,
    Entry,
    Expired,
    Halted,
    Held,
    Listed,
    ListFull,
    LostReason,
    Naming,
    Outcome,
    RegionName,
    Released,
    RequestId,
    Seen,
    SoldOut,
    Won,
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive entries of one log, from a number to a number, by their extremes."""

    first_seq: int
    last_seq: int
    least_stamp_ns: int
    greatest_stamp_ns: int
    least_bound_ns: int
    greatest_bound_ns: int
    least_price: int | None = None
    """Of bids; None where one of them has no price."""

    def __str__(self) -> str:
        return f"{self.first_seq}" if self.first_seq == self.last_seq else f"{self.first_seq} to {self.last_seq}"


Stretches: TypeAlias = Mapping[RegionName, Callable[[], Iterable[Stretch]]]
"""By region, its log in stretches, in order; made anew whenever a promise asks, so that none need be kept."""


Marks: TypeAlias = Mapping[RegionName, Callable[[], Iterable[tuple[int, int]]]]
"""By region, of each look in turn the last number that it had read and the mark; made anew whenever asked for."""


@dataclass(frozen=True, slots=True)
class Others:
    """The entries that a compact run does not hold: nobody of their buyers won."""

    counted: int
    """How many there are that count."""
    beyond_cut_offs: int
    told: Mapping[str, int]
    """By the reason they were told, how many lost."""


@dataclass(frozen=True)
class Run:
    """A finished sale: what was logged, what was decided, what everybody was told."""

    terms: Terms
    logs: Mapping[RegionName, Sequence[Entry]]
    decisions: Sequence[Decision]
    outcomes: Sequence[Outcome]
    true_arrival_ns: Mapping[RequestId, int] = field(default_factory=dict)
    """By request, in simulation; {} elsewhere."""
    stretches: Stretches | None = None
    """All entries, where `logs` does not hold them all. No stretch goes beyond a number that a `Seen` names."""
    marks: Marks | None = None
    """What looks had read, where `decisions` does not hold their `Seen` records."""
    others: Others = Others(0, 0, {})

    def in_stretches(self, region: RegionName) -> Iterable[Stretch]:
        """The whole log of a region."""
        if self.stretches is not None:
            return self.stretches[region]()
        return (
            Stretch(entry.seq, entry.seq, entry.stamp_ns, entry.stamp_ns, entry.bound_ns, entry.bound_ns, entry.price)
            for entry in self.logs[region]
        )

    def seen_of(self, region: RegionName) -> Iterable[tuple[int, int]]:
        """Of each look that names a region the last number that it had read, and the mark."""
        if self.marks is not None:
            return self.marks[region]()
        looks = (record.regions.get(region) for record in self.decisions if isinstance(record, Seen))
        return ((look.seq, look.mark_ns) for look in looks if look is not None)

    @cached_property
    def drawn(self) -> list[Naming]:
        """Who was drawn, in serving order: winners, and in a reservation everybody who got a place on the list."""
        listed = {record.request for record in self.decisions if isinstance(record, Listed)}
        return [
            record
            for record in self.decisions
            if isinstance(record, Won | Listed) or (isinstance(record, Held) and record.request not in listed)
        ]

    @cached_property
    def winners(self) -> list[Won]:
        """Who has a unit for good. Whoever has confirmed one won it, at the place on the list and with the unit that
        was held."""
        found, held = list[Won](), dict[RequestId, Held]()
        for record in self.decisions:
            match record:
                case Won():
                    found.append(record)
                case Held(request):
                    held[request] = record
                case Confirmed(request) if request in held:
                    found.append(Won(request, held[request].region, held[request].rank, held[request].unit))
                case _:
                    pass
        return found

    @cached_property
    def winning(self) -> dict[str, RequestId]:
        """By buyer, the request that won."""
        return self._by_buyer(self.winners)

    @cached_property
    def placed(self) -> dict[str, RequestId]:
        """By buyer, the request that was drawn."""
        return self._by_buyer(self.drawn)

    @cached_property
    def given_up(self) -> dict[RequestId, LostReason]:
        """By request that had a unit and has it no more, why."""
        named: dict[RequestId, LostReason] = {}
        for record in self.decisions:
            if isinstance(record, Released | Expired):
                named[record.request] = "released" if isinstance(record, Released) else "expired"
        return named

    def _by_buyer(self, named: Iterable[Naming]) -> dict[str, RequestId]:
        return {self.entries[one.request].buyer: one.request for one in named if one.request in self.entries}

    @cached_property
    def cut_offs(self) -> dict[RegionName, int]:
        return {cut.region: cut.seq for cut in self.decisions if isinstance(cut, CutOff)}

    @cached_property
    def entries(self) -> dict[RequestId, Entry]:
        return {entry.request: entry for entries in self.logs.values() for entry in entries}

    @cached_property
    def contenders(self) -> dict[str, Entry]:
        """By buyer, the least of the entries that count; of bids the best."""
        least: dict[str, Entry] = {}
        for region, entries in self.logs.items():
            last = self.cut_offs.get(region)
            for entry in entries:
                if last is not None and not guards.entry_counts(entry.seq, last):
                    continue
                known = least.get(entry.buyer)
                if known is None or _goes_before(entry, known):
                    least[entry.buyer] = entry
        return least

    def place_ns(self, entry: Entry) -> int:
        return guards.place_ns(entry.stamp_ns, self.terms.opens_ns)


Violations: TypeAlias = Iterator[str]
Invariant: TypeAlias = Callable[[Run], Violations]


def _goes_before(one: Entry, other: Entry) -> bool:
    """Of one buyer's entries the first that counts; entries without a price are all worth the same."""
    one_price, other_price = one.price or 0, other.price or 0
    return guards.is_better_bid(one_price, one.stamp_ns, one.request, other_price, other.stamp_ns, other.request)


def _served_in_order(run: Run) -> list[Entry]:
    """Entries of who was drawn, in that order, then one of the others who should have gone first if anybody: the
    earliest."""
    served = [run.entries[one.request] for one in run.drawn if one.request in run.entries]
    losers = [entry for entry in run.contenders.values() if entry.buyer not in run.placed]
    if losers:
        served.append(min(losers, key=run.place_ns))
    return served


def nobody_is_served_before_one_who_certainly_came_first(run: Run) -> Violations:
    """Promise 1: if a's place + W < b's place, a is served first."""
    served = _served_in_order(run)
    earliest_later: Entry | None = None
    for entry in reversed(served):
        if earliest_later is not None and guards.certainly_before(
            run.place_ns(earliest_later), run.place_ns(entry), run.terms.tie_window_ns
        ):
            yield f"{entry.request} was served before {earliest_later.request}, which certainly came first"
        if earliest_later is None or run.place_ns(entry) < run.place_ns(earliest_later):
            earliest_later = entry


def whoever_truly_came_first_by_more_than_the_bound_is_served_first(run: Run) -> Violations:
    """Promise 2: more than W + 2ε of true time apart (arrivals before opening counting as the opening)."""
    limit_ns = run.terms.tie_window_ns + 2 * run.terms.skew_bound_ns
    earliest_ns: int | None = None
    for entry in reversed(_served_in_order(run)):
        arrival_ns = run.true_arrival_ns.get(entry.request)
        if arrival_ns is None:
            continue
        true_place_ns = guards.place_ns(arrival_ns, run.terms.opens_ns)
        if earliest_ns is not None and guards.certainly_before(earliest_ns, true_place_ns, limit_ns):
            yield f"{entry.request} was served before one that truly came {true_place_ns - earliest_ns} ns earlier"
        earliest_ns = true_place_ns if earliest_ns is None else min(earliest_ns, true_place_ns)


def nobody_wins_before_every_entry_is_in_and_the_beacon_is_known(run: Run) -> Violations:
    """Where terms name a beacon's round: first every entry, then the value, then winners."""
    steps = (Complete, BeaconValue) if run.terms.beacon is not None else ()
    done = 0
    for record in run.decisions:
        if isinstance(record, Complete | BeaconValue):
            if done == len(steps) or not isinstance(record, steps[done]):
                yield f"{record} stands where it does not belong"
                return
            done += 1
        elif isinstance(record, Won) and done < len(steps):
            yield f"{record.request} won before the draw could be known"
            return


def no_more_units_are_sold_than_the_stock(run: Run) -> Violations:
    """Promise 6: never oversell; no unit twice; ranks count from 0."""
    if len(run.winners) > run.terms.stock:
        yield f"{len(run.winners)} units were sold of {run.terms.stock}"
    for unit, times in Counter(won.unit for won in run.winners).items():
        if times > 1 or not 0 <= unit < run.terms.stock:
            yield f"unit {unit} of {run.terms.stock} was sold {times} times"
    for position, one in enumerate(run.drawn):
        if one.rank != position:
            yield f"{one.request} has rank {one.rank} and was served at {position}"


def no_buyer_wins_twice(run: Run) -> Violations:
    """One entry per buyer wins, and it is the least that counts; of bids the best."""
    buyers = Counter(run.entries[won.request].buyer for won in run.winners if won.request in run.entries)
    for buyer, times in buyers.items():
        if times > 1:
            yield f"buyer {buyer} won {times} times"
    for won in run.winners:
        entry = run.entries.get(won.request)
        least = None if entry is None else run.contenders.get(entry.buyer)
        if least is not None and least.request != won.request:
            yield f"{won.request} won, and {least.request} is the entry that counts of that buyer"


def every_winner_was_logged_and_counts(run: Run) -> Violations:
    """Whoever won had asked, in the region that the record names, and not beyond a cut-off."""
    for won in run.winners:
        entry = run.entries.get(won.request)
        if entry is None:
            yield f"{won.request} won and is in no log"
        elif won.request.rpartition(".")[0] != won.region:
            yield f"{won.request} won in {won.region}"
        elif won.region in run.cut_offs and not guards.entry_counts(entry.seq, run.cut_offs[won.region]):
            yield f"{won.request} won beyond the cut-off of {won.region}"


def every_logged_request_has_exactly_one_outcome(run: Run) -> Violations:
    """Promise 6: one outcome each, nothing else."""
    told = Counter(outcome.request for outcome in run.outcomes)
    for request in run.entries.keys() - told.keys():
        yield f"{request} was logged and has no outcome"
    for request, times in told.items():
        if request not in run.entries:
            yield f"{request} has an outcome and is in no log"
        elif times > 1:
            yield f"{request} has {times} outcomes"
    told_others, others = sum(run.others.told.values()), run.others.counted + run.others.beyond_cut_offs
    if told_others != others:
        yield f"{others} others were logged, and {told_others} outcomes are told of them"


def winners_are_told_that_they_won_and_nobody_else_is(run: Run) -> Violations:
    """What is told is what was decided."""
    won = {winner.request: winner for winner in run.winners}
    for outcome in run.outcomes:
        winner = won.get(outcome.request)
        if (outcome.state == "won") != (winner is not None):
            yield f"{outcome.request} is told {outcome.state}"
        elif winner is not None and (outcome.rank, outcome.unit) != (winner.rank, winner.unit):
            yield f"{outcome.request} is told rank {outcome.rank} and unit {outcome.unit}"
        elif winner is not None and outcome.price != winner.price:
            yield f"{outcome.request} is told to pay {outcome.price}, and pays {winner.price}"


def _true_of_all(run: Run) -> dict[str, bool]:
    """By reason that says nothing of one buyer, whether the sale was so."""
    all_sold = not guards.in_stock(len(run.winners), run.terms.stock)
    in_time = any(isinstance(record, Closed) and record.reason == "time" for record in run.decisions)
    is_auction = run.terms.kind == "auction"
    return {
        "sold_out": all_sold and any(isinstance(record, SoldOut) for record in run.decisions),
        "closed": in_time and not is_auction,
        "outbid": in_time and is_auction and all_sold,
        "list_full": any(isinstance(record, ListFull) for record in run.decisions),
        "cancelled": any(isinstance(record, Cancelled) for record in run.decisions),
        "halted": any(isinstance(record, Halted) for record in run.decisions),
    }


def nobody_loses_without_a_stated_reason(run: Run) -> Violations:
    """Promise 6: each loser is told a reason, and it is true."""
    true_of_all = _true_of_all(run)
    others = {**run.others.told}
    if others.pop("cut_off", 0) != run.others.beyond_cut_offs:
        yield f"{run.others.told.get('cut_off', 0)} others lost as cut off, and {run.others.beyond_cut_offs} were"
    for reason, times in others.items():
        if times and not true_of_all.get(reason, False):
            yield f"{times} others lost as {reason}, and the sale was not"
    for outcome in run.outcomes:
        entry = run.entries.get(outcome.request)
        wrong = None if entry is None or outcome.state != "lost" else _wrong_with(run, entry, outcome, true_of_all)
        if wrong is not None:
            yield f"{outcome.request} lost {wrong}"


def _wrong_with(run: Run, entry: Entry, outcome: Outcome, true_of_all: Mapping[str, bool]) -> str | None:
    """What is not true of the reason that a loser was told; None where it is."""
    reason, region = outcome.reason, entry.request.rpartition(".")[0]
    match reason:
        case None:
            return "without a reason"
        case "duplicate":
            is_true = outcome.of is not None and run.winning.get(entry.buyer) == outcome.of
            return None if is_true else f"as duplicate of {outcome.of}, which is not its buyer's winner"
        case "cut_off":
            is_true = region in run.cut_offs and not guards.entry_counts(entry.seq, run.cut_offs[region])
            return None if is_true else "as cut off, and counts"
        case "expired" | "released":
            is_true = run.given_up.get(run.placed.get(entry.buyer, "")) == reason
            return None if is_true else f"as {reason}, and its buyer's unit was not"
        case "list_full" if entry.buyer in run.placed:
            return "as list_full, and its buyer has a place on the list"
    return None if true_of_all[reason] else f"as {reason}, and the sale was not"


def stamps_keep_their_bound_and_the_sales_hours(run: Run) -> Violations:
    """No stamp without a clock good enough; nobody certainly early or late is let in."""
    terms = run.terms
    for region in run.logs:
        for some in run.in_stretches(region):
            for bound_ns in {some.least_bound_ns, some.greatest_bound_ns}:
                if not guards.bound_holds(bound_ns, terms.skew_bound_ns):
                    yield f"{region} entry {some}: bound {bound_ns} ns is above ε"
            if guards.certainly_early(some.least_stamp_ns, terms.skew_bound_ns, terms.entries_from_ns):
                yield f"{region} entry {some}: certainly early"
            if guards.certainly_late(some.greatest_stamp_ns, terms.skew_bound_ns, terms.closes_ns):
                yield f"{region} entry {some}: certainly late"


def no_stamp_follows_below_a_mark_that_was_seen(run: Run) -> Violations:
    """Each region keeps its promise: entries logged after a mark was seen are not below it."""
    for region in run.logs:
        looks = iter(run.seen_of(region))
        mark_ns, next_look = 0, next(looks, None)
        for some in run.in_stretches(region):
            while next_look is not None and next_look[0] < some.first_seq:
                mark_ns = max(mark_ns, next_look[1])
                next_look = next(looks, None)
            if not guards.may_follow(some.least_stamp_ns, mark_ns):
                yield f"{region} entry {some}: stamp {some.least_stamp_ns} is below the mark {mark_ns}"


PROMISES: Final[tuple[Invariant, ...]] = (
    nobody_is_served_before_one_who_certainly_came_first,
    whoever_truly_came_first_by_more_than_the_bound_is_served_first,
    nobody_wins_before_every_entry_is_in_and_the_beacon_is_known,
    no_more_units_are_sold_than_the_stock,
    no_buyer_wins_twice,
    every_winner_was_logged_and_counts,
    every_logged_request_has_exactly_one_outcome,
    winners_are_told_that_they_won_and_nobody_else_is,
    nobody_loses_without_a_stated_reason,
    stamps_keep_their_bound_and_the_sales_hours,
    no_stamp_follows_below_a_mark_that_was_seen,
)
"""All of a sale in which units are sold to the first, in the order in which a report tells them."""
