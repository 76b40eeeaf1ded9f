"""One region's share of a stock that is sold at the door, as its log tells it. Pure.

The log begins with what the region was given to sell. Each entry gets the first unit that is free there; grants give
units away from the back, first of all, so that a unit is never in two places; what another region gave is taken once.
The scripts of the region's store do the same steps on the same text (`service/store/sell.lua`, `give.lua`, `take.lua`).

Next: `shards.py`, where the shares of all regions must add up.
"""

from dataclasses import dataclass, field

from model import guards
from model.terms import Terms
from model.units import count, split_last, units_text, without_first
from model.vocabulary import (
    BuyerId,
    Contradiction,
    Entry,
    Granted,
    Line,
    Refused,
    RegionName,
    RequestId,
    Stocked,
    Taken,
    Units,
)


@dataclass(slots=True)
class Share:
    """What one region has, has sold, given and taken."""

    region: RegionName
    free: Units = ()
    is_stocked: bool = False
    """Whether the first line was read."""
    sold: dict[int, RequestId] = field(default_factory=dict)
    """By unit."""
    buyers: dict[BuyerId, RequestId] = field(default_factory=dict)
    requests: set[RequestId] = field(default_factory=set)
    granted: list[Granted] = field(default_factory=list)
    taken: dict[tuple[RegionName, int], Taken] = field(default_factory=dict)
    """By donor and number."""
    refused: list[Refused] = field(default_factory=list)

    def apply(self, terms: Terms, line: Line) -> None:
        """The next line of the log.

        Raises:
            Contradiction: it cannot follow.
        """
        self._expect(
            self.is_stocked != isinstance(line, Stocked), line, "a log begins with the region's share, and has it once"
        )
        match line:
            case Stocked(_, units):
                self._expect(units == terms.share(self.region), line, "the share is the one of the terms")
                self.is_stocked, self.free = True, units
            case Entry():
                self._sell(line)
            case Granted():
                self._give(terms, line)
            case Taken():
                self._take(terms, line)
            case Refused():
                self.refused.append(line)

    def _sell(self, entry: Entry) -> None:
        self._expect(entry.unit is not None, entry, "an entry gets a unit at once")
        assert entry.unit is not None
        self._expect(entry.price is None, entry, "nothing is bid where units are sold at the door")
        self._expect(bool(self.free), entry, "a unit is sold while one is free")
        self._expect(guards.is_next_to_sell(entry.unit, self.free[0][0]), entry, "the first free unit is sold")
        self._expect(entry.buyer not in self.buyers, entry, "a buyer has one entry in a region")
        self._expect(entry.request not in self.requests, entry, "every request is logged once")
        self.free = without_first(self.free)
        self.sold[entry.unit] = entry.request
        self.buyers[entry.buyer] = entry.request
        self.requests.add(entry.request)

    def _give(self, terms: Terms, grant: Granted) -> None:
        wanted = count(grant.units)
        self._expect(terms.rebalances, grant, "units move only in a sale that rebalances")
        self._expect(guards.follows_in_log(grant.number, len(self.granted)), grant, "grants are numbered without gaps")
        self._expect(grant.to in terms.regions, grant, "a grant is for a region of the sale")
        self._expect(not guards.is_ones_own(grant.to, self.region), grant, "a grant is for another region")
        self._expect(guards.may_give(wanted, count(self.free)), grant, "a region gives what it has")
        kept, given = split_last(self.free, wanted)
        self._expect(given == grant.units, grant, f"the last free units are given ({units_text(given)})")
        self.free = kept
        self.granted.append(grant)

    def _take(self, terms: Terms, taken: Taken) -> None:
        times = int((taken.donor, taken.number) in self.taken)
        self._expect(guards.may_take(times), taken, "a grant is taken once")
        self._expect(taken.donor != self.region, taken, "a grant is another region's")
        self._expect(not taken.donor or taken.donor in terms.regions, taken, "a grant is of a region of the sale")
        self.free = (*self.free, *taken.units)
        self.taken[taken.donor, taken.number] = taken

    def _expect(self, kept: bool, line: Line, rule: str) -> None:
        if not kept:
            raise Contradiction(self.region, f"{rule} (line {line.seq})")
