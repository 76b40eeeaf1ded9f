"""One region's log, its mark, and the arbiter reading both, as states and steps.

What a mark promises, the log that is read *after* it keeps: whoever is logged later has a stamp at or above the mark
that was read. It holds although any number of gateways log and raise marks, and whichever of them dies, sleeps or wakes
up late: each is only one that takes no step for a while. It holds because the store's script refuses what is below the
mark, and because the mark is read first; the other way round there is a counterexample.

What `service/store/admit.lua` and `raise_mark.lua` compare is the shipped guards here; that the scripts, which compare
decimals as text, say the same is `arithmetic.py` and a state machine test on the real store.
"""

from typing import Final

from z3 import (
    And,
    BoolSort,
    Const,
    Consts,
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

from proofs.lottery import Buyer, Request
from proofs.obligations import Argument, Case, Term, guards, obligation
from proofs.system import System

buyer, stamp = Function("buyer", Request, Buyer), Function("stamp", Request, IntSort())
x, y, p, q, one, another = Consts("x y p q one another", Request)
b = Const("b", Buyer)
any_number, raised, up_to = Ints("any_number raised up_to")


class Log:
    """One moment of a region's store, and of the arbiter that reads it."""

    def __init__(self, tag: str) -> None:
        self.number: Term = Function("number" + tag, Request, IntSort())
        """Of an entry; 0 of what is not logged."""
        self.has: Term = Function("has" + tag, Buyer, BoolSort())
        """Whether the script finds an entry of a buyer, and which one."""
        self.entry_of: Term = Function("entry_of" + tag, Buyer, Request)
        self.any_one: Term = Const("any_one" + tag, Request)
        """The entry with the number `any_number`, which stands for every number."""
        self.length: Term = Int("length" + tag)
        self.mark: Term = Int("mark" + tag)
        self.stopped: Term = Function("stopped" + tag, BoolSort())()
        self.noted: Term = Int("noted" + tag)
        """The mark that the arbiter read last, and how long the log was then."""
        self.noted_length: Term = Int("noted_length" + tag)
        self.read: Term = Int("read" + tag)
        """The last number that the arbiter has read."""
        self.promised: Term = Int("promised" + tag)
        """The mark that was read before it."""
        self.drained: Term = Function("drained" + tag, BoolSort())()
        """The arbiter has read the log to its end after a stop was set."""


SCALARS: Final = ("any_one", "length", "mark", "stopped", "noted", "noted_length", "read", "promised", "drained")


def unchanged(s: Log, after: Log, *but: str) -> tuple[Term, ...]:
    """Whatever a step does not name."""
    maps = {"number": q, "has": b, "entry_of": b}
    return (
        *(ForAll(of, getattr(after, part)(of) == getattr(s, part)(of)) for part, of in maps.items() if part not in but),
        *(getattr(after, part) == getattr(s, part) for part in SCALARS if part not in but),
    )


def start(s: Log) -> tuple[Term, ...]:
    return (
        ForAll(q, s.number(q) == 0),
        ForAll(b, Not(s.has(b))),
        And(s.length == 0, s.read == 0, s.noted_length == 0, Not(s.stopped), Not(s.drained)),
        And(s.noted <= s.mark, s.promised <= s.noted),
    )


def log(s: Log, after: Log, a: Term = x) -> tuple[Term, ...]:
    """The script appends an entry: of a buyer that it does not find, not stopped, not below the mark."""
    return (
        And(Not(s.has(buyer(a))), Not(s.stopped), guards.may_follow(stamp(a), s.mark)),
        guards.follows_in_log(after.length, s.length),
        ForAll(q, after.number(q) == If(q == a, after.length, s.number(q))),
        ForAll(b, after.has(b) == Or(b == buyer(a), s.has(b))),
        ForAll(b, after.entry_of(b) == If(b == buyer(a), a, s.entry_of(b))),
        after.any_one == If(after.length == any_number, a, s.any_one),
        *unchanged(s, after, "length", "number", "has", "entry_of", "any_one"),
    )


def raise_mark(s: Log, after: Log) -> tuple[Term, ...]:
    """A heartbeat of some gateway, however late."""
    return (guards.mark_may_rise(s.mark, raised), after.mark == raised, *unchanged(s, after, "mark"))


def stop(s: Log, after: Log) -> tuple[Term, ...]:
    """The arbiter has the script take nothing any more."""
    return (after.stopped, *unchanged(s, after, "stopped"))


def read_mark(s: Log, after: Log) -> tuple[Term, ...]:
    """The arbiter reads the mark."""
    kept = unchanged(s, after, "noted", "noted_length")
    return (after.noted == s.mark, after.noted_length == s.length, *kept)


def read_log(s: Log, after: Log) -> tuple[Term, ...]:
    """The arbiter reads the log, at least as far as it went when the mark was read."""
    return (
        And(s.noted_length <= up_to, s.read <= up_to, up_to <= s.length, after.read == up_to),
        after.promised == s.noted,
        after.drained == Or(s.drained, And(s.stopped, up_to == s.length)),
        *unchanged(s, after, "read", "promised", "drained"),
    )


def small_world() -> tuple[Term, ...]:
    """Three requests of two buyers: for witnesses only."""
    requests, buyers = Consts("r0 r1 r2", Request), Consts("b0 b1", Buyer)
    return tuple(
        term
        for members, of in ((requests, q), (buyers, b))
        for term in (Distinct(*members), ForAll(of, Or(*(of == member for member in members))))
    )


REGION: Final = System(
    Log,
    lambda: (),
    start,
    {"log": log, "raise mark": raise_mark, "stop": stop, "read mark": read_mark, "read log": read_log},
    small_world,
)


@REGION.invariant(matters=lambda s: s.length == 2)
def a_log_has_one_entry_for_each_number(s: Log) -> Term:
    """A log is numbered from 1 to its length, and each number is the number of one entry."""
    every = Implies(And(any_number >= 1, any_number <= s.length), s.number(s.any_one) == any_number)
    within = ForAll(q, And(s.number(q) >= 0, s.number(q) <= s.length))
    no_two = ForAll([p, q], Implies(And(s.number(p) != 0, s.number(p) == s.number(q)), p == q))
    return And(s.length >= 0, every, within, no_two)


@REGION.invariant(matters=lambda s: And(s.number(one) == 1, s.number(another) == 0, buyer(one) == buyer(another)))
def a_buyer_who_asks_again_finds_the_entry(s: Log) -> Term:
    """A region logs a buyer once: whoever comes again, with whatever request id, finds that entry."""
    logged = ForAll(q, Implies(s.number(q) != 0, And(s.has(buyer(q)), s.entry_of(buyer(q)) == q)))
    found = ForAll(b, Implies(s.has(b), And(s.number(s.entry_of(b)) != 0, buyer(s.entry_of(b)) == b)))
    return And(logged, found)


@REGION.invariant(matters=lambda s: And(s.noted < s.mark, s.noted_length < s.length))
def whoever_is_logged_after_a_mark_was_read_keeps_it(s: Log) -> Term:
    """No entry that was logged after the arbiter had read a mark is below that mark."""
    kept = ForAll(q, Implies(s.number(q) > s.noted_length, guards.may_follow(stamp(q), s.noted)))
    return And(kept, s.noted <= s.mark, s.noted_length >= 0, s.noted_length <= s.length)


@REGION.invariant(matters=lambda s: And(s.read < s.length, s.read == 1, s.promised < s.mark))
def what_a_mark_promises_the_log_that_is_read_after_it_keeps(s: Log) -> Term:
    """Whatever the arbiter has not read yet is not below the mark that it goes by."""
    kept = ForAll(q, Implies(s.number(q) > s.read, guards.may_follow(stamp(q), s.promised)))
    return And(kept, s.promised <= s.noted, s.read >= 0, s.read <= s.length)


@REGION.invariant(matters=lambda s: And(s.drained, s.length == 1))
def a_log_that_was_read_to_its_end_after_a_stop_is_whole(s: Log) -> Term:
    """Once a stop is set and the log was read to its end, nothing is ever missing: the ledger is complete."""
    return Implies(s.drained, And(s.stopped, s.read == s.length))


@obligation
def a_mark_read_after_its_log_could_promise_too_much() -> Argument:
    """The mark must be read first: were the log read before it, one who is logged and marked past in between would be
    below a mark that the arbiter goes by."""
    begin, read, logged, marked = (Log(f"@{moment}") for moment in range(4))
    run = (*start(begin), *read_log(begin, read), *log(read, logged), *raise_mark(logged, marked))
    too_late = And(read.read == read.length, marked.number(x) > marked.read)
    right_way = (*run, too_late)
    return Argument(
        (Case("the mark of before is kept", right_way, guards.may_follow(stamp(x), begin.mark)),),
        witness=right_way,
        beyond=(*right_way, Not(guards.may_follow(stamp(x), marked.mark))),
        small=small_world(),
    )


@obligation
def an_entry_that_was_logged_stays_as_it_is() -> Argument:
    """What was acknowledged is for good: no step takes an entry out of a log, or gives it another number."""
    s, after = REGION.before, REGION.after
    return REGION.each_step((s.number(one) != 0,), after.number(one) == s.number(one), s.length == 2)


@obligation
def a_process_that_sleeps_or_dies_can_only_refuse() -> Argument:
    """However late a gateway wakes up, its request is refused or keeps every promise that its region made meanwhile."""
    s, after = REGION.before, REGION.after
    asleep = Int("mark_when_it_fell_asleep")
    late = (guards.mark_may_rise(asleep, s.mark), guards.may_follow(stamp(x), asleep), *log(s, after))
    kept = And(guards.may_follow(stamp(x), s.promised), guards.may_follow(stamp(x), s.mark))
    return REGION.always(late, kept, And(asleep < s.promised, s.promised < s.mark))
