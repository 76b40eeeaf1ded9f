"""Why a purchase came out as it did: what the draw was like that served it. Pure; derived, never part of a log.

For each who was drawn (who won, or got a place on a reservation's list): the earliest place that waited then, how many
were in the pot, and how far every region had been heard.
It follows from the logs and the decision log alone, and needs no replay. *Final is final*: a pot that was drawn from is
complete, so it is the pot of all that ever counted, less those who were served before. With all places in order, it is
everything up to *earliest + W*; and whoever was served before had a place below that, since the earliest only rises.

The arbiter's notary works this out once a sale is over; an audit does the same again, or replays. Bids are drawn among
equal ones only: `why_bids.py`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from model import guards
from model.terms import Terms
from model.vocabulary import CutOff, Decision, Held, Listed, RegionName, RequestId, Seen, Won


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw: the least waiting place, how many were in the pot, the winner among them, and the frontier then."""

    earliest_ns: int
    pot: int
    frontier_ns: int


def frontiers(terms: Terms, decisions: Iterable[Decision]) -> dict[RequestId, int]:
    """The frontier at each draw, in serving order, by who was drawn: the least mark of the regions then still in the
    sale."""
    marks_ns: dict[RegionName, int] = {}
    known: dict[RequestId, int] = {}
    for decision in decisions:
        match decision:
            case Seen(regions):
                marks_ns = {name: seen.mark_ns for name, seen in regions.items()}
            case CutOff(region):
                marks_ns.pop(region, None)
            case Won(request) | Listed(request) | Held(request):
                known.setdefault(request, min(marks_ns.values(), default=terms.last_stamp_ns + 1))
            case _:
                pass
    return known


def last_place_that_matters_ns(terms: Terms, winners_stamps_ns: Iterable[int]) -> int:
    """No pot that was drawn from reaches beyond this place; 0 where nobody has won."""
    latest_ns = max((guards.place_ns(stamp_ns, terms.opens_ns) for stamp_ns in winners_stamps_ns), default=None)
    return 0 if latest_ns is None else latest_ns + terms.tie_window_ns


def draws(
    terms: Terms, frontiers_ns: Mapping[RequestId, int], places_ns: Sequence[int], winners_ns: Mapping[RequestId, int]
) -> dict[RequestId, Draw]:
    """Every draw, by its winner.

    Args:
        frontiers_ns: as `frontiers` gives them, in serving order.
        places_ns: the places of all that waited, one for each buyer (the least of a buyer's entries that count), in
            order; those beyond `last_place_that_matters_ns` may be left out.
        winners_ns: each winner's place.
    """
    served: dict[int, int] = {}
    first = 0
    found = {}
    for rank, (request, frontier_ns) in enumerate(frontiers_ns.items()):
        while served.get(places_ns[first], 0):
            served[places_ns[first]] -= 1
            first += 1
        earliest_ns = places_ns[first]
        pot = bisect_right(places_ns, earliest_ns + terms.tie_window_ns) - rank
        found[request] = Draw(earliest_ns, pot, frontier_ns)
        place_ns = winners_ns[request]
        served[place_ns] = served.get(place_ns, 0) + 1
    return found
