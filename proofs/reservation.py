"""A reservation as states and steps: places on a list, units that are held, what holders say, holds that are over.

For any number of buyers, replies, regions and units. How places are drawn is the lottery of every ordered sale
(`protocol.py`, with as many places as the list has for a stock); here whoever is drawn is simply the next. Regions and
their marks are as there, and lines of a log are replies. A line is settled at the look after it was read, before any
hold is over and before any unit is given out (`settle` comes before `expire` and `hold`).

*Confirming and expiring can never both happen.* A confirmation counts if stamp + ε < until; a hold is over once the
frontier is past until. So what counts lies below the frontier when a hold is over, was delivered, and was settled.

Next: `waiting.py`, what follows for whoever has a place; `holds.py`, what that means in true time.
"""

from collections.abc import Callable
from typing import Final

from z3 import (
    And,
    BoolSort,
    Consts,
    DeclareSort,
    Distinct,
    Exists,
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

from proofs.lottery import Request
from proofs.obligations import Term, guards, said
from proofs.protocol import Region
from proofs.system import System

Reply = DeclareSort("Reply")
"""A line in which a holder confirms, or gives back."""

# What never changes.
region = Function("region", Request, Region)
about, is_confirm = Function("about", Reply, Request), Function("is_confirm", Reply, BoolSort())
seq, stamp, bound = (Function(each, Reply, IntSort()) for each in ("seq_of", "stamp_of", "bound_of"))
stock, places, skew, hold_for = Ints("stock places skew hold_for")

# A request, on the list; a reply, in its log; the sale.
UNDRAWN, WAITS, HELD, CONFIRMED, RELEASED, EXPIRED = range(6)
UNREAD, READ, SETTLED = range(3)
OPEN, SOLD_OUT, COMPLETE, STOPPED = range(4)

a, p, q, one, another = Consts("a p q one another", Request)
r, said_now, r1, r2 = Consts("r said_now r1 r2", Reply)
g, least = Consts("g least", Region)
frontier, raised, latest, given = Ints("frontier raised latest given")


class List:
    """One moment of a reservation."""

    def __init__(self, tag: str) -> None:
        def symbol(of: str, *sorts: Term) -> Term:
            return Function(of + tag, *sorts)

        self.turn: Term = symbol("turn", Request, IntSort())
        self.rank: Term = symbol("rank", Request, IntSort())
        self.unit: Term = symbol("unit", Request, IntSort())
        """The unit that is, or was, held."""
        self.until: Term = symbol("until", Request, IntSort())
        self.reply: Term = symbol("reply", Reply, IntSort())
        self.mark: Term = symbol("mark", Region, IntSort())
        self.read: Term = symbol("read", Region, IntSort())
        self.present: Term = symbol("present", Region, BoolSort())
        self.drawn: Term = Int("drawn" + tag)
        self.held: Term = Int("held" + tag)
        """How many units are."""
        self.confirmed: Term = Int("confirmed" + tag)
        self.ending: Term = Int("ending" + tag)


PARTS: Final = {q: ("turn", "rank", "unit", "until"), r: ("reply",), g: ("mark", "read", "present")}


def becomes(s: List, after: List, **news: Callable[..., Term]) -> tuple[Term, ...]:
    """Each part of the state after a step: as `news` says, or as it was."""
    parts = [(part, of) for of, named in PARTS.items() for part in named]
    scalars = ("drawn", "held", "confirmed", "ending")
    return (
        *(
            said(f"{part} after", ForAll(of, getattr(after, part)(of) == news.get(part, getattr(s, part))(of)))
            for part, of in parts
        ),
        *(
            said(f"{part} after", getattr(after, part) == (news[part]() if part in news else getattr(s, part)))
            for part in scalars
        ),
    )


def has_unit(s: List, of: Term) -> Term:
    """A unit is held for it, or confirmed."""
    return Or(s.turn(of) == HELD, s.turn(of) == CONFIRMED)


def had_unit(s: List, of: Term) -> Term:
    return s.turn(of) >= HELD


def out(s: List) -> Term:
    """How many units are held or confirmed."""
    return s.held + s.confirmed


def counted(s: List) -> Term:
    """Counts are of what is there: added up one by one, they say that nobody holds a unit only where nobody does."""
    return said("who is counted is there", And(s.held >= 0, (s.held == 0) == ForAll(q, s.turn(q) != HELD)))


def in_time(s: List, of: Term) -> Term:
    """A confirmation came certainly before its hold was over."""
    return And(is_confirm(of), guards.confirms_in_time(stamp(of), skew, s.until(about(of))))


def all_settled(s: List) -> Term:
    return ForAll(r, s.reply(r) != READ)


def is_frontier(s: List) -> Term:
    """The least mark of the regions in the sale; where none is left it is past everything."""
    heard = ForAll(g, Implies(s.present(g), frontier <= s.mark(g)))
    return And(heard, Or(And(s.present(least), s.mark(least) == frontier), ForAll(g, Not(s.present(g)))))


def world() -> tuple[Term, ...]:
    one_line = ForAll([r1, r2], Implies(And(region(about(r1)) == region(about(r2)), seq(r1) == seq(r2)), r1 == r2))
    return (
        said("terms that make sense", And(stock >= 1, places >= stock, skew >= 0, hold_for >= 1)),
        said("a number is one line of a log", one_line),
        said("logs are numbered from 1", ForAll(r, seq(r) >= 1)),
    )


def start(s: List) -> tuple[Term, ...]:
    return (
        ForAll(q, s.turn(q) == UNDRAWN),
        ForAll(r, s.reply(r) == UNREAD),
        ForAll(g, And(s.read(g) == 0, s.present(g))),
        And(s.drawn == 0, s.held == 0, s.confirmed == 0, s.ending == OPEN),
    )


def may_deliver(s: List, line: Term) -> Term:
    """The next line of a region's log is good."""
    of = region(about(line))
    return And(
        s.present(of),
        guards.follows_in_log(seq(line), s.read(of)),
        guards.may_follow(stamp(line), s.mark(of)),
        guards.bound_holds(bound(line), skew),
    )


def deliver(s: List, after: List) -> tuple[Term, ...]:
    """The arbiter reads what a holder said. A gateway lets nobody reply who was never told of a unit."""
    return (
        said("the next line is good", may_deliver(s, said_now)),
        said("who replies had a unit", had_unit(s, about(said_now))),
        *becomes(
            s,
            after,
            reply=lambda of: If(of == said_now, READ, s.reply(of)),
            read=lambda of: If(of == region(about(said_now)), seq(said_now), s.read(of)),
        ),
    )


def raise_mark(s: List, after: List) -> tuple[Term, ...]:
    """A region in the sale promises more."""
    return (
        s.present(least),
        said("the mark may rise", guards.mark_may_rise(s.mark(least), raised)),
        *becomes(s, after, mark=lambda of: If(of == least, raised, s.mark(of))),
    )


def cut_off(s: List, after: List) -> tuple[Term, ...]:
    """A region leaves; what was read of it counts."""
    return (s.present(least), *becomes(s, after, present=lambda of: And(s.present(of), of != least)))


def settle(s: List, after: List) -> tuple[Term, ...]:
    """What a holder said is settled, in the order of the log."""
    holder = about(said_now)
    same_log = region(about(r)) == region(holder)
    earlier = ForAll(r, Implies(And(s.reply(r) == READ, same_log), seq(said_now) <= seq(r)))
    holds = s.turn(holder) == HELD
    confirms, releases = And(holds, in_time(s, said_now)), And(holds, Not(is_confirm(said_now)))
    new = If(confirms, CONFIRMED, If(releases, RELEASED, s.turn(holder)))
    return (
        And(s.ending == OPEN, s.reply(said_now) == READ, earlier, counted(s)),
        *becomes(
            s,
            after,
            reply=lambda of: If(of == said_now, SETTLED, s.reply(of)),
            turn=lambda of: If(of == holder, new, s.turn(of)),
            confirmed=lambda: s.confirmed + If(confirms, 1, 0),
            held=lambda: s.held - If(Or(confirms, releases), 1, 0),
        ),
    )


def may_expire(s: List, of: Term) -> Term:
    return And(
        *(s.ending == OPEN, s.turn(of) == HELD, all_settled(s), is_frontier(s)),
        guards.hold_is_over(s.until(of), frontier),
    )


def expire(s: List, after: List) -> tuple[Term, ...]:
    """A hold is over that nobody confirmed in time."""
    return (
        And(said("the hold is over", may_expire(s, a)), counted(s)),
        *becomes(s, after, turn=lambda of: If(of == a, EXPIRED, s.turn(of)), held=lambda: s.held - 1),
    )


def is_free(s: List, number: Term) -> Term:
    """A unit that nobody has."""
    return And(number >= 0, number < stock, ForAll(q, Implies(has_unit(s, q), s.unit(q) != number)))


def is_next_in_line(s: List, of: Term) -> Term:
    """Who waits, and nobody with a lesser place does."""
    return And(s.turn(of) == WAITS, ForAll(q, Implies(s.turn(q) == WAITS, s.rank(of) <= s.rank(q))))


def may_hold(s: List, of: Term) -> Term:
    """A unit is free, and nobody has a better claim to it."""
    is_new = And(s.turn(of) == UNDRAWN, guards.in_stock(s.drawn, places), ForAll(q, s.turn(q) != WAITS))
    return And(
        *(s.ending == OPEN, all_settled(s), Or(is_next_in_line(s, of), is_new)),
        *(guards.in_stock(out(s), stock), is_free(s, given)),
    )


def hold(s: List, after: List) -> tuple[Term, ...]:
    """A free unit goes to the least place that waits, or to who is drawn while nobody does."""
    is_new = s.turn(a) == UNDRAWN
    return (
        said("a unit is free for it", may_hold(s, a)),
        *becomes(
            s,
            after,
            turn=lambda of: If(of == a, HELD, s.turn(of)),
            rank=lambda of: If(And(of == a, is_new), s.drawn, s.rank(of)),
            unit=lambda of: If(of == a, given, s.unit(of)),
            until=lambda of: If(of == a, guards.held_until_ns(latest, hold_for), s.until(of)),
            drawn=lambda: s.drawn + If(is_new, 1, 0),
            held=lambda: s.held + 1,
        ),
    )


def enlist(s: List, after: List) -> tuple[Term, ...]:
    """Who is drawn while every unit is out gets the next place, and waits."""
    return (
        And(s.ending == OPEN, all_settled(s), s.turn(a) == UNDRAWN, Not(guards.in_stock(out(s), stock))),
        said("a place is left", guards.in_stock(s.drawn, places)),
        *becomes(
            s,
            after,
            turn=lambda of: If(of == a, WAITS, s.turn(of)),
            rank=lambda of: If(of == a, s.drawn, s.rank(of)),
            drawn=lambda: s.drawn + 1,
        ),
    )


def sell_out(s: List, after: List) -> tuple[Term, ...]:
    """Every unit is confirmed."""
    return (s.ending == OPEN, Not(guards.in_stock(s.confirmed, stock)), *becomes(s, after, ending=lambda: SOLD_OUT))


def complete(s: List, after: List) -> tuple[Term, ...]:
    """Everybody was heard or the list is full, nobody holds a unit, and no unit can be given to anybody."""
    nobody = And(s.held == 0, counted(s))
    stuck = Or(Not(guards.in_stock(out(s), stock)), ForAll(q, s.turn(q) != WAITS))
    left = guards.in_stock(s.confirmed, stock)
    return (And(s.ending == OPEN, all_settled(s), nobody, stuck, left), *becomes(s, after, ending=lambda: COMPLETE))


def stop(s: List, after: List) -> tuple[Term, ...]:
    """An operator cancels the sale, or its logs contradict themselves."""
    return (s.ending == OPEN, *becomes(s, after, ending=lambda: STOPPED))


STEPS: Final = {
    "deliver": deliver,
    "raise mark": raise_mark,
    "cut off": cut_off,
    "settle": settle,
    "expire": expire,
    "hold": hold,
    "enlist": enlist,
    "sell out": sell_out,
    "complete": complete,
    "stop": stop,
}


def small_world() -> tuple[Term, ...]:
    """Three requests, two replies, two regions: for witnesses only."""
    members = ((Consts("q0 q1 q2", Request), q), (Consts("s0 s1", Reply), r), (Consts("g0 g1", Region), g))
    return tuple(
        term for some, of in members for term in (Distinct(*some), ForAll(of, Or(*(of == member for member in some))))
    )


RESERVATION: Final = System(List, world, start, STEPS, small_world)
invariant = RESERVATION.invariant


@invariant(matters=lambda s: And(s.turn(one) == WAITS, out(s) == stock, s.confirmed == 1))
def no_more_units_are_out_than_the_stock(s: List) -> Term:
    """Held and confirmed are never more than there are, and places are never more than the list has."""
    kinds = ForAll(q, And(s.turn(q) >= UNDRAWN, s.turn(q) <= EXPIRED))
    ends = And(s.ending >= OPEN, s.ending <= STOPPED)
    return And(out(s) <= stock, s.held >= 0, s.confirmed >= 0, s.drawn >= 0, s.drawn <= places, kinds, ends)


@invariant(matters=lambda s: And(s.turn(one) == CONFIRMED, s.turn(another) == HELD))
def no_unit_is_ever_with_two_people(s: List) -> Term:
    """A unit is held for one, or sold to one, or neither; and it is one of the stock."""
    ours = ForAll(q, Implies(has_unit(s, q), And(s.unit(q) >= 0, s.unit(q) < stock)))
    return And(ours, ForAll([p, q], Implies(And(has_unit(s, p), has_unit(s, q), p != q), s.unit(p) != s.unit(q))))


@invariant(matters=lambda s: And(s.turn(one) == EXPIRED, s.turn(another) == WAITS))
def nobody_on_the_list_is_passed_over(s: List) -> Term:
    """Whoever waits has a greater place than everybody who ever had a unit: units go to the least place that waits."""
    known = ForAll(q, Implies(s.turn(q) != UNDRAWN, And(s.rank(q) >= 0, s.rank(q) < s.drawn)))
    drawn = And(s.turn(p) != UNDRAWN, s.turn(q) != UNDRAWN, p != q)
    unique = ForAll([p, q], Implies(drawn, s.rank(p) != s.rank(q)))
    first = ForAll([p, q], Implies(And(had_unit(s, p), s.turn(q) == WAITS), s.rank(p) < s.rank(q)))
    return And(known, unique, first)


@invariant(matters=lambda s: And(s.reply(r1) == READ, s.reply(r2) == UNREAD, region(about(r1)) == region(about(r2))))
def what_holders_said_is_read_once_and_in_order(s: List) -> Term:
    """Lines are read by their numbers, settled by their numbers, and none without a clock good enough."""
    read = (s.reply(r) != UNREAD) == (seq(r) <= s.read(region(about(r))))
    known = And(s.reply(r) >= UNREAD, s.reply(r) <= SETTLED, read)
    kept = Implies(s.reply(r) != UNREAD, And(guards.bound_holds(bound(r), skew), had_unit(s, about(r))))
    later = And(s.reply(r1) == SETTLED, s.reply(r2) == READ, region(about(r1)) == region(about(r2)))
    ordered = ForAll([r1, r2], Implies(later, seq(r1) < seq(r2)))
    return And(ForAll(g, s.read(g) >= 0), ForAll(r, And(known, kept)), ordered)


@invariant(
    matters=lambda s: And(s.turn(one) == EXPIRED, s.present(region(one)), about(r1) == one, s.reply(r1) == UNREAD)
)
def whoever_expired_is_past_every_mark(s: List) -> Term:
    """When a hold has expired, no region still in the sale can send a line stamped up to the end of it."""
    return ForAll([q, g], Implies(And(s.turn(q) == EXPIRED, s.present(g)), s.until(q) < s.mark(g)))


@invariant(matters=lambda s: And(s.reply(r1) == SETTLED, in_time(s, r1), s.turn(about(r1)) == CONFIRMED))
def a_confirmation_in_time_that_was_read_is_never_lost(s: List) -> Term:
    """Whoever confirmed certainly in time, and was read, has the unit, or had given it back in an earlier line."""
    gave_back = Exists(r2, And(s.reply(r2) == SETTLED, about(r2) == about(r), Not(is_confirm(r2)), seq(r2) < seq(r)))
    has = Or(s.turn(about(r)) == CONFIRMED, And(s.turn(about(r)) == RELEASED, gave_back))
    not_expired = Implies(s.reply(r) == READ, s.turn(about(r)) != EXPIRED)
    return ForAll(r, Implies(in_time(s, r), And(Implies(s.reply(r) == SETTLED, has), not_expired)))


@invariant(matters=lambda s: And(s.turn(one) == CONFIRMED, s.turn(another) == RELEASED))
def who_has_a_unit_for_good_said_so_in_time(s: List) -> Term:
    """Nobody is sold a unit that they did not confirm certainly in time, nor loses one as given back who did not."""
    line = And(s.reply(r) == SETTLED, about(r) == q)
    confirmed = Implies(s.turn(q) == CONFIRMED, Exists(r, And(line, in_time(s, r))))
    return ForAll(q, And(confirmed, Implies(s.turn(q) == RELEASED, Exists(r, And(line, Not(is_confirm(r)))))))


@invariant(matters=lambda s: And(s.ending == COMPLETE, s.turn(one) == EXPIRED, s.turn(another) == CONFIRMED))
def it_ends_when_every_unit_is_known_of(s: List) -> Term:
    """Sold out: every unit is confirmed. Complete: nobody holds a unit, and nobody waits for one."""
    done = ForAll(q, And(s.turn(q) != HELD, s.turn(q) != WAITS))
    return And(Implies(s.ending == SOLD_OUT, s.confirmed == stock), Implies(s.ending == COMPLETE, done))
