"""A report of the proofs, for people in a terminal and for programs. Decides nothing."""

from typing import Any, Final

from rich.table import Table

from proofs.prove import SOLVER_NAMES, Report, Result

_MARK: Final = {True: "[green]✓[/]", False: "[red]✗[/]"}


def table(report: Report) -> Table:
    """One row for each sentence: how many cases, the time of each solver, the witness, the bound."""
    shown = Table(title="What is proved, for any number of requests and regions", title_justify="left")
    shown.add_column("sentence", ratio=1)
    shown.add_column("cases", justify="right")
    for solver in SOLVER_NAMES:
        shown.add_column(f"{solver} ms", justify="right")
    shown.add_column("witness", justify="center")
    shown.add_column("past the bound", justify="center")
    shown.add_column("proved", justify="center")
    for result in report.results:
        beyond = "" if result.beyond is None else ("fails" if result.beyond.ok else _MARK[False])
        times = (f"{result.ms(solver):.0f}" for solver in SOLVER_NAMES)
        sentence = f"{result.sentence}\n[dim]{result.name}[/]"
        cases = str(len(result.cases))
        shown.add_row(sentence, cases, *times, _MARK[result.witness.ok], beyond, _MARK[result.proved])
    return shown


def summary(report: Report) -> list[str]:
    """The verdict in a line, after whatever is wrong, a line each."""
    wrong = list(report.faults)
    wrong.extend(f"{result.name}: {failure}" for result in report.results for failure in result.failures)
    proved = sum(result.proved for result in report.results)
    cases = sum(len(result.cases) for result in report.results)
    verdict = (
        f"{proved} of {len(report.results)} sentences proved in {cases} cases by {' and '.join(SOLVER_NAMES)}, "
        f"reading {len(report.reads)} functions of model/, in {report.seconds:.1f} s"
    )
    return [*wrong, verdict]


def as_dict(report: Report) -> dict[str, Any]:
    """The report as plain JSON values."""
    return {
        "ok": report.ok,
        "seconds": round(report.seconds, 3),
        "solvers": list(SOLVER_NAMES),
        "faults": list(report.faults),
        "reads": sorted(report.reads),
        "obligations": [_as_dict(result) for result in report.results],
    }


def _as_dict(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "sentence": result.sentence,
        "proved": result.proved,
        "cases": [case.about for case in result.cases],
        "ms": {solver: round(result.ms(solver), 1) for solver in SOLVER_NAMES},
        "witness": result.witness.ok,
        "past_the_bound": None if result.beyond is None else result.beyond.ok,
        "reads": sorted(result.reads),
        "failures": list(result.failures),
    }
