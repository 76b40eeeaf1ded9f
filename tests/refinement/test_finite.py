"""The reading of `finite.py` is z3's: on the same finite worlds both give every term the same value.

Otherwise the machines beside this file would compare the model with a misreading of the proofs.
"""

import random
from collections import Counter
from dataclasses import replace

import pytest
import z3

from model.wire import log_line
from proofs import protocol
from proofs.induction import AFTER, BEFORE, SALE, one
from proofs.promises import outcome
from tests.refinement.abstraction import Moment, Sale
from tests.refinement.finite import Claim, Formula, World, facts
from tests.refinement.relations import OPEN_CONSTANTS
from tests.stories import OPENS_NS, entry, terms

CONDITIONS = [
    *protocol.world(),
    *protocol.start(BEFORE),
    *(statement(BEFORE) for statement in SALE.invariants),
    *(condition for take in protocol.STEPS.values() for condition in take(BEFORE, AFTER)),
    protocol.may_draw(BEFORE, protocol.frontier, protocol.head, protocol.x),
    protocol.is_drawn(BEFORE, protocol.head, protocol.x),
    *(outcome(BEFORE, one) == told for told in range(5)),
]
REQUESTS, BUYERS, REGIONS = ["r0", "r1", "r2"], ["b0", "b1"], ["g0", "g1"]


def state(chance: random.Random, tag: str) -> dict[str, object]:
    """Any state at all, most of which no sale is ever in."""

    def each(members: list[str], *values: object) -> dict[str, object]:
        return {member: chance.choice(values) for member in members}

    named = {
        "log": each(REQUESTS, 0, 1, 1, 2), "won": each(REQUESTS, True, False), "unit": each(REQUESTS, 0, 1),
        "potted": each(REQUESTS, True, False), "front": each(BUYERS, *REQUESTS), "mark": each(REGIONS, 0, 3, 9),
        "read": each(REGIONS, 0, 1, 2), "present": each(REGIONS, True, True, False), "sold": chance.randrange(3),
        "ending": chance.choice([0, 0, 1, 2]),
    }  # fmt: skip
    return {name + tag: table for name, table in named.items()}


def any_world(seed: int) -> World:
    """A small world and two states of it: the second as the first, but for one part in most cases."""
    chance = random.Random(seed)
    before, other = state(chance, ""), state(chance, "+")
    changed = {f"{chance.choice(list(before))}+" for _ in range(chance.choice([0, 1, 1, 2]))}
    after = {f"{name}+": other[f"{name}+"] if f"{name}+" in changed else table for name, table in before.items()}
    tables = {
        "name": dict(zip(REQUESTS, chance.sample(range(3), 3), strict=True)),
        "buyer": {request: chance.choice(BUYERS) for request in REQUESTS},
        "region": {request: chance.choice(REGIONS) for request in REQUESTS},
        "ticket": {buyer: chance.randrange(3) for buyer in BUYERS},
        **{of: {request: chance.randrange(6) for request in REQUESTS} for of in ("seq", "stamp", "bound")},
        "true_arrival": {request: chance.randrange(6) for request in REQUESTS},
        "stock": chance.randrange(3), "opens": chance.randrange(4), "closes": chance.randrange(6), "skew": 1,
        "entries_from": 0, "window": chance.randrange(4), "cut_off_after": 3,
        **{of: chance.choice(REQUESTS) for of in ("x", "head", "one")}, "least": chance.choice(REGIONS),
        "frontier": chance.choice([0, 3, 9]), "raised": chance.choice([3, 9]), "silent": 4,
        "reason": chance.choice([3, 4]),
    }  # fmt: skip
    return World({"Request": REQUESTS, "Buyer": BUYERS, "Region": REGIONS}, {**tables, **before, **after})


def test_z3_gives_every_term_the_same_value() -> None:
    formulas = [Formula(condition) for condition in CONDITIONS]
    found: dict[int, set[bool]] = {number: set() for number in range(len(formulas))}
    for seed in range(12):
        world = any_world(seed)
        solver = z3.Solver()
        solver.add(*facts(world, CONDITIONS))
        assert solver.check() == z3.sat
        for number, formula in enumerate(formulas):
            value = formula(world)
            found[number].add(value)
            assert solver.check(z3.Not(formula.term) if value else formula.term) == z3.unsat, formula.term
    both = sum(values == {True, False} for values in found.values())
    assert both > len(formulas) / 2, "most terms must have been true here and false there"


def test_z3_itself_finds_the_steps_of_a_real_sale() -> None:
    """Without a word of `finite.py`'s reading: each transition of the fold is its step, for constants that z3 finds."""
    sale = Sale(terms(stock=1, skew=1, slack=0), b"key")
    taken: list[tuple[str, Moment, Moment]] = []

    def deliver(region: str, seq: int, after_ns: int, buyer: str) -> None:
        before, line = sale.now(), entry(region, seq, after_ns, buyer)
        in_time = not sale.fold.is_decided
        sale.heard(region, line, line.stamp_ns)
        sale.fold.deliver(region, log_line(line))
        sale.delivered(line, in_time=in_time)
        taken.append(("deliver", before, sale.now()))

    def see(mark_ns: int) -> None:
        before = sale.now()
        marks = dict.fromkeys(sale.fold.regions, OPENS_NS + mark_ns)
        sale.fold.see(sale.fold.look(marks, 0, 0))
        for region, raised_ns in marks.items():
            higher = replace(before, mark={**before.mark, region: raised_ns})
            taken.append(("raise mark", before, higher))
            before = higher
        follow(["", "draw", "sell out"])

    def follow(steps: list[str]) -> None:
        passed, sale.passed = sale.passed, []
        taken.extend((step, passed[at - 1], passed[at]) for at, step in enumerate(steps) if at and at < len(passed))

    deliver("north", 1, 3, "ann")
    deliver("south", 1, 2, "ann")
    deliver("south", 2, 4, "bob")
    see(3)
    see(9)
    deliver("north", 2, 9, "eve")
    before = sale.now()
    sale.fold.cut_off("south")
    taken.append(("cut off", before, sale.now()))
    assert Counter(step for step, _, _ in taken) == {
        "deliver": 4, "raise mark": 4, "draw": 1, "sell out": 1, "cut off": 1
    }  # fmt: skip
    steps = {step: take(BEFORE, AFTER) for step, take in protocol.STEPS.items()}
    for expected, before, after in taken:
        world = sale.world(before, after)
        for step, conditions in steps.items():
            solver = z3.Solver()
            open_constants = {str(constant) for constant in OPEN_CONSTANTS[step]}
            solver.add(*facts(world, conditions, unknown=open_constants), *conditions)
            assert solver.check() == (z3.sat if step == expected else z3.unsat), (step, expected)


def test_a_claim_finds_every_choice_and_no_other() -> None:
    a, b = z3.Ints("a b")
    world = World({"Request": REQUESTS}, {"limit": 3})
    claim = Claim((a < b, b <= z3.Int("limit"), protocol.x == protocol.head), a, b, protocol.x, protocol.head)
    found = [(one["a"], one["b"], one["x"], one["head"]) for one in claim.solutions(world, range(5))]
    assert found == [(a, b, r, r) for a in range(5) for b in range(5) if a < b <= 3 for r in REQUESTS]
    assert not Claim((a < 0,), a).holds(world, range(5))


def test_a_term_that_has_no_reading_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="no reading"):
        Formula(z3.Real("x") / 2 > 1)
    with pytest.raises(NameError):
        Formula(protocol.window > 1)(World({}, {}))
