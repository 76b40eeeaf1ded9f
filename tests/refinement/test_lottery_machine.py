"""The lottery of heaps and the lottery of relations serve the same requests.

The machine offers, withdraws and draws from `model/lottery.py`. Beside it whoever waits is a state of
`proofs/protocol.py`, in which nobody has won and every request has a buyer of its own, so that tickets may be equal.
`is_earliest`, `Lottery.in_pot_of` and `may_draw`, the terms that are proved, say who is first, who is in the pot and
who is drawn; the heaps must say so too.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from model.lottery import WindowLottery
from proofs import protocol
from proofs.induction import BEFORE
from proofs.protocol import frontier, head, x
from tests.refinement.abstraction import UNLOGGED, Moment, potted_in
from tests.refinement.finite import Claim, World
from tests.search import many

LAST = 20
"""No stamp above this can be logged."""
STATES = {
    "drawn",
    "a tie",
    "a pot of three or more",
    "twins: equal tickets in one pot",
    "three of a kind",
    "a twin served before one that was offered earlier",
    "the later place was drawn",
    "not complete yet",
    "complete past the last stamp only",
    "nobody waits",
    "withdrawn",
    "withdrawn the earliest",
    "offered while others are in the pot",
}


@cache
def relations() -> dict[str, Claim]:
    s = BEFORE
    return {
        "earliest": Claim((protocol.is_earliest(s, head),), head),
        "pot": Claim((protocol.is_earliest(s, head), protocol.lottery(s).in_pot_of(head, x)), head, x),
        "drawn": Claim((protocol.may_draw(s, frontier, head, x),), head, x),
    }


class Lottery(RuleBasedStateMachine):
    """Who waits, in heaps and as a state of the protocol."""

    reached: ClassVar[Counter[str]] = Counter()

    @initialize(window=st.sampled_from([0, 1, 2, 5, 12]))
    def begin(self, window: int) -> None:
        self.window, self.frontier = window, 0
        self.places: dict[str, int] = {}
        self.tickets: dict[str, int] = {}
        self.slots: dict[str, int] = {}
        """Of those who wait."""
        self.served: list[str] = []
        self.potted: set[str] = set()
        self.lottery = WindowLottery[str](window, self.tickets.__getitem__)

    @precondition(lambda self: len(self.slots) < 7 and len(self.places) < 30 and self.frontier <= LAST)
    @rule(offers=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3), st.integers(0, 99)), min_size=1, max_size=4))
    def offer(self, offers: list[tuple[int, int, int]]) -> None:
        """Whoever is offered has a place that the frontier allows; names carry no order of arrival."""
        for after, drawn, random in offers:
            name = f"{random:02}.{len(self.places)}"
            self.places[name] = min(self.frontier + after, LAST)
            self.tickets[name] = drawn
            self.reached["offered while others are in the pot"] += bool(self.potted & self.slots.keys())
            self.slots[name] = self.lottery.offer(self.places[name], name)

    @precondition(lambda self: len(self.slots.keys() - self.potted) > 2)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        """Only who has not been in a pot can be withdrawn: `a_lesser_entry_never_replaces_one_that_was_in_a_pot`."""
        name = data.draw(st.sampled_from(sorted(self.slots.keys() - self.potted)))
        self.reached["withdrawn"] += 1
        self.reached["withdrawn the earliest"] += self.places[name] == min(self.places[one] for one in self.slots)
        self.lottery.withdraw(self.slots.pop(name))

    @rule(rise=st.sampled_from([1, 3, 5, 8, 12]))
    def raise_the_frontier(self, rise: int) -> None:
        self.frontier = min(self.frontier + rise, LAST + 1)

    @rule(most=st.sampled_from([1, 1, 2, 9]))
    def draw(self, most: int) -> None:
        """Once, a few times, or until nobody can be served."""
        for _ in range(most):
            world = self._world()
            expected = {chosen["x"] for chosen in relations()["drawn"].solutions(world)}
            pot = {chosen["x"] for chosen in relations()["pot"].solutions(world)}
            name = self.lottery.draw(self.frontier, LAST)
            assert expected == ({name} if name is not None else set())
            if name is None:
                self.reached["not complete yet" if self.slots else "nobody waits"] += 1
                return
            self._reach(name, pot)
            del self.slots[name]
            self.served.append(name)
            self.potted |= pot
            assert potted_in(self.lottery) - {*self.served} == pot - {name}

    def _reach(self, name: str, pot: set[str]) -> None:
        alike = [one for one in pot if self.tickets[one] == self.tickets[name]]
        self.reached["drawn"] += 1
        self.reached["a tie"] += len(pot) > 1
        self.reached["a pot of three or more"] += len(pot) > 2
        self.reached["twins: equal tickets in one pot"] += len(alike) > 1
        self.reached["three of a kind"] += len(alike) > 2
        self.reached["a twin served before one that was offered earlier"] += any(
            self.slots[one] & 0xFFFF < self.slots[name] & 0xFFFF for one in alike
        )
        self.reached["the later place was drawn"] += any(self.places[one] < self.places[name] for one in pot)
        earliest = min(self.places[one] for one in pot)
        self.reached["complete past the last stamp only"] += earliest + self.window >= self.frontier

    @invariant()
    def the_earliest_is_the_earliest(self) -> None:
        earliest = {self.places[one["head"]] for one in relations()["earliest"].solutions(self._world())}
        place = self.lottery.earliest_place_ns()
        assert earliest == ({place} if place is not None else set())

    def _world(self) -> World:
        """Whoever waits as a state of the protocol: heard, the least entry of a buyer, and nobody has won."""
        names = [UNLOGGED, *sorted(self.places)]
        moment = Moment(
            log=dict.fromkeys(self.slots, protocol.HEARD), unit={}, potted=frozenset(), front={}, mark={"here": 0},
            read={"here": 0}, present=frozenset({"here"}), ending=protocol.OPEN,
        )  # fmt: skip
        return World(
            {"Request": names, "Buyer": names, "Region": ["here"]},
            {
                "name": {name: rank for rank, name in enumerate(names)},
                "buyer": {name: name for name in names},
                "stamp": {name: self.places.get(name, 0) for name in names},
                "ticket": {name: self.tickets.get(name, 0) for name in names},
                "opens": 0,
                "closes": LAST,
                "skew": 0,
                "window": self.window,
                "stock": 10**6,
                "frontier": self.frontier,
                **moment.tables("", names, []),
                "front": {name: name for name in names},
            },
        )


def run(max_examples: int, phases: Sequence[Phase] = tuple(Phase)) -> None:
    """Run the machine, up to the first failure.

    Raises:
        AssertionError: heaps and relations differ somewhere.
    """
    Lottery.reached.clear()
    how = settings(stateful_step_count=30, max_examples=max_examples, phases=phases, report_multiple_bugs=False)
    run_state_machine_as_test(Lottery, settings=how)


def test_heaps_and_relations_serve_the_same() -> None:
    run(max_examples=many(150))
    print("states reached:", ", ".join(f"{state} {number}" for state, number in sorted(Lottery.reached.items())))
    missing = STATES - {state for state, number in Lottery.reached.items() if number}
    if missing:
        pytest.fail(f"never reached: {', '.join(sorted(missing))}")
