"""Facts about draws that wait for a public beacon: which rounds may be named, and that entries end before they begin.

Terms may name a round that is published only when nobody can enter any more. The arbiter records that every entry is in
once every region in the sale has been heard to the end; only then may the round's value be entered, and only after that
is anybody drawn. So whoever enters knows nothing of the draw, and whoever knows the draw lets nobody in.

That a sale which waits decides nothing needs no proof of its own: it does fewer steps than `protocol.py` allows, and
what holds in every run holds in those. `tests/refinement/` holds the fold to that.
"""

from z3 import And, ForAll, Implies, Ints, Not

from proofs.admission import arrived, within
from proofs.obligations import Argument, Case, Term, guards, obligation
from proofs.protocol import (
    UNREAD,
    State,
    closes,
    g,
    last_stamp,
    may_deliver,
    q,
    region,
    seq,
    skew,
    small_world,
)
from proofs.protocol import (
    stamp as stamp_of,
)

stamp, published, grace, raiser_now, raised_at = Ints("stamp published grace raiser_now raised_at")
number, other, genesis, period, now = Ints("number other genesis period now")
one = q
STATE = State("")


@obligation
def rounds_are_published_one_after_the_other() -> Argument:
    """A beacon's first round is published at its genesis, each other one period after the one before."""
    at = guards.round_published_ns(number, genesis, period)
    return Argument(
        (
            Case("the first", (number == 1,), at == genesis),
            Case("the next", (), guards.round_published_ns(number + 1, genesis, period) == at + period),
        ),
        witness=(at == genesis + 2 * period, period == 3, genesis > 0),
    )


@obligation
def whoever_enters_does_not_know_the_round() -> Argument:
    """A round that terms may name is published after every request that is let in has truly arrived."""
    named = guards.is_unknown_while_entering(published, closes, skew, grace)
    honest = And(skew >= 0, grace >= 0, within(stamp, arrived, skew))
    let_in = Not(guards.certainly_late(stamp, skew, closes))
    return Argument(
        (Case("always", (named, honest, let_in), arrived < published),),
        witness=(named, honest, let_in, skew > 0, grace == 0, arrived == published - 1),
        beyond=(
            *(honest, let_in, skew > 0, grace == 0),
            *(published == closes + 2 * skew, arrived == published),
        ),
    )


@obligation
def every_region_can_have_promised_its_end_before_the_round_is_known() -> Argument:
    """When a round that terms may name is published, the mark of any host that is right to ε is past the last stamp."""
    named = guards.is_unknown_while_entering(published, closes, skew, grace)
    honest = And(skew >= 0, within(raiser_now, raised_at, skew), raised_at >= published)
    mark = guards.mark_after_grace_ns(raiser_now, grace)
    heard = guards.everyone_is_heard(mark, guards.last_stamp_ns(closes, skew))
    return Argument(
        (Case("always", (named, honest), heard),),
        witness=(named, honest, heard, skew > 0, grace > 0, raised_at == published),
        beyond=(
            *(honest, skew > 0, grace > 0, raised_at == published),
            *(published == closes + 2 * skew + grace, Not(heard)),
        ),
    )


def everybody_in_the_sale_is_heard(s: State) -> Term:
    """What the arbiter records as *complete*: every mark in the sale is past the last stamp."""
    return ForAll(g, Implies(s.present(g), guards.everyone_is_heard(s.mark(g), last_stamp())))


@obligation
def once_every_entry_is_in_no_line_can_follow() -> Argument:
    """Once every region in the sale was heard to its end, no line of any log is taken any more, whatever it says."""
    s = STATE
    complete = everybody_in_the_sale_is_heard(s)
    return Argument(
        (Case("always", (complete,), ForAll(q, Not(may_deliver(s, q)))),),
        witness=(
            complete,
            s.present(region(one)),
            s.log(one) == UNREAD,
            guards.follows_in_log(seq(one), s.read(region(one))),
        ),
        beyond=(
            ForAll(g, Implies(s.present(g), s.mark(g) >= last_stamp())),
            *(s.present(region(one)), may_deliver(s, one), stamp_of(one) == last_stamp()),
        ),
        small=small_world(),
    )
