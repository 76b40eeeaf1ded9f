"""The promises of design section 2 about whole sales: what follows from the invariants of `induction.py`.

Also what a step may do to a decision that is due and to an outcome that was told. Claims about losers are about every
entry that was read, in time or after the sale was decided, and about those that could still be.
"""

from z3 import And, Const, Consts, ForAll, If, Implies, Int, Not, Or

from proofs.induction import AFTER, BEFORE, SALE, another, one
from proofs.lottery import Request
from proofs.obligations import Argument, Case, Term, guards, obligation
from proofs.protocol import (
    CANCELLED,
    CLOSED,
    HALTED,
    LATE,
    OPEN,
    SOLD_OUT,
    UNREAD,
    Region,
    State,
    buyer,
    certainly_before,
    cut_off,
    deliver,
    draw,
    frontier,
    g,
    has_won,
    head,
    is_drawn,
    is_earliest,
    is_frontier,
    last_stamp,
    least,
    lesser,
    may_close,
    may_deliver,
    may_draw,
    place,
    q,
    raise_mark,
    region,
    sell_out,
    seq,
    skew,
    small_world,
    stamp,
    start,
    stock,
    true_place,
    waits,
    window,
    world,
    x,
    y,
)

winner, loser = Consts("winner loser", Request)


def a_winner_and_a_loser(s: State) -> Term:
    """One has won; the other was read, in time or not, and its buyer has not won."""
    return And(s.won(winner), s.log(loser) != UNREAD, Not(has_won(s, buyer(loser))))


@obligation
def no_loser_came_certainly_before_a_winner() -> Argument:
    """Promise 1: if a's place + W < b's place, b never wins while a's buyer goes without."""
    s = BEFORE
    tied = And(stamp(loser) < stamp(winner), s.ending == SOLD_OUT)
    return SALE.always((a_winner_and_a_loser(s),), Not(certainly_before(loser, winner)), tied)


@obligation
def whoever_truly_came_first_by_more_than_the_bound_is_served_first() -> Argument:
    """Promise 2: a true lead of more than W + 2ε is never lost, neither to a winner nor to an earlier rank."""
    s, lost = BEFORE, (*SALE.holding(), a_winner_and_a_loser(BEFORE))
    truly = guards.certainly_before(true_place(loser), true_place(winner), window + 2 * skew)
    ranked = And(s.won(winner), s.won(loser), s.unit(winner) < s.unit(loser))
    exactly = true_place(loser) + window + 2 * skew == true_place(winner)
    return Argument(
        (Case("lost", lost, Not(truly)), Case("ranked", (*SALE.holding(), ranked), Not(truly))),
        witness=(*lost, s.ending == SOLD_OUT, skew > 0),
        beyond=(*lost, s.ending == SOLD_OUT, skew > 0, exactly),
        small=small_world(),
    )


@obligation
def a_decision_is_unique() -> Argument:
    """Promise 5: in any state at most one request can be drawn."""
    s, other_frontier, other_region = BEFORE, Int("other_frontier"), Const("other_region", Region)
    ours = (is_frontier(s, frontier, least), may_draw(s, frontier, head, x))
    theirs = (is_frontier(s, other_frontier, other_region), may_draw(s, other_frontier, another, y))
    return SALE.always((*ours, *theirs), x == y, head != another)


@obligation
def a_decision_is_final() -> Argument:
    """Promise 5: whatever is read, promised or cut off before it is written down, the same request is drawn."""
    s, later_frontier = BEFORE, Int("later_frontier")
    holder, later_holder = Consts("holder later_holder", Region)
    due = (*SALE.holding(), is_frontier(s, frontier, holder), may_draw(s, frontier, head, x))
    still_due = may_draw(AFTER, later_frontier, head, x)
    steps = {"deliver": deliver(s, AFTER, y), "raise mark": raise_mark(s, AFTER), "cut off": cut_off(s, AFTER)}
    then = is_frontier(AFTER, later_frontier, later_holder)
    return Argument(
        tuple(Case(step, (*due, *taken, then), still_due) for step, taken in steps.items()),
        witness=(*due, waits(s, another), another != x, frontier <= last_stamp()),
        small=small_world(),
    )


@obligation
def while_somebody_waits_and_the_frontier_is_past_the_pot_there_is_a_decision() -> Argument:
    """Promise 5, progress: once every mark is certainly after the earliest or past the last stamp that may be logged,
    a winner is drawn or the stock is sold out."""
    s = BEFORE
    in_time = guards.certainly_before(place(head), s.mark(g), window)
    past = Or(in_time, guards.everyone_is_heard(s.mark(g), last_stamp()))
    given = (
        s.ending == OPEN,
        is_earliest(s, head),
        is_drawn(s, head, x),
        ForAll(g, Implies(s.present(g), past)),
        is_frontier(s, frontier, least),
    )
    sold_out = Not(guards.in_stock(s.sold, stock))
    return SALE.always(given, Or(may_draw(s, frontier, head, x), sold_out), And(s.sold == 1, Not(sold_out)))


@obligation
def a_sale_in_which_everyone_was_heard_and_nobody_waits_comes_to_its_end() -> Argument:
    """Progress at the end: past the last stamp of all, with nobody waiting, a sale is sold out or closes."""
    s = BEFORE
    given = (
        s.ending == OPEN,
        is_frontier(s, frontier, least),
        guards.everyone_is_heard(frontier, last_stamp()),
        ForAll(q, Not(waits(s, q))),
    )
    return SALE.always(given, Or(Not(guards.in_stock(s.sold, stock)), may_close(s)), s.won(one))


@obligation
def a_lesser_entry_never_replaces_one_that_was_in_a_pot() -> Argument:
    """Only an entry that waits outside every pot is withdrawn for a lesser one of its buyer."""
    s = BEFORE
    given = (may_deliver(s, y), buyer(y) == buyer(one), s.potted(one))
    return SALE.always(given, Not(lesser(y, one)), And(waits(s, one), one != y))


PENDING, WON, DUPLICATE, BEYOND_CUT_OFF, LOST = range(5)


def outcome(s: State, of: Term) -> Term:
    """What a request is told, as `model/outcomes.py` has it."""
    beyond = And(Not(s.present(region(of))), Not(guards.entry_counts(seq(of), s.read(region(of)))))
    decided = If(has_won(s, buyer(of)), DUPLICATE, If(s.ending != OPEN, LOST, PENDING))
    return If(s.won(of), WON, If(beyond, BEYOND_CUT_OFF, If(s.log(of) == UNREAD, PENDING, decided)))


@obligation
def an_outcome_is_for_good() -> Argument:
    """Promise 6: once a request has an outcome no step changes it, nor the reason why whoever has not won has lost."""
    s = BEFORE
    told = outcome(s, one) != PENDING
    same = And(outcome(AFTER, one) == outcome(s, one), Implies(s.ending != OPEN, AFTER.ending == s.ending))
    both = And(outcome(s, one) == DUPLICATE, outcome(s, another) == BEYOND_CUT_OFF)
    return SALE.each_step((told,), same, both)


@obligation
def when_a_sale_has_ended_whatever_was_read_has_an_outcome() -> Argument:
    """Promise 6: nothing that was read is pending once the sale has ended."""
    s = BEFORE
    return SALE.always((s.log(one) != UNREAD, s.ending != OPEN), outcome(s, one) != PENDING, s.log(one) == LATE)


@obligation
def nobody_loses_but_for_a_stated_reason() -> Argument:
    """Promise 6: who lost, lost as sold out with all of the stock sold, as cancelled or as halted. Closing by time
    costs nobody anything who was read."""
    s = BEFORE
    true_reason = Or(And(s.ending == SOLD_OUT, s.sold == stock), s.ending == CANCELLED, s.ending == HALTED)
    return SALE.always((outcome(s, one) == LOST,), true_reason, s.ending == SOLD_OUT)


@obligation
def a_duplicate_costs_its_buyer_nothing() -> Argument:
    """Who lost as duplicate has a winner of the same buyer, at a place that is not later."""
    s, first = BEFORE, BEFORE.front(buyer(one))
    claim = And(s.won(first), buyer(first) == buyer(one), first != one, place(first) <= place(one))
    return SALE.always((outcome(s, one) == DUPLICATE,), claim, s.log(one) == LATE)


@obligation
def nothing_beyond_a_cut_off_counts_and_nothing_before_it_is_left_out() -> Argument:
    """Of a region that was cut off exactly the entries that had been read count; those beyond never win."""
    s = BEFORE
    counts = guards.entry_counts(seq(one), s.read(region(one)))
    claim = And(counts == (s.log(one) != UNREAD), Implies(Not(counts), Not(s.won(one))))
    both = And(s.won(another), region(another) == region(one), s.log(one) == UNREAD)
    return SALE.always((Not(s.present(region(one))),), claim, both)


@obligation
def sold_out_may_be_answered_without_a_log_entry() -> Argument:
    """Whoever could still be logged once a sale is sold out came after every winner, and could not have won."""
    s = BEFORE
    given = (s.ending == SOLD_OUT, may_deliver(s, y), s.won(winner))
    return SALE.always(given, place(winner) < stamp(y), stamp(y) == place(winner) + 1)


@obligation
def nobody_can_be_read_after_a_sale_closed_by_time() -> Argument:
    """Once a sale has closed by time no further entry is good."""
    s = BEFORE
    return SALE.always((s.ending == CLOSED,), Not(may_deliver(s, y)), And(s.present(region(y)), s.won(one)))


@obligation
def a_whole_sale_can_be_run() -> Argument:
    """The steps lead somewhere: from the start, two are read whom the clocks cannot tell apart, the one with the later
    stamp is drawn, the stock is sold out and the other has lost."""
    moments = [State(f"@{number}") for number in range(6)]
    begin, one_read, both_read, marked, drawn, over = moments
    steps = (
        *deliver(begin, one_read, loser),
        *deliver(one_read, both_read, winner),
        *raise_mark(both_read, marked),
        *draw(marked, drawn),
        *sell_out(drawn, over),
    )
    result = And(stock == 1, x == winner, stamp(loser) < stamp(winner), outcome(over, loser) == LOST)
    single = And(Not(q == winner), Not(q == loser))
    alone = (ForAll(g, g == least), ForAll(q, Not(single)))
    return Argument((), witness=(*world(), *start(begin), *steps, result, *alone))
