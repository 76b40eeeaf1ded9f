"""What both clients share: the same methods, said alike; and one tree of exceptions for whatever gateways answer."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import firstcome
from firstcome import problems
from firstcome.problems import BY_STATUS, BY_TYPE, ProblemError, problem_from

GATEWAY = Path(__file__).parents[2] / "service" / "gateway"
STATED = re.findall(r"problem\(\s*\"([a-z_]+)\",\s*([0-9]{3}),", (GATEWAY / "problems.py").read_text())


def methods(client: type) -> dict[str, Any]:
    return {name: method for name, method in vars(client).items() if not name.startswith("_")}


def test_both_clients_have_the_same_calls_said_alike() -> None:
    waits, awaits = methods(firstcome.Client), methods(firstcome.AsyncClient)
    assert waits.keys() == awaits.keys()
    assert len(waits) >= 15
    for name in waits.keys() - {"events", "close"}:
        assert inspect.signature(waits[name]) == inspect.signature(awaits[name]), name
        assert inspect.iscoroutinefunction(awaits[name]), name
        assert waits[name].__doc__, name


def test_the_signature_is_what_the_call_comes_to() -> None:
    told = inspect.signature(firstcome.Client.purchase)
    assert list(told.parameters) == ["self", "sale", "buyer", "wait_seconds"]
    assert told.return_annotation is firstcome.Purchase


def test_what_gateways_state_is_read() -> None:
    assert len(STATED) > 30
    assert ("outcome_unknown", "503") in STATED


@pytest.mark.parametrize(("name", "status"), STATED)
def test_every_problem_of_a_gateway_is_of_its_statuss_class(name: str, status: str) -> None:
    error = problem_from({"type": f"urn:firstcome:problem:{name}", "title": "T", "detail": "D"}, int(status))
    assert error.type == name
    assert isinstance(error, BY_STATUS[int(status)])


def test_a_problem_that_nobody_has_heard_of_is_its_statuss() -> None:
    for status, kind in BY_STATUS.items():
        assert type(problem_from({"type": "urn:firstcome:problem:of_tomorrow"}, status)) is kind
    assert type(problem_from({"type": "about:blank"}, 418)) is ProblemError


def test_the_tree_is_the_one_that_is_drawn() -> None:
    """Every class stands in the docstring, below the one that it derives from."""
    drawn: list[tuple[int, str]] = []
    for line in (problems.__doc__ or "").splitlines():
        found = re.match(r"( *[│├└─ ]*)([A-Z]\w+Error)\b", line)
        if found and line.startswith("    "):
            depth, name = (len(found[1]) - 4) // 4, found[2]
            drawn.append((depth, name))
            kind = getattr(problems, name)
            above = next((each for level, each in reversed(drawn[:-1]) if level < depth), "Exception")
            assert above in [each.__name__ for each in kind.__mro__[1:]], f"{name} below {above}"
    assert {name for _, name in drawn} == {
        name for name, kind in vars(problems).items() if name[0] != "_" and inspect.isclass(kind) and "Error" in name
    }
    assert {name for _, name in drawn} <= set(firstcome.__all__)


def test_no_type_is_claimed_twice() -> None:
    claimed = [name for kind in set(BY_TYPE.values()) for name in kind.types]
    assert sorted(claimed) == sorted(BY_TYPE)
