"""All single-point mutants of a function: what it would be if one thing in it were wrong.

Made from its syntax tree, in the order in which they stand there:

- a comparison is another one (<, ≤, >, ≥, =, ≠; `is`, `is not`), a sum a difference, `&` is `|`, `and` is `or`,
  `min` is `max`;
- one side of an operation is dropped, a minus or an `abs` is left out, one branch is always taken;
- a whole number is one more or one less;
- an argument is another one of the same type (of another type mypy refuses it);
- what is returned is negated, or a constant.

A mutant that raises on every input is left in: that it cannot be run is seen when it is. Next: `mutants.py`.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final

ORDERS: Final = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
IDENTITIES: Final = (ast.Is, ast.IsNot)
TWINS: Final = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
NAMED_TWINS: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A function with one thing in it changed.

    Attributes:
        function: as `guards.in_pot`.
        was: the statement that is changed.
        now: what it is changed to. Together with the function this names the mutant.
        source: the whole function, as it is then.
    """

    function: str
    was: str
    now: str
    source: str

    def __str__(self) -> str:
        return f"{self.function}: {self.was} → {self.now}"


def mutants_of(name: str, function: FunctionType) -> list[Mutant]:
    """Each mutant once."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    original = ast.unparse(tree)
    found: dict[str, Mutant] = {}
    for statement in _statements(definition):
        was = _head(statement)
        for node, place, instead in _changes(definition, statement):
            before = _get(node, place)
            _set(node, place, ast.fix_missing_locations(ast.copy_location(instead, before)))
            source = ast.unparse(tree)
            if source != original:
                found.setdefault(source, Mutant(name, was, _head(statement), source))
            _set(node, place, before)
    return list(found.values())


Place = tuple[str, int | None]
"""A field of a syntax node, and where in it."""


def _statements(definition: ast.FunctionDef) -> Iterator[ast.stmt]:
    """Every simple statement, and the heads of the compound ones; not the docstring."""
    for statement in definition.body:
        is_docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not is_docstring:
            yield from (node for node in ast.walk(statement) if isinstance(node, ast.stmt))


def _head(statement: ast.stmt) -> str:
    return " ".join(ast.unparse(statement).partition("\n")[0].split())


def _changes(definition: ast.FunctionDef, statement: ast.stmt) -> Iterator[tuple[ast.AST, Place, ast.expr]]:
    arguments = _arguments(definition)
    for node, place, expression in _expressions(statement):
        for instead in _instead(expression, arguments):
            yield node, place, instead
    if isinstance(statement, ast.Return) and statement.value is not None:
        enclosing = definition
        for inner in ast.walk(definition):
            if isinstance(inner, ast.FunctionDef) and statement in inner.body:
                enclosing = inner
        given = ast.unparse(enclosing.returns) if enclosing.returns else ""
        value = ast.unparse(statement.value)
        wrong = {
            "bool": (f"({value}) ^ True", f"({value}) | True", f"({value}) & False"),
            "int": (f"-({value})", f"({value}) * 0", f"({value}) * 0 + 1"),
        }
        for text in wrong.get(given, ()):
            yield statement, ("value", None), ast.parse(text, mode="eval").body


def _arguments(definition: ast.FunctionDef) -> dict[str, str]:
    """The arguments of a function, and of those inside it, with their types."""
    inner = [node for node in ast.walk(definition) if isinstance(node, ast.FunctionDef)]
    every = [each for one in inner for each in (*one.args.posonlyargs, *one.args.args, *one.args.kwonlyargs)]
    return {each.arg: ast.unparse(each.annotation) if each.annotation else "" for each in every}


def _expressions(statement: ast.stmt) -> Iterator[tuple[ast.AST, Place, ast.expr]]:
    """Every expression of a statement's own, with where it stands; not in the statements inside it."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop(0)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "args") and isinstance(node, ast.stmt | ast.arg):
                continue
            for index, part in enumerate(value) if isinstance(value, list) else ((None, value),):
                if isinstance(part, ast.expr):
                    yield node, (name, index), part
                if isinstance(part, ast.expr | ast.comprehension | ast.keyword):
                    waiting.append(part)


def _instead(expression: ast.expr, arguments: dict[str, str]) -> Iterator[ast.expr]:
    """What could stand in the place of an expression if one thing in it were wrong."""
    match expression:
        case ast.Compare(left, [operator], [right]):
            for family in (ORDERS, IDENTITIES):
                if isinstance(operator, family):
                    others = (other for other in family if not isinstance(operator, other))
                    yield from (ast.Compare(left, [other()], [right]) for other in others)
        case ast.BinOp(left, operator, right):
            if type(operator) in TWINS:
                yield ast.BinOp(left, TWINS[type(operator)](), right)
            yield left
            yield right
        case ast.BoolOp(operator, values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
            yield from values
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield operand
        case ast.IfExp(_, body, orelse):
            yield body
            yield orelse
        case ast.Call(ast.Name("abs"), [argument], []):
            yield argument
        case ast.Constant(int(number)) if not isinstance(number, bool):
            yield ast.Constant(number + 1)
            yield ast.Constant(number - 1)
        case ast.Name(name, ast.Load()):
            if name in NAMED_TWINS:
                yield ast.Name(NAMED_TWINS[name], ast.Load())
            of_type = arguments.get(name)
            same = (other for other, its in arguments.items() if its == of_type and other != name)
            yield from (ast.Name(other, ast.Load()) for other in same)


def _get(node: ast.AST, place: Place) -> Any:
    name, index = place
    value = getattr(node, name)
    return value if index is None else value[index]


def _set(node: ast.AST, place: Place, expression: ast.expr) -> None:
    name, index = place
    if index is None:
        setattr(node, name, expression)
    else:
        getattr(node, name)[index] = expression
