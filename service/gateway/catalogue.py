"""Every type of problem that a gateway can answer with, told by the very functions that make the answers.

Each maker of `problems.py` is called once, its arguments standing for themselves: where an answer names a region, the
catalogue says `{region}`. So what is listed is what is said.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, get_origin

import msgspec

from service.gateway import problems
from service.gateway.answers import Answer


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One type of problem."""

    slug: str
    status: int
    title: str
    meaning: str
    """What happened and what to do, with the names of what differs from answer to answer in braces."""


class _Number(IntEnum):
    """A number that is written as its name in a sentence, and is 1 in a field."""

    def __format__(self, _: str) -> str:
        return f"{{{self.name}}}"


def catalogue() -> tuple[ProblemType, ...]:
    """Every type of problem, in the order of `problems.py`."""
    makers = [
        maker
        for maker in vars(problems).values()
        if inspect.isfunction(maker) and maker.__module__ == problems.__name__ and not maker.__name__.startswith("_")
    ]
    return tuple(_told(answer, maker.__doc__) for maker in makers if (answer := maker(*_arguments(maker))).slug)


def _arguments(maker: Callable[..., Answer]) -> list[Any]:
    return [_standing_for_itself(parameter) for parameter in inspect.signature(maker).parameters.values()]


def _standing_for_itself(parameter: inspect.Parameter) -> Any:
    kind = parameter.annotation
    if kind is bool:
        return False
    if kind is int:
        # An enum made by a call, which mypy takes for one of its members.
        return _Number("_Number", {parameter.name: 1})[parameter.name]  # type: ignore[call-arg, index, arg-type]
    if kind == int | None:
        return None
    if get_origin(kind) is Iterable:
        return [("{field}", "{rule}")] if kind == Iterable[tuple[str, str]] else [f"{{{parameter.name}}}"]
    if get_origin(kind) is dict:
        return {"{part}": "{state}"}
    return f"{{{parameter.name}}}"


def _told(answer: Answer, about: str | None) -> ProblemType:
    """What the maker says about all of them, and what each says, unless that is never the same."""
    document = msgspec.json.decode(answer.body)
    said = document["detail"]
    always = "" if said.startswith("{") and said.endswith("}") else said
    return ProblemType(answer.slug, answer.status, document["title"], " ".join(filter(None, (about, always))))
