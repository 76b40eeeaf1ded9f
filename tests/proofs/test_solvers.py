"""A solver that is missing, dies, hangs or gives up is named, and is never green. Real processes, no solver mocked:
a folder ahead of the path holds what takes the solver's place."""

import subprocess
import sys
from pathlib import Path

import pytest

from proofs.prove import prove
from proofs.solvers import SolverProcess

UNSAT = "(set-logic ALL)\n(declare-fun a () Int)\n(assert (< a a))\n(check-sat)\n"
SAT = "(set-logic ALL)\n(declare-fun a () Int)\n(assert (= a 41))\n(check-sat)\n"


@pytest.fixture
def in_place_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["z3", "cvc5"])
def test_a_solver_answers_one_question_after_the_other(name: str) -> None:
    with SolverProcess(name) as solver:
        assert solver.ask(UNSAT, "unsat", 5000).verdict == "unsat"
        assert solver.ask(SAT, "sat", 5000).verdict == "sat"


def test_z3_gives_the_values_of_a_counterexample() -> None:
    with SolverProcess("z3") as solver:
        assert solver.ask(SAT, "unsat", 5000).values == {"a": 41}


@pytest.mark.parametrize(
    ("stub", "verdict"),
    [
        ("raise ImportError('no such solver')", "missing"),
        ("import os; os._exit(11)", "crashed"),
        ("raise RuntimeError('a solver that fails')", "crashed"),
    ],
)
def test_a_solver_that_cannot_answer_is_named_and_nothing_is_proved(
    in_place_of: Path, capfd: pytest.CaptureFixture[str], stub: str, verdict: str
) -> None:
    (in_place_of / "cvc5.py").write_text(stub)
    report = prove(only="the_last_stamp")
    assert not report.ok
    assert any(f"cvc5 says {verdict}" in failure for result in report.results for failure in result.failures)


def test_a_solver_that_hangs_is_ended(in_place_of: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (in_place_of / "cvc5.py").write_text("import time; time.sleep(600)")
    monkeypatch.setattr("proofs.solvers.OVERTIME_S", 0.2)
    with SolverProcess("cvc5") as solver:
        assert solver.ask(UNSAT, "unsat", 100).verdict == "crashed"


def test_a_solver_that_gives_up_has_proved_nothing() -> None:
    hard = "".join(f"(declare-fun {name} () Int)\n(assert (> {name} 1))\n" for name in "abc")
    text = f"(set-logic ALL)\n{hard}(assert (= (+ (* a a a) (* b b b)) (* c c c)))\n(check-sat)\n"
    with SolverProcess("z3") as solver:
        assert solver.ask(text, "unsat", 200).verdict == "unknown"


def test_solvers_that_disagree_have_proved_nothing(in_place_of: Path) -> None:
    (in_place_of / "cvc5.py").write_text(
        "class Any:\n"
        "    def __getattr__(self, name): return Any()\n"
        "    def __call__(self, *given): return Any()\n"
        "    def isNull(self): return True\n"
        "    def __str__(self): return 'sat'\n"
        "TermManager = Solver = InputLanguage = Any()\n"
        "class InputParser:\n"
        "    def __init__(self, solver): self.said = 0\n"
        "    def setStringInput(self, *given): pass\n"
        "    def getSymbolManager(self): return None\n"
        "    def nextCommand(self):\n"
        "        self.said += 1\n"
        "        return Command(self.said > 1)\n"
        "class Command:\n"
        "    def __init__(self, null): self.null = null\n"
        "    def isNull(self): return self.null\n"
        "    def invoke(self, *given): return 'sat'\n"
    )
    report = prove(only="the_last_stamp")
    assert not report.ok
    failures = [failure for result in report.results for failure in result.failures]
    assert any("z3 says unsat, cvc5 says sat" in failure for failure in failures)


@pytest.mark.parametrize("name", ["z3", "cvc5"])
def test_a_solver_names_what_it_used(name: str) -> None:
    text = (
        "(set-option :produce-unsat-cores true)\n(set-logic ALL)\n(declare-fun a () Int)\n"
        "(assert (! (> a 1) :named needed))\n(assert (! (< a 9) :named not-needed))\n"
        "(assert (! (< a 0) :named claim))\n"
        "(check-sat)\n"
    )
    with SolverProcess(name) as solver:
        assert solver.ask(text, "unsat", 5000).core == ("claim", "needed")


def test_a_certificate_comes_when_it_is_asked_for() -> None:
    with SolverProcess("cvc5") as solver:
        assert solver.ask(UNSAT, "unsat", 5000).certificate == ""
        assert "step" in solver.ask(UNSAT, "unsat", 5000, certificate=True).certificate


def test_a_solver_process_ends_with_whoever_asks() -> None:
    with SolverProcess("z3") as solver:
        solver.ask(SAT, "sat", 5000)
        process = solver._process
        assert process is not None
        assert process.poll() is None
    assert process.poll() is not None


def test_without_z3_nothing_can_be_stated(in_place_of: Path) -> None:
    (in_place_of / "z3.py").write_text("raise ImportError('no such solver: z3')")
    program = "from proofs.prove import prove; report = prove(); print(report.ok, *report.faults)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False obligations cannot be stated: no such solver: z3\n"
