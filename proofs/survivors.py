"""Mutants of the model that no sentence objects to, and why that is right. A human reads this list, so it is short.

A mutant that survives and is not here is a failure of the proofs: a sentence is missing. An argument for a mutant that
does not survive is a failure, too: it would say something about code that is no longer there.
"""

from typing import Final

ARGUMENTS: Final[dict[tuple[str, str], str]] = {
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
}
"""By function and changed statement: why the mutant decides the same, or is merely stricter."""
