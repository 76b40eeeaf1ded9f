"""Terms as SMT-LIB text: what the solvers are asked. The same terms give the same text, on any day and machine.

Solvers are asked this text, never live terms: repeatable, and alike for all. (`Solver.to_smt2` would name parts by
where they lie in memory: another text each time.) What must be read to believe it: that each term is asserted as it is.
A term is written once and remembered: hundreds of questions share the same assumptions.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import z3

from proofs.notes import Term


@dataclass(frozen=True, slots=True)
class Writing:
    """A term as it is written, and what is in it.

    Attributes:
        term: kept, so that no other gets its number.
        text: SMT-LIB.
        symbols: the functions and constants that it leaves open, in the order in which they come.
        declarations: of these, sorts before what uses them; None where only z3's own printer knows how (data types,
            recursive functions).
        parts: the numbers of all terms that occur in it.
    """

    term: Term
    text: str
    symbols: dict[Any, None]
    declarations: tuple[str, ...] | None
    parts: frozenset[int]


_written: Final[dict[int, Writing]] = {}


def smt2(terms: Sequence[Term]) -> str:
    """The conjunction as SMT-LIB text."""
    return _text(terms, "", lambda _number, text: f"(assert {text})\n")


def smt2_of_named(names: Sequence[str], terms: Sequence[Term]) -> str:
    """The same with a name for each term, by which a solver can say that it used it."""
    cores = "(set-option :produce-unsat-cores true)\n"
    return _text(terms, cores, lambda number, text: f"(assert (! {text} :named {names[number]}))\n")


def _text(terms: Sequence[Term], options: str, asserted: Callable[[int, str], str]) -> str:
    terms = [z3.BoolVal(term) if isinstance(term, bool) else term for term in terms]
    writings = [written(term) for term in terms]
    lines: dict[str, None] = {}
    for writing in writings:
        lines.update(dict.fromkeys(writing.declarations or ()))
    declarations = "".join(f"{line}\n" for line in lines)
    if any(writing.declarations is None for writing in writings):
        solver = z3.Solver()
        solver.add(*terms)
        declarations = solver.sexpr().partition("(assert")[0]
    asserts = "".join(asserted(number, writing.text) for number, writing in enumerate(writings))
    return f"{options}(set-logic ALL)\n{declarations}{asserts}(check-sat)\n"


def written(term: Term) -> Writing:
    """A term's writing, made once."""
    known = _written.get(term.get_id())
    if known is None:
        known = _written[term.get_id()] = _write(term)
    return known


def _write(term: Term) -> Writing:
    symbols: dict[Any, None] = {}
    sorts: dict[Any, None] = {}
    plain = True
    parts = _parts(term)
    for part in parts.values():
        if part.symbol is not None:
            symbols[part.symbol] = None
        sorts.update(part.binds)
        plain = plain and part.plain
    for symbol in symbols:
        sorts.update(dict.fromkeys((*domain_of(symbol), symbol.range())))
    plain = plain and all(sort.kind() != z3.Z3_DATATYPE_SORT for sort in sorts)
    names = dict.fromkeys(sort.name() for sort in sorts if sort.kind() == z3.Z3_UNINTERPRETED_SORT)
    lines = (*(f"(declare-sort {name} 0)" for name in names), *map(_declared, symbols))
    return Writing(term, term.sexpr(), symbols, lines if plain else None, frozenset(parts))


_declarations: Final[dict[int, tuple[Any, str]]] = {}
"""By a symbol's number: the symbol, kept so that no other gets its number, and what declares it."""


def _declared(symbol: Any) -> str:
    number = symbol.get_id()
    if number not in _declarations:
        _declarations[number] = symbol, symbol.sexpr().strip()
    return _declarations[number][1]


def symbols_of(terms: Iterable[Term]) -> list[Any]:
    """The functions and constants that terms leave open, in the order in which they come."""
    found: dict[Any, None] = {}
    for term in terms:
        if not isinstance(term, bool):
            found.update(written(term).symbols)
    return list(found)


def parts_of(terms: Iterable[Term]) -> frozenset[int]:
    """The numbers of all terms that occur in these."""
    return frozenset().union(*(written(term).parts for term in terms if not isinstance(term, bool)))


def domain_of(symbol: Any) -> list[Any]:
    """The sorts of a function's arguments."""
    return [symbol.domain(i) for i in range(symbol.arity())]


@dataclass(frozen=True, slots=True)
class _Part:
    """What there is to know of a term but for what is in its own parts.

    Attributes:
        term: kept, so that no other gets its number.
        symbol: the function or constant that it leaves open, if it is one.
        binds: the sorts of what a quantifier binds.
        plain: not a recursive function.
        inner: what it is made of, but for what a quantifier binds; by number, the last first.
    """

    term: Term
    symbol: Any
    binds: dict[Any, None]
    plain: bool
    inner: tuple[tuple[int, Term], ...]


_known_parts: Final[dict[int, _Part]] = {}
"""By number. Terms share most of what they are made of, and to ask z3 about each takes longer than to write them."""


def _part(number: int, term: Term) -> _Part:
    known = _known_parts.get(number)
    if known is None:
        symbol, binds, plain, inner = None, {}, True, term.children()[::-1]
        if z3.is_quantifier(term):
            binds = dict.fromkeys(term.var_sort(i) for i in range(term.num_vars()))
        elif z3.is_app(term):
            kind = term.decl().kind()
            symbol = term.decl() if kind == z3.Z3_OP_UNINTERPRETED else None
            plain = kind != z3.Z3_OP_RECURSIVE
        numbered = tuple((each.get_id(), each) for each in inner if not z3.is_var(each))
        known = _known_parts[number] = _Part(term, symbol, binds, plain, numbered)
    return known


def _parts(term: Term) -> dict[int, _Part]:
    """Every term that occurs in this one, by its number, the outer before the inner."""
    found: dict[int, _Part] = {}
    waiting = [(term.get_id(), term)]
    while waiting:
        number, each = waiting.pop()
        if number not in found:
            part = found[number] = _part(number, each)
            waiting += part.inner
    return found
