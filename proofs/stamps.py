"""What a stamp is worth: the kernel's receive time turned into a RAW moment, and that into UTC, by `model/clock.py`.

The chain, each link a sentence: REALTIME − RAW read now and then; the RAW moment at which a packet came; what a line
says of that moment; the stamp and its bound. Letters and assumptions are those of `clocks.py`.

What is assumed beside them: the lead of REALTIME over RAW at the moment of arrival lay between its values at two
readings of it (sampled every 10 ms): a step there and back between two readings is not seen.
Next: `clocks.py`, for what lines rest on.
"""

from typing import Final

from z3 import And, Not, Or, Real, Reals

from model.clock import PPB, PPT, Line
from proofs.clocks import (
    SOME_DRIFT,
    as_of,
    bound,
    drift,
    drifted,
    elapsed,
    magnitude,
    offset,
    rate,
    rate_bound,
    uncertainty,
    wander,
)
from proofs.lift import lift
from proofs.obligations import Argument, Case, Term, clock, obligation
from proofs.symbolic import Number, numbers, term

LINE = Line(as_of, offset, bound, rate, rate_bound)  # type: ignore[arg-type]  # numbers that can be any


def wandering(moved: Term, time: Number) -> Term:
    """That an offset moved in a while as the line says, but for the rate's bound and what it can wander."""
    beyond = 2 * PPB * PPT * moved - 2 * PPB * term(rate) * term(time)
    most = 2 * PPB * term(rate_bound) * magnitude(term(time)) + term(wander) * term(time) * term(time)
    return And(beyond <= most, -beyond <= most)


@obligation
def a_rate_leads_as_far_as_it_says_rounded_down() -> Argument:
    """What a rate makes of a while is rounded down, by less than one."""
    led, exact = term(clock.extrapolated_ns(elapsed, rate)), term(rate) * term(elapsed)
    return Argument(
        (Case("not above", (), PPT * led <= exact), Case("by less than one", (), exact < PPT * (led + 1))),
        witness=(term(rate) == -1, term(elapsed) == 1, led == -1),
        beyond=(term(rate) == 30_000_000, PPT * (led + 1) > exact, exact > PPT * led),
    )


WORKED_OUT: Final = {
    (3_000_000_001, 7_003, 11_009): 72,
    (-3_000_000_001, 7_003, 11_009): 72,
    (1_000_000_000, 0, 0): 1,
    (2_000_000_000, 500, 0): 2,
    (1_000_000_000, 0, 2_000): 2,
}
"""Rate growth in ns by time (ns), rate bound (ppt) and wander (ppt/s): 7 003 ppt and 11 009 ppt/s over 3 s are 21.009
and 49.5405 ns, and one for the line. What multiplies unknowns is asked slowly; an example is asked at once."""


@obligation
def a_line_is_left_by_no_more_than_rate_and_wander_allow() -> Argument:
    """Rate growth covers the rate's error, its wandering and the rounding of the line; a nanosecond less would not."""
    moved = Real("moved")
    most = term(clock.rate_growth_ns(elapsed, rate_bound, wander))
    off = magnitude(moved - term(clock.extrapolated_ns(elapsed, rate)))
    exact = 2 * PPB * term(rate_bound) * magnitude(term(elapsed)) + term(wander) * term(elapsed) * term(elapsed)
    world = (wandering(moved, elapsed),)
    chosen = And(term(elapsed) == -1_000_000_007, term(wander) == 1000, term(rate) == 31_000_001)
    examples = [growth == clock.rate_growth_ns(*known) for known, growth in WORKED_OUT.items()]
    return Argument(
        (
            Case("worked out by hand", (), And(*examples)),
            Case("covers", world, off <= most),
            Case("no wider", (), 2 * PPB * PPT * (most - 2) < exact),
        ),
        witness=(*world, chosen, term(rate_bound) == 500_000, off > 1),
        beyond=(*world, chosen, term(rate_bound) == 0, off > most - 1),
    )


@obligation
def a_stamp_is_within_its_bound_of_the_true_arrival() -> Argument:
    """Whatever offset, rate and moment can have been within what a line promises, UTC is within a stamp's bound."""
    then, at_raw, at_arrival, arrival = Reals("offset_then offset_at_raw offset_at_arrival arrival_raw")
    e, raw = elapsed, as_of + elapsed
    promised = magnitude(then - term(offset)) <= term(bound)
    moved, wandered = drifted(then, at_raw, abs(e)), wandering(at_raw - then, e)
    near = magnitude(arrival - term(raw)) <= term(uncertainty)
    meanwhile = drifted(at_raw, at_arrival, uncertainty)
    by_drift = magnitude(at_raw - then) <= term(clock.growth_ns(e, drift))
    led = then + term(clock.extrapolated_ns(e, rate))
    by_rate = magnitude(at_raw - led) <= term(clock.rate_growth_ns(e, rate_bound, wander))
    in_the_moment = magnitude(at_arrival - at_raw) <= term(clock.growth_ns(uncertainty, drift))
    stamped = lift(lambda: clock.stamp(LINE, raw, uncertainty, drift, wander), prune=False)
    grown = (promised, by_drift, by_rate, near, in_the_moment)
    world = (promised, moved, wandered, near, meanwhile)
    utc = arrival + at_arrival
    small = (
        SOME_DRIFT,
        term(elapsed) == 16_000_000_000,
        term(as_of) == 10**12,
        term(wander) == 1000,
        term(rate) == -1,
        term(uncertainty) == 40_000,
    )
    narrower = stamped.possible(lambda said: magnitude(term(said[0]) - utc) > term(said[1]) - 1)
    return Argument(
        (
            Case("by drift", (moved,), by_drift),
            Case("by rate", (wandered,), by_rate),
            Case("in the moment", (near, meanwhile), in_the_moment),
            Case("in all", grown, stamped.always(lambda said: magnitude(term(said[0]) - utc) <= term(said[1]))),
            Case("either way", (), stamped.covered),
        ),
        witness=(*world, *grown, *small, term(rate_bound) == 10_000),
        beyond=(*world, *small, term(rate_bound) == 10_000, narrower),
    )


@obligation
def a_stamp_takes_the_better_of_two_bounds() -> Argument:
    """A stamp's bound grows by drift, or by rate and wander if that is less, and by what the moment is unsure of."""
    e, raw = elapsed, as_of + elapsed
    by_rate = term(clock.rate_growth_ns(e, rate_bound, wander))
    by_drift = term(clock.growth_ns(e, drift))
    moment = term(uncertainty + clock.growth_ns(uncertainty, drift))
    stamped = lift(lambda: clock.stamp(LINE, raw, uncertainty, drift, wander))

    def least(result: tuple[Number, Number]) -> Term:
        grown = term(result[1]) - term(bound) - moment
        return And(grown <= by_rate, grown <= by_drift, Or(grown == by_rate, grown == by_drift))

    fixed = (SOME_DRIFT, term(elapsed) == 16_000_000_003, term(wander) == 1000)
    return Argument(
        stamped.grouped("always", least),
        witness=(*fixed, by_rate < by_drift),
        beyond=(*fixed, stamped.possible(lambda result: Not(least((result[0], result[1] - 1))))),
    )


@obligation
def the_lead_of_one_clock_over_another_is_within_its_bound() -> Argument:
    """REALTIME − RAW by a reading between two others is within its bound of the truth, whenever it was read."""
    before, realtime, after = numbers("before realtime after")
    true_raw, true_realtime = Reals("true_raw true_realtime")
    lead, plus_minus = (term(each) for each in clock.realtime_lead_ns(before, realtime, after))
    read = (
        And(term(before) <= true_raw, true_raw < term(after) + 1),
        And(term(realtime) <= true_realtime, true_realtime < term(realtime) + 1),
    )
    off = magnitude(true_realtime - true_raw - lead)
    return Argument(
        (
            Case("always", read, off <= plus_minus),
            Case("half the time it took", (), 2 * plus_minus <= term(after) - term(before) + 3),
        ),
        witness=(*read, term(before) < term(after), true_realtime > 10**18),
        beyond=(*read, term(before) < term(after), off > plus_minus - 1),
    )


@obligation
def a_packets_moment_is_within_its_bound() -> Argument:
    """The RAW moment of a kernel's receive time is within its bound, if the lead was between two of its readings."""
    received, now, now_pm, earlier, earlier_pm, later, later_pm, change = numbers(
        "received lead_now now_pm lead_earlier earlier_pm lead_later later_pm change"
    )
    true_received, true_lead, true_earlier, true_later = Reals("true_received true_lead true_earlier true_later")
    moment, plus_minus = (term(each) for each in clock.receive_moment(received, now, now_pm, change))
    sure = [
        magnitude(true_earlier - term(earlier)) <= term(earlier_pm),
        Or(magnitude(true_later - term(later)) <= term(later_pm), magnitude(true_later - term(now)) <= term(now_pm)),
    ]
    seen = [
        term(clock.lead_change_ns(now, earlier, earlier_pm)) <= term(change),
        term(clock.lead_change_ns(now, later, later_pm)) <= term(change),
    ]
    between = Or(
        And(true_earlier <= true_lead, true_lead <= true_later), And(true_later <= true_lead, true_lead <= true_earlier)
    )
    rounded = And(term(received) <= true_received, true_received < term(received) + 1)
    positive = [term(each) >= 1 for each in (now_pm, earlier_pm, later_pm)]
    world = (*sure, *seen, between, rounded, *positive)
    off = magnitude(true_received - true_lead - moment)
    least = clock.lead_change_ns(now, earlier, earlier_pm)
    return Argument(
        (
            Case("always", world, off <= plus_minus),
            Case("no change is none", (), term(clock.lead_change_ns(now, now, earlier_pm)) == term(earlier_pm)),
        ),
        witness=(*world, term(earlier) < term(now), true_lead < term(now)),
        beyond=(*world, term(change) == term(least), term(now_pm) == 1, off > plus_minus - 1),
    )
