"""Holds in true time, and what is told to whoever waits: lemmas over plain integers.

A confirmation has a true moment and a stamp within its bound of that; a look has one within the arbiter's interval.
What `reservation.py` has decided by stamps and marks is said here in the time that nobody can read.

What is told of `known_by` is kept if every hold is settled within `holds.settling_ns` of its end, which follows for a
region that is heard, and for one that is not. A settled unit goes to the next at that very look.
Next: `replaying.py`.
"""

from types import SimpleNamespace
from typing import Final

from z3 import And, Ints, Not, Or

import model.holds
from proofs.obligations import Argument, Case, Term, guards, obligation, said

truth, stamp, bound, skew, until = Ints("truth stamp bound skew until")
look, earliest, latest, hold, grace, cut_off_after = Ints("look earliest latest hold grace cut_off_after")
frontier = Ints("frontier")[0]

STAMPED: Final = (skew >= 0, truth - bound <= stamp, stamp <= truth + bound)


def counts() -> Term:
    return guards.confirms_in_time(stamp, skew, until)


def stamped() -> tuple[Term, ...]:
    """A confirmation that came at `truth` has a stamp good enough for the sale."""
    return (*STAMPED, said("its bound is at most ε", guards.bound_holds(bound, skew)))


def settling() -> Term:
    """What `model/holds.py` allows for settling, of the terms' parts."""
    parts = {"intake_grace_ns": grace, "skew_bound_ns": skew, "cut_off_after_ns": cut_off_after}
    return model.holds.settling_ns(SimpleNamespace(**parts))  # type: ignore[arg-type]  # terms of a solver


@obligation
def whoever_truly_confirms_more_than_two_errors_before_the_end_counts() -> Argument:
    """A confirmation truly more than 2ε before its hold is over is in time, whatever the clocks' errors."""
    given = (*stamped(), truth + 2 * skew < until)
    return Argument(
        (Case("always", given, counts()),),
        witness=(*given, stamp == truth + skew, skew > 0),
        beyond=(*stamped(), truth + 2 * skew == until, skew > 0, Not(counts())),
    )


@obligation
def nobody_who_truly_confirms_once_a_hold_is_over_counts() -> Argument:
    """What is in time truly came before the hold was over."""
    given = (*stamped(), counts())
    return Argument(
        (Case("always", given, truth < until),),
        witness=(*given, skew > 0, truth + 2 * skew >= until),
        beyond=(*given, skew > 0, truth == until - 1),
    )


@obligation
def a_hold_lasts_its_time_for_whoever_has_the_unit() -> Argument:
    """From the true moment of the look a unit is held for the whole hold, and for no more than the arbiter is in doubt
    beyond it."""
    given = (earliest <= look, look <= latest)
    end = guards.held_until_ns(latest, hold)
    return Argument(
        (Case("always", given, And(end - look >= hold, end - look <= hold + latest - earliest)),),
        witness=(*given, hold > 0, earliest < look, look < latest),
        beyond=(*given, end - look == hold, earliest < look),
    )


@obligation
def a_hold_leaves_time_to_confirm_in() -> Argument:
    """Terms allow a hold only if whoever confirms within an intake's grace of the look is in time, whatever the clocks
    say."""
    begun = (earliest <= look, look <= latest, look <= truth, truth <= look + grace, *stamped(), grace >= 0)
    given = (*begun, said("the hold covers clocks", guards.hold_covers_clocks(hold, skew, grace)))
    in_time = guards.confirms_in_time(stamp, skew, guards.held_until_ns(latest, hold))
    last = And(latest == look, truth == look + grace, stamp == truth + skew, skew > 0)
    return Argument(
        (
            Case("always", given, in_time),
            Case(
                "no longer than it must be",
                (hold == 2 * skew + grace + 1,),
                guards.hold_covers_clocks(hold, skew, grace),
            ),
        ),
        witness=(*given, last),
        beyond=(*begun, last, hold == 2 * skew + grace, Not(in_time)),
    )


@obligation
def a_hold_is_over_once_no_line_up_to_its_end_can_follow() -> Argument:
    """When a hold is over no line stamped up to that moment can follow; and it is over as soon as that is so."""
    over = guards.hold_is_over(until, frontier)
    follows = guards.may_follow(stamp, frontier)
    return Argument(
        (
            Case("nothing follows", (over, follows), until < stamp),
            Case("not in time", (over, follows, skew >= 0), Not(counts())),
            Case("no sooner than it must be", (Not(over),), guards.may_follow(until, frontier)),
        ),
        witness=(over, follows, stamp == until + 1),
        beyond=(Not(over), frontier == until),
    )


@obligation
def a_hold_is_settled_in_time_whether_a_region_is_heard_or_not() -> Argument:
    """By `settling_ns` after the end of a hold each region's mark is past it, or the region was silent for too long."""
    sent, host, now = Ints("sent host now")
    mark = guards.mark_after_grace_ns(host, grace)
    given = (
        *(skew >= 0, grace >= 0, cut_off_after >= 1),
        said("a heartbeat's clock is right within ε", And(sent - skew <= host, host <= sent + skew)),
    )
    after = until + settling()
    silent = guards.silent_too_long(now - (sent + skew), cut_off_after)
    sums = settling() == grace + 2 * skew + cut_off_after
    return Argument(
        (
            Case("by then", (*given, now > after), Or(guards.hold_is_over(until, mark), silent)),
            Case("clocks, grace, silence", (), sums),
        ),
        witness=(*given, now == after + 1, silent, skew > 0),
        beyond=(*given, now == after, Not(silent), Not(guards.hold_is_over(until, mark)), skew > 0),
    )


@obligation
def what_is_told_of_when_one_will_know_never_gets_worse_and_is_kept() -> Argument:
    """Told when the first in line knows, and each behind a hold and its settling later: when a unit goes on by then,
    whoever is behind is told no later than before, and it is true of the next again."""
    head_by, greatest, settles, rest, ahead_times_round = Ints("head_by greatest settles rest ahead_times_round")
    # `greatest` is the greatest end of all holds before a unit was given on, and `rest` after that.
    until_now = guards.held_until_ns(latest, hold)
    a_round = hold + settles
    others = Or(rest == until_now, And(rest <= greatest, rest >= until_now))
    true_before = said("it is true of the first in line", greatest + settles <= head_by)
    given = (
        *(hold >= 1, settles >= 1, others, true_before),
        said("the hold before was settled in time", latest <= head_by),
    )
    first = rest + settles
    head_then = Ints("head_then")[0]
    least_of_both = And(
        Or(head_then == first, head_then == head_by + a_round), head_then <= first, head_then <= head_by + a_round
    )
    told, told_then = head_by + ahead_times_round, head_then + ahead_times_round - a_round
    return Argument(
        (
            Case("no worse", (least_of_both,), told_then <= told),
            Case("true again", (*given, least_of_both), rest + settles <= head_then),
            Case("not earlier than it can be kept", (*given, least_of_both), head_then == first),
        ),
        witness=(*given, least_of_both, told_then < told),
        beyond=(
            *(hold >= 1, settles >= 1, others, greatest + settles <= head_by, latest == head_by + 1, least_of_both),
            Not(rest + settles <= head_then),
        ),
    )
