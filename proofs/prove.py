"""Runs the proofs: every obligation of the register, by both solvers. `firstcome prove` and the tests call this.

Proved means: both solvers say `unsat` to every case, `sat` to the assumptions of each (nothing is true of nothing),
`sat` to the witness and to the counterexample past the bound. Any other answer, of either solver, is a failure and is
named; so is a solver that is missing, and a guard of the model that no obligation reads.

Next: `report.py` shows it.
"""

import importlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from proofs.solvers import Answer, SolverProcess

if TYPE_CHECKING:
    from proofs.obligations import Obligation

SOLVER_NAMES: Final = ("z3", "cvc5")
ROOMS: Final = (
    "order",
    "fairness",
    "admission",
    "region",
    "fence",
    "induction",
    "promises",
    "replaying",
    "clocks",
    "stamps",
    "selection",
    "polygons",
    "tracks",
    "arithmetic",
)
LIMIT_MS: Final = 20_000
"""A question takes 20 ms; a thousand times that is a failure."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question to both solvers, and what they said."""

    about: str
    expected: str
    answers: dict[str, Answer]

    @property
    def ok(self) -> bool:
        return set(self.answers) == set(SOLVER_NAMES) and all(
            answer.verdict == self.expected for answer in self.answers.values()
        )

    def failure(self) -> str:
        """What was said instead, with the values of the counterexample's integers where there are some."""
        said = ", ".join(f"{name} says {answer.verdict}" for name, answer in self.answers.items())
        values = {name: value for answer in self.answers.values() for name, value in answer.values.items()}
        example = ", ".join(f"{name} = {value}" for name, value in sorted(values.items()))
        found = f" ({example})" if example and self.expected == "unsat" else ""
        return f"{self.about}: {said}, not {self.expected}{found}"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one obligation. `beyond` is None where the sentence has no bound."""

    name: str
    sentence: str
    reads: frozenset[str]
    cases: tuple[Check, ...]
    premises: tuple[Check, ...]
    witness: Check
    beyond: Check | None

    @property
    def checks(self) -> tuple[Check, ...]:
        return (*self.cases, *self.premises, self.witness, *((self.beyond,) if self.beyond else ()))

    @property
    def proved(self) -> bool:
        return all(check.ok for check in self.checks)

    @property
    def failures(self) -> tuple[str, ...]:
        return tuple(check.failure() for check in self.checks if not check.ok)

    def ms(self, solver: str) -> float:
        """How long a solver took for the proof itself."""
        return sum(check.answers[solver].ms for check in self.cases)


@dataclass(frozen=True, slots=True)
class Report:
    """All results, and the faults that are of no obligation."""

    results: tuple[Result, ...]
    faults: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        return bool(self.results) and not self.faults and all(result.proved for result in self.results)

    @property
    def reads(self) -> frozenset[str]:
        """The functions of the model that these obligations read."""
        return frozenset().union(*(result.reads for result in self.results))


Progress: TypeAlias = Callable[[Result, int, int], None]
"""Called after each obligation with its result, how many are done, and of how many."""


def prove(only: str | None = None, progress: Progress | None = None, limit_ms: int = LIMIT_MS) -> Report:
    """Ask both solvers about every obligation.

    Args:
        only: just those whose name contains this.
        limit_ms: how long a solver may take for one question; a longer one is a failure.

    Raises:
        ValueError: no obligation is called that.
    """
    began = time.perf_counter()
    try:
        register = importlib.import_module("proofs.obligations")
        for room in ROOMS:
            importlib.import_module(f"proofs.{room}")
    except ImportError as error:
        return Report((), (f"obligations cannot be stated: {error}",), time.perf_counter() - began)
    names = [name for name in register.REGISTER if only is None or only in name]
    if not names:
        raise ValueError(f"no obligation is called {only}")
    results: list[Result] = []
    with _Panel(limit_ms) as panel:
        pending = [panel.examine(register.build(name)) for name in names]
        for finished in pending:
            results.append(finished())
            if progress is not None:
                progress(results[-1], len(results), len(names))
    faults = [] if only is not None else _unread(register.to_be_read(), results)
    return Report(tuple(results), tuple(faults), time.perf_counter() - began)


def _unread(wanted: frozenset[str], results: list[Result]) -> list[str]:
    read = frozenset().union(*(result.reads for result in results))
    return [f"no obligation reads {name}" for name in sorted(wanted - read)]


class _Panel:
    """Both solvers side by side, each with one question at a time and no question twice."""

    def __init__(self, limit_ms: int) -> None:
        self._limit_ms = limit_ms
        self._asked: dict[tuple[str, str], Future[Answer]] = {}
        self._open = ExitStack()
        self._desks: dict[str, tuple[SolverProcess, ThreadPoolExecutor]] = {}

    def __enter__(self) -> "_Panel":
        for name in SOLVER_NAMES:
            process = self._open.enter_context(SolverProcess(name))
            queue = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
            self._open.callback(queue.shutdown, cancel_futures=True)
            self._desks[name] = process, queue
        return self

    def __exit__(self, *_error: object) -> None:
        self._open.close()

    def examine(self, obligation: "Obligation") -> Callable[[], Result]:
        """Put every question of an obligation; the result waits for the answers."""
        smt2 = importlib.import_module("proofs.obligations").smt2
        argument = obligation.argument
        cases = [self._put(case.name, case.question(), "unsat") for case in argument.cases]
        premises = [
            self._put(f"assumptions of {case.name}", smt2((*case.assumptions, *argument.small)), "sat")
            for case in argument.premises()
        ]
        witness = self._put("witness", smt2((*argument.witness, *argument.small)), "sat")
        beyond = argument.beyond and self._put("past the bound", smt2((*argument.beyond, *argument.small)), "sat")

        def finished() -> Result:
            return Result(
                obligation.name,
                obligation.sentence,
                obligation.reads,
                tuple(check() for check in cases),
                tuple(check() for check in premises),
                witness(),
                beyond() if beyond else None,
            )

        return finished

    def _put(self, about: str, text: str, expected: str) -> Callable[[], Check]:
        futures: dict[str, Future[Answer]] = {}
        for name, (process, queue) in self._desks.items():
            future = self._asked.get((name, text))
            if future is None:
                future = queue.submit(process.ask, text, expected, self._limit_ms)
                self._asked[name, text] = future
            futures[name] = future
        return lambda: Check(about, expected, {name: future.result() for name, future in futures.items()})
