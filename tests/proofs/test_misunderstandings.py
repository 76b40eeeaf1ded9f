"""The model with a real misunderstanding in it: each turns a sentence red, with a counterexample in plain integers.

Single-point mutants (`make proofs`) are mistakes of the fingers. Here are mistakes of the head: one error where two add
up, a window counted from the wrong end, a clamp forgotten, a text compared for a number. Each is told which sentence
says no; that sentence is asked as `make proofs` asks about a mutant.
"""

import inspect

import pytest

from proofs import rooms
from proofs.attack import Attack
from proofs.mutations import Mutant
from proofs.notes import functions

MISUNDERSTANDINGS = {
    "equal counts as before": ("guards.certainly_before", "a, b, w: a + w <= b", "certainly_before_is_a_strict_par"),
    "the window twice": ("guards.certainly_before", "a, b, w: a + 2 * w < b", "certainly_before_is_true"),
    "the lobby is a race": ("guards.place_ns", "stamp, opens: stamp", "a_place_is_the_later"),
    "the lesser for the greater": (
        "guards.place_ns",
        "stamp, opens: stamp + (opens < stamp) * (opens - stamp)",
        "a_place_is_the_later",
    ),
    "half a window": ("guards.in_pot", "a, e, w: 2 * a <= 2 * e + w", "a_true_lead_of_more"),
    "drawn at the frontier": (
        "guards.pot_is_complete",
        "e, w, f, last: (e + w <= f) | (last < f)",
        "nobody_can_join_a_complete_pot",
    ),
    "drawn without the window": (
        "guards.pot_is_complete",
        "e, w, f, last: (e < f) | (last < f)",
        "nobody_can_join_a_complete_pot",
    ),
    "the last pot is never drawn": (
        "guards.pot_is_complete",
        "e, w, f, last: e + w < f",
        "a_pot_is_not_waited_for_longer",
    ),
    "heard at the last stamp": ("guards.everyone_is_heard", "f, last: last <= f", "everyone_is_heard_exactly"),
    "a tie of tickets stays one": ("guards.serves_before", "a, m, b, n: a < b", "tickets_are_drawn_in_one_order"),
    "terms compared as a tuple": ("guards.serves_before", "a, m, b, n: (a, m) < (b, n)", "tickets_are_drawn_in_one"),
    "tickets compared as text": (
        "guards.serves_before",
        "a, m, b, n: (str(a), str(m)) < (str(b), str(n))",
        "a_queue_inside_each_region",
    ),
    "one unit too many": ("guards.in_stock", "sold, stock: sold <= stock", "units_are_sold_up_to_the_stock"),
    "a stamp below the mark": ("guards.may_follow", "stamp, mark: mark - 1 <= stamp", "nobody_can_join_a_complete"),
    "a mark may fall": ("guards.mark_may_rise", "old, new: old == old", "a_higher_mark_keeps"),
    "the grace is added": ("guards.mark_after_grace_ns", "now, grace: now + grace", "who_is_logged_within_the_grace"),
    "closing without ε": ("guards.last_stamp_ns", "closes, skew: closes", "nobody_can_join_a_complete_pot"),
    "early by 2ε": ("guards.certainly_early", "s, skew, opens: s + 2 * skew < opens", "who_is_refused_as_early"),
    "late without ε": ("guards.certainly_late", "s, skew, closes: closes < s", "nobody_can_join_a_complete_pot"),
    "a bound of 2ε": ("guards.bound_holds", "b, skew: (b >= 0) & (b <= 2 * skew)", "certainly_before_is_true"),
    "a bound below zero": ("guards.bound_holds", "b, skew: b <= skew", "an_accepted_stamp_is_true"),
    "one more after the cut": ("guards.entry_counts", "seq, last: seq <= last + 1", "entries_count_up_to_the_cut_off"),
    "a gap in a log": ("guards.follows_in_log", "seq, last: seq > last", "logs_are_numbered_without_gaps"),
    "the id before the stamp": (
        "guards.is_lesser_entry",
        "a, m, b, n: (m < n) | ((m == n) & (a < b))",
        "a_buyer_has_one_least_entry",
    ),
    "an alarm without the bound": (
        "guards.contradicts_heartbeat",
        "stamp, bound, heard: stamp < heard",
        "two_clocks_that_contradict",
    ),
    "cut off at the limit": ("guards.silent_too_long", "silent, after: after <= silent", "no_region_is_cut_off"),
    "a window of one ε": ("guards.window_covers_clocks", "w, skew: skew <= w", "certainly_before_is_true"),
    "a grace of one ε": ("guards.grace_covers_clocks", "grace, skew: skew < grace", "a_grace_of_two_errors"),
    "an equal bid outbids": ("guards.outbids", "a, b: b <= a", "a_bid_outbids_by_its_price"),
    "the reserve must be beaten": ("guards.reaches_reserve", "price, r: r < price", "a_bid_outbids_by_its_price"),
    "the first bid counts": (
        "guards.is_better_bid",
        "a, s, m, b, t, n: (s < t) | ((s == t) & (m < n))",
        "of_a_buyers_bids_one_is_the_best",
    ),
    "the last of equal bids counts": (
        "guards.is_better_bid",
        "a, s, m, b, t, n: (b < a) | ((a == b) & ((t < s) | ((s == t) & (m < n))))",
        "of_a_buyers_bids_one_is_the_best",
    ),
    "a price below the reserve": ("guards.uniform_price", "h, r: h", "nobody_pays_more_than_they_bid"),
    "the reserve on top": ("guards.uniform_price", "h, r: h + r", "a_uniform_price_clears"),
    "confirmed at the clock's word": (
        "guards.confirms_in_time",
        "s, skew, until: s < until",
        "nobody_who_truly_confirms_once",
    ),
    "confirmed with twice the error": (
        "guards.confirms_in_time",
        "s, skew, until: s + 2 * skew < until",
        "whoever_truly_confirms_more_than_two_errors",
    ),
    "over at the frontier": ("guards.hold_is_over", "until, f: until <= f", "a_hold_is_over_once_no_line"),
    "over before who is in time was heard": (
        "guards.hold_is_over",
        "until, f: until < f + 9",
        "whoever_expired_is_past_every_mark",
    ),
    "a hold of one ε": ("guards.hold_covers_clocks", "h, skew, grace: skew + grace < h", "a_hold_leaves_time"),
    "growth rounded down": ("clock.growth_ns", "e, d: abs(e) * d // PPB", "growth_is_the_drift_rounded_up"),
    "growth backwards in time": ("clock.growth_ns", "e, d: -(-e * d // PPB)", "growth_is_the_drift_rounded_up"),
    "half of the sources lie": ("clock.tolerated_liars", "n: n // 2", "liars_are_fewer"),
    "a half rounded down": (
        "clock.centre",
        "k: ((k.earliest_ns + k.latest_ns) // 2, (k.latest_ns - k.earliest_ns) // 2)",
        "a_centre_and_its_bound",
    ),
    "the hull of all sources": (
        "clock.earliest_agreed_ns",
        "several, agreeing: min((each.earliest_ns for each in several), default=None)",
        "readings_worked_out_by_hand",
    ),
    "a server is never off": ("clock.earliest_offset_ns", "t3, t4, d, g: t3 - t4 - g", "an_exchange_contains_the_tru"),
    "corners rounded down": ("polygon.around", "x, y, d: [(x // d, y // d)] * 4", "the_corners_around_a_point"),
    "a polygon left open": (
        "polygon.contains",
        "polygon, point: all(turn(p, q, point) >= 0 for p, q in pairwise(polygon))",
        "a_point_is_in_a_polygon",
    ),
    "wandering half as far": ("track.reach", "e, w: (w * e * e, 2 * w * e * PPB)", "wandering_reaches_as_far"),
    "wandering forgotten": (
        "track.later",
        "t, raw, o: Track(raw, t.pairs, grow(t.loose, raw - t.as_of_raw_ns, o.drift_ppb))",
        "tracks_worked_out_by_hand",
    ),
    "drift cut on one side": (
        "track.within_drift",
        "pairs, o: polygon.clip(pairs, 0, 1, o.drift_ppb * PS) or pairs",
        "a_rate_beyond_the_stated_drift",
    ),
}
"""What is misunderstood: the function, what it does then, and the sentence that says no (how its name begins)."""


@pytest.fixture(scope="module")
def attack() -> Attack:
    rooms.load()
    from proofs.obligations import REGISTER  # noqa: PLC0415  (after the rooms have registered)

    return Attack({name: {} for name in REGISTER}, {})


@pytest.mark.parametrize(("function", "wrong", "sentence"), MISUNDERSTANDINGS.values(), ids=MISUNDERSTANDINGS)
def test_a_misunderstanding_turns_a_sentence_red(attack: Attack, function: str, wrong: str, sentence: str) -> None:
    shipped = functions()[function]
    names = ", ".join(inspect.signature(shipped).parameters)
    source = f"def {shipped.__name__}({names}):\n    return (lambda {wrong})({names})"
    [name] = [name for name in attack.sentences if name.startswith(sentence)]
    fate = attack.asked_of(Mutant(function, "", wrong, source), [name])
    assert set(fate.killers) == {name}, fate


@pytest.mark.parametrize("function", ["guards.in_pot", "clock.growth_ns", "polygon.around", "track.later"])
def test_the_function_as_it_is_turns_none_red(attack: Attack, function: str) -> None:
    sentences = {sentence for named, _, sentence in MISUNDERSTANDINGS.values() if named == function}
    names = [name for name in attack.sentences if name.startswith(tuple(sentences))]
    as_it_is = Mutant(function, "", "", inspect.getsource(functions()[function]))
    fate = attack.asked_of(as_it_is, names)
    assert (fate.state, fate.asked) == ("survived", len(sentences))
