"""What one clock knows: exchanges, drift, stamps, and two clocks that contradict each other. All by `model/clock.py`.

Readings and what servers say are integers. The truth need not be one: UTC − RAW at a reading is a real number here, and
so is the moment when a request arrived. What is assumed of an oscillator is what `clock.py` states: between any two
readings its offset moves by at most the drift times the time between them. Products of a drift and a time stay one
unknown each, so the questions are linear in them, and both solvers answer at once.

What no solver is asked: that a rate within `rate_bound` of a line's, wandering by w a second, leaves that line by at
most rate_bound·t + w·t²/2. That is an integral, and the assumption `wandering`.
Next: `selection.py` (many sources), `polygons.py` and `tracks.py` (offset and frequency).
"""

from typing import Final

from z3 import And, If, Int, Not, Or, Reals

from model.clock import PPB, Interval
from proofs.lift import lift
from proofs.obligations import Argument, Case, Term, clock, guards, obligation
from proofs.symbolic import numbers, term

sent, server_received, server_sent, received, reading = (t1, t2, t3, t4, c) = numbers("t1 t2 t3 t4 c")
distance, elapsed, longer, drift, most_drift = numbers("distance elapsed longer drift most_drift")
low, high, other_low, other_high, point, by = numbers("low high other_low other_high point by")
as_of, offset, bound, rate, rate_bound, wander = numbers("as_of offset bound rate rate_bound wander")
uncertainty = numbers("uncertainty")[0]
truth, truth_later = Reals("truth truth_later")

KNOWN, OTHER = Interval(low, high), Interval(other_low, other_high)  # type: ignore[arg-type]  # numbers that can be any
NOT_EMPTY: Final = (term(low) <= term(high), term(other_low) <= term(other_high))
SOME_DRIFT: Final = term(drift) == 50_000
"""What makes products linear while witnesses are sought: 50 ppm."""


def within(interval: Interval | None, value: Term) -> Term:
    """That an interval contains a value, real or integer; an empty one contains none."""
    if interval is None:
        return term(False)
    return And(term(interval.earliest_ns) <= value, value <= term(interval.latest_ns))


def drifted(one: Term, other: Term, time: object) -> Term:
    """That the offset moved between two readings by at most the drift: `time` ≥ 0 between them."""
    most = term(time) * term(drift)
    return And(PPB * (other - one) <= most, PPB * (one - other) <= most)


def magnitude(value: Term) -> Term:
    return If(value >= 0, value, -value)


@obligation
def growth_is_the_drift_rounded_up() -> Argument:
    """Growth is what the drift makes of the time that passed, either way in time, rounded up by less than one."""
    grown = term(clock.growth_ns(elapsed, drift))
    exact = magnitude(term(elapsed)) * term(drift)
    return Argument(
        (
            Case("never too small", (), PPB * grown >= exact),
            Case("by less than one", (), PPB * (grown - 1) < exact),
        ),
        witness=(SOME_DRIFT, term(elapsed) == -1, grown == 1),
        beyond=(SOME_DRIFT, PPB * (grown - 1) < exact, grown > 0),
    )


@obligation
def growth_adds_up() -> Argument:
    """What is grown step by step is at least what is grown at once, and never less for a longer time."""
    first, second = term(clock.growth_ns(elapsed, drift)), term(clock.growth_ns(longer, drift))
    together = term(clock.growth_ns(elapsed + longer, drift))
    onward = (term(elapsed) >= 0, term(longer) >= 0, term(drift) >= 0)
    product = term(longer) * term(drift) >= 0
    return Argument(
        (
            Case("a product of what is not negative", onward, product),
            Case("in steps", (*onward, product), first + second >= together),
            Case("longer", (*onward, product), together >= first),
            Case("not below zero", (*onward, product), second >= 0),
        ),
        witness=(*onward, product, SOME_DRIFT, first + second > together),
        beyond=(*onward, product, SOME_DRIFT, first + second - 1 < together),
    )


@obligation
def what_was_within_an_interval_is_within_the_grown_one() -> Argument:
    """An interval that contains the truth contains it after a while when grown by the drift; by one less it may not."""
    grown = clock.grow(KNOWN, elapsed, drift)
    less = clock.widen(KNOWN, clock.growth_ns(elapsed, drift) - 1)
    world = (within(KNOWN, truth), drifted(truth, truth_later, abs(elapsed)))
    return Argument(
        (Case("always", world, within(grown, truth_later)),),
        witness=(*world, SOME_DRIFT, term(elapsed) < 0, truth_later > term(high)),
        beyond=(*world, SOME_DRIFT, term(elapsed) > 0, Not(within(less, truth_later))),
    )


@obligation
def a_widened_interval_is_all_that_lies_near_it() -> Argument:
    """A point is in a widened interval exactly if a point of the interval is no further from it than that."""
    wide = clock.widen(KNOWN, by)
    p, near = term(point), Int("near")
    close = And(near - p <= term(by), p - near <= term(by))
    nearest = If(p < term(low), term(low), If(p > term(high), term(high), p))
    on_one_side = And(nearest - p <= term(by), p - nearest <= term(by))
    world = (NOT_EMPTY[0], term(by) >= 0)
    return Argument(
        (
            Case("near", (*world, within(KNOWN, near), close), term(clock.contains(wide, point))),
            Case("nothing else", (*world, term(clock.contains(wide, point))), on_one_side),
        ),
        witness=(*world, within(KNOWN, near), close, p < term(low)),
        beyond=(*world, within(KNOWN, near), p == near - term(by) - 1, Not(within(wide, p))),
    )


@obligation
def an_interval_lies_between_its_ends() -> Argument:
    """There is an interval between two ends exactly if they are in order, and it contains what lies between them."""
    between = And(term(low) <= term(point), term(point) <= term(high))

    def claim(found: Interval | None) -> Term:
        if found is None:
            return Not(term(low) <= term(high))
        ends = And(term(found.earliest_ns) == term(low), term(found.latest_ns) == term(high))
        return And(NOT_EMPTY[0], ends, term(clock.contains(found, point)) == between)

    made = lift(lambda: clock.interval(low, high))
    return Argument(made.cases("either way", claim), witness=(between, term(low) < term(high)))


@obligation
def an_intersection_is_what_both_contain() -> Argument:
    """A point is in both intervals exactly if it is in their intersection; none means that they share no point."""
    both = And(term(clock.contains(KNOWN, point)), term(clock.contains(OTHER, point)))
    common = lift(lambda: clock.intersect(KNOWN, OTHER), NOT_EMPTY)
    return Argument(
        common.grouped("either way", lambda found: within(found, term(point)) == both),
        witness=(*NOT_EMPTY, both, term(low) < term(other_low), term(high) < term(other_high)),
    )


@obligation
def an_update_that_empties_what_was_known_condemns_one_of_the_two() -> Argument:
    """What was known, grown until now, and a new interval always share the truth if both contain it."""
    world = (within(KNOWN, truth), drifted(truth, truth_later, abs(elapsed)), within(OTHER, truth_later))
    updated = lift(lambda: clock.intersect(clock.grow(KNOWN, elapsed, drift), OTHER), world)
    less = lift(lambda: clock.intersect(clock.widen(KNOWN, clock.growth_ns(elapsed, drift) - 1), OTHER), NOT_EMPTY)
    return Argument(
        updated.grouped("always", lambda found: within(found, truth_later)),
        witness=(*world, SOME_DRIFT, term(elapsed) > 0, term(high) < term(other_low)),
        beyond=(*world, SOME_DRIFT, less.possible(lambda found: found is None)),
    )


def exchange() -> tuple[tuple[Term, ...], Term, Term]:
    """A true exchange and its truth at t1 and at t4: causality, the server's distance, and the drift until t4.

    `request`, `reply` are the true moments (UTC) at which the server received and sent; t1 + o1 that of sending.
    """
    at_sending, at_receiving, request, reply = Reals("offset_at_t1 offset_at_t4 request reply")
    order = (term(t1) <= term(t4), term(t1) + at_sending <= request, reply <= term(t4) + at_receiving)
    server = (
        And(term(t2) - term(distance) <= request, request <= term(t2) + term(distance)),
        And(term(t3) - term(distance) <= reply, reply <= term(t3) + term(distance)),
    )
    return (*order, *server, drifted(at_sending, at_receiving, t4 - t1)), at_sending, at_receiving


def offset_by_exchange() -> Interval | None:
    found: Interval | None = clock.exchange_offset(
        sent_raw_ns=t1,
        server_received_ns=t2,
        server_sent_ns=t3,
        received_raw_ns=t4,
        distance_ns=distance,
        reading_raw_ns=c,
        drift_ppb=drift,
    )
    return found


@obligation
def an_exchange_contains_the_truth_at_every_later_reading() -> Argument:
    """Grown from the sending, an exchange's interval contains the truth at every c ≥ t4; grown from t4 it need not."""
    heard, at_sending, at_receiving = exchange()
    later = (term(t4) <= term(c), drifted(at_receiving, truth, c - t4), drifted(at_sending, truth, c - t1))
    grown = lift(offset_by_exchange, (*heard, *later))
    too_low = term(clock.latest_offset_ns(t2, t1, distance, clock.growth_ns(c - t4, drift)))
    return Argument(
        grown.cases("always", lambda found: within(found, truth)),
        witness=(*heard, *later, SOME_DRIFT, term(t4) < term(c), term(t3) < term(t2) + 1000, truth > 10**18),
        beyond=(*heard, *later, SOME_DRIFT, term(t1) < term(t4), truth > too_low),
    )


@obligation
def an_exchange_leaves_something_possible_from_the_reply_on() -> Argument:
    """A true exchange is never empty at a reading c ≥ t4; for one before t4 it can be."""
    heard, _, _ = exchange()
    before = And(term(t1) <= term(c), term(c) < term(t4))
    longer_ago = term(t4) * term(drift) <= term(c) * term(drift)
    there = lift(offset_by_exchange, (*heard, term(t4) <= term(c), longer_ago))
    early = lift(offset_by_exchange)
    return Argument(
        there.cases("from t4 on", lambda found: term(found is not None)),
        witness=(*heard, SOME_DRIFT, term(t4) == term(c), longer_ago, term(t1) < term(t4)),
        beyond=(*heard, before, SOME_DRIFT, early.possible(lambda found: found is None)),
    )


@obligation
def only_drift_makes_growing_needed() -> Argument:
    """Without drift an exchange need not grow to hold a true exchange's truth; with drift it can even be empty."""
    heard, at_sending, at_receiving = exchange()
    ends = term(clock.earliest_offset_ns(t3, t4, distance, 0)), term(clock.latest_offset_ns(t2, t1, distance, 0))
    steady = (*heard, at_sending == at_receiving)
    return Argument(
        (Case("steady", steady, And(ends[0] <= at_sending, at_sending <= ends[1])),),
        witness=(*steady, SOME_DRIFT, ends[0] == ends[1], term(distance) > 0, term(t1) < term(t4)),
        beyond=(*heard, SOME_DRIFT, ends[0] > ends[1]),
    )


@obligation
def an_exchange_is_no_wider_than_it_must_be() -> Argument:
    """Each end of an exchange's interval is the truth of some possible world: one nanosecond less would exclude it."""
    grown = numbers("grown")[0]
    earliest = term(clock.earliest_offset_ns(t3, t4, distance, grown))
    latest = term(clock.latest_offset_ns(t2, t1, distance, grown))
    at_sending, at_receiving = Reals("offset_at_t1 offset_at_t4")
    most = And(at_sending == term(t2 + distance - t1), truth == at_sending + term(grown))
    least = And(at_receiving == term(t3 - distance - t4), truth == at_receiving - term(grown))
    return Argument(
        (Case("latest", (most,), truth == latest), Case("earliest", (least,), truth == earliest)),
        witness=(most, least, term(grown) > 0),
        beyond=(most, truth > latest - 1),
    )


@obligation
def a_centre_and_its_bound_hold_all_of_an_interval() -> Argument:
    """No point of an interval is further from its middle than the bound, which is half the width rounded up."""
    middle, most = (term(each) for each in clock.centre(KNOWN))
    inside = within(KNOWN, truth)
    return Argument(
        (
            Case("holds", (inside,), And(truth - middle <= most, middle - truth <= most)),
            Case("half", (NOT_EMPTY[0],), And(2 * most <= term(high) - term(low) + 1, most >= 0)),
        ),
        witness=(inside, term(low) + 1 == term(high), NOT_EMPTY[0]),
        beyond=(inside, Or(truth - middle > most - 1, middle - truth > most - 1)),
    )


@obligation
def a_line_holds_every_offset_and_every_rate() -> Argument:
    """A line's offset and rate are within their bounds of all that was possible, and no bound is a unit too wide."""
    slowest, fastest, possible = numbers("slowest fastest possible")
    known = clock.line(as_of, KNOWN, slowest, fastest)
    rates = Interval(slowest, fastest)  # type: ignore[arg-type]  # numbers that can be any
    offset_off = magnitude(truth - term(known.offset_ns))
    rate_off = magnitude(term(possible) - term(known.rate_ppt))
    world = (within(KNOWN, truth), within(rates, term(possible)))
    narrow = And(
        2 * term(known.bound_ns) <= term(high - low) + 1, 2 * term(known.rate_bound_ppt) <= term(fastest - slowest) + 1
    )
    return Argument(
        (
            Case("offset", world, offset_off <= term(known.bound_ns)),
            Case("rate", world, rate_off <= term(known.rate_bound_ppt)),
            Case("as of", world, term(known.as_of_raw_ns) == term(as_of)),
            Case("no wider", world, narrow),
        ),
        witness=(*world, term(slowest) < term(fastest), term(low) < term(high)),
        beyond=(*world, Or(offset_off > term(known.bound_ns) - 1, rate_off > term(known.rate_bound_ppt) - 1)),
    )


@obligation
def two_clocks_that_contradict_each_other_are_not_both_within_their_bounds() -> Argument:
    """A stamp before a heartbeat that it answers, or after its own receipt, condemns two of which one is broken."""
    arrival, heartbeat, receipt = Reals("arrival heartbeat receipt")
    stamp, stamp_bound, heard, read = (term(each) for each in numbers("stamp stamp_bound heard_earliest read_latest"))
    sound = And(stamp - stamp_bound <= arrival, arrival <= stamp + stamp_bound)
    after_it, before_it = heartbeat <= arrival, arrival <= receipt
    early = guards.contradicts_heartbeat(stamp, stamp_bound, heard)
    late = guards.contradicts_receipt(stamp, stamp_bound, read)
    heard_sound, read_sound = heard <= heartbeat, receipt <= read
    alone = And(sound, after_it, before_it)
    return Argument(
        (
            Case("heartbeat", (after_it, early), Not(And(sound, heard_sound))),
            Case("receipt", (before_it, late), Not(And(sound, read_sound))),
            Case("no earlier alarm is sure", (stamp + stamp_bound == heard,), Not(early)),
            Case("no later alarm is sure", (stamp - stamp_bound == read,), Not(late)),
            Case("one beyond is seen", (stamp + stamp_bound == heard - 1,), early),
            Case("one after is seen", (stamp - stamp_bound == read + 1,), late),
        ),
        witness=(after_it, before_it, Not(sound), early, heard_sound, stamp_bound > 0),
        beyond=(alone, heard_sound, read_sound, stamp + stamp_bound == heard, stamp - stamp_bound == read),
    )
