"""What holds at every moment of every sale: by induction (`system.py`) over the steps of `protocol.py`.

For any number of requests, buyers and regions, in whatever order logs are delivered. Each invariant is one function of
a state with a sentence for a name.

Next: `promises.py`, what follows from all of them together.
"""

from typing import Final

from z3 import And, Consts, ForAll, Implies, Not, Or

from proofs.lottery import Request
from proofs.obligations import Term, guards
from proofs.protocol import (
    CLOSED,
    HALTED,
    HEARD,
    LATE,
    OPEN,
    SOLD_OUT,
    STEPS,
    UNREAD,
    State,
    bound,
    buyer,
    certainly_before,
    closes,
    entries_from,
    g,
    last_stamp,
    least,
    lesser,
    p,
    place,
    q,
    region,
    seq,
    skew,
    small_world,
    stamp,
    start,
    stock,
    waits,
    window,
    world,
)
from proofs.system import System

SALE: Final = System(State, world, start, STEPS, small_world)
BEFORE, AFTER = SALE.before, SALE.after
invariant = SALE.invariant
one, another = Consts("one another", Request)


@invariant(matters=lambda s: And(s.sold == stock, s.ending == OPEN))
def no_more_units_are_sold_than_the_stock(s: State) -> Term:
    """Never oversold."""
    return And(s.sold >= 0, s.sold <= stock)


@invariant(matters=lambda s: And(s.log(one) == HEARD, s.log(another) == LATE, s.ending == SOLD_OUT))
def every_entry_and_every_sale_is_in_a_known_state(s: State) -> Term:
    """An entry is unread, heard in time or read after the sale was decided; a sale is open or ended for a reason."""
    ended_first = Implies(s.log(q) == LATE, And(s.ending != OPEN, s.ending != CLOSED))
    return And(ForAll(q, And(s.log(q) >= UNREAD, s.log(q) <= LATE, ended_first)), s.ending >= OPEN, s.ending <= HALTED)


@invariant(matters=lambda s: And(s.won(one), s.sold == 2))
def every_winner_holds_a_unit_that_was_sold(s: State) -> Term:
    """Winners hold units, numbered from 0 in the order in which they were served."""
    return ForAll(q, Implies(s.won(q), And(s.unit(q) >= 0, s.unit(q) < s.sold)))


@invariant(matters=lambda s: And(s.won(one), s.won(another), one != another))
def no_unit_is_sold_twice(s: State) -> Term:
    """Two winners never hold the same unit."""
    return ForAll([p, q], Implies(And(s.won(p), s.won(q), p != q), s.unit(p) != s.unit(q)))


@invariant(matters=lambda s: And(s.won(one), s.potted(another), Not(s.won(another))))
def whoever_won_was_in_a_pot_and_whoever_was_in_one_stands_for_its_buyer(s: State) -> Term:
    """Only entries that were read and are the least of their buyer come into a pot, and only those win."""
    least_of_its_buyer = And(s.log(q) == HEARD, s.front(buyer(q)) == q)
    return ForAll(q, And(Implies(s.won(q), s.potted(q)), Implies(s.potted(q), least_of_its_buyer)))


@invariant(
    matters=lambda s: And(s.log(one) == HEARD, s.log(another) == HEARD, buyer(one) == buyer(another), one != another)
)
def the_least_entry_stands_for_its_buyer(s: State) -> Term:
    """Of a buyer's entries that were heard in time, the least (stamp, request id) stands for the buyer."""
    front = s.front(buyer(q))
    stands = And(s.log(front) == HEARD, buyer(front) == buyer(q), Or(front == q, lesser(front, q)))
    return ForAll(q, Implies(s.log(q) == HEARD, stands))


@invariant(matters=lambda s: And(s.won(one), s.won(another), one != another))
def no_buyer_wins_twice(s: State) -> Term:
    """Two winners are two buyers."""
    return ForAll([p, q], Implies(And(s.won(p), s.won(q), p != q), buyer(p) != buyer(q)))


@invariant(matters=lambda s: And(s.log(one) == HEARD, region(one) == region(another), s.log(another) == UNREAD))
def what_was_read_is_what_is_numbered_up_to_there(s: State) -> Term:
    """Nothing is skipped and nothing is read twice: the entries read of a region are those up to a number."""
    read = s.log(q) != UNREAD
    return And(ForAll(g, s.read(g) >= 0), ForAll(q, read == (seq(q) <= s.read(region(q)))))


@invariant(matters=lambda s: And(s.log(one) == HEARD, bound(one) == skew, skew > 0))
def whatever_was_read_kept_its_bound_and_the_hours(s: State) -> Term:
    """No entry without a clock good enough, none certainly early, none certainly late."""
    kept = And(
        guards.bound_holds(bound(q), skew),
        Not(guards.certainly_early(stamp(q), skew, entries_from)),
        Not(guards.certainly_late(stamp(q), skew, closes)),
    )
    return ForAll(q, Implies(s.log(q) != UNREAD, kept))


@invariant(matters=lambda s: And(s.potted(one), s.present(least)))
def whoever_was_in_a_pot_is_past_every_mark(s: State) -> Term:
    """Once a pot was complete, no region still in the sale can send anyone as early as its members."""
    return ForAll([q, g], Implies(And(s.potted(q), s.present(g)), place(q) < s.mark(g)))


@invariant(matters=lambda s: And(s.potted(one), waits(s, one), waits(s, another), Not(s.potted(another)), s.sold == 1))
def whoever_was_in_a_pot_stays_in_it_until_served(s: State) -> Term:
    """Members of a complete pot are members of every later one: so the lottery moves a request once only."""
    stays = guards.in_pot(place(p), place(q), window)
    return ForAll([p, q], Implies(And(s.potted(p), waits(s, p), waits(s, q)), stays))


@invariant(matters=lambda s: And(s.won(one), waits(s, another), stamp(another) < stamp(one)))
def nobody_waiting_came_certainly_before_a_winner(s: State) -> Term:
    """Whoever still waits could be told nothing better by the clocks."""
    return ForAll([p, q], Implies(And(s.won(p), waits(s, q)), Not(certainly_before(q, p))))


@invariant(
    matters=lambda s: And(s.won(one), s.won(another), s.unit(one) < s.unit(another), stamp(another) < stamp(one))
)
def winners_are_served_in_an_order_that_the_clocks_allow(s: State) -> Term:
    """Promise 1 among winners: nobody is served before one who certainly came first."""
    return ForAll([p, q], Implies(And(s.won(p), s.won(q), s.unit(p) < s.unit(q)), Not(certainly_before(q, p))))


@invariant(matters=lambda s: And(s.won(one), s.log(another) == LATE))
def whatever_was_read_after_the_end_came_after_every_winner(s: State) -> Term:
    """An entry that is read after the sale was decided has a stamp after the place of each who won."""
    return ForAll([p, q], Implies(And(s.won(p), s.log(q) == LATE), place(p) < stamp(q)))


@invariant(matters=lambda s: And(s.ending == SOLD_OUT, waits(s, one)))
def sold_out_means_that_all_of_the_stock_is_sold(s: State) -> Term:
    """Nobody loses as sold out while a unit is left."""
    return Implies(s.ending == SOLD_OUT, s.sold == stock)


@invariant(matters=lambda s: And(s.ending == CLOSED, s.log(one) == HEARD, s.present(least)))
def when_a_sale_closes_by_time_everyone_was_heard_and_served(s: State) -> Term:
    """Closed with units left: every buyer who was heard has won, and nobody in time can follow."""
    heard = ForAll(g, Implies(s.present(g), guards.everyone_is_heard(s.mark(g), last_stamp())))
    return Implies(s.ending == CLOSED, And(ForAll(q, Not(waits(s, q))), heard))
