"""Every type of problem that a gateway can answer with, told by the very functions that make the answers.

Each maker of `problems.py` is called once, its arguments standing for themselves: where an answer names a region, the
catalogue says `{region}`. So what is listed is what is said.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, get_origin

import msgspec

from service.gateway import problems
from service.gateway.answers import Answer

_UNLIKELY: Final = 8_675_309_000
"""Numbers from here stand for themselves: no text of ours has one of them by itself."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One type of problem."""

    slug: str
    status: int
    title: str
    meaning: str
    """What happened and what to do, with the names of what differs from answer to answer in braces."""


def catalogue() -> tuple[ProblemType, ...]:
    """Every type of problem, in the order of `problems.py`. What is told in several ways has them all."""
    told: dict[str, ProblemType] = {}
    for maker in vars(problems).values():
        is_ours = inspect.isfunction(maker) and maker.__module__ == problems.__name__
        if is_ours and not maker.__name__.startswith("_"):
            named = _named(maker)
            if named is not None:
                first = told.get(named.slug)
                told[named.slug] = (
                    named if first is None else replace(first, meaning=f"{first.meaning} Or: {named.meaning}")
                )
    return tuple(told.values())


def _named(maker: Callable[..., Answer]) -> ProblemType | None:
    """What a maker makes; None where it is no problem."""
    parameters = inspect.signature(maker).parameters.values()
    numbers = {parameter.name: _UNLIKELY + place for place, parameter in enumerate(parameters)}
    answer = maker(*(_standing_for_itself(parameter, numbers[parameter.name]) for parameter in parameters))
    if not answer.slug:
        return None
    document = msgspec.json.decode(answer.body)
    said = document["detail"]
    for name, number in numbers.items():
        said = said.replace(str(number), f"{{{name}}}").replace(f"{number:,}", f"{{{name}}}")
    always = "" if said.startswith("{") and said.endswith("}") else said
    meaning = " ".join(f"{maker.__doc__ or ''} {always}".split())
    return ProblemType(answer.slug, answer.status, document["title"], meaning)


def _standing_for_itself(parameter: inspect.Parameter, number: int) -> Any:
    """An argument by which its parameter is known again."""
    kind = parameter.annotation
    if kind is bool:
        return False
    if kind is int:
        return number
    if kind == int | None:
        return None
    if get_origin(kind) is Iterable:
        return [("{field}", "{rule}")] if kind == Iterable[tuple[str, str]] else [f"{{{parameter.name}}}"]
    if get_origin(kind) is dict:
        return {"{part}": "{state}"}
    return f"{{{parameter.name}}}"
