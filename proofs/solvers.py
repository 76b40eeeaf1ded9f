"""Two solvers, each in a process of its own, asked the same SMT-LIB text. Run as `python -m proofs.solvers z3`.

A verdict is `sat`, `unsat` or a failure: `unknown` (it gave up or ran out of time), `missing` (not installed),
`crashed` (the process died). Nothing but the expected answer counts, so no failure can look like a proof. A process
that outlives its time is ended, and the next question gets a new one.

Proofs are asked for any number of requests and regions. For witnesses cvc5 is told to look for finite models, which it
does not do of itself.

One line of JSON each way: {"text", "expected", "limit_ms"} and {"verdict", "ms", "values"}.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Timer
from types import TracebackType
from typing import Any, Final

OVERTIME_S: Final = 10.0
"""How long after its own time limit a solver is given to notice it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, how long it took, and for `sat` the values of the named integers where the solver gives them."""

    verdict: str
    ms: float
    values: dict[str, int] = field(default_factory=dict)


class SolverProcess:
    """One solver, started when first asked and again after it died."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "SolverProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def ask(self, text: str, expected: str, limit_ms: int) -> Answer:
        """Its verdict on a text, in at most `limit_ms`. `expected` says where to look, not what to say."""
        began = time.perf_counter()
        process = self._process = self._process or self._start()
        overdue = Timer(limit_ms / 1000 + OVERTIME_S, process.kill)
        overdue.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"text": text, "expected": expected, "limit_ms": limit_ms}) + "\n")
            process.stdin.flush()
            reply = process.stdout.readline()
        except BrokenPipeError:
            reply = ""
        finally:
            overdue.cancel()
        if not reply:
            self._end()
            return Answer("crashed", (time.perf_counter() - began) * 1000)
        return Answer(**json.loads(reply))

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "proofs.solvers", self.name]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def ask_z3(text: str, _expected: str, limit_ms: int) -> tuple[str, dict[str, int]]:
    """z3's verdict, and the values of all named integers."""
    import z3  # noqa: PLC0415  (each process loads its own solver only)

    solver = z3.Solver()
    solver.set("timeout", limit_ms)
    solver.from_string(text)
    verdict = str(solver.check())
    values: dict[str, int] = {}
    if verdict == "sat":
        model = solver.model()
        values = {
            symbol.name(): model[symbol].as_long()
            for symbol in model.decls()
            if symbol.arity() == 0 and z3.is_int_value(model[symbol])
        }
    return verdict, values


def ask_cvc5(text: str, expected: str, limit_ms: int) -> tuple[str, dict[str, int]]:
    """cvc5's verdict."""
    import cvc5  # noqa: PLC0415  (each process loads its own solver only)

    solver: Any = cvc5.Solver(cvc5.TermManager())
    solver.setOption("tlimit-per", str(limit_ms))
    solver.setOption("finite-model-find", "true" if expected == "sat" else "false")
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "obligation")
    said = ""
    while not (command := parser.nextCommand()).isNull():
        said += str(command.invoke(solver, parser.getSymbolManager()))
    return said.strip().partition(" ")[0], {}


SOLVERS: Final[dict[str, Callable[[str, str, int], tuple[str, dict[str, int]]]]] = {"z3": ask_z3, "cvc5": ask_cvc5}


def serve(name: str) -> None:
    """Answer questions from standard input until it ends."""
    for line in sys.stdin:
        question = json.loads(line)
        began = time.perf_counter()
        values: dict[str, int] = {}
        try:
            verdict, values = SOLVERS[name](question["text"], question["expected"], question["limit_ms"])
        except ImportError:
            verdict = "missing"
        ms = (time.perf_counter() - began) * 1000
        sys.stdout.write(json.dumps({"verdict": verdict, "ms": ms, "values": values}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
