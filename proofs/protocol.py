"""The sale as states and steps, for any number of requests, buyers and regions.

What `model/arbiter.py` computes with heaps and dictionaries is said here as relations: who waits, what a step needs,
what it changes. Requests, buyers and regions are sorts without a size; times are integers. Each comparison is the
shipped guard. What is said in this file's own words, and must be read to believe the proofs, is

- the frontier is the least mark of the regions still in the sale, past everything where none is left;
- who is next is the lottery of `lottery.py`;
- whoever waits is the least entry of a buyer who has not won;
- a step changes what `becomes` says and nothing else.

A request id is in one log line only, and a log has one line for each number (a hash chain sees to that).
Next: `induction.py`, what holds in every state.
"""

from collections.abc import Callable
from typing import Final

from z3 import (
    And,
    BoolSort,
    Const,
    Consts,
    DeclareSort,
    Distinct,
    ForAll,
    Function,
    If,
    Implies,
    Int,
    Ints,
    IntSort,
    Not,
    Or,
)

from proofs.lottery import Buyer, Lottery, Request, name
from proofs.obligations import Term, guards, said

Region = DeclareSort("Region")

# What never changes.
buyer = Function("buyer", Request, Buyer)
region = Function("region", Request, Region)
seq = Function("seq", Request, IntSort())
stamp = Function("stamp", Request, IntSort())
bound = Function("bound", Request, IntSort())
true_arrival = Function("true_arrival", Request, IntSort())
ticket = Function("ticket", Buyer, IntSort())
stock, opens, closes, entries_from, window, skew, cut_off_after = Ints(
    "stock opens closes entries_from window skew cut_off_after"
)

# Log: not read yet, read in time, read after the sale was decided. Sale: why no winner can follow.
UNREAD, HEARD, LATE = range(3)
OPEN, SOLD_OUT, CLOSED, CANCELLED, HALTED = range(5)

p, q, x, y, head = Consts("p q x y head", Request)
b = Const("b", Buyer)
g, least = Consts("g least", Region)
frontier, raised, silent, reason = Ints("frontier raised silent reason")


class State:
    """One moment of a sale. `tag` tells moments apart: "" before a step, "+" after it."""

    def __init__(self, tag: str) -> None:
        def symbol(of: str, *sorts: Term) -> Term:
            return Function(of + tag, *sorts)

        self.log: Term = symbol("log", Request, IntSort())
        self.won: Term = symbol("won", Request, BoolSort())
        self.unit: Term = symbol("unit", Request, IntSort())
        self.potted: Term = symbol("potted", Request, BoolSort())
        """Has been in a complete pot."""
        self.front: Term = symbol("front", Buyer, Request)
        """A buyer's least entry, once one was heard."""
        self.mark: Term = symbol("mark", Region, IntSort())
        self.read: Term = symbol("read", Region, IntSort())
        """The last number read; of a region that was cut off, the last that counts."""
        self.present: Term = symbol("present", Region, BoolSort())
        self.sold: Term = Int("sold" + tag)
        self.ending: Term = Int("ending" + tag)


def place(of: Term) -> Term:
    return guards.place_ns(stamp(of), opens)


def true_place(of: Term) -> Term:
    """Arrivals before the opening count as the opening."""
    return guards.place_ns(true_arrival(of), opens)


def certainly_before(a: Term, b: Term) -> Term:
    return guards.certainly_before(place(a), place(b), window)


def lesser(a: Term, b: Term) -> Term:
    return guards.is_lesser_entry(stamp(a), name(a), stamp(b), name(b))


def last_stamp() -> Term:
    return guards.last_stamp_ns(closes, skew)


def waits(s: State, a: Term) -> Term:
    return And(s.log(a) == HEARD, s.front(buyer(a)) == a, Not(s.won(a)))


def has_won(s: State, of: Term) -> Term:
    """The buyer has a winner. Nothing of a buyer can win but the least entry."""
    return And(s.won(s.front(of)), buyer(s.front(of)) == of)


def world() -> tuple[Term, ...]:
    """What terms and logs keep before anything happens."""
    within = And(true_arrival(q) - bound(q) <= stamp(q), stamp(q) <= true_arrival(q) + bound(q))
    one_log_line = ForAll([p, q], Implies(And(region(p) == region(q), seq(p) == seq(q)), p == q))
    return (
        said(
            "terms that make sense",
            And(stock >= 1, skew >= 0, cut_off_after >= 1, entries_from <= opens, opens < closes),
        ),
        said("W ≥ 2ε", guards.window_covers_clocks(window, skew)),
        said("stamps are true to their bounds", ForAll(q, within)),
        said("logs are numbered from 1", ForAll(q, seq(q) >= 1)),
        said("a request id is one request's", ForAll([p, q], Implies(name(p) == name(q), p == q))),
        said("a number is one line of a log", one_log_line),
    )


def start(s: State) -> tuple[Term, ...]:
    return (
        ForAll(q, And(s.log(q) == UNREAD, Not(s.won(q)), Not(s.potted(q)))),
        ForAll(g, And(s.read(g) == 0, s.present(g))),
        And(s.sold == 0, s.ending == OPEN),
    )


def may_deliver(s: State, a: Term) -> Term:
    """The next line of a region's log is good."""
    return And(
        s.present(region(a)),
        guards.follows_in_log(seq(a), s.read(region(a))),
        guards.may_follow(stamp(a), s.mark(region(a))),
        guards.bound_holds(bound(a), skew),
        Not(guards.certainly_early(stamp(a), skew, entries_from)),
        Not(guards.certainly_late(stamp(a), skew, closes)),
    )


def lottery(s: State) -> Lottery:
    """Who waits at this moment, and who of them is next."""
    return Lottery(lambda a: waits(s, a), place, lambda a: ticket(buyer(a)), window)


def is_earliest(s: State, a: Term) -> Term:
    return lottery(s).is_earliest(a)


def is_frontier(s: State, ns: Term, of: Term) -> Term:
    """`ns` is the least mark of the regions in the sale, that of region `of`; past every stamp where none is left."""
    nobody = ForAll(g, Not(s.present(g)))
    return And(
        ForAll(g, Implies(s.present(g), ns <= s.mark(g))),
        Or(And(s.present(of), s.mark(of) == ns), And(nobody, ns == last_stamp() + 1)),
    )


def is_drawn(s: State, first: Term, a: Term) -> Term:
    return lottery(s).is_drawn(first, a)


def may_draw(s: State, ns: Term, first: Term, a: Term) -> Term:
    """With the frontier at `ns` and `first` the earliest, `a` wins the next unit."""
    return And(
        s.ending == OPEN,
        guards.in_stock(s.sold, stock),
        is_earliest(s, first),
        guards.pot_is_complete(place(first), window, ns, last_stamp()),
        is_drawn(s, first, a),
    )


def becomes(s: State, after: State, **news: Callable[..., Term]) -> tuple[Term, ...]:
    """Each part of the state after a step: as `news` says, or as it was."""
    parts_of = {q: ("log", "won", "unit", "potted"), b: ("front",), g: ("mark", "read", "present")}
    parts = [(part, one) for one, named in parts_of.items() for part in named]
    return (
        *(
            said(f"{part} after", ForAll(one, getattr(after, part)(one) == news.get(part, getattr(s, part))(one)))
            for part, one in parts
        ),
        said("sold after", after.sold == (news["sold"]() if "sold" in news else s.sold)),
        said("ending after", after.ending == (news["ending"]() if "ending" in news else s.ending)),
    )


def deliver(s: State, after: State, a: Term = x) -> tuple[Term, ...]:
    """The arbiter reads a line. Once a sale is decided, entries are counted and nobody waits any more."""
    still_open = s.ending == OPEN
    known = s.front(buyer(a))
    is_first = Not(And(s.log(known) == HEARD, buyer(known) == buyer(a)))
    leads = Or(is_first, And(Not(s.won(known)), lesser(a, known)))
    return (
        said("the next line is good", may_deliver(s, a)),
        *becomes(
            s,
            after,
            log=lambda r: If(r == a, If(still_open, HEARD, LATE), s.log(r)),
            front=lambda of: If(And(of == buyer(a), still_open, leads), a, s.front(of)),
            read=lambda r: If(r == region(a), seq(a), s.read(r)),
        ),
    )


def raise_mark(s: State, after: State) -> tuple[Term, ...]:
    """A region in the sale promises more."""
    return (
        s.present(least),
        said("the mark may rise", guards.mark_may_rise(s.mark(least), raised)),
        *becomes(s, after, mark=lambda r: If(r == least, raised, s.mark(r))),
    )


def draw(s: State, after: State) -> tuple[Term, ...]:
    """The next unit goes to whoever the pot's tickets say."""
    return (
        said("the frontier is the least mark", is_frontier(s, frontier, least)),
        said("a draw is due", may_draw(s, frontier, head, x)),
        *becomes(
            s,
            after,
            won=lambda r: Or(r == x, s.won(r)),
            unit=lambda r: If(r == x, s.sold, s.unit(r)),
            potted=lambda r: Or(s.potted(r), lottery(s).in_pot_of(head, r)),
            sold=lambda: s.sold + 1,
        ),
    )


def cut_off(s: State, after: State) -> tuple[Term, ...]:
    """A region that was silent for too long leaves; what was read of it counts."""
    return (
        s.present(least),
        said("the region was silent too long", guards.silent_too_long(silent, cut_off_after)),
        *becomes(s, after, present=lambda r: And(s.present(r), r != least)),
    )


def sell_out(s: State, after: State) -> tuple[Term, ...]:
    """No unit is left."""
    return (s.ending == OPEN, Not(guards.in_stock(s.sold, stock)), *becomes(s, after, ending=lambda: SOLD_OUT))


def may_close(s: State) -> Term:
    """Units are left, nobody can follow, and no draw can be made. (If anybody waits, somebody is the earliest.)"""
    return And(
        s.ending == OPEN,
        guards.in_stock(s.sold, stock),
        is_frontier(s, frontier, least),
        guards.everyone_is_heard(frontier, last_stamp()),
        ForAll(q, Implies(waits(s, q), is_earliest(s, head))),
        Not(And(is_earliest(s, head), guards.pot_is_complete(place(head), window, frontier, last_stamp()))),
    )


def close(s: State, after: State) -> tuple[Term, ...]:
    """Everybody was heard and served."""
    return (said("it may close", may_close(s)), *becomes(s, after, ending=lambda: CLOSED))


def stop(s: State, after: State) -> tuple[Term, ...]:
    """An operator cancels the sale, or its logs contradict themselves."""
    return (s.ending == OPEN, Or(reason == CANCELLED, reason == HALTED), *becomes(s, after, ending=lambda: reason))


STEPS: Final[dict[str, Callable[[State, State], tuple[Term, ...]]]] = {
    "deliver": deliver,
    "raise mark": raise_mark,
    "draw": draw,
    "cut off": cut_off,
    "sell out": sell_out,
    "close": close,
    "stop": stop,
}


def small_world() -> tuple[Term, ...]:
    """Three requests, two buyers, two regions: enough for witnesses, used for nothing else."""
    requests, buyers = Consts("r0 r1 r2", Request), Consts("b0 b1", Buyer)
    regions = Consts("g0 g1", Region)
    return tuple(
        term
        for members, of in ((requests, q), (buyers, b), (regions, g))
        for term in (Distinct(*members), ForAll(of, Or(*(of == member for member in members))))
    )
