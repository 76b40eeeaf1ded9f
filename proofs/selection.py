"""Many sources, some of which lie: what enough of them agree on contains the truth. All by `model/clock.py`.

For one to seven sources, each an interval that can be any, and for any number that must agree. The argument has links
that a solver answers at once, where the whole for seven sources takes it minutes. Let enough intervals hold a point. Of
those, one starts next to it (of finitely many starts one is the last), and that start lies in all of them; so it lies
in enough; and the function, whatever `lies_in_enough` answers it, finds none later than a start that lies in enough. So
what it finds is not after the point. For up to three sources the whole is asked, too.
Next: `clocks.py`, for the intervals; `tracks.py`, for many sources' polygons.
"""

from collections.abc import Callable, Iterator
from functools import partial, reduce
from operator import add, attrgetter, ge, is_, le
from typing import Any, Final, TypeAlias

from z3 import And, Bool, If, Implies, Not, Or

from model.clock import Interval
from proofs.clocks import within
from proofs.lift import lift, unforked
from proofs.obligations import Argument, Case, Term, clock, obligation
from proofs.symbolic import Number, Truth, numbers, term

MOST_SOURCES: Final = 7
Order: TypeAlias = Callable[[Term, Term], Term]
"""Of two ends, whether the first is no further inward than the second."""

truth, point, agreeing = numbers("truth point agreeing")
sources = numbers("sources")[0]


def said_by(count: int) -> list[Interval]:
    """What so many sources say: each any interval."""
    ends = [numbers(f"low{i} high{i}") for i in range(1, count + 1)]
    return [Interval(low, high) for low, high in ends]  # type: ignore[arg-type]  # numbers that can be any


def not_empty(said: list[Interval]) -> tuple[Term, ...]:
    return tuple(term(each.earliest_ns) <= term(each.latest_ns) for each in said)


def agree_on(said: list[Interval], point: Term) -> Term:
    """How many contain a point."""
    return reduce(add, (If(within(each, point), 1, 0) for each in said))


def every_count() -> Iterator[list[Interval]]:
    return map(said_by, range(1, MOST_SOURCES + 1))


def outermost(function: Callable[..., Any], ends: Callable[[Interval], Number], inward: Order) -> tuple[Case, ...]:
    """That the outermost of the ends that lie in enough intervals is found, whichever those are."""
    cases: list[Case] = []
    for said in every_count():
        enough = {id(ends(each)): Bool(f"enough{i}") for i, each in enumerate(said, 1)}

        def whichever(_: object, point: Number, __: object, enough: dict[int, Term] = enough) -> Truth:
            return Truth(enough[id(point)])

        def claim(found: object, said: list[Interval] = said, enough: dict[int, Term] = enough) -> Term:
            these = [(enough[id(ends(each))], term(ends(each))) for each in said]
            if found is None:
                return Not(Or(*(one for one, _ in these)))
            none_beyond = And(*(Implies(one, inward(term(found), end)) for one, end in these))
            return And(none_beyond, Or(*(And(one, term(found) == end) for one, end in these)))

        shipped = unforked(function, lies_in_enough=whichever)
        ways = lift(lambda said=said, shipped=shipped: shipped(said, agreeing), prune=False)  # type: ignore[misc]
        cases += ways.grouped(f"{len(said)} sources", claim)
    return tuple(cases)


def innermost(ends: Callable[[Interval], Number], inward: Order) -> tuple[Case, ...]:
    """Of the intervals with a point, one has its end next to it; and that end lies in all of them."""
    cases = []
    one, other = said_by(2)
    here = [within(each, term(truth)) for each in (one, other)]
    next_to_it = inward(term(ends(other)), term(ends(one)))
    shared = within(other, term(ends(one)))
    cases.append(Case("the end next to it is shared", (*here, next_to_it), shared))
    for said in every_count():
        these = [(within(each, term(truth)), term(ends(each))) for each in said]
        some = Or(*(one for one, _ in these))
        found = [And(one, *(Implies(also, inward(it, end)) for also, it in these)) for one, end in these]
        cases.append(Case(f"{len(said)} sources, there is one", (some,), Or(*found)))
    return tuple(cases)


@obligation
def a_point_lies_in_enough_where_all_do_that_have_another() -> Argument:
    """A point lies in enough of one to seven intervals if that many hold it, or all that hold a point that does."""
    cases = []
    for said in every_count():
        enough = term(clock.lies_in_enough(said, point, agreeing))
        counted = agree_on(said, term(point)) >= term(agreeing)
        carried = [Implies(within(each, term(truth)), within(each, term(point))) for each in said]
        also = (agree_on(said, term(truth)) >= term(agreeing), *carried)
        cases += [Case(f"{len(said)} sources, counted", (), enough == counted)]
        cases += [Case(f"{len(said)} sources, carried over", also, enough)]
    three = said_by(3)
    some = (agree_on(three, term(truth)) == 2, Not(within(three[2], term(truth))), within(three[2], term(point)))
    carried = [Implies(within(each, term(truth)), within(each, term(point))) for each in three]
    return Argument(
        tuple(cases),
        witness=(*not_empty(three), *some, *carried, term(agreeing) == 3),
        beyond=(agree_on(three, term(truth)) == 2, *carried, Not(term(clock.lies_in_enough(three, point, 3)))),
    )


@obligation
def the_first_point_that_enough_agree_on_is_found() -> Argument:
    """Of one to seven sources, no point that enough of them contain comes before the first one found."""
    start = attrgetter("earliest_ns")
    cases = (*outermost(clock.earliest_agreed_ns, start, le), *innermost(start, le))
    three = said_by(3)
    witness = (*not_empty(three), agree_on(three, term(truth)) >= 2, term(agreeing) == 2)
    return Argument(cases, (*witness, agree_on(three, term(three[0].earliest_ns)) == 1))


@obligation
def the_last_point_that_enough_agree_on_is_found() -> Argument:
    """Of one to seven sources, no point that enough of them contain comes after the last one found."""
    end = attrgetter("latest_ns")
    cases = (*outermost(clock.latest_agreed_ns, end, ge), *innermost(end, ge))
    three = said_by(3)
    witness = (*not_empty(three), agree_on(three, term(truth)) >= 2, term(agreeing) == 2)
    return Argument(cases, (*witness, agree_on(three, term(three[0].latest_ns)) == 1))


@obligation
def liars_are_fewer_than_those_who_agree() -> Argument:
    """As many liars are tolerated as leave the truth a majority, and one more would not."""
    liars = term(clock.tolerated_liars(sources))
    some = term(sources) >= 1
    return Argument(
        (
            Case("a majority", (some,), 2 * liars < term(sources)),
            Case("none below zero", (some,), liars >= 0),
            Case("one more is too many", (some,), 2 * (liars + 1) >= term(sources)),
        ),
        witness=(term(sources) == 3, liars == 1),
        beyond=(some, 2 * (liars + 1) == term(sources)),
    )


def whole(found: Any) -> Interval | None:
    """What was found, if it has two ends."""
    ends = found is not None and (found.earliest_ns, found.latest_ns)
    return found if ends and all(isinstance(end, Number) for end in ends) else None


@obligation
def a_hull_goes_from_the_first_point_to_the_last() -> Argument:
    """A hull goes from the first point found to the last, whatever those are, and is none where one was not found."""
    first, last = numbers("first last")
    cases: list[Case] = []
    for start, end in ((None, None), (None, last), (first, None), (first, last)):
        said = f"{'nothing' if start is None else 'first'} to {'nothing' if end is None else 'last'}"
        shipped = unforked(
            clock.hull, earliest_agreed_ns=lambda *_, start=start: start, latest_agreed_ns=lambda *_, end=end: end
        )
        found = shipped((), agreeing)
        ends = None if found is None else (found.earliest_ns, found.latest_ns)
        wanted = None if start is None or end is None else (start, end)
        right = ends is wanted or (ends is not None and wanted is not None and all(map(is_, ends, wanted)))
        cases.append(Case(said, (), term(right)))
    return Argument(tuple(cases), witness=(term(first) < term(last),))


@obligation
def what_enough_sources_agree_on_contains_the_truth() -> Argument:
    """However few tolerated liars exclude it, the hull contains the truth; the largest overlap may not."""
    three = said_by(3)
    cases: list[Case] = []
    for count in (1, 2, 3):
        said = said_by(count)
        liars = clock.tolerated_liars(count)
        honest = (*not_empty(said), agree_on(said, term(truth)) >= count - liars)
        shipped = unforked(clock.hull)
        ways = lift(partial(shipped, said, count - liars), honest, prune=False)
        cases += ways.grouped(f"{count} sources", lambda found: within(whole(found), term(truth)))
    honest = (*not_empty(three), agree_on(three, term(truth)) >= 2)
    all_of_them = lift(lambda: clock.hull(three, 3), honest)
    return Argument(
        tuple(cases),
        witness=(*honest, Not(within(three[2], term(truth)))),
        beyond=(*honest, all_of_them.possible(lambda found: found is not None and Not(within(found, term(truth))))),
    )
