"""Why a decision log, the regions' logs and the seed give the same sale again: on a restart, on an auditor's desk.

A log is known by its hash chain: a number and a head name every line up to there, as long as nobody finds two lines of
one hash. A `seen` record names a number and a head for each region, and what an open sale has heard, who stands for
each buyer and who waits follow from these numbers and the winners so far; in which pieces and in which order lines came
has left no trace. So whoever delivers what the record names, in whatever order, draws whom the arbiter drew.
"""

from typing import Final

from z3 import And, Const, DeclareSort, ForAll, Function, Implies, Int, Ints, IntSort, IntVal

from proofs.induction import SALE, another, one
from proofs.obligations import Argument, Case, Term, obligation
from proofs.protocol import (
    HEARD,
    OPEN,
    Region,
    State,
    buyer,
    frontier,
    g,
    head,
    is_frontier,
    least,
    may_draw,
    q,
    small_world,
    waits,
    x,
    y,
)

Head, Line = DeclareSort("Head"), DeclareSort("Line")
AGAIN: Final = State("@again")
"""The sale on somebody else's desk."""


@obligation
def a_number_and_a_head_name_every_line_up_to_there() -> Argument:
    """Two logs with the same head at a number have the same lines up to it: so a look, or a cut-off, names its log."""
    extended = Function("extended", Head, Line, Head)
    ours, theirs = (Function(f"{whose}_head", IntSort(), Head) for whose in ("our", "their"))
    our_line, their_line = (Function(f"{whose}_line", IntSort(), Line) for whose in ("our", "their"))
    number, asked = Ints("number asked")
    hashed_alike = And(ours(number - 1) == theirs(number - 1), our_line(number) == their_line(number))
    no_collision = Implies(ours(number) == theirs(number), hashed_alike)

    def alike(upto: Term) -> Term:
        """`asked` is any number."""
        asked_for = And(ours(upto) == theirs(upto), asked >= 1, asked <= upto)
        return Implies(asked_for, our_line(asked) == their_line(asked))

    chained = (
        ours(number) == extended(ours(number - 1), our_line(number)),
        theirs(number) == extended(theirs(number - 1), their_line(number)),
    )
    longer = (number >= 1, *chained, alike(number - 1))
    differ = our_line(number) != their_line(number)
    return Argument(
        (
            Case("no line", (), alike(IntVal(0))),
            Case("one line more", (no_collision, *longer), alike(number)),
        ),
        witness=(no_collision, *longer, ours(number) != theirs(number), differ),
        beyond=(*longer, ours(number) == theirs(number), differ),
    )


@obligation
def an_open_sale_is_what_was_read_and_who_won() -> Argument:
    """Deliver the same numbers in another order or in other pieces, and the same entries are heard, the same stand for
    their buyers, the same wait, and the same one is drawn."""
    s, other_frontier, other_region = SALE.before, Int("other_frontier"), Const("other_region", Region)
    won_alike = ForAll(q, s.won(q) == AGAIN.won(q))
    same = (
        *(s.ending == OPEN, AGAIN.ending == OPEN, s.sold == AGAIN.sold, won_alike),
        ForAll(g, And(s.read(g) == AGAIN.read(g), s.present(g) == AGAIN.present(g))),
    )
    given = (*SALE.holding(AGAIN), *same)
    marks = ForAll(g, s.mark(g) == AGAIN.mark(g))
    drawn = (is_frontier(s, frontier, least), may_draw(s, frontier, head, x))
    drawn_again = (is_frontier(AGAIN, other_frontier, other_region), may_draw(AGAIN, other_frontier, another, y))
    return Argument(
        (
            Case("heard", given, s.log(one) == AGAIN.log(one)),
            Case("stands", (*given, s.log(one) == HEARD), s.front(buyer(one)) == AGAIN.front(buyer(one))),
            Case("waits", given, waits(s, one) == waits(AGAIN, one)),
            Case("drawn", (*given, marks, *drawn, *drawn_again), x == y),
        ),
        witness=(*given, marks, *drawn, *drawn_again, waits(s, one), one != x),
        small=small_world(),
    )
