"""A report of the proofs, for people in a terminal and for programs. Decides nothing. For a browser: `page.py`."""

from typing import TYPE_CHECKING, Any, Final

from rich.markup import escape
from rich.table import Table

from proofs import record, rooms
from proofs.attack import Fate
from proofs.mutants import Teeth
from proofs.prove import SOLVER_NAMES, Check, Report, Result

if TYPE_CHECKING:
    from proofs.examples import Example

LONGEST_CELL: Final = 150
MOST_LABELS: Final = 5


def table(report: Report, teeth: Teeth | None = None) -> Table:
    """One row for each sentence, by room: times, what the proof used, a situation, what breaks, what it alone kills."""
    shown = Table(title="What is proved, for any number of requests and regions", title_justify="left")
    shown.add_column("sentence", ratio=5)
    for solver in SOLVER_NAMES:
        shown.add_column(f"{solver} ms", justify="right")
    shown.add_column("assumptions used", ratio=3)
    shown.add_column("witness", ratio=4)
    shown.add_column("past the bound", ratio=3)
    shown.add_column("kills alone", justify="right")
    room = ""
    for result in report.results:
        if result.room != room:
            room = result.room
            shown.add_section()
            shown.add_row(f"[bold]{escape(rooms.title(room))}[/]\n[dim]proofs/{room}.py[/]")
        verdict = "[green]proved[/]" if result.proved else "[red]NOT PROVED[/]"
        shown.add_row(
            f"{escape(result.sentence)}\n[dim]{result.name}[/] {verdict}",
            *(f"{result.ms(solver):.0f}" for solver in SOLVER_NAMES),
            escape(labels(result.used)),
            escape(_found(result.witness)),
            escape(_found(result.beyond)) if result.beyond else "",
            str(len(teeth.alone(result.name))) if teeth else "",
        )
    return shown


def labels(used: tuple[str, ...]) -> str:
    """The first few assumptions, and how many more."""
    more = f", and {len(used) - MOST_LABELS} more" if len(used) > MOST_LABELS else ""
    return ", ".join(used[:MOST_LABELS]).replace("_", " ") + more


def _found(check: Check) -> str:
    if check.example is None:
        return "found" if check.ok else "NOT FOUND"
    text = str(check.example)
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def index(report: Report) -> dict[str, list[str]]:
    """Each function of the model that is read, and the sentences that call it; by those that they rest on otherwise."""
    functions = sorted({function for result in report.results for function in result.rests_on})
    return {
        function: [result.name for result in report.results if function in result.reads]
        or [result.name for result in report.results if function in result.rests_on]
        for function in functions
    }


def index_table(report: Report) -> Table:
    """The other way round: what is proved about which function."""
    shown = Table(title="Which sentences read which function", title_justify="left")
    shown.add_column("function of model/")
    shown.add_column("sentences")
    for function, names in index(report).items():
        shown.add_row(function, ", ".join(names))
    return shown


def summary(report: Report, teeth: Teeth | None = None) -> list[str]:
    """The verdict in a line or two, after whatever is wrong, a line each."""
    wrong = list(report.faults)
    wrong += [f"{result.name}: {failure}" for result in report.results for failure in result.failures]
    wrong += teeth.faults if teeth else ()
    proved = sum(result.proved for result in report.results)
    cases = sum(len(result.cases) for result in report.results)
    verdict = (
        f"{proved} of {len(report.results)} sentences proved in {cases} cases by {' and '.join(SOLVER_NAMES)}, "
        f"reading {len(report.reads)} functions of model/, in {report.seconds:.1f} s"
    )
    return [*wrong, verdict, *([_bitten(teeth)] if teeth else [])]


def _bitten(teeth: Teeth) -> str:
    refused = f", {teeth.count('refused')} could not be read or decided" if teeth.count("refused") else ""
    why = "these sentences alone" if teeth.of_a_choice else "(why: proofs/survivors.py)"
    return (
        f"{teeth.count('killed')} of {len(teeth.fates)} mutants killed, {teeth.by_examples()} of them by examples alone"
        f"{refused}, "
        f"{teeth.count('survived')} survive {why}, in {teeth.seconds:.1f} s"
    )


def as_dict(report: Report, teeth: Teeth | None = None, only: str | None = None) -> dict[str, Any]:
    """The report as plain JSON values."""
    return {
        "format": record.FORMAT,
        "ok": report.ok and (teeth is None or teeth.ok),
        "only": only,
        "seconds": round(report.seconds, 3),
        "versions": record.versions(),
        "files": record.files(),
        "solvers": list(SOLVER_NAMES),
        "faults": [*report.faults, *(teeth.faults if teeth else ())],
        "reads": index(report),
        "obligations": [_as_dict(result, teeth) for result in report.results],
        "mutants": None if teeth is None else [{**_fate(fate), "killers": fate.killers} for fate in teeth.fates],
    }


def _as_dict(result: Result, teeth: Teeth | None) -> dict[str, Any]:
    files = record.exported(result)
    return {
        "name": result.name,
        "room": result.room,
        "sentence": result.sentence,
        "proved": result.proved,
        "failures": list(result.failures),
        "fingerprint": record.fingerprint(result.sentence, [check.text for check in result.checks]),
        "reads": sorted(result.reads),
        "rests_on": sorted(result.rests_on),
        "ms": {solver: round(result.ms(solver), 1) for solver in SOLVER_NAMES},
        "assumptions_used": list(result.used),
        "assumptions_never_used": list(result.unused),
        "witness": _example(result.witness.example),
        "past_the_bound": None if result.beyond is None else _example(result.beyond.example),
        "kills_alone": None if teeth is None else [_fate(fate) for fate in teeth.alone(result.name)],
        "questions": [
            {
                "about": check.about,
                "expected": check.expected,
                "answers": {
                    name: {"verdict": answer.verdict, "ms": round(answer.ms, 1)}
                    for name, answer in check.answers.items()
                },
                "used": list(check.used),
                "counterexample": _example(check.example) if check.expected == "unsat" else None,
                "file": name,
                "sha256": record.sha256(text),
            }
            for check, (name, text) in zip(result.checks, files.items(), strict=True)
        ],
    }


def _fate(fate: Fate) -> dict[str, str]:
    return {"function": fate.function, "was": fate.was, "now": fate.now, "state": fate.state}


def _example(example: "Example | None") -> dict[str, Any] | None:
    if example is None:
        return None
    return {
        "values": example.values,
        "tables": {table.sort: table.columns for table in example.tables},
        "calls": [
            {"call": str(replay), "shipped": str(replay.shipped), "agrees": replay.agrees} for replay in example.replays
        ],
    }
