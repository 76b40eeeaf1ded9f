"""Facts about places, pots and tickets, for all integers. No state, no steps: one guard or two at a time.

The letters: a, b, c, d are places in time, W is the tie window, ε the skew bound. These are the lemmas that a reader
can check by hand; `promises.py` says what they add up to over a whole sale.
"""

from z3 import And, Int, Ints, Not, Or

from proofs.obligations import Argument, Case, Term, guards, obligation

a, b, c, d = Ints("a b c d")
window, skew, opens, closes = Ints("window skew opens closes")
frontier, mark, stamp, other_stamp = Ints("frontier mark stamp other_stamp")
EARLIEST_OPENING = opens <= a


def stamped(name: str) -> tuple[Term, Term, Term]:
    """A stamp, the true arrival, and that the one is true to a bound that the sale accepts."""
    this_stamp, true, bound = Ints(f"{name}_stamp {name}_true {name}_bound")
    honest = And(true - bound <= this_stamp, this_stamp <= true + bound)
    return this_stamp, true, And(honest, guards.bound_holds(bound, skew))


@obligation
def a_place_is_the_later_of_stamp_and_opening() -> Argument:
    """A place is the stamp, or the opening for who came before it."""
    place = guards.place_ns(stamp, opens)
    claim = And(place >= stamp, place >= opens, Or(place == stamp, place == opens))
    return Argument((Case("always", (), claim),), witness=(stamp < opens,))


@obligation
def places_keep_the_order_and_the_error_of_stamps() -> Argument:
    """A later stamp never gives an earlier place, and two places are no further apart than their stamps."""
    place, other = guards.place_ns(stamp, opens), guards.place_ns(other_stamp, opens)
    claim = And(place <= other, other - place <= other_stamp - stamp)
    later = stamp <= other_stamp
    return Argument((Case("always", (later,), claim),), witness=(stamp < opens, opens < other_stamp))


@obligation
def certainly_before_is_a_strict_partial_order() -> Argument:
    """Nobody came certainly before himself, and certainly before carries over."""
    before = guards.certainly_before
    ab, bc, ac = before(a, b, window), before(b, c, window), before(a, c, window)
    return Argument(
        (
            Case("irreflexive", (window >= 0,), Not(before(a, a, window))),
            Case("asymmetric", (window >= 0, ab), Not(before(b, a, window))),
            Case("transitive", (window >= 0, ab, bc), ac),
        ),
        witness=(window > 0, ab, bc, Not(before(a, d, window)), Not(before(d, a, window))),
        beyond=(window == -1, before(a, a, window)),
    )


@obligation
def certainly_before_is_a_semiorder() -> Argument:
    """Of two certain pairs one also orders their ends crosswise, and no one is tied with all of a chain of three."""
    before = guards.certainly_before
    ab, bc, cd = before(a, b, window), before(b, c, window), before(c, d, window)
    return Argument(
        (
            Case("two and two", (window >= 0, ab, cd), Or(before(a, d, window), before(c, b, window))),
            Case("three and one", (window >= 0, ab, bc), Or(before(a, d, window), before(d, c, window))),
        ),
        witness=(window > 0, ab, bc, Not(before(a, d, window)), before(d, c, window)),
    )


@obligation
def certainly_before_is_true() -> Argument:
    """Who came certainly before truly came before; with a window below 2ε clock error alone could decide."""
    (x, x_true, x_good), (y, y_true, y_good) = stamped("x"), stamped("y")
    before = guards.certainly_before(guards.place_ns(x, opens), guards.place_ns(y, opens), window)
    world = (x_good, y_good, before)
    return Argument(
        (
            Case("always", (guards.window_covers_clocks(window, skew), *world), x_true < y_true),
            Case("any wider window will do", (window >= 2 * skew,), guards.window_covers_clocks(window, skew)),
        ),
        witness=(guards.window_covers_clocks(window, skew), *world, skew > 0, window == 2 * skew),
        beyond=(*world, skew > 0, window == 2 * skew - 1, x_true >= y_true),
    )


@obligation
def a_true_lead_of_more_than_the_window_and_both_errors_is_certain() -> Argument:
    """Who truly came more than W + 2ε first came certainly before; at W + 2ε exactly a ticket can still decide."""
    (x, x_true, x_good), (y, y_true, y_good) = stamped("x"), stamped("y")
    x_place, y_place = guards.place_ns(x, opens), guards.place_ns(y, opens)
    x_true_place, y_true_place = guards.place_ns(x_true, opens), guards.place_ns(y_true, opens)
    terms = (guards.window_covers_clocks(window, skew), x_good, y_good)
    lead = guards.certainly_before(x_true_place, y_true_place, window + 2 * skew)
    return Argument(
        (Case("always", (*terms, lead), guards.certainly_before(x_place, y_place, window)),),
        witness=(*terms, lead, skew > 0, x_true < opens),
        beyond=(
            *terms,
            skew > 0,
            x_true_place + window + 2 * skew == y_true_place,
            guards.in_pot(y_place, x_place, window),
        ),
    )


@obligation
def the_pot_is_who_could_still_have_been_first() -> Argument:
    """Somebody is in the pot exactly if the earliest did not come certainly before."""
    member, beaten = guards.in_pot(b, a, window), guards.certainly_before(a, b, window)
    return Argument(
        (Case("member", (member,), Not(beaten)), Case("not a member", (Not(member),), beaten)),
        witness=(member, window > 0, b == a + window),
    )


@obligation
def nobody_can_join_a_complete_pot() -> Argument:
    """Whoever may still be logged once a pot is complete is not in it and does not come before its earliest."""
    last = guards.last_stamp_ns(closes, skew)
    place = guards.place_ns(stamp, opens)
    complete = guards.pot_is_complete(a, window, frontier, last)
    admitted = And(guards.may_follow(stamp, mark), Not(guards.certainly_late(stamp, skew, closes)))
    assumptions = (window >= 0, complete, frontier <= mark, admitted)
    return Argument(
        (
            Case("not in it", assumptions, Not(guards.in_pot(place, a, window))),
            Case("not before it", assumptions, a < place),
        ),
        witness=(*assumptions, window > 0, stamp == a + window + 1),
        beyond=(window >= 0, frontier == a + window, frontier <= mark, admitted, guards.in_pot(place, a, window)),
    )


@obligation
def a_pot_is_not_waited_for_longer_than_it_must() -> Argument:
    """While a pot is not complete, an entry that may still be logged could join it: the one stamped at the frontier."""
    last = guards.last_stamp_ns(closes, skew)
    incomplete = Not(guards.pot_is_complete(a, window, frontier, last))
    newcomer = And(
        guards.may_follow(frontier, frontier),
        Not(guards.certainly_late(frontier, skew, closes)),
        guards.in_pot(guards.place_ns(frontier, opens), a, window),
    )
    assumptions = (EARLIEST_OPENING, window >= 0, incomplete)
    return Argument(
        (Case("always", assumptions, newcomer),), witness=(*assumptions, frontier == last, frontier == a + window)
    )


@obligation
def everyone_is_heard_exactly_when_nobody_in_time_can_follow() -> Argument:
    """Past the greatest stamp that may be logged nobody can follow, and until then somebody can."""
    last = guards.last_stamp_ns(closes, skew)
    heard = guards.everyone_is_heard(frontier, last)
    follows = And(frontier <= mark, guards.may_follow(stamp, mark))
    last_may = And(guards.may_follow(last, frontier), Not(guards.certainly_late(last, skew, closes)))
    return Argument(
        (
            Case("heard", (heard, follows), guards.certainly_late(stamp, skew, closes)),
            Case("not heard", (Not(heard),), last_may),
        ),
        witness=(heard, follows, frontier == last + 1),
        beyond=(frontier == last, follows, Not(guards.certainly_late(stamp, skew, closes))),
    )


def _orders_pairs(precedes: Term) -> tuple[Case, ...]:
    """The lexicographic order of (first, second): the only one with these five properties."""
    first, second, third = (Ints(f"{pair}_first {pair}_second") for pair in "xyz")
    return (
        Case("irreflexive", (), Not(precedes(*first, *first))),
        Case("transitive", (precedes(*first, *second), precedes(*second, *third)), precedes(*first, *third)),
        Case(
            "total",
            (Or(first[0] != second[0], first[1] != second[1]),),
            precedes(*first, *second) | precedes(*second, *first),
        ),
        Case("the first decides", (first[0] < second[0],), precedes(*first, *second)),
        Case("then the second", (first[0] == second[0], first[1] < second[1]), precedes(*first, *second)),
    )


@obligation
def tickets_are_drawn_in_one_order() -> Argument:
    """Of any two requests one is served before the other: the lower ticket, then the lower request id."""
    return Argument(_orders_pairs(guards.serves_before), witness=(guards.serves_before(a, b, a, c),))


@obligation
def a_buyer_has_one_least_entry() -> Argument:
    """Of a buyer's entries one is the lesser: the lower stamp, then the lower request id. Its place is not later."""
    lesser = guards.is_lesser_entry(stamp, a, other_stamp, b)
    claim = guards.place_ns(stamp, opens) <= guards.place_ns(other_stamp, opens)
    return Argument(
        (*_orders_pairs(guards.is_lesser_entry), Case("not a later place", (lesser,), claim)),
        witness=(lesser, stamp == other_stamp),
    )


@obligation
def units_are_sold_up_to_the_stock_and_no_further() -> Argument:
    """While a unit is left the next one has a number below the stock, and when none is left all of it is sold."""
    sold, stock = Int("sold"), Int("stock")
    left, sane = guards.in_stock(sold, stock), And(sold >= 0, sold <= stock)
    return Argument(
        (Case("left", (sane, left), sold < stock), Case("none left", (sane, Not(left)), sold == stock)),
        witness=(sane, left, sold == stock - 1),
    )
