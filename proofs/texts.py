"""Terms as SMT-LIB text: what the solvers are asked. The same terms give the same text, on any day and machine.

Solvers are asked this text, never live terms: repeatable, and alike for all. (`Solver.to_smt2` would name parts by
where they lie in memory: another text each time.) What must be read to believe it: that each term is asserted as it is.
A term is written once and remembered: hundreds of questions share the same assumptions.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
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
    parts = list(_parts(term))
    for part in parts:
        if z3.is_app(part):
            kind = part.decl().kind()
            if kind == z3.Z3_OP_UNINTERPRETED:
                symbols[part.decl()] = None
            plain = plain and kind != z3.Z3_OP_RECURSIVE
        elif z3.is_quantifier(part):
            sorts.update(dict.fromkeys(part.var_sort(i) for i in range(part.num_vars())))
    for symbol in symbols:
        sorts.update(dict.fromkeys((*domain_of(symbol), symbol.range())))
    plain = plain and all(sort.kind() != z3.Z3_DATATYPE_SORT for sort in sorts)
    names = dict.fromkeys(sort.name() for sort in sorts if sort.kind() == z3.Z3_UNINTERPRETED_SORT)
    lines = (*(f"(declare-sort {name} 0)" for name in names), *(symbol.sexpr().strip() for symbol in symbols))
    ids = frozenset(part.get_id() for part in parts)
    return Writing(term, term.sexpr(), symbols, lines if plain else None, ids)


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


def _parts(term: Term) -> Iterator[Term]:
    """Every term that occurs in this one, once each, the outer before the inner; not what a quantifier binds."""
    seen: set[int] = set()
    waiting = [term]
    while waiting:
        part = waiting.pop()
        if part.get_id() in seen or z3.is_var(part):
            continue
        seen.add(part.get_id())
        yield part
        if z3.is_quantifier(part):
            waiting.append(part.body())
        else:
            waiting += part.children()[::-1]
