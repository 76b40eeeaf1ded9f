"""Every comparison that decides anything, one small function each. Pure.

A guard takes integers and gives an integer or a truth value. It holds no `and`, `or`, `not`, `if`, `min` or `max`,
and no chained comparison, so that the very same function runs on integers in the service and on terms in a solver
(`proofs/`). The rule that the guards add up to is told in `lottery.py`; their theorems are in `proofs/`.

May be touched: only together with the obligation that reads the guard and the test that names it.
"""

from typing import TypeVar


def place_ns(stamp_ns: int, opens_ns: int) -> int:
    """Place in time: who came before the opening and was let in, came at the opening. max(stamp, opening)."""
    return stamp_ns + (stamp_ns < opens_ns) * (opens_ns - stamp_ns)


def certainly_before(a_place_ns: int, b_place_ns: int, tie_window_ns: int) -> bool:
    """Whether the clocks prove that a came first: a semiorder (Luce 1956; Fishburn, *Interval Orders*, 1985)."""
    return a_place_ns + tie_window_ns < b_place_ns


def in_pot(a_place_ns: int, earliest_place_ns: int, tie_window_ns: int) -> bool:
    """Whether a could still have been first: nobody waiting came certainly before it."""
    return a_place_ns <= earliest_place_ns + tie_window_ns


def pot_is_complete(earliest_place_ns: int, tie_window_ns: int, frontier_ns: int, last_stamp_ns: int) -> bool:
    """Whether nobody who is still to be heard of can join the pot, nor come before its earliest.

    `frontier_ns` is the least mark: no stamp below it will follow. `last_stamp_ns` is the greatest stamp that may
    be logged at all, closing + ε.
    """
    return (earliest_place_ns + tie_window_ns < frontier_ns) | (last_stamp_ns < frontier_ns)


def everyone_is_heard(frontier_ns: int, last_stamp_ns: int) -> bool:
    """Whether no further entry can come: the frontier is past the greatest stamp that may be logged."""
    return last_stamp_ns < frontier_ns


Name = TypeVar("Name", int, str)
"""A request's id; any order of ids will do, so proofs read it as an integer."""


def serves_before(a_ticket: int, a_request: Name, b_ticket: int, b_request: Name) -> bool:
    """Inside one pot: the lower (ticket, request id) goes first. Tuples of the two compare alike."""
    return (a_ticket < b_ticket) | ((a_ticket == b_ticket) & (a_request < b_request))


def in_stock(sold: int, stock: int) -> bool:
    """Whether a unit is left."""
    return sold < stock


def is_next_to_sell(unit: int, first_free: int) -> bool:
    """Sold at the door, whoever comes gets the first unit that is free there."""
    return unit == first_free


def may_give(wanted: int, free: int) -> bool:
    """Whether a region can give so many units away: it has them, and it is not none."""
    return (wanted > 0) & (wanted <= free)


def may_take(times_taken: int) -> bool:
    """A grant is taken once."""
    return times_taken == 0


def is_ones_own(recipient: Name, region: Name) -> bool:
    """A grant is for one region, and only that one takes it."""
    return recipient == region


def may_follow(stamp_ns: int, mark_ns: int) -> bool:
    """Whether a stamp keeps its region's promise that none below the mark will follow."""
    return mark_ns <= stamp_ns


def mark_may_rise(old_mark_ns: int, new_mark_ns: int) -> bool:
    """Marks only move forward."""
    return old_mark_ns <= new_mark_ns


def mark_after_grace_ns(now_ns: int, intake_grace_ns: int) -> int:
    """The mark of a heartbeat at `now_ns`: whoever needed longer from the wire to the log is refused."""
    return now_ns - intake_grace_ns


def last_stamp_ns(closes_ns: int, skew_bound_ns: int) -> int:
    """The greatest stamp that is not certainly late: closing + ε."""
    return closes_ns + skew_bound_ns


def certainly_early(stamp_ns: int, skew_bound_ns: int, entries_from_ns: int) -> bool:
    """Whether the request came before entries were taken, whatever the clock's error within ε."""
    return stamp_ns + skew_bound_ns < entries_from_ns


def certainly_late(stamp_ns: int, skew_bound_ns: int, closes_ns: int) -> bool:
    """Whether the request came after closing, whatever the clock's error within ε."""
    return closes_ns < stamp_ns - skew_bound_ns


def bound_holds(bound_ns: int, skew_bound_ns: int) -> bool:
    """Whether a stamp is good enough for the sale: its bound is at most ε."""
    return (bound_ns >= 0) & (bound_ns <= skew_bound_ns)


def entry_counts(seq: int, cut_off_seq: int) -> bool:
    """Whether an entry of a region that was cut off at `cut_off_seq` still counts."""
    return seq <= cut_off_seq


def follows_in_log(seq: int, last_seq: int) -> bool:
    """Logs are numbered from 1 without gaps."""
    return seq == last_seq + 1


def reaches_reserve(price: int, reserve_price: int) -> bool:
    """Whether a bid is high enough to be taken at all."""
    return reserve_price <= price


def outbids(a_price: int, b_price: int) -> bool:
    """Whether a's bid goes before b's whatever the clocks say."""
    return b_price < a_price


def is_better_bid(
    a_price: int, a_stamp_ns: int, a_request: Name, b_price: int, b_stamp_ns: int, b_request: Name
) -> bool:
    """Of one buyer's bids the highest counts, and of equal ones the least (stamp, request id)."""
    came_first = is_lesser_entry(a_stamp_ns, a_request, b_stamp_ns, b_request)
    return outbids(a_price, b_price) | ((a_price == b_price) & came_first)


def uniform_price(highest_losing_price: int, reserve_price: int) -> int:
    """What every winner pays at a uniform price: the highest losing bid, and at least the reserve."""
    return highest_losing_price + (highest_losing_price < reserve_price) * (reserve_price - highest_losing_price)


def held_until_ns(latest_ns: int, hold_ns: int) -> int:
    """Until when a unit is held that was given out at a look which ended at `latest_ns` at the latest."""
    return latest_ns + hold_ns


def confirms_in_time(stamp_ns: int, skew_bound_ns: int, until_ns: int) -> bool:
    """Whether a confirmation came certainly before a hold was over, whatever the clock's error within ε."""
    return stamp_ns + skew_bound_ns < until_ns


def hold_is_over(until_ns: int, frontier_ns: int) -> bool:
    """Whether no stamp that confirms in time can follow: the frontier is past the moment itself."""
    return until_ns < frontier_ns


def is_lesser_entry(a_stamp_ns: int, a_request: Name, b_stamp_ns: int, b_request: Name) -> bool:
    """Of one buyer's entries only the least (stamp, request id) waits. Tuples of the two compare alike."""
    return (a_stamp_ns < b_stamp_ns) | ((a_stamp_ns == b_stamp_ns) & (a_request < b_request))


def contradicts_heartbeat(stamp_ns: int, bound_ns: int, heard_earliest_ns: int) -> bool:
    """Whether a request that came after a heartbeat was read is stamped before it can have been sent.

    `heard_earliest_ns` is the earliest moment, by the arbiter's clock, at which that heartbeat was sent. If true, one
    of the two clocks is outside its bound; which one, this cannot say.
    """
    return stamp_ns + bound_ns < heard_earliest_ns


def contradicts_receipt(stamp_ns: int, bound_ns: int, read_latest_ns: int) -> bool:
    """Whether an entry is stamped after the latest moment, by the arbiter's clock, at which the arbiter had read it.

    If true, one of the two clocks is outside its bound; which one, this cannot say.
    """
    return read_latest_ns < stamp_ns - bound_ns


def silent_too_long(silent_ns: int, cut_off_after_ns: int) -> bool:
    """Whether a region has held everybody up for longer than the terms allow."""
    return cut_off_after_ns < silent_ns


def round_published_ns(number: int, genesis_ns: int, period_ns: int) -> int:
    """When a round of a public beacon is published: the first at the genesis, each other a period after the last."""
    return genesis_ns + (number - 1) * period_ns


def is_unknown_while_entering(published_ns: int, closes_ns: int, skew_bound_ns: int, intake_grace_ns: int) -> bool:
    """Whether a beacon's round is published only after nobody can enter any more, in a region that keeps its clock.

    The last stamp is closing + ε, a host's clock may be ε behind, and marks follow it an intake grace later.
    """
    return closes_ns + 2 * skew_bound_ns + intake_grace_ns < published_ns


def hold_covers_clocks(hold_ns: int, skew_bound_ns: int, intake_grace_ns: int) -> bool:
    """A hold that nobody could confirm in time is none: it lasts longer than clocks differ and an intake may take."""
    return 2 * skew_bound_ns + intake_grace_ns < hold_ns


def window_covers_clocks(tie_window_ns: int, skew_bound_ns: int) -> bool:
    """W ≥ 2ε, or clock error alone could decide."""
    return 2 * skew_bound_ns <= tie_window_ns


def grace_covers_clocks(intake_grace_ns: int, skew_bound_ns: int) -> bool:
    """Intake grace > 2ε: hosts of one region may differ by 2ε, and a request is sure of the rest only."""
    return 2 * skew_bound_ns < intake_grace_ns
