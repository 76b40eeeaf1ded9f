"""The promises of an auction, one function each: a sentence for a name, the violations for a value. Pure.

As `invariants.py`, of which those that hold of any ordered sale hold here, too; `AUCTION_PROMISES` has all of them. Of
a buyer's bids `Run.contenders` has the one that counts: the highest, and of equal ones the least (stamp, request).

A compact run holds every bid of whoever won, and of all others the highest, of equally high ones the earliest and of
equally early ones any: what a promise asks of a losing bid holds for all where it holds for that one. Its stretches
name the least price.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, takewhile
from typing import Final

from model import guards
from model.invariants import (
    Invariant,
    Run,
    Violations,
    every_logged_request_has_exactly_one_outcome,
    every_winner_was_logged_and_counts,
    no_buyer_wins_twice,
    no_more_units_are_sold_than_the_stock,
    no_stamp_follows_below_a_mark_that_was_seen,
    nobody_loses_without_a_stated_reason,
    nobody_wins_before_every_entry_is_in_and_the_beacon_is_known,
    stamps_keep_their_bound_and_the_sales_hours,
    winners_are_told_that_they_won_and_nobody_else_is,
)
from model.vocabulary import Closed, Complete, CutOff, Entry, RegionName, Seen, Won


def _price(entry: Entry) -> int:
    """What a bid offers; less than any bid where it names no price, which is found elsewhere."""
    return 0 if entry.price is None else entry.price


def _winning_bids(run: Run) -> list[tuple[Won, Entry]]:
    """Who won, in serving order, with the bid."""
    return [(won, run.entries[won.request]) for won in run.winners if won.request in run.entries]


def _losing_bids(run: Run) -> list[Entry]:
    """Of each buyer who did not win the bid that counts."""
    return [entry for entry in run.contenders.values() if entry.buyer not in run.winning]


def _served_in_order(run: Run) -> list[Entry]:
    """Winning bids in serving order, then of the losing ones the highest, and of those the earliest."""
    losing = sorted(_losing_bids(run), key=lambda entry: (-_price(entry), run.place_ns(entry)))
    return [*(entry for _, entry in _winning_bids(run)), *losing[:1]]


def no_losing_bid_is_higher_than_a_winning_one(run: Run) -> Violations:
    """Nobody is served before a higher bid, whether that won or lost."""
    highest_later: Entry | None = None
    for entry in reversed(_served_in_order(run)):
        if highest_later is not None and guards.outbids(_price(highest_later), _price(entry)):
            yield f"{entry.request} at {entry.price} was served before {highest_later.request} at {highest_later.price}"
        if highest_later is None or guards.outbids(_price(entry), _price(highest_later)):
            highest_later = entry


def _equal_prices(run: Run) -> Iterator[Sequence[Entry]]:
    """Bids of one price that were served one after the other, in that order."""
    for _, equals in groupby(_served_in_order(run), key=_price):
        yield tuple(equals)


def of_equal_bids_none_is_served_before_one_that_certainly_came_first(run: Run) -> Violations:
    """Promise 1, among those of one price: if a's place + W < b's place, a is served first."""
    for equals in _equal_prices(run):
        earliest_later: Entry | None = None
        for entry in reversed(equals):
            if earliest_later is not None and guards.certainly_before(
                run.place_ns(earliest_later), run.place_ns(entry), run.terms.tie_window_ns
            ):
                yield f"{entry.request} was served before {earliest_later.request}, as high and certainly earlier"
            if earliest_later is None or run.place_ns(entry) < run.place_ns(earliest_later):
                earliest_later = entry


def of_equal_bids_one_that_truly_came_first_by_more_than_the_bound_is_served_first(run: Run) -> Violations:
    """Promise 2, among those of one price: more than W + 2ε of true time apart."""
    limit_ns = run.terms.tie_window_ns + 2 * run.terms.skew_bound_ns
    for equals in _equal_prices(run):
        earliest_ns: int | None = None
        for entry in reversed(equals):
            arrival_ns = run.true_arrival_ns.get(entry.request)
            if arrival_ns is None:
                continue
            true_place_ns = guards.place_ns(arrival_ns, run.terms.opens_ns)
            if earliest_ns is not None and guards.certainly_before(earliest_ns, true_place_ns, limit_ns):
                by_ns = true_place_ns - earliest_ns
                yield f"{entry.request} was served before one as high that truly came {by_ns} ns earlier"
            earliest_ns = true_place_ns if earliest_ns is None else min(earliest_ns, true_place_ns)


def units_are_left_only_where_every_bid_won(run: Run) -> Violations:
    """Where the auction was decided, nobody loses while a unit is left."""
    if not any(isinstance(record, Closed) and record.reason == "time" for record in run.decisions):
        return
    if guards.in_stock(len(run.winners), run.terms.stock):
        for entry in _losing_bids(run)[:1]:
            yield f"{entry.request} lost, and {run.terms.stock - len(run.winners)} units are left"


def nobody_pays_more_than_they_bid(run: Run) -> Violations:
    """Of every winner: reserve ≤ what is paid ≤ the bid."""
    for won, entry in _winning_bids(run):
        if won.price is None:
            yield f"{won.request} won, and nothing says what it pays"
        elif guards.outbids(won.price, _price(entry)):
            yield f"{won.request} bid {entry.price}, and pays {won.price}"
        elif not guards.reaches_reserve(won.price, run.terms.reserve_price):
            yield f"{won.request} pays {won.price}, less than the reserve of {run.terms.reserve_price}"


def what_winners_pay_is_as_the_terms_say(run: Run) -> Violations:
    """First price: each its own bid. Uniform: all the same, the highest losing bid, and at least the reserve; so no
    losing bid is above it, and no winning one below."""
    if run.terms.pricing == "uniform":
        highest = max(map(_price, _losing_bids(run)), default=0)
        due = guards.uniform_price(highest, run.terms.reserve_price)
        for won in run.winners:
            if won.price != due:
                yield f"{won.request} pays {won.price}, and everybody pays {due}"
        return
    for won, entry in _winning_bids(run):
        if won.price != entry.price:
            yield f"{won.request} pays {won.price}, and its bid is {entry.price}"


def no_bid_is_below_the_reserve(run: Run) -> Violations:
    """Every bid names a price, and it is at least the reserve."""
    for region in run.logs:
        for some in run.in_stretches(region):
            if some.least_price is None or not guards.reaches_reserve(some.least_price, run.terms.reserve_price):
                yield f"{region} entry {some}: {some.least_price} is no bid from {run.terms.reserve_price}"


def nothing_is_decided_before_every_bid_is_in(run: Run) -> Violations:
    """When the first has won, or every bid is said to be in, no stamp that may be logged can follow, in any region that
    is still in the sale."""
    first = next((at for at, record in enumerate(run.decisions) if _says_all_are_in(record)), None)
    if first is None:
        return
    out = {record.region for record in run.decisions[:first] if isinstance(record, CutOff)}
    for region in run.terms.regions:
        mark_ns = _greatest_mark_ns(run, region, first)
        if region not in out and not guards.everyone_is_heard(mark_ns, run.terms.last_stamp_ns):
            yield f"record {first} decides, and {region} was heard up to {mark_ns} only"


def _says_all_are_in(record: object) -> bool:
    return isinstance(record, Won | Complete) or (isinstance(record, Closed) and record.reason == "time")


def _greatest_mark_ns(run: Run, region: RegionName, before: int) -> int:
    """Of the looks before a record, where they are among the decisions; else of all."""
    if run.marks is not None:
        return max((mark_ns for _, mark_ns in run.seen_of(region)), default=0)
    looks = [record for record in run.decisions[:before] if isinstance(record, Seen)]
    return max((look.regions[region].mark_ns for look in looks if region in look.regions), default=0)


def whoever_won_won_in_one_go(run: Run) -> Violations:
    """Nothing comes between the first who wins and the end: what is decided is decided at once, and for good."""
    first = next((at for at, record in enumerate(run.decisions) if isinstance(record, Won)), None)
    if first is None:
        return
    after = [*takewhile(lambda record: isinstance(record, Won), run.decisions[first:])]
    end = first + len(after)
    if end == len(run.decisions) or run.decisions[end] != Closed("time"):
        yield f"the {len(after)} who won first are not followed by the end"
    if len(after) != len(run.winners):
        yield f"{len(run.winners) - len(after)} won after the end"


AUCTION_PROMISES: Final[tuple[Invariant, ...]] = (
    no_losing_bid_is_higher_than_a_winning_one,
    of_equal_bids_none_is_served_before_one_that_certainly_came_first,
    of_equal_bids_one_that_truly_came_first_by_more_than_the_bound_is_served_first,
    units_are_left_only_where_every_bid_won,
    nobody_pays_more_than_they_bid,
    what_winners_pay_is_as_the_terms_say,
    no_bid_is_below_the_reserve,
    nothing_is_decided_before_every_bid_is_in,
    whoever_won_won_in_one_go,
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
"""All of an auction, in the order in which a report tells them."""
