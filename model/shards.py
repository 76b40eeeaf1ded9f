"""A sale whose units are sold at the door: the shares of all regions, and how they add up. Pure.

No order is decided here. A region's log says who got which unit, at once; the arbiter reads the logs, carries grants
from one region to another, and says when all is sold or nobody can come any more. Every unit is at every moment in one
place: free in a region, sold, on its way (granted and not taken yet), or nobody's (left by a region that was fenced
out), until it is reissued. `proofs/` has the theorem, `account` the sum.

A region that is merely silent keeps what it has: nobody else may sell it, since nobody knows whether it still does.
Only a region that was stopped, and whose log was then read to its end, is `fenced`: it can sell nothing any more. A
region that is cut off at the end of a sale takes its share with it, unsold as far as anybody knows.

What this method does not promise: any order between regions, and one entry for a buyer who goes to two of them.

Next: `rebalance.py`, which says who should give how much. It affects how much is sold, never whether it is safe.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from model import guards
from model.deliveries import Deliveries, expect
from model.moves import parse_line
from model.share import Share
from model.terms import Terms
from model.units import count, split_last
from model.vocabulary import (
    BeaconValue,
    BuyerId,
    CloseReason,
    Complete,
    Contradiction,
    Decision,
    Entry,
    Fenced,
    Line,
    RegionName,
    Reissued,
    RequestId,
    SoldOut,
    Taken,
    Units,
)
from model.wire import extend


class Grant(NamedTuple):
    """Units on their way: whose grant, which, and who may take it. `donor` is "" for what the arbiter reissued."""

    donor: RegionName
    number: int
    to: RegionName
    units: Units


class Account(NamedTuple):
    """Where the units of a stock are. The sum is the stock, always."""

    free: int
    sold: int
    on_the_way: int
    nobodys: int
    """Left by regions that were fenced out, and not reissued yet."""
    not_stocked: int
    """Of regions whose share was not set up yet."""

    @property
    def stock(self) -> int:
        """All of them."""
        return sum(self)


class ShardedFold(Deliveries):
    """One sale by shares, from its first line to its last decision. Also a sale that one region sells alone."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        self.shares = {name: Share(name) for name in terms.regions}
        """Of every region, also of those that left."""
        self.sold = 0
        self.estate: Units = ()
        """Nobody's: what fenced regions had left, and what was on its way to them."""
        self.reissued: list[Reissued] = []
        self.fenced_out: set[RegionName] = set()
        self._on_the_way: dict[tuple[RegionName, int], Grant] = {}
        self._unmatched: dict[tuple[RegionName, int], tuple[RegionName, Taken]] = {}
        """Taken, while the grant itself was not delivered yet: logs are delivered in any order between two looks."""

    @property
    def is_decided(self) -> bool:
        return self.sold_out or self.cancelled or self.is_complete or self.over

    @property
    def waiting(self) -> int:
        return 0

    @property
    def on_the_way(self) -> tuple[Grant, ...]:
        """Grants that nobody has taken yet, as far as logs were delivered."""
        return tuple(grant for grant in self._on_the_way.values() if grant.to not in self.fenced_out)

    def wanted_ns(self) -> int:
        return self.terms.last_stamp_ns

    def buyer_of(self, request: RequestId) -> BuyerId:
        raise KeyError(request)

    def account(self) -> Account:
        """Where every unit is."""
        left = [share for name, share in self.shares.items() if name not in self.fenced_out]
        return Account(
            free=sum(count(share.free) for share in left),
            sold=self.sold,
            on_the_way=sum(count(grant.units) for grant in self.on_the_way),
            nobodys=self.nobodys,
            not_stocked=sum(count(self.terms.share(share.region)) for share in left if not share.is_stocked),
        )

    def deliver(self, region: RegionName, line: bytes) -> Line:
        """The next line of a region's log.

        Raises:
            Contradiction: the line is malformed, leaves a gap, breaks the region's mark or the terms.
        """
        state = self._regions[region]
        try:
            record = parse_line(line)
        except ValueError as error:
            raise Contradiction(region, f"line {state.seq + 1} of its log is well formed ({error})") from error
        if not guards.follows_in_log(record.seq, state.seq):
            raise Contradiction(region, f"log numbers have no gap (after {state.seq} came {record.seq})")
        if isinstance(record, Entry):
            self._check_entry(region, state, record)
        share = self.shares[region]
        share.apply(self.terms, record)
        state.seq = record.seq
        state.head = extend(state.head, line)
        if isinstance(record, Entry):
            self.sold += 1
        elif isinstance(record, Taken):
            self._match(region, record)
        elif share.granted and share.granted[-1] is record:
            grant = Grant(region, record.number, record.to, record.units)
            self._on_the_way[region, record.number] = grant
            early = self._unmatched.pop((region, record.number), None)
            if early is not None:
                self._match(*early)
        return record

    def deliver_all(self, region: RegionName, lines: Sequence[bytes]) -> None:
        for line in lines:
            self.deliver(region, line)

    def _match(self, region: RegionName, taken: Taken) -> None:
        name = (taken.donor, taken.number)
        grant = self._on_the_way.get(name)
        if grant is None:
            if name in self._unmatched:
                raise Contradiction(region, f"a grant is taken once ({taken.donor} {taken.number})")
            self._unmatched[name] = region, taken
            return
        if not guards.is_ones_own(grant.to, region) or grant.units != taken.units:
            raise Contradiction(region, f"what is taken is what was granted ({taken.donor} {taken.number})")
        del self._on_the_way[name]

    def fence(self, region: RegionName, reason: str) -> tuple[Fenced, list[Decision]]:
        """Take a region out of the sale for good. The caller has stopped it and read its log to the end since.

        Returns: the record, and what follows from it.

        Raises:
            Contradiction: the region is not in the sale, or some region was delivered further than a `Seen` has
                counted.
        """
        expect(not self.is_decided, "a region is fenced out while the sale goes on")
        expect(region in self._regions, f"a region that is fenced out ({region}) was in the sale")
        share = self.shares[region]
        expect(share.is_stocked, "a region is fenced out once its share was set up")
        self._expect_counted("a region is fenced out")
        state = self._leave(region, "fenced out")
        self.fenced_out.add(region)
        self.estate = (*self.estate, *share.free)
        self._give_up()
        return Fenced(region, state.seq, state.head, reason), list(self._consequences())

    @property
    def nobodys(self) -> int:
        """How many units a fenced region had left or was granted, and nobody was given since."""
        return count(self.estate) + sum(count(grant.units) for grant in self._lost())

    def _lost(self) -> list[Grant]:
        """On their way to a region that was fenced out, so nobody can take them any more. A grant may be read long
        after its recipient was fenced out."""
        if not self.fenced_out:
            return []
        return sorted(grant for grant in self._on_the_way.values() if grant.to in self.fenced_out)

    def _give_up(self) -> None:
        """Put what is lost among what is nobody's. In the order of names and only where something is recorded, so that
        whoever replays the sale, with logs delivered in another order and looked at less often, has the same units at
        the same place."""
        for grant in self._lost():
            self.estate = (*self.estate, *grant.units)
            del self._on_the_way[grant.donor, grant.number]

    def _expect_counted(self, what: str) -> None:
        """What is nobody's hangs on how far every log was delivered, so that must be recorded before."""
        counted = all(state.seq == state.counted for state in self._regions.values())
        expect(counted, f"{what} where every region was last seen")

    def reissue(self, to: RegionName, wanted: int) -> Reissued:
        """Give units that are nobody's to a region.

        Raises:
            Contradiction: there are not so many, the region is not in the sale, or some region was delivered further
                than a `Seen` has counted.
        """
        expect(not self.is_decided, "units are reissued while the sale goes on")
        expect(self.terms.rebalances, "units are reissued only in a sale that rebalances")
        expect(to in self._regions, f"units are reissued to a region in the sale ({to})")
        self._expect_counted("units are reissued")
        self._give_up()
        expect(guards.may_give(wanted, count(self.estate)), f"what is reissued is nobody's ({wanted})")
        self.estate, units = split_last(self.estate, wanted)
        record = Reissued(len(self.reissued) + 1, to, units)
        self.reissued.append(record)
        self._on_the_way["", record.number] = Grant("", record.number, to, units)
        return record

    def enter_beacon(self, value: BeaconValue) -> list[Decision]:
        raise Contradiction("", f"a beacon's value is entered only where the terms name a round ({value.round})")

    def _consequences(self) -> Iterable[Decision]:
        for (donor, number), (region, _) in self._unmatched.items():
            raise Contradiction(region, f"what is taken was granted ({donor or 'the arbiter'} {number})")
        if self.is_decided:
            return
        yield from self._ends()

    def _ends(self) -> Iterator[Decision]:
        if not guards.in_stock(self.sold, self.terms.stock):
            self.sold_out = True
            yield SoldOut()
        elif guards.everyone_is_heard(self.frontier_ns, self.terms.last_stamp_ns):
            self.is_complete = True
            yield Complete()

    def _close_reason(self) -> CloseReason | None:
        if self.sold_out:
            return "sold_out"
        if self.cancelled:
            return "cancelled"
        return "time" if self.is_complete else None

    def _forget_who_waits(self) -> None:
        """Nobody waits: whoever has an entry has a unit."""
