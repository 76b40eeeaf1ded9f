"""Integers and truth values that can be any: terms of a solver that take part in ordinary Python, and never lie in it.

Arithmetic and comparison build terms. A truth test (`if`, `and`, `sorted`) cannot be a term, so it asks whoever runs
the code, the innermost of `RUNNING`, which way to go; `lift.py` goes both.

What would lie is refused by `TypeError`: hashing (sets, dictionaries), use as an index, a size or a text, conversion to
int or float, comparison with what is no number, division by anything but a positive constant or a number that is known
to be positive. Not refused, since Python asks nobody: `is` and `isinstance`. Read the function before lifting it.
Next: `lift.py`.
"""

import operator
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

import z3

from proofs.obligations import Term


class Runner(Protocol):
    """Whoever runs code on symbolic numbers, once for each way it can take."""

    def decide(self, condition: Term) -> bool:
        """Which way to go."""

    def quotient(self, numerator: Term, divisor: Term) -> Term:
        """Python's floor of a quotient. Raises TypeError where the divisor is not known to be positive."""

    def named(self, name: str, text: str, meaning: Callable[[Term], Term]) -> Term:
        """The number with this meaning, which there always is exactly one of; the same for the same text."""


RUNNING: Final[list[Runner]] = []


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
        return Number(number_term(self) + number_term(other))

    def __sub__(self, other: object) -> "Number":
        return Number(number_term(self) - number_term(other))

    def __rsub__(self, other: object) -> "Number":
        return Number(number_term(other) - number_term(self))

    def __mul__(self, other: object) -> "Number":
        return Number(number_term(self) * number_term(other))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> "Number":
        return Number(-number_term(self))

    def __abs__(self) -> "Number":
        term = number_term(self)
        return Number(z3.If(term >= 0, term, -term))

    def __floordiv__(self, other: object) -> "Number":
        return Number(_quotient(number_term(self), other))

    def __rfloordiv__(self, other: object) -> "Number":
        return Number(_quotient(number_term(other), self))

    def __mod__(self, other: object) -> "Number":
        return Number(number_term(self) - number_term(other) * _quotient(number_term(self), other))

    def __rmod__(self, other: object) -> NoReturn:
        self._refuse()

    def __lshift__(self, bits: int) -> "Number":
        return Number(number_term(self) * (1 << operator.index(bits)))

    def __rshift__(self, bits: int) -> "Number":
        return Number(_quotient(number_term(self), 1 << operator.index(bits)))

    __rlshift__ = __rrshift__ = _refuse

    def __lt__(self, other: object) -> "Truth":
        return Truth(number_term(self) < number_term(other))

    def __le__(self, other: object) -> "Truth":
        return Truth(number_term(self) <= number_term(other))

    def __gt__(self, other: object) -> "Truth":
        return Truth(number_term(self) > number_term(other))

    def __ge__(self, other: object) -> "Truth":
        return Truth(number_term(self) >= number_term(other))

    def __eq__(self, other: object) -> "Truth":  # type: ignore[override]  # a term, not yet a truth value
        return Truth(number_term(self) == number_term(other))

    def __ne__(self, other: object) -> "Truth":  # type: ignore[override]  # a term, not yet a truth value
        return Truth(number_term(self) != number_term(other))


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
        return Truth(z3.And(self.term, truth_term(other)))

    def __or__(self, other: object) -> "Truth":
        return Truth(z3.Or(self.term, truth_term(other)))

    def __xor__(self, other: object) -> "Truth":
        return Truth(z3.Xor(self.term, truth_term(other)))

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


def _decide(condition: Term) -> bool:
    if not RUNNING:
        raise TypeError(f"whether {condition} depends: call the function by `lift`")
    return RUNNING[-1].decide(condition)


def number_term(value: object) -> Term:
    """The term of a number; a truth value counts as 0 or 1."""
    if isinstance(value, Truth):
        return z3.If(value.term, z3.IntVal(1), z3.IntVal(0))
    if isinstance(value, Number):
        return value.term
    if isinstance(value, int):
        return z3.IntVal(int(value))
    raise TypeError(f"{value!r} is no number")


def truth_term(value: object) -> Term:
    """The term of a truth value."""
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
    if isinstance(divisor, Number) and RUNNING and z3.is_int(divisor.term):
        return RUNNING[-1].quotient(numerator, divisor.term)
    raise TypeError(f"only division by what is known to be positive is lifted, not by {divisor!r}")
