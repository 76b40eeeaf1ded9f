"""Terms as SMT-LIB text: what the solvers are asked. The same terms give the same text, on any day and machine.

Solvers are asked this text, never live terms: repeatable, and alike for all. (`Solver.to_smt2` would name parts by where
they lie in memory: another text each time.) What must be read to believe it: that `question` asserts each term as it
is, under its name. A term is written once and remembered: hundreds of questions share the same assumptions.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import z3

from proofs.notes import Term

_written: Final[dict[Term, tuple[str, tuple[str, ...]]]] = {}


class _NotPlainError(Exception):
    """A term uses declarations that only z3's own printer knows (data types, recursive functions)."""


def smt2(terms: Sequence[Term]) -> str:
    """The conjunction as SMT-LIB text."""
    return _text(terms, "", lambda _number, text: f"(assert {text})\n")


def smt2_of_named(names: Sequence[str], terms: Sequence[Term]) -> str:
    """The same with a name for each term, by which a solver can say that it used it."""
    cores = "(set-option :produce-unsat-cores true)\n"
    return _text(terms, cores, lambda number, text: f"(assert (! {text} :named {names[number]}))\n")


def _text(terms: Sequence[Term], options: str, asserted: Any) -> str:
    terms = [z3.BoolVal(term) if isinstance(term, bool) else term for term in terms]
    try:
        written = [_write(term) for term in terms]
        declarations = "".join(f"{line}\n" for line in dict.fromkeys(line for _, lines in written for line in lines))
        texts = [text for text, _ in written]
    except _NotPlainError:
        solver = z3.Solver()
        solver.add(*terms)
        declarations = solver.sexpr().partition("(assert")[0]
        texts = [term.sexpr() for term in terms]
    asserts = "".join(asserted(number, text) for number, text in enumerate(texts))
    return f"{options}(set-logic ALL)\n{declarations}{asserts}(check-sat)\n"


def _write(term: Term) -> tuple[str, tuple[str, ...]]:
    """A term's text, and the declarations that it needs, sorts before what uses them."""
    known = _written.get(term)
    if known is None:
        symbols = list(symbols_of([term]))
        used = [
            *(sort for symbol in symbols for sort in (*domain_of(symbol), symbol.range())),
            *(
                part.var_sort(i)
                for part in parts_of([term])
                if z3.is_quantifier(part)
                for i in range(part.num_vars())
            ),
        ]
        sorts = dict.fromkeys(sort.name() for sort in used if sort.kind() == z3.Z3_UNINTERPRETED_SORT)
        lines = (*(f"(declare-sort {sort} 0)" for sort in sorts), *(symbol.sexpr().strip() for symbol in symbols))
        known = _written[term] = term.sexpr(), lines
    return known


def symbols_of(terms: Iterable[Term]) -> dict[Any, None]:
    """The functions and constants that terms leave open, in the order in which they come."""
    found: dict[Any, None] = {}
    for part in parts_of(terms):
        if z3.is_app(part):
            kind = part.decl().kind()
            if kind == z3.Z3_OP_UNINTERPRETED:
                found[part.decl()] = None
            elif kind == z3.Z3_OP_RECURSIVE or part.sort().kind() == z3.Z3_DATATYPE_SORT:
                raise _NotPlainError
        elif z3.is_quantifier(part):
            sorts = [part.var_sort(i) for i in range(part.num_vars())]
            if any(sort.kind() == z3.Z3_DATATYPE_SORT for sort in sorts):
                raise _NotPlainError
    return found


def domain_of(symbol: Any) -> list[Any]:
    """The sorts of a function's arguments."""
    return [symbol.domain(i) for i in range(symbol.arity())]


def parts_of(terms: Iterable[Term]) -> Iterable[Term]:
    """Every term that occurs in these, once each, the outer before the inner."""
    seen: set[int] = set()
    waiting = list(terms)[::-1]
    while waiting:
        term = waiting.pop()
        if term.get_id() in seen:
            continue
        seen.add(term.get_id())
        yield term
        if z3.is_quantifier(term):
            waiting.append(term.body())
        else:
            waiting += term.children()[::-1]
