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
    (
        "clock.exchange_offset",
        "return interval(earliest_offset_ns(server_sent_ns, reading_raw_ns, distance_ns, growth), "
        "latest_offset_ns(server_received_ns, sent_raw_ns, distance_ns, growth))",
    ): "Merely wider: the reading does not come before the reply, so the lower end only sinks.",
    (
        "clock.stamp",
        "offset_ns = known.offset_ns + (by_rate_ns <= by_drift_ns) * extrapolated_ns(elapsed_ns, known.rate_ppt)",
    ): "As good: where both ways of counting give the same bound, either offset holds within it.",
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
    (
        "track.extent",
        "return intersect(tight, track.loose)",
    ): "Equivalent while the track holds the truth: then both readings of it share the true offset.",
    ("track.later", "if elapsed_ns <= 0:"): "Equivalent: nobody asks for a reading before the track's own.",
    ("track.wandered", "return polygon.inflated(polygon.hull(rounded), 3)"): "Merely wider, by a unit.",
    (
        "track.wandered",
        "return polygon.inflated(polygon.hull(rounded), 1)",
    ): "One unit is what is proved to be needed; the second is to spare.",
}
"""By function and changed statement: why the mutant decides the same, or is merely stricter."""

LEFT_TO_TESTS: Final[dict[str, str]] = {
    "polygon.hull": "It puts points in order and into a set; obligations say of it only that it holds its points.",
    "polygon.chain": "Read for three points only; more points are more paths than a solver should walk.",
}
"""Functions that obligations rest on without reading them whole, and why. `tests/model/test_polygon.py` compares what
they make with exact arithmetic; their mutants are not tried."""
