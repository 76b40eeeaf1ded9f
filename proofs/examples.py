"""What a solver found possible, in plain values, and run again on the shipped Python code.

A counterexample is worth as much as it can be checked without a solver. While an obligation was built, every call of a
function of the model was noted with its arguments and its result, as terms (`notes.py`). In the counterexample these
terms have values: the shipped function is called on the values of the arguments, and what it gives is compared with
the solver's value of the result. Where they differ, what was proved is not what runs: a fault of the reading, named.

A claim about all requests is broken by some of them: those are given the names that the claim has for them. Sorts
(requests, buyers, regions) become small tables. Small numbers are asked for first; they are easier to read.
Next: `prove.py`, which asks; `report.py` and `page.py`, which show.
"""

import dataclasses
import importlib
import inspect
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

import z3

from proofs.notes import Call, Term
from proofs.obligations import Obligation, Question
from proofs.solvers import Answer
from proofs.symbolic import Symbolic
from proofs.texts import domain_of, parts_of, symbols_of

Plain: TypeAlias = int | bool | str
LARGEST_WANTED: Final = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Replay:
    """A call of the shipped function on plain values, what it gave, and what the solver has for it.

    `lifted`: the function was read path by path (`lift.py`), and no one term stands for its result: nothing to compare.
    """

    function: str
    arguments: dict[str, Any]
    shipped: Any
    solver: Any
    lifted: bool = False

    @property
    def agrees(self) -> bool:
        return self.lifted or bool(self.shipped == self.solver)

    def __str__(self) -> str:
        said = "" if self.agrees else f", but the solver has {self.solver}: the reading of this function is at fault"
        given = ", ".join(str(value) for value in self.arguments.values())
        return f"{self.function}({given}) → {self.shipped}{said}"


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """The members of a sort and what functions say of each: by column, by member."""

    sort: str
    members: tuple[str, ...]
    columns: dict[str, dict[str, Plain]]


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """A situation: named values, tables of the sorts, and calls of the model in it."""

    values: dict[str, Plain]
    tables: tuple[Table, ...]
    replays: tuple[Replay, ...]

    def __str__(self) -> str:
        values = ", ".join(f"{name} = {value}" for name, value in self.values.items())
        tables = "; ".join(row for table in self.tables for row in rows(table))
        return "; ".join(part for part in (values, tables) if part)


def rows(table: Table) -> list[str]:
    """A line for each member: `r0: stamp 3, log 0 → 1`."""
    lines = []
    for member in table.members:
        cells = []
        for column, values in table.columns.items():
            if column.endswith("+") and column[:-1] in table.columns:
                continue
            after = table.columns.get(f"{column}+", values)
            change = f" → {after[member]}" if after[member] != values[member] else ""
            cells.append(f"{column} {values[member]}{change}")
        lines.append(f"{member}: {', '.join(cells)}")
    return lines


@dataclasses.dataclass(frozen=True, slots=True)
class Search:
    """What asks for an example, and the calls whose values it names.

    `wishes` are for numbers that are easy to read; where they cannot be had, one of the `points` or others do.
    """

    terms: tuple[Term, ...]
    wishes: tuple[Term, ...]
    calls: tuple[Call, ...]
    points: tuple[tuple[Term, ...], ...] = ()


def search(obligation: Obligation, question: Question) -> Search:
    """How to ask for the situation that a question is about, or for one that breaks its claim."""
    terms = question.terms if question.case is None else breaking(obligation, question)
    present = parts_of(terms)
    calls = tuple(call for call in _once(obligation.calls) if _is_about(call, present))
    named = [
        z3.Const(_probe(number, place), leaf.sort()) == leaf
        for number, call in enumerate(calls)
        for place, leaf in enumerate(_leaves(_told(call)))
    ]
    points = () if question.case is None else obligation.argument.points
    return Search((*terms, *named), tuple(_small_numbers(terms)), calls, points)


def breaking(obligation: Obligation, question: Question) -> tuple[Term, ...]:
    """A situation, in a small world where there is one, in which a case's claim is false of those whom it names."""
    assert question.case is not None
    return (*question.case.assumptions, z3.Not(_opened(question.case.claim)), *obligation.argument.small)


def example(found: Answer, calls: Sequence[Call]) -> Example:
    """What was found, in plain values, and the shipped functions run on them."""
    names = _names_of_members(found)
    values = {name: _named(names, value) for name, value in sorted(found.values.items())}
    replays: dict[str, Replay] = {}
    for number, call in enumerate(calls):
        probes = (values[_probe(number, place)] for place in itertools.count())
        arguments, keywords, result = _replaced(_told(call), probes)
        replay = _run_again(call.function, arguments, keywords, result, _is_lifted(call))
        replays[str(replay)] = replay
    members = set(names.values())
    shown = {name: value for name, value in values.items() if not name.startswith(_PROBE) and name not in members}
    return Example(shown, _tables(found, names), tuple(replays.values()))


_PROBE: Final = "call-"


def _probe(number: int, place: int) -> str:
    """What a text calls the value of one part of a call: its arguments, then its result."""
    return f"{_PROBE}{number}-{place}"


def _run_again(
    function: str, arguments: tuple[Any, ...], keywords: dict[str, Any], solver: Any, lifted: bool
) -> Replay:
    room, _, name = function.partition(".")
    shipped = getattr(importlib.import_module(f"model.{room}"), name)
    given = inspect.signature(shipped).bind(*arguments, **keywords).arguments
    try:
        gave = shipped(*arguments, **keywords)
    except Exception as error:  # noqa: BLE001  (what a wrong function does with a counterexample is part of the story)
        gave = f"{type(error).__name__}: {error}"
    return Replay(function, dict(given), gave, solver, lifted)


def _is_lifted(call: Call) -> bool:
    return any(isinstance(value, Symbolic) for value in _values((call.arguments, call.keywords)))


def _told(call: Call) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    """What a text is to name the values of: of a function that was lifted, the result is another on each path."""
    return call.arguments, call.keywords, None if _is_lifted(call) else call.result


def _leaves(value: Any) -> Iterator[Term]:
    """The terms in a value made of tuples, lists, dictionaries and records, in order."""
    for part in _values(value):
        if isinstance(part, Symbolic):
            yield part.term
        elif isinstance(part, z3.ExprRef):
            yield part


def _values(value: Any) -> Iterator[Any]:
    """A value and all that it is made of."""
    yield value
    for part in _inside(value):
        yield from _values(part)


def _inside(value: Any) -> Sequence[Any]:
    if isinstance(value, tuple | list):
        return value
    if isinstance(value, dict):
        return list(value.values())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    return ()


def _replaced(value: Any, leaves: Iterator[Plain]) -> Any:
    """The same value with the next of these in the place of each term."""
    if isinstance(value, z3.ExprRef | Symbolic):
        return next(leaves)
    parts = [_replaced(part, leaves) for part in _inside(value)]
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return type(value)(parts)
    if isinstance(value, dict):
        return dict(zip(value, parts, strict=True))
    return type(value)(*parts) if parts else value


def _is_about(call: Call, present: frozenset[int]) -> bool:
    """Whether a question has what a call gave (or, where it was lifted, what it was given) as it is, in integers and
    truths."""
    given = list(_leaves((call.arguments, call.keywords)))
    sought = given if _is_lifted(call) else list(_leaves(call.result))
    plain = all(isinstance(leaf, z3.ArithRef | z3.BoolRef) for leaf in (*given, *sought))
    return bool(sought) and bool(given) and plain and all(leaf.get_id() in present for leaf in sought)


def _once(calls: Sequence[Call]) -> list[Call]:
    """Each call once, however often it was made."""
    made = {}
    for call in calls:
        made[call.function, tuple(leaf.get_id() for leaf in _leaves(_told(call)))] = call
    return list(made.values())


def _opened(claim: Term) -> Term:
    """A claim about all, as a claim about some that have the names it uses: false of them where it is false."""
    if z3.is_quantifier(claim) and claim.is_forall():
        count = claim.num_vars()
        variables = [z3.Const(claim.var_name(i), claim.var_sort(i)) for i in range(count)]
        return _opened(z3.substitute_vars(claim.body(), *reversed(variables)))
    if z3.is_and(claim):
        return z3.And(*(_opened(part) for part in claim.children()))
    if z3.is_implies(claim):
        return z3.Implies(claim.arg(0), _opened(claim.arg(1)))
    return claim


def _small_numbers(terms: Sequence[Term]) -> list[Term]:
    """Wishes, not assumptions: integers from 0 to twenty."""
    symbols = [symbol for symbol in symbols_of(terms) if symbol.arity() <= 1]
    constants = [symbol() for symbol in symbols if symbol.arity() == 0]
    numbers = [constant for constant in constants if z3.is_int(constant)]
    for symbol in symbols:
        if symbol.arity() == 1 and symbol.range() == z3.IntSort():
            numbers += [symbol(constant) for constant in constants if constant.sort() == domain_of(symbol)[0]]
    return [z3.And(number >= 0, number <= LARGEST_WANTED) for number in numbers]


def _names_of_members(found: Answer) -> dict[str, str]:
    """What to call each member of a sort: a constant that is it, a numbered one first."""
    names: dict[str, str] = {}
    for name, value in sorted(found.values.items(), key=lambda each: (not each[0][-1:].isdigit(), each[0])):
        if isinstance(value, str) and "!val!" in value:
            names.setdefault(value, name)
    return names


def _named(names: dict[str, str], value: Plain) -> Plain:
    return names.get(value, value) if isinstance(value, str) else value


def _tables(found: Answer, names: dict[str, str]) -> tuple[Table, ...]:
    """The functions of one argument, by the sort of that argument."""
    members: dict[str, set[str]] = {}
    columns: dict[str, dict[str, dict[str, Plain]]] = {}
    for column, values in sorted(found.tables.items()):
        if any("," in member for member in values):
            continue
        sort = next(iter(values)).partition("!")[0]
        shown = {names.get(member, member): _named(names, value) for member, value in values.items()}
        columns.setdefault(sort, {})[column] = shown
        members.setdefault(sort, set()).update(shown)
    return tuple(Table(sort, tuple(sorted(members[sort])), columns[sort]) for sort in columns)
