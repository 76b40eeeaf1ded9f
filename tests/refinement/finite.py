"""The proofs' own terms, read on a finite world: what is proved of every sale is asked of one that runs.

`proofs/protocol.py` says in relations what the model computes with heaps and dictionaries. A test that wrote those
relations a third time would compare two readings and prove neither. So the terms themselves are taken, the very
objects that the solvers are asked about, and are written out as Python: a quantifier becomes `all(…)` or `any(…)` over
the members of a finite sort, a function a table (of two members, a table of pairs). What comes out is fast enough to
be asked after every step.

`test_finite.py` has z3 itself say the same of the same worlds.
"""

from collections.abc import Container, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final, TypeAlias

import z3

from proofs.obligations import Term

Member: TypeAlias = Hashable
"""A member of a sort, or the integer or truth value that a table gives."""

Tables: TypeAlias = Mapping[str, Any]
"""What symbols mean, by name: a function is a mapping from a member, a constant is a value."""

_JOINED: Final = {z3.Z3_OP_AND: " and ", z3.Z3_OP_OR: " or "}
_BETWEEN: Final = {
    z3.Z3_OP_ADD: "+", z3.Z3_OP_SUB: "-", z3.Z3_OP_MUL: "*", z3.Z3_OP_LE: "<=", z3.Z3_OP_LT: "<", z3.Z3_OP_GE: ">=",
    z3.Z3_OP_GT: ">", z3.Z3_OP_EQ: "==",
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """Finitely many members of each sort, by the sort's name, and what each symbol means."""

    members: Mapping[str, Sequence[Member]]
    tables: Tables

    @cached_property
    def scope(self) -> dict[str, Any]:
        """All of it under Python's names."""
        sorts = {_sort_name(sort): members for sort, members in self.members.items()}
        return {**sorts, **{_name(symbol): table for symbol, table in self.tables.items()}}


@cache
def _name(symbol: str) -> str:
    """A symbol in Python; `mark+`, the mark after a step, is no name there."""
    return "s_" + symbol.replace("+", "_after")


def _sort_name(sort: object) -> str:
    return f"all_{sort}"


class Formula:
    """A term, ready to be asked of a world."""

    def __init__(self, term: Term) -> None:
        self.term = term
        self.free = frozenset(_symbols(term))
        """The symbols that it speaks of."""
        self._code = compile(self._write(term, ()), f"<{str(term)[:60]}>", "eval")

    def __call__(self, world: World) -> Any:
        """Its value in this world.

        Raises:
            NameError: the world does not say what a symbol means.
        """
        return self.within(world.scope)

    def within(self, scope: dict[str, Any]) -> Any:
        """The same, of a world's scope."""
        return eval(self._code, scope)

    def _write(self, term: Term, bound: tuple[str, ...]) -> str:
        """The term in Python; `bound` are the names of quantified variables, the innermost last."""
        if z3.is_quantifier(term):
            fresh = tuple(f"v{len(bound) + number}" for number in range(term.num_vars()))
            body = self._write(term.body(), bound + fresh)
            loops = " ".join(f"for {name} in {_sort_name(term.var_sort(number))}" for number, name in enumerate(fresh))
            return f"{'all' if term.is_forall() else 'any'}({body} {loops})"
        if z3.is_var(term):
            index: int = z3.get_var_index(term)
            return bound[-1 - index]
        if z3.is_int_value(term):
            return f"({term.as_long()})"
        kind, parts = term.decl().kind(), [self._write(part, bound) for part in term.children()]
        if kind in _JOINED:
            return f"({_JOINED[kind].join(parts)})"
        if kind in _BETWEEN:
            return f"({_BETWEEN[kind].join(parts)})"
        match kind, parts:
            case z3.Z3_OP_TRUE, []:
                return "True"
            case z3.Z3_OP_FALSE, []:
                return "False"
            case z3.Z3_OP_NOT, [part]:
                return f"(not {part})"
            case z3.Z3_OP_IMPLIES, [first, then]:
                return f"(not {first} or {then})"
            case z3.Z3_OP_ITE, [condition, then, otherwise]:
                return f"({then} if {condition} else {otherwise})"
            case z3.Z3_OP_UMINUS, [part]:
                return f"(-{part})"
            case z3.Z3_OP_DISTINCT, _:
                return f"(len({{{', '.join(parts)}}}) == {len(parts)})"
            case z3.Z3_OP_UNINTERPRETED, []:
                return _name(term.decl().name())
            case z3.Z3_OP_UNINTERPRETED, [part]:
                return f"{_name(term.decl().name())}[{part}]"
            case z3.Z3_OP_UNINTERPRETED, _:
                return f"{_name(term.decl().name())}[{', '.join(parts)}]"
        raise NotImplementedError(f"{term.decl()} has no reading here")


class Claim:
    """Conditions that speak of a state and of some constants that are left open: which constants fulfil them?

    `open_constants` are looked for one after the other, and a choice is given up with the first condition that it
    breaks, so the first should be the one that conditions narrow down most.
    """

    def __init__(self, conditions: Sequence[Term], *open_constants: Term) -> None:
        self._open = [(term.decl().name(), str(term.sort())) for term in open_constants]
        formulas, known = [Formula(condition) for condition in conditions], {name for name, _ in self._open}
        self._rounds: list[list[Formula]] = []
        """By how many constants are chosen: the conditions that can be asked then."""
        for chosen in range(len(self._open) + 1):
            unknown = known - {name for name, _ in self._open[:chosen]}
            ready = [formula for formula in formulas if not formula.free & unknown]
            formulas = [formula for formula in formulas if formula.free & unknown]
            self._rounds.append(ready)

    def solutions(self, world: World, integers: Sequence[int] = ()) -> Iterator[dict[str, Any]]:
        """Every choice of the open constants that fulfils all conditions; integers are looked for among those given."""
        scope = {**world.scope}
        candidates = [(_name(name), integers if sort == "Int" else world.members[sort]) for name, sort in self._open]
        for _ in self._extend(candidates, 0, scope):
            yield {name: scope[_name(name)] for name, _ in self._open}

    def holds(self, world: World, integers: Sequence[int] = ()) -> bool:
        """Whether there is one."""
        return any(True for _ in self.solutions(world, integers))

    def _extend(
        self, candidates: Sequence[tuple[str, Sequence[Member]]], chosen: int, scope: dict[str, Any]
    ) -> Iterator[None]:
        """Choose the constants from a position on, in `scope` itself; it yields while they are all chosen."""
        for formula in self._rounds[chosen]:
            if not formula.within(scope):
                return
        if chosen == len(candidates):
            yield
            return
        name, values = candidates[chosen]
        for value in values:
            scope[name] = value
            yield from self._extend(candidates, chosen + 1, scope)


def facts(world: World, terms: Sequence[Term], unknown: Container[str] = ()) -> Iterator[Term]:
    """The same world said to z3: its members and no others, and the value of every symbol that the terms speak of.

    Symbols in `unknown` are left for z3 to find.
    """
    sorts = {str(sort): sort for term in terms for sort in _sorts(term)}
    constants = {
        name: {member: z3.Const(f"{name} {member}", sort) for member in world.members[name]}
        for name, sort in sorts.items()
    }
    for name, sort in sorts.items():
        members, any_member = list(constants[name].values()), z3.Const("any member", sort)
        yield z3.ForAll(any_member, z3.Or(*(any_member == member for member in members)))
        if len(members) > 1:
            yield z3.Distinct(*members)
    for name, symbol in {name: symbol for term in terms for name, symbol in _symbols(term).items()}.items():
        value_of = constants.get(str(symbol.range()), {})
        if name in unknown:
            continue
        if symbol.arity() == 0:
            value = world.tables[name]
            yield symbol() == value_of.get(value, value)
        else:
            for member, value in world.tables[name].items():
                given = member if symbol.arity() > 1 else (member,)
                named = (constants[str(symbol.domain(at))][each] for at, each in enumerate(given))
                yield symbol(*named) == value_of.get(value, value)


def _walk(term: Term) -> Iterator[Term]:
    rest, known = [term], set()
    while rest:
        one = rest.pop()
        if one.get_id() not in known:
            known.add(one.get_id())
            yield one
            rest.extend(one.children())


@cache
def _symbols(term: Term) -> dict[str, Any]:
    """The uninterpreted functions and constants in a term, by name."""
    applied = (one for one in _walk(term) if z3.is_app(one) and one.decl().kind() == z3.Z3_OP_UNINTERPRETED)
    return {one.decl().name(): one.decl() for one in applied}


@cache
def _sorts(term: Term) -> set[Any]:
    """The sorts of a term's members, quantified or named."""
    found = set()
    for one in _walk(term):
        named = [one.var_sort(number) for number in range(one.num_vars())] if z3.is_quantifier(one) else [one.sort()]
        found |= {sort for sort in named if sort.kind() == z3.Z3_UNINTERPRETED_SORT}
    return found
