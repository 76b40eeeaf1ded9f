"""The sale over time, in a hundred equal pieces, for the page's plots: entries, winners and clock bounds by region.

The time is that of the stamps, from the first entry that counts to the last winner and as long again, so that a long
lobby or a long tail after the last unit does not squeeze what matters into one column.
"""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from model.vocabulary import RegionName, Won
from proofs.audit.case import Case

PIECES: Final = 100


@dataclass(frozen=True, slots=True)
class RegionSeries:
    """One region, piece by piece."""

    region: RegionName
    entries: tuple[int, ...]
    winners: tuple[int, ...]
    greatest_bound_ns: tuple[int, ...]
    """0 where there is no entry."""


@dataclass(frozen=True, slots=True)
class Series:
    """All regions over the same pieces; nanoseconds from the opening."""

    from_ns: int
    until_ns: int
    before: int
    """Entries before the first piece, and after the last."""
    after: int
    regions: tuple[RegionSeries, ...]


def drawn(case: Case) -> "dict[RegionName, array[int]]":
    """The stamps of those whom the arbiter has drawn."""
    assert case.decided is not None
    assert case.told is not None
    won = {each.request for each in case.decided.decisions if isinstance(each, Won)}
    return {
        region: array("q", (entry.stamp_ns for entry in notable if entry.request in won))
        for region, notable in case.told.notable.items()
    }


def confirmed(case: Case) -> "dict[RegionName, array[int]]":
    """The stamps of those who asked for a unit first, and have confirmed it in the end."""
    assert case.decided is not None
    assert case.told is not None
    turns = case.decided.standing.holds.turns
    won = {request for request, turn in turns.items() if turn.state == "confirmed"}
    return {
        region: array("q", (entry.stamp_ns for entry in notable if entry.request in won))
        for region, notable in case.told.notable.items()
    }


def collect(case: Case, winners_ns: "Callable[[Case], Mapping[RegionName, array[int]]]") -> Series | None:
    """Count what happened when; None where nothing did, or was not reached."""
    if case.terms is None or case.logs is None or case.told is None or case.decided is None:
        return None
    logged = [log.stamps_ns for log in case.logs.values() if log.entries]
    stamps = [stamp_ns for each in logged for stamp_ns in (min(each), max(each))]
    if not stamps:
        return None
    opens_ns = case.terms.opens_ns
    placed = winners_ns(case)
    last_won_ns = max((stamp_ns for each in placed.values() for stamp_ns in each), default=max(stamps))
    first_ns = max(min(stamps), opens_ns - max(case.terms.tie_window_ns, last_won_ns - opens_ns, 1))
    until_ns = min(max(stamps), max(last_won_ns, opens_ns) + max(last_won_ns - first_ns, case.terms.tie_window_ns)) + 1
    width_ns = max(1, -(-(until_ns - first_ns) // PIECES))
    before = after = 0
    regions = []
    for region, log in case.logs.items():
        entries, bounds, winners = [0] * PIECES, [0] * PIECES, [0] * PIECES
        for piece, bound_ns in zip(_pieces(log.stamps_ns, first_ns, width_ns), log.bounds_ns, strict=True):
            if 0 <= piece < PIECES:
                entries[piece] += 1
                bounds[piece] = max(bounds[piece], bound_ns)
            elif piece < 0:
                before += 1
            else:
                after += 1
        for piece in _pieces(placed.get(region, array("q")), first_ns, width_ns):
            if 0 <= piece < PIECES:
                winners[piece] += 1
        regions.append(RegionSeries(region, tuple(entries), tuple(winners), tuple(bounds)))
    return Series(first_ns - opens_ns, first_ns + PIECES * width_ns - opens_ns, before, after, tuple(regions))


def _pieces(stamps_ns: "array[int]", first_ns: int, width_ns: int) -> list[int]:
    return [(stamp_ns - first_ns) // width_ns for stamp_ns in stamps_ns]
