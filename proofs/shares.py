"""A sale at the door: shares, grants and one arbiter that carries them, as states and steps.

For any number of regions, units, grants and buyers, whatever crashes when: a process that dies or sleeps takes no step
for a while, and one that wakes up late does what it had in mind, if the store still lets it. A reply that was lost is
asked for again, which changes nothing.

What is said of the unit `unit` holds of all: it is any unit. Where it is, is said twice. The state has what stores and
logs have: free in a region's share, got by a request, part of a grant. Beside it runs a *register* that nobody has in
truth, one place for the unit at each moment (`kind`, with `holder`, `carrier` or `owner`). That both say the same,
always, is the theorem: so the unit is never in two places, and never in none. Numbers of units are added up beside it.

Each step is one script of a store (`service/store/set_up.lua`, `sell.lua`, `give.lua`, `take.lua`), or something that
the arbiter records or reads. What a log says is `region.py`'s: that it is whole once it was read after a stop.
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
    substitute,
)

from proofs.lottery import Request
from proofs.obligations import Argument, Case, Term, guards, obligation, said
from proofs.protocol import Region
from proofs.system import System

Grant = DeclareSort("Grant")
"""Of a region, or of the arbiter, which reissues what a region that was fenced out has left."""

# What never changes.
unit, stock = Ints("unit stock")
share: Term = Const("share", Region)
"""The region that begins with the unit."""
quota = Function("quota", Region, IntSort())
"""How many units it begins with."""
called = Function("called", Region, IntSort())
"""A region's name; any order of names will do."""
at = Function("region", Request, Region)
donor, to = Function("donor", Grant, Region), Function("to", Grant, Region)
by_arbiter, has_unit = Function("by_arbiter", Grant, BoolSort()), Function("has_unit", Grant, BoolSort())
number, size = Function("number", Grant, IntSort()), Function("size", Grant, IntSort())

UNSET, FREE, SOLD, ON_THE_WAY, NOBODYS = range(5)

x, y, g = Consts("x y g", Region)
t, w, u, v = Consts("t w u v", Grant)
a, q, one, another = Consts("a q one another", Request)
first, sold = Ints("first sold")
"""The first unit of a share, and the one that is sold."""


class Shares:
    """One moment of all stores, and of what the arbiter knows of them."""

    def __init__(self, tag: str) -> None:
        def symbol(of: str, *sorts: Term) -> Term:
            return Function(of + tag, *sorts)

        self.stocked: Term = symbol("stocked", Region, BoolSort())
        """The log has its first line."""
        self.has: Term = symbol("has", Region, BoolSort())
        """The unit is free in a region's share, as its store has it."""
        self.free: Term = symbol("free", Region, IntSort())
        """How many units are."""
        self.given: Term = symbol("given", Region, IntSort())
        """The number of a region's last grant."""
        self.stopped: Term = symbol("stopped", Region, BoolSort())
        self.fenced: Term = symbol("fenced", Region, BoolSort())
        self.logged: Term = symbol("logged", Request, BoolSort())
        self.got: Term = symbol("got", Request, IntSort())
        """The number of the unit that an entry got."""
        self.made: Term = symbol("made", Grant, BoolSort())
        self.read: Term = symbol("read", Grant, BoolSort())
        """The arbiter has read a grant, and may carry it; others may, too, as often as they like."""
        self.times: Term = symbol("times", Region, Grant, IntSort())
        """How often a region has taken a grant."""
        self.given_up: Term = symbol("given_up", Grant, BoolSort())
        """The arbiter has it that nobody can take a grant any more."""
        self.nobodys: Term = symbol("nobodys", BoolSort())()
        """The unit is part of what fenced regions have left."""
        self.reissued: Term = Int("reissued" + tag)
        self.kind: Term = Int("kind" + tag)
        self.holder: Term = Const("holder" + tag, Region)
        self.carrier: Term = Const("carrier" + tag, Grant)
        self.owner: Term = Const("owner" + tag, Request)
        self.all_unset, self.all_free, self.all_sold, self.all_on_the_way, self.all_nobodys = (
            Int(f"all_{name}{tag}") for name in ("unset", "free", "sold", "on_the_way", "nobodys")
        )


BY: Final = {
    g: ("stocked", "has", "free", "given", "stopped", "fenced"),
    q: ("logged", "got"),
    v: ("made", "read", "given_up"),
}
SCALARS: Final = (
    *("nobodys", "reissued", "kind", "holder", "carrier", "owner"),
    *("all_unset", "all_free", "all_sold", "all_on_the_way", "all_nobodys"),
)


def becomes(s: Shares, after: Shares, **news: Callable[..., Term]) -> tuple[Term, ...]:
    """Each part of the state after a step: as `news` says, or as it was."""
    maps = (
        ForAll(of, getattr(after, part)(of) == news.get(part, getattr(s, part))(of))
        for of, parts in BY.items()
        for part in parts
    )
    still = {part: getattr(s, part) for part in SCALARS}
    scalars = (getattr(after, part) == (news[part]() if part in news else still[part]) for part in SCALARS)
    times: Term = news.get("times", s.times)
    return (*maps, *scalars, ForAll([g, v], after.times(g, v) == times(g, v)))


def is_on_the_way(s: Shares, grant: Term) -> Term:
    """It was made, its recipient has not taken it, and still may."""
    return And(s.made(grant), s.times(to(grant), grant) == 0, Not(s.given_up(grant)))


def world() -> tuple[Term, ...]:
    """What terms keep before anything happens."""
    return (
        said("no share is less than nothing", ForAll(g, quota(g) >= 0)),
        said("a name is one region's", ForAll([x, y], Implies(called(x) == called(y), x == y))),
    )


def start(s: Shares) -> tuple[Term, ...]:
    """Terms are published, and no store has heard of them."""
    return (
        ForAll(g, And(Not(s.stocked(g)), Not(s.has(g)), s.free(g) == 0, s.given(g) == 0, Not(s.fenced(g)))),
        ForAll(q, Not(s.logged(q))),
        ForAll(v, And(Not(s.made(v)), Not(s.read(v)), Not(s.given_up(v)))),
        ForAll([g, v], s.times(g, v) == 0),
        And(Not(s.nobodys), s.reissued == 0, s.kind == UNSET),
        And(s.all_unset == stock, s.all_free == 0, s.all_sold == 0, s.all_on_the_way == 0, s.all_nobodys == 0),
    )


def works(s: Shares, region: Term) -> Term:
    """A region's store has its share, and was not stopped."""
    return And(s.stocked(region), Not(s.stopped(region)))


def has_first(s: Shares) -> Term:
    """`first` is free in region `x`."""
    return And(works(s, x), s.free(x) >= 1, Implies(first == unit, s.has(x)))


def set_up(s: Shares, after: Shares) -> tuple[Term, ...]:
    """A region's log has no line yet, and gets its first. Where there is a log and no share, nothing is set up."""
    mine = share == x
    return (
        Not(s.stocked(x)),
        *becomes(
            s,
            after,
            stocked=lambda r: Or(r == x, s.stocked(r)),
            has=lambda r: Or(And(r == x, mine), s.has(r)),
            free=lambda r: If(r == x, quota(x), s.free(r)),
            kind=lambda: If(mine, FREE, s.kind),
            holder=lambda: If(mine, x, s.holder),
            all_unset=lambda: s.all_unset - quota(x),
            all_free=lambda: s.all_free + quota(x),
        ),
    )


def sell(s: Shares, after: Shares) -> tuple[Term, ...]:
    """A request gets a unit and is logged with it, at once."""
    mine = sold == unit
    return (
        And(has_first(s), Not(s.logged(a))),
        said("the first free unit is sold", guards.is_next_to_sell(sold, first)),
        *becomes(
            s,
            after,
            has=lambda r: And(s.has(r), Not(And(r == x, mine))),
            free=lambda r: If(r == x, s.free(r) - 1, s.free(r)),
            logged=lambda r: Or(r == a, s.logged(r)),
            got=lambda r: If(r == a, sold, s.got(r)),
            kind=lambda: If(mine, SOLD, s.kind),
            owner=lambda: If(mine, a, s.owner),
            all_free=lambda: s.all_free - 1,
            all_sold=lambda: s.all_sold + 1,
        ),
    )


def give(s: Shares, after: Shares) -> tuple[Term, ...]:
    """A region gives units away: they are no longer its own, and that is in its log."""
    mine = has_unit(t)
    return (
        And(works(s, x), Not(s.made(t)), Not(by_arbiter(t)), donor(t) == x, Implies(mine, s.has(x))),
        said("grants are numbered without gaps", guards.follows_in_log(number(t), s.given(x))),
        said("to somebody else", Not(guards.is_ones_own(called(to(t)), called(x)))),
        said("it has so many", guards.may_give(size(t), s.free(x))),
        *becomes(
            s,
            after,
            has=lambda r: And(s.has(r), Not(And(r == x, mine))),
            free=lambda r: If(r == x, s.free(r) - size(t), s.free(r)),
            given=lambda r: If(r == x, number(t), s.given(r)),
            made=lambda r: Or(r == t, s.made(r)),
            kind=lambda: If(mine, ON_THE_WAY, s.kind),
            carrier=lambda: If(mine, t, s.carrier),
            all_free=lambda: s.all_free - size(t),
            all_on_the_way=lambda: s.all_on_the_way + size(t),
        ),
    )


def read(s: Shares, after: Shares) -> tuple[Term, ...]:
    """The arbiter reads a grant in its donor's log. Only then it is carried."""
    return (s.made(t), *becomes(s, after, read=lambda r: Or(r == t, s.read(r))))


def take(s: Shares, after: Shares) -> tuple[Term, ...]:
    """Somebody carries a grant to a region, and it takes it."""
    mine = has_unit(t)
    return (
        And(works(s, x), s.read(t)),
        said("it is its own", guards.is_ones_own(called(to(t)), called(x))),
        said("it has not taken it", guards.may_take(s.times(x, t))),
        *becomes(
            s,
            after,
            has=lambda r: Or(And(r == x, mine), s.has(r)),
            free=lambda r: If(r == x, s.free(r) + size(t), s.free(r)),
            times=lambda r, grant: If(And(r == x, grant == t), s.times(r, grant) + 1, s.times(r, grant)),
            kind=lambda: If(mine, FREE, s.kind),
            holder=lambda: If(mine, x, s.holder),
            all_free=lambda: s.all_free + size(t),
            all_on_the_way=lambda: s.all_on_the_way - size(t),
        ),
    )


def stop(s: Shares, after: Shares) -> tuple[Term, ...]:
    """A region's store sells, gives and takes nothing any more, whoever asks."""
    return becomes(s, after, stopped=lambda r: Or(r == x, s.stopped(r)))


def fence(s: Shares, after: Shares) -> tuple[Term, ...]:
    """What a region that was stopped has left is nobody's, once its log was read to the end."""
    return (And(s.stopped(x), s.stocked(x), Not(s.fenced(x))), *declared_out(s, after))


def declared_out(s: Shares, after: Shares) -> tuple[Term, ...]:
    return becomes(
        s,
        after,
        fenced=lambda r: Or(r == x, s.fenced(r)),
        nobodys=lambda: Or(s.nobodys, s.has(x)),
        kind=lambda: If(s.has(x), NOBODYS, s.kind),
        all_free=lambda: s.all_free - s.free(x),
        all_nobodys=lambda: s.all_nobodys + s.free(x),
    )


def give_up(s: Shares, after: Shares) -> tuple[Term, ...]:
    """What is on its way to a region that was fenced out is nobody's, too."""
    mine = has_unit(t)
    return (
        And(is_on_the_way(s, t), s.read(t), s.fenced(to(t))),
        *becomes(
            s,
            after,
            given_up=lambda r: Or(r == t, s.given_up(r)),
            nobodys=lambda: Or(s.nobodys, mine),
            kind=lambda: If(mine, NOBODYS, s.kind),
            all_on_the_way=lambda: s.all_on_the_way - size(t),
            all_nobodys=lambda: s.all_nobodys + size(t),
        ),
    )


def reissue(s: Shares, after: Shares) -> tuple[Term, ...]:
    """The arbiter records that what is nobody's is for a region to take."""
    mine = has_unit(t)
    return (
        And(Not(s.made(t)), by_arbiter(t), Implies(mine, s.nobodys)),
        said("reissues are numbered without gaps", guards.follows_in_log(number(t), s.reissued)),
        said("so many are nobody's", guards.may_give(size(t), s.all_nobodys)),
        *becomes(
            s,
            after,
            made=lambda r: Or(r == t, s.made(r)),
            read=lambda r: Or(r == t, s.read(r)),
            nobodys=lambda: And(s.nobodys, Not(mine)),
            reissued=lambda: number(t),
            kind=lambda: If(mine, ON_THE_WAY, s.kind),
            carrier=lambda: If(mine, t, s.carrier),
            all_on_the_way=lambda: s.all_on_the_way + size(t),
            all_nobodys=lambda: s.all_nobodys - size(t),
        ),
    )


def small_world() -> tuple[Term, ...]:
    """Two regions, two grants, two requests: for witnesses only."""
    members = ((Consts("g0 g1", Region), g), (Consts("t0 t1", Grant), v), (Consts("r0 r1", Request), q))
    return tuple(
        term for some, of in members for term in (Distinct(*some), ForAll(of, Or(*(of == member for member in some))))
    )


@obligation
def a_share_changes_hands_one_way_only() -> Argument:
    """A region sells the first unit that it has, gives some and keeps what is not less than nothing, and takes what is
    for it and was not taken; all of that it may."""
    wanted, left, taken, mine, theirs = Ints("wanted left taken mine theirs")
    possible = And(wanted >= 1, left - wanted >= 0)
    same = And(mine >= theirs, mine <= theirs)
    return Argument(
        (
            Case("gives", (), guards.may_give(wanted, left) == possible),
            Case("sells", (), guards.is_next_to_sell(mine, theirs) == same),
            Case("is its own", (), guards.is_ones_own(mine, theirs) == same),
            Case("takes", (), guards.may_take(taken) == And(taken >= 0, taken + 1 <= 1)),
        ),
        witness=(guards.may_give(wanted, left), guards.may_take(taken), guards.is_ones_own(mine, theirs)),
        beyond=(wanted == left + 1, Not(guards.may_give(wanted, left)), taken == 1, Not(guards.may_take(taken))),
    )


STEPS: Final = {
    "set up": set_up,
    "sell": sell,
    "give": give,
    "read": read,
    "take": take,
    "stop": stop,
    "fence": fence,
    "give up": give_up,
    "reissue": reissue,
}
DOOR: Final = System(Shares, world, start, STEPS, small_world)


@DOOR.invariant(matters=lambda s: And(s.kind == NOBODYS, s.made(w), has_unit(w), s.times(to(w), w) == 1))
def a_unit_is_in_one_place_always(s: Shares) -> Term:
    """At every moment a unit is in one place and in no other: free in one region that can sell it, sold to one request,
    on its way in one grant, nobody's, or of a share that was not set up yet."""
    return And(
        And(s.kind >= UNSET, s.kind <= NOBODYS),
        (s.kind == UNSET) == Not(s.stocked(share)),
        ForAll(g, And(s.has(g), Not(s.fenced(g))) == And(s.kind == FREE, s.holder == g)),
        ForAll(q, And(s.logged(q), s.got(q) == unit) == And(s.kind == SOLD, s.owner == q)),
        ForAll(v, And(is_on_the_way(s, v), has_unit(v)) == And(s.kind == ON_THE_WAY, s.carrier == v)),
        s.nobodys == (s.kind == NOBODYS),
    )


@DOOR.invariant(matters=lambda s: And(s.all_sold == 1, s.all_on_the_way == 1, s.all_nobodys == 1, s.all_free == 1))
def free_and_sold_and_on_the_way_add_up_to_the_stock(s: Shares) -> Term:
    """What is free, sold, on its way, nobody's and not set up yet is the stock, and nothing is less than nothing."""
    total = s.all_unset + s.all_free + s.all_sold + s.all_on_the_way + s.all_nobodys
    grants_hold_something = ForAll(v, Implies(s.made(v), size(v) >= 1))
    return And(total == stock, ForAll(g, s.free(g) >= 0), s.all_nobodys >= 0, grants_hold_something)


@DOOR.invariant(matters=lambda s: And(s.times(x, t) == 1, s.read(w), s.times(to(w), w) == 0, w != t))
def a_grant_is_taken_at_most_once_and_only_by_whom_it_is_for(s: Shares) -> Term:
    """Whoever carries a grant, and how often: its recipient takes it once, and nobody else takes it."""
    taken = Implies(s.times(g, v) != 0, And(s.times(g, v) == 1, g == to(v), s.made(v)))
    given_up = Implies(s.given_up(v), And(s.made(v), s.times(to(v), v) == 0, s.fenced(to(v))))
    return And(ForAll([g, v], taken), ForAll(v, And(given_up, Implies(s.read(v), s.made(v)))))


@DOOR.invariant(matters=lambda s: And(s.made(t), s.made(w), donor(t) == donor(w), t != w, Not(by_arbiter(t))))
def a_number_names_one_grant(s: Shares) -> Term:
    """No two grants of one region have the same number, nor two that the arbiter reissued, and none is for its donor:
    so a region that keeps numbers knows grants."""
    last = If(by_arbiter(v), s.reissued, s.given(donor(v)))
    fits = And(number(v) >= 1, number(v) <= last, Or(by_arbiter(v), to(v) != donor(v)))
    numbered = ForAll(v, Implies(s.made(v), fits))
    of_one = Or(And(by_arbiter(u), by_arbiter(v)), And(Not(by_arbiter(u)), Not(by_arbiter(v)), donor(u) == donor(v)))
    once = ForAll([u, v], Implies(And(s.made(u), s.made(v), of_one, number(u) == number(v)), u == v))
    return And(s.reissued >= 0, ForAll(g, s.given(g) >= 0), numbered, once)


@DOOR.invariant(matters=lambda s: And(s.fenced(x), s.has(x)))
def whoever_is_fenced_out_was_stopped(s: Shares) -> Term:
    """A region that was fenced out sells, gives and takes nothing any more, although its store may be full."""
    return ForAll(g, And(Implies(s.fenced(g), And(s.stopped(g), s.stocked(g))), Implies(s.has(g), s.stocked(g))))


@obligation
def nobody_gets_a_unit_that_somebody_got() -> Argument:
    """No unit is sold twice, in whatever regions, whatever was given, taken and reissued meanwhile."""
    s = DOOR.before
    both = (s.logged(one), s.logged(another), s.got(one) == unit, s.got(another) == unit)
    return DOOR.always(both, one == another, s.all_sold == 1)


@obligation
def what_a_buyer_got_at_the_door_stays() -> Argument:
    """Who was told that a unit is theirs keeps it: no step takes an entry out of a log, or gives it another unit."""
    s, after = DOOR.before, DOOR.after
    stays = Implies(s.logged(one), And(after.logged(one), after.got(one) == s.got(one)))
    return DOOR.each_step((), stays, And(s.logged(one), s.kind == SOLD))


@obligation
def a_region_that_was_not_fenced_out_keeps_its_share() -> Argument:
    """A unit of a region that is silent, slow or away is never another's: the arbiter reissues nothing of it."""
    s, after = DOOR.before, DOOR.after
    reissued = (*DOOR.holding(), *reissue(s, after), s.has(y), Not(s.fenced(y)))
    return Argument(
        (
            Case("not reissued", reissued, Not(has_unit(t))),
            Case("not nobody's", (*DOOR.holding(), s.has(y), Not(s.fenced(y))), Not(s.nobodys)),
            Case("cannot be sold", (*DOOR.holding(), *fence(s, after)), Not(has_first(after))),
        ),
        witness=reissued,
        beyond=(*DOOR.holding(), s.has(x), *declared_out(s, after), has_first(after), first == unit, after.nobodys),
        small=small_world(),
    )


@obligation
def a_repeat_changes_nothing_at_a_store() -> Argument:
    """Whatever a store did, and the reply was lost: asked for again, it is not done again."""
    s, after, again = DOOR.before, DOOR.after, Shares("@again")
    same_number = And(donor(w) == donor(t), Not(by_arbiter(w)), number(w) == number(t))
    return Argument(
        (
            Case("set up", (*DOOR.holding(), *set_up(s, after)), Not(And(*set_up(after, again)))),
            Case("taken", (*DOOR.holding(), *take(s, after)), Not(And(*take(after, again)))),
            Case(
                "given",
                (*DOOR.holding(), *give(s, after), same_number),
                Not(substitute(And(*give(after, again)), (t, w))),
            ),
        ),
        witness=(*DOOR.holding(), *take(s, after)),
        small=small_world(),
    )


@obligation
def nothing_stays_on_the_way_while_its_recipient_lives() -> Argument:
    """Whatever is on its way can be taken as soon as somebody carries it to a region that works, and is nobody's once
    that region was fenced out; and then it is on its way no more."""
    s, after = DOOR.before, DOOR.after
    waits = (*DOOR.holding(), is_on_the_way(s, t), s.read(t), to(t) == x)
    takes = And(guards.is_ones_own(called(to(t)), called(x)), guards.may_take(s.times(x, t)))
    return Argument(
        (
            Case("it may be taken", waits, takes),
            Case("then it has arrived", (*waits, *take(s, after)), Not(is_on_the_way(after, t))),
            Case("or it is given up", (*waits, *give_up(s, after)), Not(is_on_the_way(after, t))),
        ),
        witness=(*waits, *take(s, after)),
        small=small_world(),
    )


@obligation
def sold_out_is_said_when_nothing_is_left_anywhere() -> Argument:
    """Once as many are sold as the stock was, nothing is free, on its way, nobody's or not set up: nobody is told too
    early that all is gone, and no unit is left over."""
    s = DOOR.before
    parts = (s.all_unset, s.all_free, s.all_on_the_way, s.all_nobodys)
    sums = said("sums of what is not less than nothing", And(*(part >= 0 for part in parts)))
    gone = (*DOOR.holding(), sums, Not(guards.in_stock(s.all_sold, stock)))
    left = (*DOOR.holding(), sums, guards.in_stock(s.all_sold, stock))
    return Argument(
        (
            Case("nothing is left", gone, And(*(part == 0 for part in parts))),
            Case("something is", left, Or(*(part > 0 for part in parts))),
        ),
        witness=(*gone, stock == 2),
        beyond=(*left, s.all_sold == stock - 1),
        small=small_world(),
    )
