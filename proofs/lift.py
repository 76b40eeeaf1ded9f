"""Runs shipped Python on symbolic integers: every path that its `if`s can take, each once. What comes out are cases.

`guards` are written so that a solver reads them as they stand. Other functions of the model are ordinary Python, with
`if`, `min`, `sorted` and comprehensions. Here such a function is called as it is on `Number`s. Arithmetic on them
builds terms; a truth test (`Truth.__bool__`) forks: the function is run again from the start for the other answer.
Each run is a `Path`: the conditions under which the code comes this way, and what it returns there.

Two things make it sound. A way that the path solver cannot rule out within its limit is kept, so an unknown costs a
case and hides nothing. And `Lifted.cases` adds to the claims about each path the claim that there is no other: under
the assumptions one of the paths is taken. That one, too, is put to both solvers.

What would lie is refused by `TypeError`: hashing (sets, dictionaries), use as an index, a size or a text, conversion to
int or float, comparison with what is no number, division by anything but a positive constant or a number that is
positive on this path. Not refused, since Python asks nobody: `is` and `isinstance`. Read the function before lifting.

A quotient by a symbolic number q is a new number with d·q ≤ n < d·(q + 1) wherever d > 0: exactly Python's floor.
Next: `clocks.py`, `selection.py`, `polygons.py`, `tracks.py`, `arithmetic.py` use it.
"""

import inspect
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final, NoReturn

import z3

from proofs.obligations import Case, Term

EFFORT: Final = 300_000
"""What the path solver may spend on one question, in z3's own units: the same paths on any machine, unlike a time."""


class Symbolic:  # noqa: PLW1641  (it refuses to be hashed, below)
    """A term that takes part in ordinary Python."""

    __slots__ = ("term",)

    def __init__(self, term: Term) -> None:
        self.term = term

    def __repr__(self) -> str:
        return f"<{self.term}>"

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError(f"{self!r} has no single value")

    __hash__ = __index__ = __int__ = __float__ = __str__ = __format__ = __round__ = __len__ = _refuse
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __divmod__ = __rdivmod__ = __invert__ = _refuse

    def __add__(self, other: object) -> "Number":
        return Number(_number(self) + _number(other))

    def __sub__(self, other: object) -> "Number":
        return Number(_number(self) - _number(other))

    def __rsub__(self, other: object) -> "Number":
        return Number(_number(other) - _number(self))

    def __mul__(self, other: object) -> "Number":
        return Number(_number(self) * _number(other))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> "Number":
        return Number(-_number(self))

    def __abs__(self) -> "Number":
        term = _number(self)
        return Number(z3.If(term >= 0, term, -term))

    def __floordiv__(self, other: object) -> "Number":
        return Number(_quotient(_number(self), other))

    def __rfloordiv__(self, other: object) -> "Number":
        return Number(_quotient(_number(other), self))

    def __mod__(self, other: object) -> "Number":
        return Number(_number(self) - _number(other) * _quotient(_number(self), other))

    def __rmod__(self, other: object) -> NoReturn:
        self._refuse()

    def __lshift__(self, bits: int) -> "Number":
        return Number(_number(self) * (1 << operator.index(bits)))

    def __rshift__(self, bits: int) -> "Number":
        return Number(_quotient(_number(self), 1 << operator.index(bits)))

    __rlshift__ = __rrshift__ = _refuse

    def __lt__(self, other: object) -> "Truth":
        return Truth(_number(self) < _number(other))

    def __le__(self, other: object) -> "Truth":
        return Truth(_number(self) <= _number(other))

    def __gt__(self, other: object) -> "Truth":
        return Truth(_number(self) > _number(other))

    def __ge__(self, other: object) -> "Truth":
        return Truth(_number(self) >= _number(other))

    def __eq__(self, other: object) -> "Truth":  # type: ignore[override]  # a term, not yet a truth value
        return Truth(_number(self) == _number(other))

    def __ne__(self, other: object) -> "Truth":  # type: ignore[override]  # a term, not yet a truth value
        return Truth(_number(self) != _number(other))


class Number(Symbolic):
    """An integer (or, where a truth of the world is meant, a real number) that can be any."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return _decide(self.term != 0)

    __and__ = __or__ = __xor__ = __rand__ = __ror__ = __rxor__ = Symbolic._refuse


class Truth(Symbolic):
    """A truth value that depends; counts as 0 or 1 in arithmetic, as Python's do."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return _decide(self.term)

    def __and__(self, other: object) -> "Truth":
        return Truth(z3.And(self.term, _truth(other)))

    def __or__(self, other: object) -> "Truth":
        return Truth(z3.Or(self.term, _truth(other)))

    def __xor__(self, other: object) -> "Truth":
        return Truth(z3.Xor(self.term, _truth(other)))

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__


def numbers(names: str) -> tuple[Number, ...]:
    """Integers that can be any, by their names."""
    return tuple(Number(term) for term in z3.Ints(names))


def term(value: object) -> Term:
    """The z3 term of a result: of a number, a truth value, or a plain Python one."""
    if isinstance(value, Symbolic):
        return value.term
    if isinstance(value, bool):
        return z3.BoolVal(value)
    return z3.IntVal(value) if isinstance(value, int) else value


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
        _running.append(run)
        try:
            result = call()
        finally:
            _running.pop()
        found.append(Path(tuple(run.conditions), result))
        plan = run.next_plan()
    return Lifted(given, {str(number): meaning for number, meaning in meanings.values()}, tuple(found))


def unforked(function: Callable[..., Any], **instead: Callable[..., Any]) -> Callable[..., Any]:
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
        self._solver = z3.Solver()
        self._solver.set("rlimit", EFFORT)
        self._solver.add(*given, *(meaning for _, meaning in meanings.values()))

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
        self._solver.add(chosen)
        return value

    def _feasible(self, condition: Term) -> bool:
        return not self._prune or bool(self._solver.check(condition) != z3.unsat)

    def next_plan(self) -> list[tuple[bool, bool]] | None:
        """The forks up to the last one whose other way is untried, and that way; None when there is none."""
        plan = list(self._taken)
        while plan:
            value, other = plan.pop()
            if other:
                return [*plan, (not value, False)]
        return None

    def quotient(self, numerator: Term, divisor: Term) -> Term:
        if self._solver.check(z3.Not(divisor > 0)) != z3.unsat:
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
            self._solver.add(self._meanings[name, text][1])
        return self._meanings[name, text][0]


_running: Final[list[_Run]] = []


def _decide(condition: Term) -> bool:
    if not _running:
        raise TypeError(f"whether {condition} depends: call the function by `lift`")
    return _running[-1].decide(condition)


def _number(value: object) -> Term:
    if isinstance(value, Truth):
        return z3.If(value.term, z3.IntVal(1), z3.IntVal(0))
    if isinstance(value, Number):
        return value.term
    if isinstance(value, int):
        return z3.IntVal(int(value))
    raise TypeError(f"{value!r} is no number")


def _truth(value: object) -> Term:
    if isinstance(value, Truth):
        return value.term
    if isinstance(value, bool):
        return z3.BoolVal(value)
    raise TypeError(f"{value!r} is no truth value")


def _quotient(numerator: Term, divisor: object) -> Term:
    if z3.is_real(numerator):
        raise TypeError("only integers are divided to integers")
    if isinstance(divisor, int) and divisor > 0:
        return numerator / divisor  # SMT-LIB's division by a positive constant is Python's floor
    if isinstance(divisor, Number) and _running and z3.is_int(divisor.term):
        return _running[-1].quotient(numerator, divisor.term)
    raise TypeError(f"only division by what is known to be positive is lifted, not by {divisor!r}")


def _least(*given: Any) -> Any:
    return _extreme(given, "least", operator.le)


def _greatest(*given: Any) -> Any:
    return _extreme(given, "greatest", operator.ge)


def _extreme(given: tuple[Any, ...], name: str, order: Callable[[Term, Term], Term]) -> Any:
    """The least or the greatest of some: one of them, and none is beyond it."""
    several = list(given if len(given) > 1 else given[0])
    if not any(isinstance(each, Symbolic) for each in several):
        return min(several) if name == "least" else max(several)
    if not _running:
        raise TypeError("call the function by `lift`")
    terms = [_number(each) for each in several]

    def meaning(chosen: Term) -> Term:
        return z3.And(*(order(chosen, each) for each in terms), z3.Or(*(chosen == each for each in terms)))

    return Number(_running[-1].named(name, " ".join(each.sexpr() for each in terms), meaning))
