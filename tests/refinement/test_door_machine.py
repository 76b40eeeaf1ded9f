"""Stores that sell, a fold and carriers do the steps of `proofs/shares.py`, and no others.

The proofs speak of one unit, which is any; so each step is asked about several. What is asked are the very terms that
the solvers are asked about, read on finite worlds (`finite.py`). A region's steps are those of `model/share.py` on its
log, as the store's scripts write it; that the scripts write what the model says is `tests/service/store/`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from z3 import And

from model import guards as law
from model.shards import Grant
from model.units import count, each, split_last
from proofs import shares
from proofs.obligations import Term
from proofs.shares import DOOR, FREE, NOBODYS, ON_THE_WAY, SOLD, STEPS, UNSET
from tests.door_stories import DoorStory, Store, door_terms
from tests.refinement.finite import Claim, Formula, World
from tests.stories import OPENS_NS

NOBODY = "nobody"
"""A request, and a grant, that there never is: a sort has a member."""
Name = tuple[str, int]

OPEN_CONSTANTS: dict[str, tuple[Term, ...]] = {
    "set up": (shares.x,),
    "sell": (shares.a, shares.x, shares.sold, shares.first),
    "give": (shares.t, shares.x),
    "read": (shares.t,),
    "take": (shares.t, shares.x),
    "stop": (shares.x,),
    "fence": (shares.x,),
    "give up": (shares.t,),
    "reissue": (shares.t,),
}


@cache
def steps() -> dict[str, Claim]:
    return {name: Claim(take(DOOR.before, DOOR.after), *OPEN_CONSTANTS[name]) for name, take in STEPS.items()}


@cache
def kept() -> dict[str, Formula]:
    world = {f"the world, {number}": Formula(term) for number, term in enumerate(shares.world())}
    return world | {statement.__name__: Formula(statement(DOOR.before)) for statement in DOOR.invariants}


@cache
def may_be_taken() -> Formula:
    s = DOOR.before
    own = shares.guards.is_ones_own(shares.called(shares.to(shares.t)), shares.called(shares.x))
    once = shares.guards.may_take(s.times(shares.x, shares.t))
    return Formula(And(shares.works(s, shares.x), s.read(shares.t), own, once))


@cache
def beginning() -> Formula:
    return Formula(And(*shares.start(DOOR.before)))


@dataclass
class Watched:
    """A sale at the door, with what the proofs keep of it beside: where each unit is, and since whom."""

    story: DoorStory
    entries: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By request, region and unit."""
    grants: dict[Name, Grant] = field(default_factory=dict)
    read: set[Name] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    fenced: set[str] = field(default_factory=set)
    given_up: set[Name] = field(default_factory=set)
    register: dict[int, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = self.story.terms.regions[0]
        nothing = {"kind": UNSET, "holder": first, "carrier": NOBODY, "owner": NOBODY}
        self.register = {unit: dict(nothing) for unit in range(self.story.terms.stock)}

    def note(self) -> None:
        """What became of every unit."""
        stores, register = self.story.stores, self.register
        for name, store in stores.items():
            if name not in self.fenced:
                for unit in each(store.share.free):
                    register[unit].update(kind=FREE, holder=name)
        for request, (_, unit) in self.entries.items():
            register[unit].update(kind=SOLD, owner=request)
        for name, grant in self.grants.items():
            if self.is_on_the_way(name):
                for unit in each(grant.units):
                    register[unit].update(kind=ON_THE_WAY, carrier=str(name))
        for unit in self.nobodys():
            register[unit].update(kind=NOBODYS)

    def is_on_the_way(self, name: Name) -> bool:
        return name not in self.given_up and name not in self.story.stores[self.grants[name].to].share.taken

    def nobodys(self) -> set[int]:
        """By what was fenced out, given up and reissued."""
        times = Counter[int]()
        for region in self.fenced:
            times.update(each(self.story.stores[region].share.free))
        for name in self.given_up:
            times.update(each(self.grants[name].units))
        for (donor, _), grant in self.grants.items():
            if not donor:
                times.subtract(each(grant.units))
        return {unit for unit, left in times.items() if left > 0}

    def tables(self, tag: str, unit: int, world: dict[str, list[str]]) -> dict[str, Any]:
        """What the symbols of `Shares(tag)` mean, of one unit."""
        stores, named = self.story.stores, {str(name): name for name in self.grants}
        regions, requests, grants = (world[sort] for sort in ("Region", "Request", "Grant"))
        left = [store for name, store in stores.items() if name not in self.fenced]
        unset = [name for name, store in stores.items() if not store.lines]
        on_the_way = [self.grants[name].units for name in self.grants if self.is_on_the_way(name)]
        told: dict[str, Any] = {
            "stocked": {name: bool(stores[name].lines) for name in regions},
            "has": {name: unit in each(stores[name].share.free) for name in regions},
            "free": {name: count(stores[name].share.free) for name in regions},
            "given": {name: len(stores[name].share.granted) for name in regions},
            "stopped": {name: name in self.stopped for name in regions},
            "fenced": {name: name in self.fenced for name in regions},
            "logged": {request: request in self.entries for request in requests},
            "got": {request: self.entries.get(request, ("", -1))[1] for request in requests},
            "made": {grant: grant in named for grant in grants},
            "read": {grant: named.get(grant) in self.read for grant in grants},
            "given_up": {grant: named.get(grant) in self.given_up for grant in grants},
            "times": {
                (region, grant): int(named.get(grant) in stores[region].share.taken)
                for region in regions
                for grant in grants
            },
            "nobodys": unit in self.nobodys(),
            "reissued": sum(not donor for donor, _ in self.grants),
            "all_unset": sum(self.story.terms.quotas[name] for name in unset),
            "all_free": sum(count(store.share.free) for store in left),
            "all_sold": len(self.entries),
            "all_on_the_way": sum(map(count, on_the_way)),
            "all_nobodys": len(self.nobodys()),
            **self.register[unit],
        }
        return {name + tag: table for name, table in told.items()}


class Course:
    """A sale's way through the states of the proofs, and how often each step was taken."""

    taken: ClassVar[Counter[str]] = Counter()

    def __init__(self, story: DoorStory) -> None:
        self.seen = Watched(story)
        self.story = story
        for unit in range(story.terms.stock):
            assert beginning()(World(self._members([], []), {**self._always(unit, []), **self._now("", unit)}))

    def _members(self, requests: Sequence[str], grants: Sequence[str]) -> dict[str, list[str]]:
        return {"Region": list(self.story.terms.regions), "Request": [NOBODY, *requests], "Grant": [NOBODY, *grants]}

    def _now(self, tag: str, unit: int, requests: Sequence[str] = (), grants: Sequence[str] = ()) -> dict[str, Any]:
        return self.seen.tables(tag, unit, self._members(requests, grants))

    def _always(self, unit: int, grants: Sequence[str]) -> dict[str, Any]:
        """What never changes; a grant that there is later had its name and its units before."""
        terms, regions = self.story.terms, self.story.terms.regions
        named = {str(name): grant for name, grant in self.seen.grants.items()}
        no_grant = Grant(regions[0], 10**6, regions[-1], ())
        all_grants = {grant: named.get(grant, no_grant) for grant in [NOBODY, *grants]}
        return {
            "unit": unit,
            "stock": terms.stock,
            "share": next(name for name in regions if unit in each(terms.share(name))),
            "quota": dict(terms.quotas),
            "called": {name: rank for rank, name in enumerate(sorted(regions))},
            "donor": {name: grant.donor or regions[0] for name, grant in all_grants.items()},
            "to": {name: grant.to for name, grant in all_grants.items()},
            "by_arbiter": {name: not grant.donor for name, grant in all_grants.items()},
            "has_unit": {name: unit in each(grant.units) for name, grant in all_grants.items()},
            "number": {name: grant.number for name, grant in all_grants.items()},
            "size": {name: count(grant.units) for name, grant in all_grants.items()},
        }

    def step(self, expected: str, units: set[int], change: Any) -> None:
        """Something happens; for each of these units it is that step, and no other."""
        units = units or {0}
        snapshots = {unit: self._snapshot(unit) for unit in units}
        change()
        self.seen.note()
        requests, grants = list(self.seen.entries), [str(name) for name in self.seen.grants]
        for unit in units:
            was = snapshots[unit](requests, grants)
            tables = {**self._always(unit, grants), **was, **self._now("+", unit, requests, grants)}
            world = World(self._members(requests, grants), tables)
            integers = sorted({unit, *(got for _, got in list(self.seen.entries.values())[-1:])})
            assert {name for name, claim in steps().items() if claim.holds(world, integers)} == {expected}
        self.taken[expected] += 1
        self.holds(units)

    def _snapshot(self, unit: int) -> Any:
        """The state as it is, for members that may be there only later."""
        told = self._now("", unit, list(self.seen.entries), [str(name) for name in self.seen.grants])
        regions = self.story.terms.regions

        def of(requests: list[str], grants: list[str]) -> dict[str, Any]:
            later = {name: dict(table) if isinstance(table, dict) else table for name, table in told.items()}
            for request in requests:
                later["logged"].setdefault(request, False)
                later["got"].setdefault(request, -1)
            for grant in grants:
                for part in ("made", "read", "given_up"):
                    later[part].setdefault(grant, False)
                for region in regions:
                    later["times"].setdefault((region, grant), 0)
            return later

        return of

    def holds(self, units: set[int]) -> None:
        """The world is as assumed, and every invariant holds."""
        requests, grants = list(self.seen.entries), [str(name) for name in self.seen.grants]
        for unit in units:
            tables = {**self._always(unit, grants), **self._now("", unit, requests, grants)}
            world = World(self._members(requests, grants), tables)
            assert [name for name, formula in kept().items() if not formula(world)] == []

    def can_take(self, name: Name, region: str) -> bool:
        """Whether the proofs let a region take a grant now."""
        requests, grants = list(self.seen.entries), [str(made) for made in self.seen.grants]
        tables = {
            **self._always(0, grants),
            **self._now("", 0, requests, grants),
            "t": str(name),
            "x": region,
        }
        return bool(may_be_taken()(World(self._members(requests, grants), tables)))


def perform(data: st.DataObject, course: Course) -> None:
    """Some steps, as chance has them."""
    story, seen = course.story, course.seen
    any_unit = st.integers(0, story.terms.stock - 1)
    for _ in range(data.draw(st.integers(8, 30))):
        region = data.draw(st.sampled_from(story.terms.regions))
        other = data.draw(st.sampled_from(story.terms.regions))
        store, unit = story.stores[region], data.draw(any_unit)
        match data.draw(st.sampled_from("ussggggrrrcccfiii")):
            case "u" if not store.lines:
                course.step("set up", {unit, *each(story.terms.share(region))}, store.set_up)
            case "s":
                sell(course, store, f"b{data.draw(st.integers(0, 9))}", unit)
            case "g" if region != other and store.works:
                give(course, store, other, data.draw(st.integers(1, 4)), unit)
            case "r":
                read(course, data, unit)
            case "c" if seen.grants:
                carry(course, data.draw(st.sampled_from(sorted(seen.grants))), region, unit)
            case "f" if store.lines and region not in seen.fenced and len(seen.fenced) + 1 < len(story.stores):
                fence(course, region, unit)
            case "i" if seen.nobodys() and other not in seen.fenced:
                reissue(course, other, data.draw(st.integers(1, 3)), unit)


def sell(course: Course, store: Store, buyer: str, unit: int) -> None:
    if not store.works or not store.share.free or buyer in store.share.buyers:
        assert store.sell(buyer, OPENS_NS) is None
        return
    first = store.share.free[0][0]

    def sold() -> None:
        entry = store.sell(buyer, OPENS_NS)
        assert entry is not None
        assert entry.unit == first
        course.seen.entries[entry.request] = store.region, first

    course.step("sell", {first, unit}, sold)


def give(course: Course, store: Store, to: str, wanted: int, unit: int) -> None:
    if not store.share.free:
        return
    number = len(store.share.granted) + 1
    units = set(each(split_last(store.share.free, wanted)[1]))

    def given_away() -> None:
        grant = store.give(number, to, wanted)
        assert grant is not None
        course.seen.grants[store.region, number] = Grant(store.region, number, to, grant.units)

    course.step("give", {unit, max(units)}, given_away)
    assert store.give(number, to, wanted) is None  # a repeat does nothing


def read(course: Course, data: st.DataObject, unit: int) -> None:
    unread = sorted(name for name in course.seen.grants if name not in course.seen.read)
    if unread:
        name = data.draw(st.sampled_from(unread))
        course.step("read", {unit}, lambda: course.seen.read.add(name))


def carry(course: Course, name: Name, region: str, unit: int) -> None:
    grant, store = course.seen.grants[name], course.story.stores[region]
    if name not in course.seen.read:
        return  # nobody carries what was not read
    may = course.can_take(name, region)
    if not may:
        assert store.take(grant) is None
        return

    course.step("take", {unit, max(each(grant.units))}, lambda: store.take(grant))
    assert store.take(grant) is None
    assert not course.can_take(name, region)


def fence(course: Course, region: str, unit: int) -> None:
    """Stopped, read to its end, fenced out; what is on its way there is given up as it is read."""
    seen, store = course.seen, course.story.stores[region]

    def stopped() -> None:
        store.is_stopped = True
        seen.stopped.add(region)

    course.step("stop", {unit}, stopped)
    for name in sorted(seen.grants):
        if name[0] == region and name not in seen.read:
            course.step("read", {unit}, lambda name=name: seen.read.add(name))
    course.step("fence", {unit, *list(each(store.share.free))[:1]}, lambda: seen.fenced.add(region))
    give_up(course, unit)


def give_up(course: Course, unit: int) -> None:
    seen = course.seen
    for name, grant in sorted(seen.grants.items()):
        if grant.to in seen.fenced and name in seen.read and seen.is_on_the_way(name):
            course.step("give up", {unit, max(each(grant.units))}, lambda name=name: seen.given_up.add(name))


def reissue(course: Course, to: str, wanted: int, unit: int) -> None:
    seen = course.seen
    units = sorted(seen.nobodys())[-wanted:]
    number = 1 + sum(not donor for donor, _ in seen.grants)

    def again() -> None:
        seen.grants["", number] = Grant("", number, to, tuple((one, one) for one in units))
        seen.read.add(("", number))

    course.step("reissue", {unit, units[0]}, again)
    give_up(course, unit)


@given(st.data())
def run(data: st.DataObject) -> None:
    course = Course(DoorStory(door_terms(data.draw(st.sampled_from([(2, 1, 1), (0, 3), (1, 2, 0)])))))
    for name, store in course.story.stores.items():
        if data.draw(st.integers(0, 5)):
            course.step("set up", {0, *each(course.story.terms.share(name))}, store.set_up)
    perform(data, course)
    agrees_with_the_fold(course)


def agrees_with_the_fold(course: Course) -> None:
    """The shipped fold, told the same logs and operators' calls, has every unit where the proofs have it."""
    story, seen = course.story, course.seen
    if seen.fenced:
        return  # estates are compared in `tests/model/test_shards.py`, which records looks between
    for region in story.terms.regions:
        story.read(region)
    story.look()
    account = story.fold.account()
    kinds = Counter(told["kind"] for told in seen.register.values())
    assert (kinds[FREE], kinds[SOLD]) == (account.free, account.sold)
    assert (kinds[ON_THE_WAY], kinds[UNSET]) == (account.on_the_way, account.not_stocked)


def test_stores_and_proofs_do_the_same_steps() -> None:
    Course.taken.clear()
    run()
    print("steps taken:", ", ".join(f"{step} {number}" for step, number in sorted(Course.taken.items())))
    missing = STEPS.keys() - Course.taken.keys()
    if missing:
        pytest.fail(f"never taken: {', '.join(sorted(missing))}")


def test_a_store_that_takes_twice_is_no_store_of_the_proofs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Teeth: a store that forgets what it has taken does a step that the proofs do not know."""
    course = Course(DoorStory(door_terms((2, 1))))
    for store in course.story.stores.values():
        course.step("set up", set(each(store.terms.share(store.region))), store.set_up)
    north, south = course.story.stores["north"], course.story.stores["south"]
    give(course, north, "south", 1, 0)
    course.step("read", {1}, lambda: course.seen.read.add(("north", 1)))
    carry(course, ("north", 1), "south", 1)
    sell(course, south, "ann", 1)
    sell(course, south, "bob", 1)
    monkeypatch.setattr(law, "may_take", lambda _: True)
    with pytest.raises(AssertionError):
        course.step("take", {1}, lambda: south.take(course.seen.grants["north", 1]))
