"""What the window lottery is like, on a finished list of any length: every order that the clocks allow can come out,
nothing but place and ticket has a say, and to have come earlier is never worse.

The last is the deep one. Two runs over the same list, with the same tickets; in the second one request, the mover, has
an earlier place. The lottery always serves the least ticket among those before whom nobody certainly came. The mover's
being earlier takes none of these away from it and can only make others wait for it. So, until the mover is served, the
second run serves whom the first one serves, in the same order, leaving out those who now certainly come after the mover
(`in_step`); and when the first run comes to serve the mover, the second does too, if it has not already. That is an
induction over draws, and the solvers check its steps for any number of requests.

A lottery that serves first come first served inside a region has not got this property. The three requests that show it
are the last sentence here.
"""

from collections.abc import Callable

from z3 import (
    And,
    BoolSort,
    Consts,
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

from proofs.lottery import Lottery, Request, name
from proofs.obligations import Argument, Case, Term, guards, obligation

mover, earliest, earliest_then, drawn, drawn_then, p, q = Consts(
    "mover earliest earliest_then drawn drawn_then p q", Request
)
place = Function("place", Request, IntSort())
ticket = Function("ticket", Request, IntSort())
served = Function("served", Request, BoolSort())
served_then = Function("served_then", Request, BoolSort())
"""In the second run."""
sooner, window = Ints("sooner window")

NAMES_DIFFER = ForAll([p, q], Implies(name(p) == name(q), p == q))


def place_then(of: Term) -> Term:
    """In the second run: the mover came sooner."""
    return If(of == mover, sooner, place(of))


def certainly_before(a: Term, b: Term, at: Callable[[Term], Term] = place) -> Term:
    return guards.certainly_before(at(a), at(b), window)


def small_world() -> tuple[Term, ...]:
    """Four requests: for witnesses only."""
    requests = Consts("r0 r1 r2 r3", Request)
    return Distinct(*requests), ForAll(q, Or(*(q == each for each in requests)))


RUN = Lottery(lambda a: Not(served(a)), place, ticket, window)
RUN_THEN = Lottery(lambda a: Not(served_then(a)), place_then, ticket, window)


@obligation
def a_draw_never_inverts_what_is_certain() -> Argument:
    """Promise 1, draw by draw: nobody who waits came certainly before the one who is served."""
    given = (window >= 0, RUN.serves(earliest, drawn), RUN.waits(p))
    return Argument(
        (Case("always", given, Not(certainly_before(p, drawn))),),
        witness=(*given, NAMES_DIFFER, place(p) < place(drawn), p != drawn),
        small=small_world(),
    )


@obligation
def every_order_that_the_clocks_allow_can_come_out() -> Argument:
    """Promise 3: give tickets in any order that inverts nothing certain, and that is the order of serving, however many
    take part."""
    rank = Function("rank", Request, IntSort())
    ranked = ForAll([p, q], Implies(rank(p) == rank(q), p == q))
    allowed = ForAll([p, q], Implies(certainly_before(p, q), rank(p) < rank(q)))
    tickets = ForAll(p, ticket(p) == rank(p))
    so_far = ForAll([p, q], Implies(And(served(q), rank(p) < rank(q)), served(p)))
    given = (window >= 0, NAMES_DIFFER, ranked, allowed, tickets, so_far, RUN.is_earliest(earliest))
    its_turn = And(RUN.waits(p), ForAll(q, Implies(RUN.waits(q), rank(p) <= rank(q))))
    return Argument(
        (
            Case("whose turn it is", (*given, its_turn), RUN.is_drawn(earliest, p)),
            Case("nobody else", (*given, RUN.is_drawn(earliest, p)), its_turn),
        ),
        witness=(*given, its_turn, Exists(q, served(q)), place(earliest) < place(p), window > 0),
        small=small_world(),
    )


@obligation
def nothing_but_place_and_ticket_has_a_say() -> Argument:
    """Promise 3: two sales with the same places, tickets and order of ids serve alike, whatever else differs: regions,
    buyers, stamps, bounds."""
    stamp, stamp_then = Function("stamp", Request, IntSort()), Function("stamp_then", Request, IntSort())
    opens = Int("opens")

    def by(stamps: Callable[[Term], Term]) -> Lottery:
        return Lottery(RUN.waits, lambda a: guards.place_ns(stamps(a), opens), ticket, window)

    one, other = by(stamp), by(stamp_then)
    same_places = ForAll(q, one.place(q) == other.place(q))
    given = (
        window >= 0,
        NAMES_DIFFER,
        same_places,
        one.serves(earliest, drawn),
        other.serves(earliest_then, drawn_then),
    )
    return Argument(
        (Case("always", given, drawn == drawn_then),),
        witness=(*given, stamp(drawn) != stamp_then(drawn), earliest != drawn),
        small=small_world(),
    )


def in_step(now: Term | None = None, now_then: Term | None = None) -> Term:
    """The mover waits in both runs, and the second has served whom the first has, but for those who now certainly come
    after the mover. With names: the same, once the first run serves `now` and the second `now_then`, too."""

    def having(before: Term, also: Term | None) -> Term:
        return before(q) if also is None else Or(before(q), q == also)

    whom = And(having(served, now), Not(certainly_before(mover, q, place_then)))
    return And(Not(served(mover)), now is None or now != mover, ForAll(q, having(served_then, now_then) == whom))


@obligation
def earlier_is_never_worse() -> Argument:
    """Promise 4: of two runs that differ in one place, moved earlier, the second never serves the mover later, however
    many take part."""
    moved = (window >= 0, NAMES_DIFFER, sooner <= place(mover))
    serves, serves_then = RUN.serves(earliest, drawn), RUN_THEN.serves(earliest_then, drawn_then)
    given = (*moved, in_step(), serves, serves_then)
    left_out = certainly_before(mover, drawn, place_then)
    alike = (*given, drawn != mover, drawn_then != mover, Not(left_out))
    nobody = ForAll(q, And(Not(served(q)), Not(served_then(q))))
    return Argument(
        (
            Case("in step at first", (*moved, nobody), in_step()),
            Case("the first serves the mover: so does the second", (*given, drawn == mover), drawn_then == mover),
            Case("else, the second not serving it yet: the same is served", alike, drawn == drawn_then),
            Case("and they stay in step", alike, in_step(drawn, drawn)),
            Case(
                "or it comes after the mover now, and the second leaves it out",
                (*moved, in_step(), serves, drawn != mover, left_out),
                in_step(drawn),
            ),
            Case("whom the second served the first has served, too", (*moved, in_step(), served_then(p)), served(p)),
        ),
        witness=(*given, drawn != mover, drawn_then == mover, sooner < place(mover)),
        beyond=(
            *(window >= 0, NAMES_DIFFER, sooner == place(mover) + 1, in_step(), serves, serves_then),
            *(drawn == mover, drawn_then != mover),
        ),
        small=small_world(),
    )


@obligation
def a_queue_inside_each_region_would_make_earlier_worse() -> Argument:
    """With W = 6, region A at 0 and 4, region B at 0: were A's lots drawn for A's queue, the first of A would win with
    the other's lot, and lose it by coming at −3 instead."""
    a1, a2, b1 = waiting = Consts("a1 a2 b1", Request)
    of_region = Function("of_region", Request, IntSort())
    given = (
        *(Distinct(*waiting), ForAll(q, Or(*(q == each for each in waiting))), ForAll(q, Not(served(q)))),
        *(of_region(a1) == of_region(a2), of_region(a1) != of_region(b1)),
        *(ticket(a2) < ticket(b1), ticket(b1) < ticket(a1)),
        *(window == 6, place(a2) == 4, place(b1) == 0, RUN.serves(earliest, drawn)),
    )
    heads_its_queue = And(*(Implies(of_region(q) == of_region(a1), place(a1) <= place(q)) for q in waiting))
    region_a_is_drawn = of_region(drawn) == of_region(a1)
    return Argument(
        (
            Case("at 0 it is served first", (*given, place(a1) == 0), And(region_a_is_drawn, heads_its_queue)),
            Case("at −3 it is not", (*given, place(a1) == -3), Not(region_a_is_drawn)),
        ),
        witness=(*given, place(a1) == 0),
    )
