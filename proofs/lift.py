"""Runs shipped Python on symbolic integers: every path that its `if`s can take, each once. What comes out are cases.

`guards` are written so that a solver reads them as they stand. Other functions of the model are ordinary Python, with
`if`, `min`, `sorted` and comprehensions. Here such a function is called as it is on `Number`s. Arithmetic on them
builds terms; a truth test (`Truth.__bool__`) forks: the function is run again from the start for the other answer.
Each run is a `Path`: the conditions under which the code comes this way, and what it returns there.

Two things make it sound. A way that the path solver cannot rule out within its limit is kept, so an unknown costs a
case and hides nothing. And `Lifted.cases` adds to the claims about each path the claim that there is no other: under
the assumptions one of the paths is taken. That one, too, is put to both solvers.

A quotient by a symbolic number d is a new number q with d·q ≤ n < d·(q + 1) wherever d > 0: exactly Python's floor.
Before: `symbolic.py`, the numbers. Next: `clocks.py`, `stamps.py`, `selection.py`, `polygons.py`, `tracks.py` use it.
"""

import inspect
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final

import z3

from proofs.obligations import Case, Term
from proofs.symbolic import RUNNING, Number, Symbolic, number_term, term

EFFORT: Final = 300_000
"""What the path solver may spend on one question, in z3's own units: the same paths on any machine, unlike a time."""


@dataclass(frozen=True, slots=True)
class Path:
    """The code comes this way under these conditions, and returns this."""

    conditions: tuple[Term, ...]
    result: Any


@dataclass(frozen=True, slots=True)
class Lifted:
    """A call on symbolic numbers: under what is given, one of these paths is taken.

    `meanings` says, by name, what the new numbers are that quotients and `unforked` have made; there always are such
    numbers, so to assume it costs nothing, and a case assumes it of those that it mentions.
    """

    given: tuple[Term, ...]
    meanings: dict[str, Term]
    paths: tuple[Path, ...]

    @property
    def covered(self) -> Term:
        """That one of the paths is taken."""
        return z3.Or(*(z3.And(*path.conditions) for path in self.paths))

    def always(self, claim: Callable[[Any], object]) -> Term:
        """That a claim holds of the result, whichever path is taken."""
        return _always(self.paths, claim)

    def cases(self, name: str, claim: Callable[[Any], object]) -> tuple[Case, ...]:
        """One case for each path, and one that there is no other."""
        if len(self.paths) == 1 and not self.paths[0].conditions:
            return (self._case(name, (), term(claim(self.paths[0].result))),)
        each = (
            self._case(f"{name}, way {i}", path.conditions, term(claim(path.result)))
            for i, path in enumerate(self.paths, 1)
        )
        return (*each, self._case(f"{name}, no other way", (), self.covered))

    def grouped(self, name: str, claim: Callable[[Any], object], size: int = 8) -> tuple[Case, ...]:
        """The same for many small paths, so many in one case."""
        groups = [self.paths[i : i + size] for i in range(0, len(self.paths), size)]
        if len(groups) == 1:
            return (self._case(name, (), z3.And(self.covered, self.always(claim))),)
        each = (self._case(f"{name}, ways {i}", (), _always(group, claim)) for i, group in enumerate(groups, 1))
        return (*each, self._case(f"{name}, no other way", (), self.covered))

    def possible(self, claim: Callable[[Any], object]) -> Term:
        """That some path is taken and its result is like this: for witnesses and counterexamples."""
        ways = (z3.And(*path.conditions, term(claim(path.result))) for path in self.paths)
        return z3.And(*self.given, *self.meanings.values(), z3.Or(*ways))

    def _case(self, name: str, conditions: tuple[Term, ...], claim: Term) -> Case:
        assumptions = (*self.given, *conditions)
        return Case(name, (*assumptions, *self._meant_by((*assumptions, claim))), claim)

    def _meant_by(self, terms: Iterable[Term]) -> list[Term]:
        """The meanings of the new numbers in some terms, and of those in these meanings."""
        needed: dict[str, Term] = {}
        texts = [each.sexpr() for each in terms]
        while texts:
            for name in _NEW_NUMBER.findall(texts.pop()):
                if name in self.meanings and name not in needed:
                    needed[name] = self.meanings[name]
                    texts.append(needed[name].sexpr())
        return [meaning for name, meaning in self.meanings.items() if name in needed]


_NEW_NUMBER: Final = re.compile(r"(?:quotient|least|greatest)[0-9]+")


def _always(paths: Iterable[Path], claim: Callable[[Any], object]) -> Term:
    return z3.And(*(z3.Implies(z3.And(*path.conditions), term(claim(path.result))) for path in paths))


def lift(call: Callable[[], Any], given: Iterable[Term] = (), *, prune: bool = True) -> Lifted:
    """Run a call once for each way it can take.

    Args:
        given: what may be assumed, as terms; ways that contradict it are left out.
        prune: ask the path solver at each fork. Without, all ways are taken: for many forks that are all possible.
    """
    given = tuple(given)
    meanings: dict[tuple[str, str], tuple[Term, Term]] = {}
    found: list[Path] = []
    plan: list[tuple[bool, bool]] | None = []
    while plan is not None:
        run = _Run(given, plan, meanings, prune)
        RUNNING.append(run)
        try:
            result = call()
        finally:
            RUNNING.pop()
        found.append(Path(tuple(run.conditions), result))
        plan = run.next_plan()
    return Lifted(given, {str(number): meaning for number, meaning in meanings.values()}, tuple(found))


def unforked(function: Callable[..., Any], **instead: object) -> Callable[..., Any]:
    """The same code objects, of this function and of those beside it in its file, with `min` and `max` that give one
    number instead of forking at every comparison: one of them, and none is beyond it.

    Args:
        instead: by name, what answers in place of a function that this one calls: whatever another lemma leaves open.
    """
    function = inspect.unwrap(function)  # a `Reading` notes its calls around it
    assert isinstance(function, FunctionType)
    names: dict[str, Any] = {**function.__globals__, "min": _least, "max": _greatest}

    def same(original: FunctionType) -> FunctionType:
        code, closure = original.__code__, original.__closure__
        copy = FunctionType(code, names, original.__name__, original.__defaults__, closure)
        copy.__kwdefaults__ = original.__kwdefaults__
        return copy

    for name, value in function.__globals__.items():
        if isinstance(value, FunctionType) and value.__globals__ is function.__globals__:
            names[name] = same(value)
    names.update(instead)
    return same(function)


class _Run:
    """One run of a call: what was decided at each fork, and whether the other way is still to be tried."""

    def __init__(
        self,
        given: tuple[Term, ...],
        plan: list[tuple[bool, bool]],
        meanings: dict[tuple[str, str], tuple[Term, Term]],
        prune: bool,
    ) -> None:
        self.conditions: list[Term] = []
        self._plan, self._taken, self._decided = plan, [], {}  # type: ignore[var-annotated]  # z3 carries no types
        self._meanings, self._prune = meanings, prune
        self._known: list[Term] = [*given, *(meaning for _, meaning in meanings.values())]
        self._solver: Any = None

    def decide(self, condition: Term) -> bool:
        condition = z3.simplify(condition)
        if z3.is_true(condition) or z3.is_false(condition):
            return bool(z3.is_true(condition))
        text = condition.sexpr()
        if text not in self._decided:
            self._decided[text] = self._fork(condition)
        return bool(self._decided[text])

    def _fork(self, condition: Term) -> bool:
        number = len(self._taken)
        if number < len(self._plan):
            value, other = self._plan[number]
        else:
            value = self._feasible(condition)
            other = value and self._feasible(z3.Not(condition))
        self._taken.append((value, other))
        chosen = condition if value else z3.Not(condition)
        self.conditions.append(chosen)
        self._known.append(chosen)
        return value

    def _feasible(self, condition: Term) -> bool:
        return not self._prune or self._can_be(condition)

    def _can_be(self, condition: Term) -> bool:
        """Whether the path solver lets it be so. It is told what is known when it is asked: most runs ask nothing."""
        if self._solver is None:
            self._solver = z3.Solver()
            self._solver.set("rlimit", EFFORT)
        self._solver.add(*self._known)
        self._known.clear()
        return bool(self._solver.check(condition) != z3.unsat)

    def next_plan(self) -> list[tuple[bool, bool]] | None:
        """The forks up to the last one whose other way is untried, and that way; None when there is none."""
        plan = list(self._taken)
        while plan:
            value, other = plan.pop()
            if other:
                return [*plan, (not value, False)]
        return None

    def quotient(self, numerator: Term, divisor: Term) -> Term:
        if self._can_be(z3.Not(divisor > 0)):
            raise TypeError(f"{divisor} is not known to be positive")

        def meaning(whole: Term) -> Term:
            rest = numerator - divisor * whole
            return z3.Implies(divisor > 0, z3.And(rest >= 0, rest < divisor))

        text = f"{z3.simplify(numerator).sexpr()} // {z3.simplify(divisor).sexpr()}"
        return self.named("quotient", text, meaning)

    def named(self, name: str, text: str, meaning: Callable[[Term], Term]) -> Term:
        """The number with this meaning, which there always is exactly one of; the same for the same text."""
        if (name, text) not in self._meanings:
            number = z3.Int(f"{name}{len(self._meanings) + 1}")
            self._meanings[name, text] = number, meaning(number)
            self._known.append(self._meanings[name, text][1])
        return self._meanings[name, text][0]


def _least(*given: Any) -> Any:
    return _extreme(given, "least", operator.le)


def _greatest(*given: Any) -> Any:
    return _extreme(given, "greatest", operator.ge)


def _extreme(given: tuple[Any, ...], name: str, order: Callable[[Term, Term], Term]) -> Any:
    """The least or the greatest of some: one of them, and none is beyond it."""
    several = list(given if len(given) > 1 else given[0])
    if not any(isinstance(each, Symbolic) for each in several):
        return min(several) if name == "least" else max(several)
    if not RUNNING:
        raise TypeError("call the function by `lift`")
    terms = [number_term(each) for each in several]

    def meaning(chosen: Term) -> Term:
        return z3.And(*(order(chosen, each) for each in terms), z3.Or(*(chosen == each for each in terms)))

    return Number(RUNNING[-1].named(name, " ".join(each.sexpr() for each in terms), meaning))
