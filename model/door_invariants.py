"""The promises of a sale at the door, one function each: a sentence for a name, the violations for a value. Pure.

As `invariants.py` for ordered sales: tests ask them of random runs, the audit of a bundle, and `proofs/shares.py`
proves them of every run. They add up what the logs say, and know nothing of the fold: where each unit is at the end, is
found by laying sales, shares and grants side by side.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple, TypeAlias

from model import guards
from model.shards import Grant
from model.terms import Terms
from model.units import units_text
from model.vocabulary import (
    CutOff,
    Decision,
    Fenced,
    Granted,
    Line,
    RegionName,
    Reissued,
    Stocked,
    Taken,
    Units,
)

Sold: TypeAlias = Callable[[], Iterable[tuple[int, int]]]
"""A region's entries in order: the number of the line, and the unit. Made anew whenever a promise asks."""

PlaceKind: TypeAlias = Literal["sold", "free", "on the way", "nobody's", "unaccounted", "not set up"]


class Place(NamedTuple):
    """Where some units are at the end of what the logs tell.

    `unaccounted` is what a region that was cut off had left, or was to take: nobody knows whether it sold it since.
    """

    kind: PlaceKind
    region: RegionName
    """Whose they are, or who may take them; "" for nobody's."""
    units: Units


class Violation(NamedTuple):
    """What breaks a promise, in which line of whose log; no line, and perhaps no region, where it is in none."""

    region: RegionName
    seq: int | None
    what: str


@dataclass(frozen=True)
class DoorRun:
    """A sale at the door, as its logs and its decisions tell it."""

    terms: Terms
    sold: Mapping[RegionName, Sold]
    moves: Mapping[RegionName, Sequence[Line]]
    """All other lines, in order."""
    free: Mapping[RegionName, Units]
    """What was left in each share at the end of its log."""
    decisions: Sequence[Decision]

    @cached_property
    def fenced(self) -> set[RegionName]:
        return {each.region for each in self.decisions if isinstance(each, Fenced)}

    @cached_property
    def cut_off(self) -> set[RegionName]:
        return {each.region for each in self.decisions if isinstance(each, CutOff)}

    @cached_property
    def grants(self) -> dict[tuple[RegionName, int], Grant]:
        """Every grant that was made, by donor ("" for the arbiter) and number."""
        made = {
            (region, line.number): Grant(region, line.number, line.to, line.units)
            for region, lines in self.moves.items()
            for line in lines
            if isinstance(line, Granted)
        }
        reissued = (
            Grant("", each.number, each.to, each.units) for each in self.decisions if isinstance(each, Reissued)
        )
        return made | {("", grant.number): grant for grant in reissued}

    def told(self, line: Taken) -> str:
        """Which grant a line is about, and where that was made."""
        if not line.donor:
            return f"grant {line.number} of the arbiter"
        moves = self.moves.get(line.donor, ())
        made = (move.seq for move in moves if isinstance(move, Granted) and move.number == line.number)
        where = next((f" (line {seq} there)" for seq in made), "")
        return f"grant {line.number} of {line.donor}{where}"

    @cached_property
    def taken(self) -> list[tuple[RegionName, Taken]]:
        return [(name, line) for name, lines in self.moves.items() for line in lines if isinstance(line, Taken)]

    @cached_property
    def places(self) -> list[Place]:
        """Where all units are; nothing is said of places without any."""
        taken = {(line.donor, line.number) for _, line in self.taken}
        found, estate = list[Place](), list[tuple[int, int]]()
        for region in self.terms.regions:
            units = merged((unit, unit) for _, unit in self.sold[region]())
            found.append(Place("sold", region, units))
            is_set_up = any(isinstance(line, Stocked) for line in self.moves[region])
            if region in self.fenced:
                estate.extend(self.free[region])
            elif not is_set_up:
                found.append(Place("not set up", region, self.terms.share(region)))
            else:
                found.append(Place(self._kept_by(region, "free"), region, merged(self.free[region])))
        for name, grant in self.grants.items():
            if name in taken:
                continue
            if grant.to in self.fenced:
                estate.extend(grant.units)
            else:
                found.append(Place(self._kept_by(grant.to, "on the way"), grant.to, grant.units))
        again = [one for grant in self.grants.values() if not grant.donor for one in grant.units]
        found.append(Place("nobody's", "", left_of(estate, again)))
        return [place for place in found if place.units]

    def _kept_by(self, region: RegionName, kind: PlaceKind) -> PlaceKind:
        return "unaccounted" if region in self.cut_off else kind


Violations: TypeAlias = Iterator[Violation]
DoorInvariant: TypeAlias = Callable[[DoorRun], Violations]


def no_unit_is_sold_twice(run: DoorRun) -> Violations:
    """Every unit that was sold is of the stock, and is one buyer's."""
    is_sold = bytearray(run.terms.stock)
    for region in run.terms.regions:
        for seq, unit in run.sold[region]():
            if unit >= run.terms.stock:
                yield Violation(region, seq, f"unit {unit} is sold, of a stock of {run.terms.stock}")
            elif is_sold[unit]:
                yield Violation(region, seq, f"unit {unit} is sold, and was sold before")
            else:
                is_sold[unit] = 1


def whatever_is_taken_was_granted(run: DoorRun) -> Violations:
    """What a region has taken somebody has given, to this region, and just so many units."""
    for region, line in run.taken:
        grant = run.grants.get((line.donor, line.number))
        if grant is None:
            yield Violation(region, line.seq, f"{run.told(line)} is taken, and was never made")
        elif not guards.is_ones_own(grant.to, region):
            yield Violation(region, line.seq, f"{run.told(line)} is taken, and is for {grant.to}")
        elif grant.units != line.units:
            given, got = units_text(grant.units), units_text(line.units)
            yield Violation(region, line.seq, f"{run.told(line)} was {given}, and is taken as {got}")


def every_grant_is_taken_at_most_once(run: DoorRun) -> Violations:
    """No grant is taken twice, wherever."""
    times: dict[tuple[RegionName, int], int] = {}
    for region, line in run.taken:
        before = times.get((line.donor, line.number), 0)
        if not guards.may_take(before):
            yield Violation(region, line.seq, f"{run.told(line)} is taken, and was taken before")
        times[line.donor, line.number] = before + 1


def every_unit_is_in_one_place(run: DoorRun) -> Violations:
    """What is free, sold, on its way, nobody's, unaccounted or not set up yet is the stock, each unit once."""
    ranges = sorted((first, last, place) for place in run.places for first, last in place.units)
    expected, before = 0, None
    for first, last, place in ranges:
        if first > expected:
            yield Violation("", None, f"units {expected}-{first - 1} are nowhere")
        elif first < expected and before is not None:
            both = f"{first}-{min(last, expected - 1)}"
            yield Violation("", None, f"units {both} are {_told(before)} and {_told(place)}")
        if last >= expected:
            expected, before = last + 1, place
    if expected < run.terms.stock:
        yield Violation("", None, f"units {expected}-{run.terms.stock - 1} are nowhere")
    if expected > run.terms.stock:
        yield Violation("", None, f"units up to {expected - 1} are somewhere, of a stock of {run.terms.stock}")


GRANT_PROMISES: Final[tuple[DoorInvariant, ...]] = (
    whatever_is_taken_was_granted,
    every_grant_is_taken_at_most_once,
)
"""Those that need grants only, whatever else a log says."""
UNIT_PROMISES: Final[tuple[DoorInvariant, ...]] = (
    no_unit_is_sold_twice,
    every_unit_is_in_one_place,
)
"""Those about all units."""


def _told(place: Place) -> str:
    return place.kind + (f" in {place.region}" if place.region else "")


def merged(ranges: Iterable[tuple[int, int]]) -> Units:
    """The same units from the least to the greatest, in as few ranges as there can be."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)


def left_of(came: Iterable[tuple[int, int]], went: Iterable[tuple[int, int]]) -> Units:
    """What is left where units come and go, perhaps several times; a unit that came more often is there as often."""
    changes: dict[int, int] = {}
    for ranges, by in ((came, 1), (went, -1)):
        for first, last in ranges:
            changes[first] = changes.get(first, 0) + by
            changes[last + 1] = changes.get(last + 1, 0) - by
    left, there, begin = list[tuple[int, int]](), 0, 0
    for at in sorted(changes):
        left.extend([(begin, at - 1)] * there)
        there, begin = there + changes[at], at
    return tuple(left)
