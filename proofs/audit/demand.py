"""Where units are sold at the door: who sold how much, and what this method says nothing about. No chance is claimed.

Nobody's order is decided in such a sale: a region sells to whoever reaches its log next, as long as it has units. So
there are no pots and no probabilities here, but what each region began with, sold, gave and took. Who was turned away
because nothing was left there leaves no line: demand is known only as far as it was served.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from model.units import count
from model.vocabulary import Granted, Refused, RegionName, Taken
from proofs.audit.case import Case, Door

NOT_PROMISED: Final = (
    "No order between regions: each sells its own share to whoever comes next there. A buyer may go without in one "
    "region while a later one gets a unit in another.",
    "No lot and no tie window: in one region, too, order is that of its log, so a faster connection to it is an "
    "advantage.",
    "One entry for a buyer in each region only. Across regions home routing keeps that, as far as every region routes.",
    "Nothing about who was turned away while a region had nothing left: such a request leaves no line.",
)


@dataclass(frozen=True, slots=True)
class RegionDemand:
    """One region of a sale at the door, in units."""

    region: RegionName
    began_with: int
    sold: int
    given: int
    taken: int
    left: int
    refused: int
    """Grants that it was offered and must not take."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The statement about one sale."""

    stock: int
    sold: int
    buyers_in_several_regions: int
    """Who got a unit in more than one."""
    regions: tuple[RegionDemand, ...]
    not_promised: tuple[str, ...] = NOT_PROMISED


def state(case: Case) -> Demand | None:
    """Make the statement; None where the logs were not reached."""
    if case.terms is None or case.logs is None:
        return None
    regions = []
    for name, log in case.logs.items():
        door = log.door or Door()
        given = sum(count(line.units) for line in door.moves if isinstance(line, Granted))
        taken = sum(count(line.units) for line in door.moves if isinstance(line, Taken))
        refused = sum(isinstance(line, Refused) for line in door.moves)
        quota = case.terms.quotas[name]
        regions.append(RegionDemand(name, quota, log.entries, given, taken, count(door.free), refused))
    buyers = Counter(buyer for log in case.logs.values() for buyer in set(log.buyers))
    several = sum(times > 1 for times in buyers.values())
    return Demand(case.terms.stock, sum(each.sold for each in regions), several, tuple(regions))
