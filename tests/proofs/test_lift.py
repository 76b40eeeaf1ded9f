"""Lifting never lies: what it says of all integers, plain Python does with some; what it cannot say, it refuses."""

# ruff: noqa: ARG005  (each function is given all four numbers)

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from model import clock, polygon
from model.clock import Interval
from proofs.lift import Lifted, lift, unforked
from proofs.symbolic import Number, Truth, numbers, term

NAMES = "a b c d"
a, b, c, d = numbers(NAMES)
integers = st.integers(-(10**20), 10**20) | st.integers(-3, 3)
values = st.tuples(integers, integers, integers, integers)


def a_bit_of_everything(a: int, b: int, c: int, d: int) -> Any:
    pairs = sorted([(a, b), (c, d), (b, a)])
    rounded = [x // 7 - y % 5 + (x >> 3) + (abs(y) << 1) for x, y in pairs if x <= y or x == d]
    sign = (a < b) + (c != d) * 2 - (not a)
    return [*rounded, min(a, c), max(b, -d), sign, (a, b) < (c, d), b in (c, d), 3 - c]


FUNCTIONS: list[Callable[..., Any]] = [
    a_bit_of_everything,
    lambda a, b, c, d: sorted([a, b, c]),
    lambda a, b, c, d: clock.hull([Interval(a, b), Interval(c, d)], 1),
    lambda a, b, c, d: clock.intersect(Interval(a, b), Interval(c, d)),
    lambda a, b, c, d: clock.centre(Interval(a, b)),
    lambda a, b, c, d: clock.rate_growth_ns(a, b, c),
    lambda a, b, c, d: clock.stamp(clock.Line(a, b, c, d, 5), 7, 3, 50_000, 1000),
    lambda a, b, c, d: a // (1 + abs(b)) + c % (2 + abs(d)),
    lambda a, b, c, d: polygon.chain(((a, b), (a + 1, c), (a + 2, d))),
]
LIFTED: list[Lifted] = [lift(lambda function=function: function(a, b, c, d)) for function in FUNCTIONS]  # type: ignore[misc]


def plain(result: Any, at: Callable[[z3.ExprRef], Any]) -> Any:
    """A lifted result with integers for its numbers."""
    if isinstance(result, (Number, Truth)):
        return at(result.term)
    if isinstance(result, Interval):
        return Interval(plain(result.earliest_ns, at), plain(result.latest_ns, at))
    if isinstance(result, (list, tuple)):
        return type(result)(plain(each, at) for each in result)
    return result


def evaluated(found: Lifted, chosen: Sequence[int]) -> list[Any]:
    """The results of all paths whose conditions these integers satisfy."""
    solver = z3.Solver()
    solver.add(
        *(term(name) == value for name, value in zip((a, b, c, d), chosen, strict=True)), *found.meanings.values()
    )
    assert solver.check() == z3.sat
    model = solver.model()

    def at(expression: z3.ExprRef) -> Any:
        value = model.eval(expression, model_completion=True)
        return value.as_long() if z3.is_int_value(value) else z3.is_true(value)

    return [plain(path.result, at) for path in found.paths if all(at(condition) for condition in path.conditions)]


@pytest.mark.parametrize("number", range(len(FUNCTIONS)))
@settings(max_examples=25, deadline=None)
@given(chosen=values)
def test_exactly_one_path_is_taken_and_it_returns_what_python_does(number: int, chosen: tuple[int, ...]) -> None:
    assert evaluated(LIFTED[number], chosen) == [FUNCTIONS[number](*chosen)]


@settings(max_examples=30, deadline=None)
@given(chosen=values, agreeing=st.integers(1, 3))
def test_least_and_greatest_without_forks_are_pythons(chosen: tuple[int, ...], agreeing: int) -> None:
    said = [Interval(a, b), Interval(c, d), Interval(a, d)]
    found = lift(lambda: unforked(clock.hull)(said, agreeing), prune=False)  # type: ignore[arg-type]
    p, q, r, s = chosen
    assert evaluated(found, chosen) == [clock.hull([Interval(p, q), Interval(r, s), Interval(p, s)], agreeing)]


def test_unforked_takes_generators_and_arguments() -> None:
    def both(x: int, y: int) -> tuple[int, int]:
        return min(each for each in (x, y)), max(x, y, 3)

    found = lift(lambda: unforked(both)(a, b))
    assert len(found.paths) == 1
    assert evaluated(found, (5, 4, 0, 0)) == [(4, 5)]
    assert unforked(both)(2, 1) == (1, 3)


REFUSED: dict[str, Callable[[], object]] = {
    "a set": lambda: {a, b},
    "a key": lambda: {a: 1},
    "a hash": lambda: hash(a),
    "an index": lambda: [1, 2, 3][a],  # type: ignore[call-overload]
    "a size": lambda: range(a),  # type: ignore[arg-type]
    "a text": lambda: f"{a}",
    "another text": lambda: str(a),
    "an old text": lambda: "%d" % a,  # noqa: UP031
    "an int": lambda: int(a),  # type: ignore[call-overload]
    "a float": lambda: float(a),  # type: ignore[arg-type]
    "a fraction": lambda: a / 2,  # type: ignore[operator]
    "a power": lambda: a**2,  # type: ignore[operator]
    "divmod": lambda: divmod(a, 2),  # type: ignore[operator]
    "round": lambda: round(a),  # type: ignore[call-overload]
    "by zero": lambda: a // 0,
    "by less than zero": lambda: a // -2,
    "a rest by less than zero": lambda: a % -2,
    "by anything": lambda: a // b,
    "a number by it": lambda: 7 // a,
    "equal to nothing": lambda: a == None,  # noqa: E711
    "equal to a text": lambda: a == "a",
    "among texts": lambda: a in ["a"],
    "less than a fraction": lambda: a < 0.5,
    "plus a fraction": lambda: a + 0.5,
    "bits of a number": lambda: a & 1,  # type: ignore[operator]
    "bits of two": lambda: a | b,  # type: ignore[operator]
    "not, by bits": lambda: ~(a < b),
    "a truth and a number": lambda: (a < b) & 1,
    "a shift by it": lambda: 1 << a,  # type: ignore[operator]
    "a shift by a number": lambda: a << b,  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_would_lie_is_refused(what: str) -> None:
    with pytest.raises(TypeError):
        lift(REFUSED[what])


def test_outside_of_a_lift_no_truth_is_guessed() -> None:
    with pytest.raises(TypeError, match="lift"):
        bool(a < b)
    with pytest.raises(TypeError, match="lift"):
        sorted([a, b])  # type: ignore[type-var]
    with pytest.raises(TypeError, match="lift"):
        unforked(clock.earliest_agreed_ns)([Interval(a, b)], 0) or unforked(lambda: min(a, b))()  # type: ignore[arg-type]


def test_a_way_that_nobody_can_rule_out_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proofs.lift.EFFORT", 1)
    hard = [x.term > 1 for x in (a, b, c)]
    found = lift(lambda: "never" if a * a * a + b * b * b == c * c * c else "always", hard)
    assert {path.result for path in found.paths} == {"never", "always"}


def test_ways_against_what_is_given_are_left_out_and_the_rest_is_said_to_be_all() -> None:
    found = lift(lambda: "less" if a < b else "not", (term(a < b),))
    assert [path.result for path in found.paths] == ["less"]
    *_, all_of_them = found.cases("ways", lambda result: result == "less")
    solver = z3.Solver()
    solver.from_string(all_of_them.question())
    assert solver.check() == z3.unsat


def test_a_path_that_is_missing_is_noticed() -> None:
    found = lift(lambda: "less" if a < b else "not")
    *_, all_of_them = Lifted(found.given, found.meanings, found.paths[:1]).cases("ways", lambda _: True)
    solver = z3.Solver()
    solver.from_string(all_of_them.question())
    assert solver.check() == z3.sat


def test_the_same_call_gives_the_same_paths() -> None:
    def texts() -> list[str]:
        found = lift(lambda: sorted([a // (1 + abs(b)), c // (1 + abs(b)), d]))
        return [case.question() for case in found.cases("sorted", lambda three: three[0] <= three[2])]

    assert texts() == texts()
