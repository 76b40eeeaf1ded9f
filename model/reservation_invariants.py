"""The promises of a reservation, one function each: a sentence for a name, the violations for a value. Pure.

As `invariants.py`, of which those that hold of any ordered sale hold here, too; `RESERVATION_PROMISES` has all of them.
They go through the decisions once more with books of their own, and know nothing of the fold nor of `holds.py`.

A compact run holds every entry of whoever was drawn, the earliest of the others, and every reply about a purchase that
ever had a unit. Where its decisions hold no looks, it says itself at which look each unit was given out.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

from model import guards
from model.holds import Holds
from model.invariants import (
    Run,
    Violations,
    every_logged_request_has_exactly_one_outcome,
    every_winner_was_logged_and_counts,
    no_buyer_wins_twice,
    no_more_units_are_sold_than_the_stock,
    no_stamp_follows_below_a_mark_that_was_seen,
    nobody_is_served_before_one_who_certainly_came_first,
    nobody_loses_without_a_stated_reason,
    stamps_keep_their_bound_and_the_sales_hours,
    whoever_truly_came_first_by_more_than_the_bound_is_served_first,
    winners_are_told_that_they_won_and_nobody_else_is,
)
from model.vocabulary import (
    Cancelled,
    Complete,
    Confirmed,
    CutOff,
    Decision,
    Expired,
    Halted,
    Held,
    Listed,
    ListFull,
    Naming,
    RegionName,
    Released,
    Reply,
    ReplyKind,
    RequestId,
    Seen,
    SoldOut,
)

Ending: TypeAlias = Confirmed | Released | Expired
"""What ends a hold."""


class Look(NamedTuple):
    """The look at which a unit was given out: how far the holder's region had been counted, and the latest time."""

    seq: int
    latest_ns: int


@dataclass(frozen=True)
class ReservationRun(Run):
    """A finished reservation: a run, with what holders said."""

    replies: Mapping[RegionName, Sequence[Reply]] = field(default_factory=dict)
    """By region, in the order of its log."""
    given_out: Mapping[RequestId, Look] | None = None
    """By request that had a unit, where `decisions` does not hold `Seen` records."""
    true_reply_ns: Mapping[tuple[RequestId, ReplyKind], int] = field(default_factory=dict)
    """When replies truly came, in simulation; {} elsewhere."""

    @cached_property
    def holds(self) -> dict[RequestId, Held]:
        return {record.request: record for record in self.decisions if isinstance(record, Held)}

    @cached_property
    def ended(self) -> dict[RequestId, Ending]:
        """By request, how its hold ended."""
        return {record.request: record for record in self.decisions if isinstance(record, Ending)}

    @cached_property
    def looks(self) -> Mapping[RequestId, Look]:
        """By request that had a unit, the look at which it was given out."""
        if self.given_out is not None:
            return self.given_out
        found, counted, latest_ns = dict[RequestId, Look](), dict[RegionName, int](), 0
        for record in self.decisions:
            match record:
                case Seen(regions):
                    counted.update({name: region.seq for name, region in regions.items()})
                    latest_ns = record.latest_ns
                case Held(request):
                    found[request] = Look(counted.get(request.rpartition(".")[0], 0), latest_ns)
                case _:
                    pass
        return found

    @cached_property
    def said(self) -> dict[RequestId, list[Reply]]:
        """By request that had a unit, what was said of it and counts, in the order of the log: what its region was
        counted up to when the unit was given out was said of nothing, and what is beyond a cut-off was never heard."""
        found: dict[RequestId, list[Reply]] = {}
        for region, replies in self.replies.items():
            last = self.cut_offs.get(region)
            for reply in replies:
                look = self.looks.get(reply.purchase)
                if (
                    look is None
                    or reply.seq <= look.seq
                    or (last is not None and not guards.entry_counts(reply.seq, last))
                ):
                    continue
                found.setdefault(reply.purchase, []).append(reply)
        return found

    def in_time(self, reply: Reply, held: Held) -> bool:
        """Whether a confirmation came certainly before the hold was over."""
        return guards.confirms_in_time(reply.stamp_ns, self.terms.skew_bound_ns, held.until_ns)


ReservationInvariant: TypeAlias = Callable[[ReservationRun], Violations]


def no_unit_is_ever_with_two_people(run: ReservationRun) -> Violations:
    """A unit is given out that nobody holds and nobody has bought, and it is one of the stock."""
    holder: dict[int, RequestId] = {}
    unit_of: dict[RequestId, int] = {}
    for record in run.decisions:
        match record:
            case Held(request, unit=unit):
                if not 0 <= unit < run.terms.stock:
                    yield f"{request} holds unit {unit}, of a stock of {run.terms.stock}"
                elif unit in holder:
                    yield f"{request} holds unit {unit}, which {holder[unit]} has"
                holder[unit], unit_of[request] = request, unit
            case Released(request) | Expired(request):
                freed = unit_of.get(request)
                if freed is not None and holder.get(freed) == request:
                    del holder[freed]
            case _:
                pass


def each_place_has_at_most_one_unit_ever(run: ReservationRun) -> Violations:
    """Who is drawn gets one place, of as many as there are, and a unit at most once, at that place."""
    listed, held = dict[RequestId, int](), set[RequestId]()
    for record in run.decisions:
        match record:
            case Listed(request, _, rank):
                if request in listed or request in held:
                    yield f"{request} is listed at {rank}, and had its place"
                listed[request] = rank
            case Held(request, _, rank):
                if request in held:
                    yield f"{request} gets a unit, and had one"
                elif listed.get(request, rank) != rank:
                    yield f"{request} gets a unit at place {rank}, and waited at {listed[request]}"
                held.add(request)
            case _:
                pass
    if len(run.drawn) > run.terms.places:
        yield f"{len(run.drawn)} have a place, of {run.terms.places}"


def every_hold_ends_at_most_once(run: ReservationRun) -> Violations:
    """A unit is confirmed, given back, or its hold expires: one of them, while it is held, and for good."""
    out = set[RequestId]()
    for record in run.decisions:
        if isinstance(record, Held):
            out.add(record.request)
        elif isinstance(record, Ending):
            if record.request not in out:
                yield f"{record} is about a unit that is not held"
            out.discard(record.request)


def what_a_holder_said_first_in_time_is_what_counts(run: ReservationRun) -> Violations:
    """Confirmed: said, certainly before the hold was over. Released: said. And nothing that counts was said before."""
    for request, ending in run.ended.items():
        held, said = run.holds.get(request), run.said.get(request, ())
        if held is None or isinstance(ending, Expired):
            continue
        first = next((one for one in said if one.says == "release" or run.in_time(one, held)), None)
        if first is None:
            yield f"{ending}, and nobody has said so in time"
        elif (first.says == "confirm") != isinstance(ending, Confirmed):
            yield f"{ending}, and the first that counts was: {first.says} (line {first.seq})"


def no_confirmation_in_time_is_lost(run: ReservationRun) -> Violations:
    """No hold expires that was confirmed certainly in time, or given back before it was over."""
    for request, ending in run.ended.items():
        held = run.holds.get(request)
        if held is None or not isinstance(ending, Expired):
            continue
        for reply in run.said.get(request, ()):
            if run.in_time(reply, held) if reply.says == "confirm" else reply.stamp_ns <= held.until_ns:
                yield f"{request} expired, and line {reply.seq} of its region is in time: {reply.says}"


def whoever_truly_confirmed_in_time_has_the_unit(run: ReservationRun) -> Violations:
    """In true time: more than 2ε before the hold was over always counts, and once it was over never does."""
    for request, held in run.holds.items():
        truly_ns, ending = run.true_reply_ns.get((request, "confirm")), run.ended.get(request)
        if truly_ns is None or not any(reply.says == "confirm" for reply in run.said.get(request, ())):
            continue
        by_ns = held.until_ns - truly_ns
        is_sure = guards.confirms_in_time(truly_ns, 2 * run.terms.skew_bound_ns, held.until_ns)
        if is_sure and isinstance(ending, Expired):
            yield f"{request} truly confirmed {by_ns} ns before its hold was over, and expired"
        if by_ns <= 0 and isinstance(ending, Confirmed):
            yield f"{request} truly confirmed {-by_ns} ns after its hold was over, and has the unit"


def no_hold_expires_while_a_confirmation_in_time_can_follow(run: ReservationRun) -> Violations:
    """When a hold expires, every region that is still in the sale was heard past it."""
    expired = (record for record in run.decisions if isinstance(record, Expired) and record.request in run.holds)
    if run.marks is not None:
        last = max((run.holds[record.request] for record in expired), key=_until_ns, default=None)
        heard = {name: max((mark for _, mark in run.seen_of(name)), default=0) for name in run.terms.regions}
        if last is not None:
            yield from _not_heard(last, {name: mark for name, mark in heard.items() if name not in run.cut_offs})
        return
    heard = dict.fromkeys(run.terms.regions, 0)
    for record in run.decisions:
        match record:
            case Seen(regions):
                heard.update({name: region.mark_ns for name, region in regions.items()})
            case CutOff(region):
                heard.pop(region, None)
            case Expired(request) if request in run.holds:
                yield from _not_heard(run.holds[request], heard)
            case _:
                pass


def _until_ns(held: Held) -> int:
    return held.until_ns


def _not_heard(held: Held, heard: Mapping[RegionName, int]) -> Violations:
    for region, mark_ns in heard.items():
        if not guards.hold_is_over(held.until_ns, mark_ns):
            yield f"{held.request} expired at {held.until_ns}, and {region} was heard up to {mark_ns} only"


def a_hold_lasts_from_its_look_as_long_as_the_terms_say(run: ReservationRun) -> Violations:
    """Until is the latest time of the look that gave the unit out, and the terms' hold."""
    for request, held in run.holds.items():
        look = run.looks.get(request)
        due_ns = None if look is None else guards.held_until_ns(look.latest_ns, run.terms.hold_ns)
        if held.until_ns != due_ns:
            yield f"{request} holds its unit until {held.until_ns}, and should until {due_ns}"


def a_unit_goes_to_the_least_place_that_waits(run: ReservationRun) -> Violations:
    """Nobody on the list is passed over, and nobody new gets a unit while somebody waits."""
    for record, waiting, _ in _books(run):
        if isinstance(record, Held) and waiting and waiting[0] != record.request:
            yield f"{record.request} gets a unit before {waiting[0]}, which waits at a lesser place"


def nobody_waits_while_a_unit_is_free(run: ReservationRun) -> Violations:
    """Whatever a look leads to, it leaves nobody on the list beside a free unit; and nobody is listed beside one."""
    for record, waiting, out in _books(run):
        is_free = guards.in_stock(out, run.terms.stock)
        if is_free and isinstance(record, Listed):
            yield f"{record.request} has to wait, and {run.terms.stock - out} units are free"
        elif is_free and waiting and not isinstance(record, Naming | Ending | ListFull):
            yield f"{waiting[0]} waits, and {run.terms.stock - out} units are free ({type(record).__name__} comes)"


def it_ends_when_every_unit_is_known_of(run: ReservationRun) -> Violations:
    """Sold out: every unit is confirmed. Complete: nobody holds a unit, nobody waits. The list is full when every place
    is taken; and once decided nothing of it changes."""
    held, confirmed, drawn, decided = set[RequestId](), 0, 0, ""
    for record, waiting, out in _books(run):
        match record:
            case Held() | Listed() | Confirmed() | Released() | Expired() | ListFull() if decided:
                yield f"{record} comes after the sale was {decided}"
            case Held(request):
                drawn += request not in waiting
                held.add(request)
            case Listed():
                drawn += 1
            case Confirmed(request):
                confirmed += 1
                held.discard(request)
            case Released(request) | Expired(request):
                held.discard(request)
            case ListFull() if drawn != run.terms.places:
                yield f"the list is full with {drawn} of {run.terms.places} places"
            case SoldOut() | Complete() | Cancelled() | Halted():
                decided = type(record).__name__
                if isinstance(record, SoldOut) and confirmed != run.terms.stock:
                    yield f"it is sold out, and {confirmed} of {run.terms.stock} units are confirmed"
                if isinstance(record, Complete) and (held or waiting):
                    yield f"it is complete, and {len(held)} units are held, {len(waiting)} wait"
            case _:
                pass
        assert out >= 0


def _books(run: ReservationRun) -> Iterator[tuple[Decision, deque[RequestId], int]]:
    """Each record, with who waits and how many units are out or sold just before it."""
    waiting, held, out = deque[RequestId](), set[RequestId](), 0
    for record in run.decisions:
        yield record, waiting, out
        match record:
            case Listed(request):
                waiting.append(request)
            case Held(request):
                held.add(request)
                out += 1
                if waiting and waiting[0] == request:
                    waiting.popleft()
                elif request in waiting:
                    waiting.remove(request)
            case Released(request) | Expired(request) if request in held:
                held.discard(request)
                out -= 1
            case _:
                pass


def what_is_told_to_whoever_waits_never_gets_worse(run: ReservationRun) -> Violations:
    """How many wait before them is true and never rises; when they will know at the latest never moves back. Asked of
    the first and the last who wait: everybody between is told the same, but for how many stand between."""
    holds, told = Holds(run.terms), dict[RequestId, tuple[int, int]]()
    waiting = deque[RequestId]()
    for record in run.decisions:
        turn = holds.turns.get(record.request) if isinstance(record, Ending) else None
        if isinstance(record, Ending) and (turn is None or turn.state != "held"):
            return  # which another promise tells
        holds.apply(record)
        if isinstance(record, Listed):
            waiting.append(record.request)
        elif isinstance(record, Held) and record.request in waiting:
            waiting.remove(record.request)
        for place in {0, len(waiting) - 1} if waiting else ():
            turn = holds.turns[waiting[place]]
            ahead, known_by_ns = holds.ahead(turn), holds.known_by_ns(turn)
            if ahead != place or known_by_ns is None:
                yield f"{turn.request} is told that {ahead} wait before it, and {place} do ({known_by_ns})"
                return
            before = told.get(turn.request, (ahead, known_by_ns))
            if before[0] < ahead or before[1] < known_by_ns:
                yield f"{turn.request} is told {ahead} and {known_by_ns}, and was told {before[0]} and {before[1]}"
            told[turn.request] = ahead, known_by_ns


def replies_keep_their_bound_and_are_not_early(run: ReservationRun) -> Violations:
    """No reply without a clock good enough; each is about a purchase of its region."""
    terms = run.terms
    for region, replies in run.replies.items():
        for reply in replies:
            if not guards.bound_holds(reply.bound_ns, terms.skew_bound_ns):
                yield f"{region} line {reply.seq}: bound {reply.bound_ns} ns is above ε"
            if guards.certainly_early(reply.stamp_ns, terms.skew_bound_ns, terms.entries_from_ns):
                yield f"{region} line {reply.seq}: certainly early"
            if reply.purchase.rpartition(".")[0] != region:
                yield f"{region} line {reply.seq}: {reply.purchase} is of another region"


def no_reply_is_stamped_below_a_mark_that_was_seen(run: ReservationRun) -> Violations:
    """Each region keeps its promise in what holders say, too."""
    for region, replies in run.replies.items():
        looks = iter(run.seen_of(region))
        mark_ns, next_look = 0, next(looks, None)
        for reply in replies:
            while next_look is not None and next_look[0] < reply.seq:
                mark_ns = max(mark_ns, next_look[1])
                next_look = next(looks, None)
            if not guards.may_follow(reply.stamp_ns, mark_ns):
                yield f"{region} line {reply.seq}: stamp {reply.stamp_ns} is below the mark {mark_ns}"


RESERVATION_PROMISES: Final[tuple[ReservationInvariant, ...]] = (
    no_unit_is_ever_with_two_people,
    each_place_has_at_most_one_unit_ever,
    every_hold_ends_at_most_once,
    what_a_holder_said_first_in_time_is_what_counts,
    no_confirmation_in_time_is_lost,
    whoever_truly_confirmed_in_time_has_the_unit,
    no_hold_expires_while_a_confirmation_in_time_can_follow,
    a_hold_lasts_from_its_look_as_long_as_the_terms_say,
    a_unit_goes_to_the_least_place_that_waits,
    nobody_waits_while_a_unit_is_free,
    it_ends_when_every_unit_is_known_of,
    what_is_told_to_whoever_waits_never_gets_worse,
    replies_keep_their_bound_and_are_not_early,
    no_reply_is_stamped_below_a_mark_that_was_seen,
    nobody_is_served_before_one_who_certainly_came_first,
    whoever_truly_came_first_by_more_than_the_bound_is_served_first,
    no_more_units_are_sold_than_the_stock,
    no_buyer_wins_twice,
    every_winner_was_logged_and_counts,
    every_logged_request_has_exactly_one_outcome,
    winners_are_told_that_they_won_and_nobody_else_is,
    nobody_loses_without_a_stated_reason,
    stamps_keep_their_bound_and_the_sales_hours,
    no_stamp_follows_below_a_mark_that_was_seen,
)
"""All of a reservation, in the order in which a report tells them."""
