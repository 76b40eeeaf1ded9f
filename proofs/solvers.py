"""Two solvers, each in a process of its own, asked the same SMT-LIB text. Run as `python -m proofs.solvers z3`.

A verdict is `sat`, `unsat` or a failure: `unknown` (it gave up or ran out of time), `missing` (not installed),
`crashed` (the process died). Nothing but the expected answer counts, so no failure can look like a proof. A process
that outlives its time is ended, and the next question gets a new one.

With `unsat` comes the core, the named assertions that contradict each other; with `sat`, from z3, the model in plain
values. Proofs are asked for any number of requests and regions. For witnesses cvc5 is told to look for finite models,
which it does not do of itself.

One line of JSON each way (`lines.py`): {"text", "expected", "limit_ms", "certificate"} and the fields of `Answer`.
"""

import itertools
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from proofs.lines import LineProcess, answer_lines

CORES: Final = "(set-option :produce-unsat-cores true)\n"
QUESTIONS_A_CONTEXT: Final = 50
OVERTIME_S: Final = 10.0
"""How long after its own time limit a solver is given to notice it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a solver said.

    Attributes:
        verdict: see above.
        ms: how long it took.
        values: for `sat`, the named integers, truths and members of sorts where the solver gives them.
        tables: for `sat`, the functions on sorts: by name, by the arguments' members.
        core: for `unsat`, the names of the assertions that it used.
        certificate: the proof, where one was asked for.
    """

    verdict: str
    ms: float
    values: dict[str, int | bool | str] = field(default_factory=dict)
    tables: dict[str, dict[str, int | bool | str]] = field(default_factory=dict)
    core: tuple[str, ...] = ()
    certificate: str = ""


class SolverProcess(LineProcess):
    """One solver, started when first asked and again after it died."""

    def __init__(self, name: str) -> None:
        super().__init__([sys.executable, "-m", "proofs.solvers", name])
        self.name = name

    def ask(self, text: str, expected: str, limit_ms: int, certificate: bool = False, core: bool = True) -> Answer:
        """Its answer to a text, in at most `limit_ms`. `expected` says where to look, not what to say. Without the core
        it is asked the same but for the option that wants one, which costs cvc5 a quarter of its time."""
        began = time.perf_counter()
        text = text if core else text.replace(CORES, "")
        question = {"text": text, "expected": expected, "limit_ms": limit_ms, "certificate": certificate}
        reply = self.exchange(question, limit_ms / 1000 + OVERTIME_S)
        if reply is None:
            return Answer("crashed", (time.perf_counter() - began) * 1000)
        return Answer(**{**reply, "core": tuple(reply["core"])})


Said = dict[str, Any]
"""The fields of an `Answer` but for the time."""


def ask_z3(question: dict[str, Any]) -> Said:
    """z3's verdict, a small core, and the model in plain values."""
    import z3  # noqa: PLC0415  (each process loads its own solver only)

    solver = z3.Solver(ctx=_context(z3) if question["expected"] == "unsat" else z3.Context())
    solver.set("timeout", question["limit_ms"])
    solver.set("core.minimize", True)
    text = question["text"]
    by_bits = "(_ BitVec" in text  # z3 gives up where it has to follow names through bits; then all counts as used
    solver.from_string(text.replace(CORES, "") if by_bits else text)
    verdict = str(solver.check())
    if verdict == "unsat":
        core = re.findall(r":named (\S+?)\)", text) if by_bits else map(str, solver.unsat_core())
        return {"verdict": verdict, "core": sorted(core)}
    if verdict == "sat":
        return {"verdict": verdict, **_plain(z3, solver.model())}
    return {"verdict": verdict}


_contexts: list[Any] = []
"""The z3 context in use, once for each question that it was used for."""


def _context(z3: Any) -> Any:
    """Where z3 keeps its terms. A solver is made for each question; this takes three times as long as most questions,
    and knows nothing but terms, so some share one. Not those that look for a situation: where z3 looks first hangs on
    what it has seen."""
    if len(_contexts) == QUESTIONS_A_CONTEXT:
        _contexts.clear()
    _contexts.append(_contexts[0] if _contexts else z3.Context())
    return _contexts[0]


def _plain(z3: Any, model: Any) -> Said:
    """A model's integers, truths and members of sorts, and its functions on members of sorts."""
    values: dict[str, int | bool | str] = {}
    tables: dict[str, dict[str, int | bool | str]] = {}
    members = {str(sort): model.get_universe(sort) for sort in model.sorts()}
    for symbol in model.decls():
        domain = [str(symbol.domain(i)) for i in range(symbol.arity())]
        if not domain:
            values[symbol.name()] = _value(z3, model[symbol])
        elif all(sort in members for sort in domain):
            tables[symbol.name()] = {
                ",".join(str(argument) for argument in arguments): _value(
                    z3, model.eval(symbol(*arguments), model_completion=True)
                )
                for arguments in itertools.product(*(members[sort] for sort in domain))
            }
    return {"values": values, "tables": tables}


def _value(z3: Any, value: Any) -> int | bool | str:
    if z3.is_int_value(value):
        return int(value.as_long())
    if z3.is_true(value) or z3.is_false(value):
        return bool(z3.is_true(value))
    return str(value)


def ask_cvc5(question: dict[str, Any]) -> Said:
    """cvc5's verdict, its core, and its proof in the CPC format where one is asked for."""
    import cvc5  # noqa: PLC0415  (each process loads its own solver only)

    solver: Any = cvc5.Solver(cvc5.TermManager())
    solver.setOption("tlimit-per", str(question["limit_ms"]))
    solver.setOption("finite-model-find", "true" if question["expected"] == "sat" else "false")
    if question["certificate"]:
        solver.setOption("produce-proofs", "true")
        solver.setOption("proof-format-mode", "cpc")
        solver.setOption("proof-granularity", "dsl-rewrite")
    parser = cvc5.InputParser(solver)

    def run(text: str) -> str:
        parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "obligation")
        said = ""
        while not (command := parser.nextCommand()).isNull():
            said += str(command.invoke(solver, parser.getSymbolManager()))
        return said.strip()

    said: Said = {"verdict": run(question["text"]).partition(" ")[0]}
    if said["verdict"] == "unsat":
        if CORES in question["text"]:
            said["core"] = sorted(run("(get-unsat-core)").strip("()").split())
        if question["certificate"]:
            said["certificate"] = run("(get-proof)")
    return said


SOLVERS: Final[dict[str, Callable[[dict[str, Any]], Said]]] = {"z3": ask_z3, "cvc5": ask_cvc5}


def serve(name: str) -> None:
    """Answer questions from standard input until it ends."""

    def answer(question: dict[str, Any]) -> Said:
        began = time.perf_counter()
        try:
            said = SOLVERS[name](question)
        except ImportError:
            said = {"verdict": "missing"}
        return {"core": (), **said, "ms": (time.perf_counter() - began) * 1000}

    answer_lines(answer)


if __name__ == "__main__":
    serve(sys.argv[1])
