"""Two arbiters, or any number, and one decision log, as states and steps.

Whoever starts takes the next token; the store appends under the newest token only, and only onto the length that the
writer has read (`service/store/append.lua`). Replies can be lost at any moment, a lost one is asked again, and an
arbiter that was stopped for an hour goes on as if nothing had happened. Still the log never forks: what was appended
stays, every arbiter's copy is the beginning of the log, and whoever decides a record has read all records before it.

The comparisons of the script are said here in relations; a state machine test on a real store ties the two.
"""

from typing import Final

from z3 import And, BoolSort, Const, Consts, DeclareSort, Distinct, ForAll, Function, If, Implies, Int, IntSort, Not, Or

from proofs.obligations import Argument, Case, Term, obligation
from proofs.system import System

Arbiter, Record = DeclareSort("Arbiter"), DeclareSort("Record")
a, c, me, other = Consts("a c me other", Arbiter)
record = Const("record", Record)
index = Int("index")
"""An arbitrary place in the log: what holds of it holds of all."""


class Desk:
    """One moment of the decision log and of all arbiters that ever started."""

    def __init__(self, tag: str) -> None:
        self.newest: Term = Int("newest" + tag)
        """The newest token."""
        self.length: Term = Int("length" + tag)
        self.line: Term = Const("line" + tag, Record)
        """What the log holds at `index`."""
        self.basis: Term = Int("basis" + tag)
        """How many records its writer had read when it decided that one."""
        self.token: Term = Function("token" + tag, Arbiter, IntSort())
        """0 of one that has none yet."""
        self.known: Term = Function("known" + tag, Arbiter, IntSort())
        """How many records an arbiter has."""
        self.copy: Term = Function("copy" + tag, Arbiter, Record)
        """What it has at `index`."""
        self.deciding: Term = Function("deciding" + tag, Arbiter, BoolSort())
        """It has decided the next record, and does not know that it is in the log."""
        self.decided: Term = Function("decided" + tag, Arbiter, Record)


MAPS: Final = ("token", "known", "copy", "deciding", "decided")
SCALARS: Final = ("newest", "length", "line", "basis")


def unchanged(s: Desk, after: Desk, *but: str) -> tuple[Term, ...]:
    """Whatever a step does not name."""
    return (
        *(ForAll(a, getattr(after, part)(a) == getattr(s, part)(a)) for part in MAPS if part not in but),
        *(getattr(after, part) == getattr(s, part) for part in SCALARS if part not in but),
    )


def only(s: Desk, after: Desk, **news: Term) -> tuple[Term, ...]:
    """The parts of the arbiter `me` that a step sets; those of the others stay."""
    return tuple(
        ForAll(a, getattr(after, part)(a) == If(a == me, value, getattr(s, part)(a))) for part, value in news.items()
    )


def start(s: Desk) -> tuple[Term, ...]:
    nobody = And(s.token(a) == 0, s.known(a) == 0, Not(s.deciding(a)))
    return (And(s.newest == 0, s.length == 0), ForAll(a, nobody))


def take_over(s: Desk, after: Desk) -> tuple[Term, ...]:
    """An arbiter starts, or starts again: it takes the next token and forgets what it knew."""
    return (
        after.newest == s.newest + 1,
        *only(s, after, token=s.newest + 1, known=0, deciding=False),
        *unchanged(s, after, "newest", "token", "known", "deciding"),
    )


def read(s: Desk, after: Desk) -> tuple[Term, ...]:
    """An arbiter that has nothing under way reads the log to its end."""
    return (
        And(s.token(me) >= 1, Not(s.deciding(me))),
        *only(s, after, known=s.length, copy=s.line),
        *unchanged(s, after, "known", "copy"),
    )


def decide(s: Desk, after: Desk) -> tuple[Term, ...]:
    """What follows from all it has read is the next record."""
    return (
        And(s.token(me) >= 1, Not(s.deciding(me))),
        *only(s, after, deciding=True, decided=record),
        *unchanged(s, after, "deciding", "decided"),
    )


def append(s: Desk, after: Desk) -> tuple[Term, ...]:
    """The script: the newest token, and onto the length that its writer knows. The reply may never arrive."""
    here = s.length == index
    return (
        And(s.deciding(me), s.token(me) == s.newest, s.length == s.known(me)),
        after.length == s.length + 1,
        after.line == If(here, s.decided(me), s.line),
        after.basis == If(here, s.known(me), s.basis),
        *unchanged(s, after, "length", "line", "basis"),
    )


def hear(s: Desk, after: Desk) -> tuple[Term, ...]:
    """The reply, or that to a repeat: the log is one longer than its writer knew and ends in that record."""
    same = Implies(s.known(me) == index, s.line == s.decided(me))
    return (
        And(s.deciding(me), s.token(me) == s.newest, s.length == s.known(me) + 1, same),
        *only(s, after, known=s.known(me) + 1, deciding=False, copy=If(s.known(me) == index, s.line, s.copy(me))),
        *unchanged(s, after, "known", "deciding", "copy"),
    )


def small_world() -> tuple[Term, ...]:
    """Two arbiters and two records: for witnesses only."""
    arbiters, records = Consts("a0 a1", Arbiter), Consts("d0 d1", Record)
    some = Const("some", Record)
    return tuple(
        term
        for members, of in ((arbiters, a), (records, some))
        for term in (Distinct(*members), ForAll(of, Or(*(of == member for member in members))))
    )


STEPS: Final = {"take over": take_over, "read": read, "decide": decide, "append": append, "hear": hear}
DESK: Final = System(Desk, lambda: (index >= 0,), start, STEPS, small_world)


@DESK.invariant(matters=lambda s: And(s.token(me) == 1, s.token(other) == 2))
def a_token_is_taken_once(s: Desk) -> Term:
    """No two arbiters hold one token, and none holds a newer one than the store."""
    once = ForAll([a, c], Implies(And(s.token(a) == s.token(c), s.token(a) != 0), a == c))
    return And(s.newest >= 0, once, ForAll(a, And(s.token(a) >= 0, s.token(a) <= s.newest)))


@DESK.invariant(matters=lambda s: And(s.known(me) == 1, s.known(other) == 2, s.length == 3, index == 0))
def what_an_arbiter_has_read_is_the_beginning_of_the_log(s: Desk) -> Term:
    """Every arbiter's copy is the log as far as it goes, also that of one who was replaced long ago."""
    as_it_is = Implies(index < s.known(a), s.copy(a) == s.line)
    return And(s.length >= 0, ForAll(a, And(s.known(a) >= 0, s.known(a) <= s.length, as_it_is)))


@DESK.invariant(matters=lambda s: And(s.length == 2, index == 1))
def whoever_wrote_a_record_had_read_all_before_it(s: Desk) -> Term:
    """A record was decided by an arbiter that knew every record before it, and no other."""
    return Implies(index < s.length, s.basis == index)


@obligation
def what_is_in_the_decision_log_stays() -> Argument:
    """The decision log only grows: no step of any arbiter, new or old, changes or removes a record."""
    s, after = DESK.before, DESK.after
    kept = And(after.length >= s.length, Implies(index < s.length, after.line == s.line))
    return DESK.each_step((), kept, And(index < s.length, s.token(me) < s.token(other), s.token(me) > 0))


@obligation
def an_arbiter_that_was_replaced_appends_nothing() -> Argument:
    """Once another has taken over, an arbiter that wakes up can only be refused."""
    s, after = DESK.before, DESK.after
    replaced = s.token(me) < s.newest
    return Argument(
        (Case("always", (*DESK.holding(), replaced), Not(And(*append(s, after)))),),
        witness=(*DESK.holding(), replaced, s.deciding(me), s.length == s.known(me)),
        beyond=(*DESK.holding(), s.token(me) == s.newest, *append(s, after)),
        small=small_world(),
    )


@obligation
def a_lost_reply_never_writes_a_record_twice() -> Argument:
    """A record whose reply was lost is not appended again: the log is longer than its writer knows."""
    s, after, again = (Desk(f"@{moment}") for moment in range(3))
    lost = append(s, after)
    return Argument(
        (
            Case("not again", lost, Not(And(*append(after, again)))),
            Case("but heard of", (*lost, index == s.length), after.line == s.decided(me)),
        ),
        witness=(*lost, *hear(after, again)),
        small=small_world(),
    )
