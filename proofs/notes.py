"""What an obligation asked of the model while it was built, and what its author calls things.

A `Reading` is a module of the model to be called on terms. It calls the shipped function and notes the call, its
arguments and its result: from that follow which functions a sentence reads (`Obligation.reads`), which mutants can
break it (`mutants.py`), and how a counterexample is run again on the shipped Python code (`examples.py`).

What many sentences share is built once (`remembered`), with the notes of its building; it is built anew as soon as any
function of the model is another one. Next: `obligations.py`.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, ParamSpec, TypeAlias, TypeVar

Term: TypeAlias = Any
"""A z3 term. The package carries no types."""

LONGEST_LABEL: Final = 60

Parameters = ParamSpec("Parameters")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the model, as `guards.in_pot`, what it was given and what it gave back; terms or plain values."""

    function: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    result: Any


@dataclass(slots=True)
class Notes:
    """All that was noted while one obligation was built."""

    reads: set[str] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    labels: dict[Term, str] = field(default_factory=dict)

    def add(self, others: "Notes") -> None:
        """What others noted counts here too."""
        self.reads |= others.reads
        self.calls += others.calls
        self.labels |= others.labels


_open: Final[list[Notes]] = [Notes()]
"""The notes being taken; the last are written to."""


@contextmanager
def take_notes() -> Iterator[Notes]:
    """Fresh notes for as long as this lasts."""
    notes = Notes()
    _open.append(notes)
    try:
        yield notes
    finally:
        _open.pop()


class Reading:
    """A module of the model, to be called on terms, and a note of what was asked of it."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._room = module.__name__.removeprefix("model.")

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._module, name)
        if not inspect.isroutine(asked):
            return asked
        function = f"{self._room}.{name}"
        _open[-1].reads.add(function)

        @functools.wraps(asked)
        def noted(*arguments: Any, **keywords: Any) -> Any:
            result = asked(*arguments, **keywords)
            _open[-1].calls.append(Call(function, arguments, keywords, result))
            return result

        return noted


def said(label: str, term: Term) -> Term:
    """The term, which the report will call by these words where it is assumed."""
    _open[-1].labels[term] = label
    return term


def printed(term: Term) -> str:
    """A term as it is written, on one line, shortened."""
    text = " ".join(str(term).split())
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"


def functions() -> dict[str, FunctionType]:
    """Every function of the model's modules that are loaded, as `guards.in_pot`: as it is bound now."""
    return {
        f"{module.__name__.removeprefix('model.')}.{name}": bound
        for module in model_modules()
        for name, bound in vars(module).items()
        if inspect.isfunction(bound) and bound.__module__ == module.__name__
    }


def model_modules() -> list[ModuleType]:
    """The modules of the model that are loaded, in the order of their names."""
    return [module for name, module in sorted(sys.modules.items()) if name.startswith("model.")]


def within(reads: frozenset[str]) -> frozenset[str]:
    """These functions and all functions of the model that they name in turn."""
    known = functions()
    names = {id(function): name for name, function in known.items()}
    found: set[str] = set()
    waiting = list(reads)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        function = known.get(name)
        if function is not None:
            named = (function.__globals__.get(word) for word in _words(function.__code__))
            waiting += [names[id(each)] for each in named if id(each) in names]
    return frozenset(found)


def _words(code: CodeType) -> set[str]:
    """The global names that a function uses, its inner functions included."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*(_words(each) for each in inner))


_memory: Final[dict[Any, tuple[Any, Notes]]] = {}
_remembered_of: Final[list[dict[str, FunctionType]]] = [{}]


def remembered(builder: Callable[Parameters, Value]) -> Callable[Parameters, Value]:
    """Build once what many obligations share. Forgotten as soon as any function of the model is another one."""

    @functools.wraps(builder)
    def once(*arguments: Parameters.args, **keywords: Parameters.kwargs) -> Value:
        now = functions()
        if now != _remembered_of[0]:
            _memory.clear()
            _remembered_of[0] = now
        key = (builder, arguments, tuple(keywords.items()))
        if key not in _memory:
            with take_notes() as notes:
                value = builder(*arguments, **keywords)
            _memory[key] = value, notes
        value, notes = _memory[key]
        _open[-1].add(notes)
        return value

    return once
