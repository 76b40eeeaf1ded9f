"""What follows for whoever has a place on a reservation's list: what is promised of whole reservations.

Claims of any state that `reservation.py` can reach. Confirming and expiring exclude each other; what became of a place
is for good; nobody comes before who waits; and the list moves: a hold that is not confirmed ends, and its unit goes on,
to the last in line if need be.
Next: `holds.py`, what that means in true time.
"""

from z3 import And, ForAll, Implies, Int, Not, Or, substitute

from proofs.obligations import Argument, Case, Term, obligation
from proofs.reservation import (
    COMPLETE,
    CONFIRMED,
    EXPIRED,
    HELD,
    OPEN,
    RESERVATION,
    SOLD_OUT,
    STEPS,
    UNDRAWN,
    UNREAD,
    WAITS,
    List,
    a,
    about,
    all_settled,
    another,
    deliver,
    enlist,
    expire,
    frontier,
    g,
    given,
    hold,
    in_time,
    is_confirm,
    is_frontier,
    is_next_in_line,
    latest,
    least,
    may_deliver,
    may_expire,
    may_hold,
    one,
    r1,
    raise_mark,
    settle,
    skew,
    small_world,
    stamp,
    start,
    stock,
    world,
)


@obligation
def confirming_and_expiring_can_never_both_happen() -> Argument:
    """Once a hold has expired, no line in which it is confirmed in time can be read any more; and none was."""
    s = RESERVATION.before
    given = (s.turn(about(r1)) == EXPIRED, Or(may_deliver(s, r1), s.reply(r1) != UNREAD))
    late = (*RESERVATION.holding(), *given, is_confirm(r1), skew > 0, s.until(about(r1)) == stamp(r1) - 1)
    return Argument(
        (Case("always", (*RESERVATION.holding(), *given), Not(in_time(s, r1))),),
        witness=late,
        beyond=(*RESERVATION.holding(), s.turn(about(r1)) == HELD, may_deliver(s, r1), in_time(s, r1), is_frontier(s),
                frontier == s.until(about(r1)) - skew - 1),
        small=small_world(),
    )  # fmt: skip


@obligation
def what_became_of_a_place_stays() -> Argument:
    """A unit once confirmed is for good, a place has one unit at most, and a place on the list is never lost."""
    s, after = RESERVATION.before, RESERVATION.after
    ended = Implies(s.turn(one) > HELD, after.turn(one) == s.turn(one))
    once = Implies(s.turn(one) >= HELD, And(after.turn(one) >= HELD, after.unit(one) == s.unit(one)))
    drawn = Implies(s.turn(one) != UNDRAWN, And(after.turn(one) >= s.turn(one), after.rank(one) == s.rank(one)))
    same_until = Implies(s.turn(one) >= HELD, after.until(one) == s.until(one))
    over = Implies(s.ending != OPEN, And(after.ending == s.ending, after.turn(one) == s.turn(one)))
    return RESERVATION.each_step((), And(ended, once, drawn, same_until, over), s.turn(one) == CONFIRMED)


@obligation
def whoever_waits_never_has_more_before_them() -> Argument:
    """No step puts anybody before somebody who waits: whoever waits ahead of them has waited ahead of them before."""
    s, after = RESERVATION.before, RESERVATION.after
    both = And(after.turn(one) == WAITS, after.turn(another) == WAITS, after.rank(another) < after.rank(one))
    stood = And(s.turn(another) == WAITS, s.rank(another) < s.rank(one))
    given = (*RESERVATION.holding(), s.turn(one) == WAITS)
    goes_on = (step for step in STEPS if step != "complete")  # which nobody waits at
    cases = (Case(step, (*given, *RESERVATION.taken(step)), Implies(both, stood)) for step in goes_on)
    return Argument(tuple(cases), witness=(*given, stood), small=small_world())


@obligation
def a_hold_that_nobody_confirms_moves_on() -> Argument:
    """Once the frontier is past a hold that nobody confirmed, it may expire; then its unit is free, and whoever is
    first in line may have it: nothing else is waited for."""
    s, after = RESERVATION.before, RESERVATION.after
    waits = (*RESERVATION.holding(), s.ending == OPEN, s.turn(a) == HELD, all_settled(s), is_frontier(s))
    over = (*waits, frontier == s.until(a) + 1)
    expired = (*over, *expire(s, after), is_next_in_line(after, one), given == s.unit(a))
    return Argument(
        (
            Case("it may expire", over, may_expire(s, a)),
            Case("then the next may have it", expired, may_hold(after, one)),
        ),
        witness=expired,
        beyond=(*waits, frontier == s.until(a), Not(may_expire(s, a))),
        small=small_world(),
    )


@obligation
def when_everybody_lets_go_the_last_in_line_gets_a_unit() -> Argument:
    """When it is over and units are left, everybody who got a place had a unit, to the last; and if all are sold,
    nobody was passed over for whoever has one."""
    s = RESERVATION.before
    drawn = (s.turn(one) != UNDRAWN,)
    left = (*RESERVATION.holding(), *drawn, s.ending == COMPLETE)
    sold = (*RESERVATION.holding(), *drawn, s.ending == SOLD_OUT, s.turn(one) == WAITS, s.turn(another) == CONFIRMED)
    return Argument(
        (
            Case("all had one", left, s.turn(one) > HELD),
            Case("all are sold", sold, And(s.confirmed == stock, s.rank(another) < s.rank(one))),
        ),
        witness=(*left, s.turn(one) == EXPIRED, s.rank(one) == s.drawn - 1, stock == 1, s.drawn == 3),
        small=small_world(),
    )


@obligation
def a_whole_reservation_can_be_run() -> Argument:
    """The steps lead somewhere: one holds the only unit and lets it go, who waited gets it and confirms."""
    moments = [List(f"@{number}") for number in range(8)]
    first, listed, marked, free, second, spoken, settled, over = moments
    steps = (
        *_with(hold(first, listed), (a, one)),
        *_with(enlist(listed, marked), (a, another)),
        *raise_mark(marked, free),
        *_with(expire(free, second), (a, one)),
        *_with(hold(second, spoken), (a, another), (latest, Int("later"))),
        *deliver(spoken, settled),
        *settle(settled, over),
    )
    result = And(stock == 1, over.turn(another) == CONFIRMED, over.turn(one) == EXPIRED, ForAll(g, g == least))
    return Argument((), witness=(*world(), *start(first), *steps, result, one != another))


def _with(step: tuple[Term, ...], *instead: tuple[Term, Term]) -> tuple[Term, ...]:
    """A step that is about somebody, at some time."""
    return tuple(substitute(term, *instead) for term in step)
