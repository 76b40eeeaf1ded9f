"""Runs the proofs: every obligation of the register, by both solvers. `firstcome prove` and the tests call this.

Proved means: both solvers say `unsat` to every case, `sat` to the assumptions of each (nothing is true of nothing),
`sat` to the witness and to the counterexample past the bound. Any other answer, of either solver, is a failure and is
named; so is a solver that is missing, a function of the model that decides and that no obligation reads, and an example
in which a shipped function gives something else than the solver has for it.

Next: `mutants.py`, whether the sentences have teeth; `report.py` shows it all.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from proofs import rooms
from proofs.solvers import Answer, SolverProcess

if TYPE_CHECKING:
    from proofs.examples import Example, Search
    from proofs.obligations import Obligation, Question

SOLVER_NAMES: Final = ("z3", "cvc5")
LIMIT_MS: Final = 20_000
"""A question takes 20 ms; a thousand times that is a failure."""
EXAMPLE_LIMIT_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Check:
    """One question to both solvers, and what they said.

    Attributes:
        text: what both were asked.
        used: of a case, the assumptions in z3's core, as people call them.
        example: of a situation that is possible, or that breaks the claim.
    """

    about: str
    expected: str
    text: str
    answers: dict[str, Answer]
    used: tuple[str, ...] = ()
    example: "Example | None" = None

    @property
    def ok(self) -> bool:
        return set(self.answers) == set(SOLVER_NAMES) and all(
            answer.verdict == self.expected for answer in self.answers.values()
        )

    def failure(self) -> str:
        """What was said instead, with the counterexample and what the shipped functions say in it."""
        said = ", ".join(f"{name} says {answer.verdict}" for name, answer in self.answers.items())
        found = ""
        if self.example is not None and self.expected == "unsat":
            replays = "".join(f"; {replay}" for replay in self.example.replays)
            found = f" ({self.example}{replays})"
        return f"{self.about}: {said}, not {self.expected}{found}"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one obligation. `beyond` is None where the sentence has no bound.

    Attributes:
        unused: assumptions of some case that no case needed.
    """

    name: str
    room: str
    sentence: str
    reads: frozenset[str]
    rests_on: frozenset[str]
    cases: tuple[Check, ...]
    premises: tuple[Check, ...]
    witness: Check
    beyond: Check | None
    unused: tuple[str, ...]

    @property
    def checks(self) -> tuple[Check, ...]:
        return (*self.cases, *self.premises, self.witness, *((self.beyond,) if self.beyond else ()))

    @property
    def proved(self) -> bool:
        return not self.failures

    @property
    def failures(self) -> tuple[str, ...]:
        wrong = [check.failure() for check in self.checks if not check.ok]
        replays = [replay for check in self.checks if check.example for replay in check.example.replays]
        wrong += [str(replay) for replay in replays if not replay.agrees]
        return tuple(dict.fromkeys(wrong))

    @property
    def used(self) -> tuple[str, ...]:
        """The assumptions that some case needed, in the order of their first need."""
        return tuple(dict.fromkeys(label for case in self.cases for label in case.used))

    def ms(self, solver: str) -> float:
        """How long a solver took for the proof itself."""
        return sum(check.answers[solver].ms for check in self.cases)


@dataclass(frozen=True, slots=True)
class Report:
    """All results, and the faults that are of no obligation.

    Attributes:
        built: the obligations themselves, in the same order.
    """

    results: tuple[Result, ...]
    faults: tuple[str, ...]
    seconds: float
    built: "tuple[Obligation, ...]" = ()

    @property
    def ok(self) -> bool:
        return bool(self.results) and not self.faults and all(result.proved for result in self.results)

    @property
    def reads(self) -> frozenset[str]:
        """The functions of the model that these obligations call."""
        return frozenset().union(*(result.reads for result in self.results))


Progress: TypeAlias = Callable[[Result, int, int], None]
"""Called after each obligation with its result, how many are done, and of how many."""


def names_of(only: str | None) -> list[str]:
    """The obligations whose name contains this; all, in the order of the register.

    Raises:
        ImportError: z3 is missing, so nothing can be stated.
        ValueError: no obligation is called that.
    """
    rooms.load()
    from proofs.obligations import REGISTER  # noqa: PLC0415  (needs z3, which may be missing)

    names = [name for name in REGISTER if only is None or only in name]
    if not names:
        raise ValueError(f"no obligation is called {only}")
    return names


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
        names = names_of(only)
        from proofs.obligations import build, to_be_read  # noqa: PLC0415  (needs z3, which may be missing)
    except ImportError as error:
        return Report((), (f"obligations cannot be stated: {error}",), time.perf_counter() - began)
    results: list[Result] = []
    faults = []
    with _Panel(limit_ms) as panel:
        pending, built = [], []
        for name in names:
            try:
                built.append(build(name))
                pending.append(panel.examine(built[-1]))
            except Exception as error:  # noqa: BLE001  (a wrong model may raise whatever it likes)
                faults.append(f"{name} cannot be stated of the model as it is: {type(error).__name__}: {error}")
        for finished in pending:
            results.append(finished())
            if progress is not None:
                progress(results[-1], len(results), len(names))
    faults += [] if only is not None else _unread(to_be_read(), results)
    return Report(tuple(results), tuple(faults), time.perf_counter() - began, tuple(built))


def _unread(wanted: frozenset[str], results: list[Result]) -> list[str]:
    read = frozenset().union(*(result.rests_on for result in results))
    return [f"no obligation reads {name}" for name in sorted(wanted - read)]


class _Desk:
    """A solver's process and the queue in front of it: one question at a time, no question twice."""

    def __init__(self, name: str) -> None:
        self._process = SolverProcess(name)
        self._queue = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._asked: dict[str, Future[Answer]] = {}

    def ask(self, text: str, expected: str, limit_ms: int) -> Future[Answer]:
        if text not in self._asked:
            self._asked[text] = self._queue.submit(
                self._process.ask, text, expected, limit_ms, core=self._process.name == "z3"
            )
        return self._asked[text]

    def close(self) -> None:
        """No further question; the one that is being asked is given up."""
        self._queue.shutdown(wait=False, cancel_futures=True)
        self._process.interrupt()
        self._queue.shutdown(wait=True)
        self._process.end()


class _Panel:
    """Both solvers side by side, and a third process that looks for examples, so that nobody waits for those.

    What is shown as an example is that situation and more (`examples.py` names the values of calls and wishes for small
    numbers), so where z3 finds it, it has said `sat` to the situation, and is not asked a second time.
    """

    def __init__(self, limit_ms: int) -> None:
        self._limit_ms = limit_ms
        self._desks = {name: _Desk(name) for name in SOLVER_NAMES}
        self._examples = _Desk("z3")

    def __enter__(self) -> "_Panel":
        return self

    def __exit__(self, *_error: object) -> None:
        for desk in (*self._desks.values(), self._examples):
            desk.close()

    def examine(self, obligation: "Obligation") -> Callable[[], Result]:
        """Put every question of an obligation; the result waits for the answers."""
        puts = [self._put(obligation, question, question.text) for question in obligation.questions()]

        def finished() -> Result:
            checks = [check() for check in puts]
            by_name = {check.about: check for check in checks}
            cases = tuple(check for check in checks if check.expected == "unsat")
            used = {label for case in cases for label in case.used}
            given = [obligation.label(term) for case in obligation.argument.cases for term in case.assumptions]
            return Result(
                obligation.name,
                obligation.room,
                obligation.sentence,
                obligation.reads,
                obligation.rests_on,
                cases,
                tuple(check for check in checks if check.about.startswith("assumptions of ")),
                by_name["witness"],
                by_name.get("past the bound"),
                tuple(label for label in dict.fromkeys(given) if label not in used),
            )

        return finished

    def _put(self, obligation: "Obligation", question: "Question", text: str) -> Callable[[], Check]:
        def ask(solver: str) -> Future[Answer]:
            return self._desks[solver].ask(text, question.expected, self._limit_ms)

        is_shown = question.about in ("witness", "past the bound")
        shown = self._search(obligation, question) if is_shown else None
        asked = {name: ask(name) for name in SOLVER_NAMES if not (is_shown and name == "z3")}

        def check() -> Check:
            z3, example = shown() if shown is not None else (asked["z3"].result(), None)
            if is_shown and example is None:
                z3 = ask("z3").result()
            answers = {name: z3 if name == "z3" else asked[name].result() for name in SOLVER_NAMES}
            if question.case is not None and z3.verdict in ("sat", "unknown"):
                _, example = self._search(obligation, question)()
            return Check(
                question.about,
                question.expected,
                text,
                answers,
                _used(obligation, question, z3),
                example,
            )

        return check

    def _search(self, obligation: "Obligation", question: "Question") -> "Callable[[], tuple[Answer, Example | None]]":
        """An example, and what z3 said when it was asked for one."""
        from proofs import examples  # noqa: PLC0415  (needs z3, which may be missing)
        from proofs.texts import smt2  # noqa: PLC0415

        sought: Search = examples.search(obligation, question)
        begun = self._examples.ask(smt2((*sought.terms, *sought.wishes)), "sat", EXAMPLE_LIMIT_MS)

        def found() -> "tuple[Answer, Example | None]":
            answer = begun.result()
            for wishes in (*sought.points, ()):
                if answer.verdict != "sat":
                    answer = self._examples.ask(smt2((*sought.terms, *wishes)), "sat", EXAMPLE_LIMIT_MS).result()
            return answer, examples.example(answer, sought.calls) if answer.verdict == "sat" else None

        return found


def _used(obligation: "Obligation", question: "Question", answer: Answer) -> tuple[str, ...]:
    """The assumptions of a case that z3 needed."""
    if question.case is None:
        return ()
    needed = (term for term in question.named(answer.core) if term is not question.terms[-1])
    return tuple(dict.fromkeys(obligation.label(term) for term in needed))
