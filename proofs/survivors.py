"""Mutants of the model that no sentence objects to, and why that is right. A human reads this list, so it is short.

A mutant that survives and is not here is a failure of the proofs: a sentence is missing. An argument for a mutant that
does not survive is a failure, too: it would say something about code that is no longer there.
"""

from typing import Final

ARGUMENTS: Final[dict[tuple[str, str], str]] = {
    (
        "auction.payments",
        "winning, highest_losing_price = (list[Bid](), 1)",
    ): "Equivalent: no reserve is below 1, and what is not above the reserve is replaced by it.",
    (
        "auction.payments",
        "winning, highest_losing_price = (list[Bid](), -1)",
    ): "Equivalent: what is not above the reserve is replaced by it.",
    ("auction.payments", "if pricing >= 'uniform':"): "Equivalent: of the two ways to price the other is less as text.",
    (
        "guards.is_better_bid",
        "return outbids(a_price, b_price) | (a_price >= b_price) & came_first",
    ): "Equivalent: where the prices differ and the first is not less, the left side is true already.",
    (
        "guards.in_stock",
        "return sold != stock",
    ): "The same wherever it is asked: no more is sold than the stock (no_more_units_are_sold_than_the_stock).",
    (
        "guards.is_lesser_entry",
        "return (a_stamp_ns < b_stamp_ns) | (a_stamp_ns <= b_stamp_ns) & (a_request < b_request)",
    ): "Equivalent: where the stamps differ and the first is not greater, the left side is true already.",
    (
        "guards.place_ns",
        "return stamp_ns + (stamp_ns <= opens_ns) * (opens_ns - stamp_ns)",
    ): "Equivalent: where stamp and opening are equal, nothing is added either way.",
    (
        "guards.serves_before",
        "return (a_ticket < b_ticket) | (a_ticket <= b_ticket) & (a_request < b_request)",
    ): "Equivalent: where the tickets differ and the first is not greater, the left side is true already.",
    (
        "clock.stamp",
        "offset_ns = known.offset_ns + (by_rate_ns <= by_drift_ns) * extrapolated_ns(elapsed_ns, known.rate_ppt)",
    ): "As good: where both ways of counting give the same bound, either offset holds within it.",
    ("polygon.chain", "if len(ordered) < 2:"): "Equivalent: each half of a chain of two points is one of them.",
    (
        "guards.uniform_price",
        "return highest_losing_price + (highest_losing_price <= reserve_price) * "
        "(reserve_price - highest_losing_price)",
    ): "Equivalent: where the two are equal, nothing is added either way.",
    (
        "polygon.hull",
        "corners = chain(sorted({(x - i, y + j) for x, y in corners for i in (-1, 1) for j in (-1, 1)}))",
    ): "Equivalent: both signs are taken anyway.",
    (
        "polygon.hull",
        "corners = chain(sorted({(x + i, y - j) for x, y in corners for i in (-1, 1) for j in (-1, 1)}))",
    ): "Equivalent: both signs are taken anyway.",
    ("polygon.in_enough", "if missing <= 0:"): "Equivalent: at least one is missing at first, and one fewer each time.",
    (
        "polygon.in_enough",
        "corners.extend(common)",
    ): "Equivalent: when none is missing any more, at least one was chosen, and a choice that is empty was left.",
    (
        "polygon.inflated",
        "return hull(((x - i, y + j) for x, y in polygon for i in (-by, by) for j in (-by, by)))",
    ): "Equivalent: both signs are taken anyway.",
    (
        "polygon.inflated",
        "return hull(((x + i, y - j) for x, y in polygon for i in (-by, by) for j in (-by, by)))",
    ): "Equivalent: both signs are taken anyway.",
    (
        "track.agreed",
        "return Track(tracks[1].as_of_raw_ns, polygon.simplified(pairs, CORNERS), loose)",
    ): "Equivalent: all tracks are of one moment.",
    (
        "track.agreed",
        "return Track(tracks[-1].as_of_raw_ns, polygon.simplified(pairs, CORNERS), loose)",
    ): "Equivalent: all tracks are of one moment.",
    (
        "track.both",
        "return Track(other.as_of_raw_ns, polygon.simplified(pairs, CORNERS), loose) if pairs else Broken.WANDER",
    ): "Equivalent: both tracks are of one moment.",
    ("track.later", "if elapsed_ns <= 0:"): "Equivalent: nobody asks for a reading before the track's own.",
}
"""By function and changed statement: why the mutant decides the same, or is merely stricter."""
