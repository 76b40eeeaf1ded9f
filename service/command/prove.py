"""`firstcome prove`: every obligation, by two solvers, on the shipped guards; and whether they have teeth."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from service.command.base import CannotRun
from service.command.terminal import Terminal

if TYPE_CHECKING:
    from proofs.mutants import Teeth
    from proofs.prove import Report, Result


def prove(
    only: Annotated[str | None, typer.Option(help="Obligations whose name holds this.")] = None,
    mutants: Annotated[bool, typer.Option(help="Try every single-point mutant of the model.")] = True,
    search: Annotated[
        bool, typer.Option("--search", help="Look anew for who kills each mutant, and remember it; takes minutes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report for programs.")] = False,
    smt2: Annotated[Path | None, typer.Option(help="Folder for every question as a file.")] = None,
    certificates: Annotated[Path | None, typer.Option(help="Folder for cvc5's proofs, in the CPC format.")] = None,
    html: Annotated[Path | None, typer.Option(help="File for the report as one page.")] = None,
    report_file: Annotated[Path | None, typer.Option("--report", help="File for the report for programs.")] = None,
    check: Annotated[Path | None, typer.Option(help="A report (--json) to compare the code with.")] = None,
) -> None:
    """Prove what the promises rest on. Exit status 1 where a solver does not agree, does not know, or is missing.

    With --check alone nothing is proved: it names what changed since that report, and exits with 1 if anything did.

    Example: firstcome prove --only order
    """
    from proofs import record
    from proofs import report as told
    from proofs.page import page

    for folder in (smt2, certificates):
        _make(folder)
    console = Terminal(stderr=as_json)
    changed = _compare(check, only, console) if check is not None else []
    if check is not None and not any((smt2, certificates, html, report_file)):
        if as_json:
            typer.echo(json.dumps({"report": str(check), "changed": changed}))
        raise typer.Exit(1 if changed else 0)

    report, teeth = _prove(only, mutants, search, console)
    wanting: list[str] = []
    try:
        if smt2 is not None:
            record.write_questions(report, smt2)
        if certificates is not None:
            _, wanting = record.write_certificates(report, certificates)
        if html is not None:
            html.write_text(page(report, teeth))
        if report_file is not None:
            report_file.write_text(json.dumps(told.as_dict(report, teeth, only)))
    except OSError as error:
        raise CannotRun(str(error)) from error
    ok = report.ok and (teeth is None or teeth.ok) and not wanting
    if as_json:
        typer.echo(json.dumps(told.as_dict(report, teeth, only)))
    else:
        console.print(told.table(report, teeth))
        console.print(told.index_table(report))
    for line in (*wanting, *told.summary(report, teeth)):
        console.print(line, style="bold green" if ok else "bold red", highlight=False, markup=False)
    if not ok or changed:
        raise typer.Exit(1)


def _prove(only: str | None, mutants: bool, search: bool, console: Terminal) -> "tuple[Report, Teeth | None]":
    from proofs.mutants import bite, remember
    from proofs.prove import prove as prove_all

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("proving", total=None)

        def proved(result: "Result", done: int, total: int) -> None:
            progress.update(task, description=result.name, completed=done, total=total)

        def bitten(function: str, done: int, total: int) -> None:
            progress.update(task, description=f"mutants of {function}", completed=done, total=total)

        try:
            report = prove_all(only, proved)
        except ValueError as error:
            raise CannotRun(str(error)) from error
        if not (mutants and report.ok):
            return report, None
        teeth = bite(report, only, bitten, search)
        if search and only is None:
            remember(teeth)
        return report, teeth


def _compare(check: Path, only: str | None, console: Terminal) -> list[str]:
    """What changed since a report, a line each."""
    from proofs import record

    try:
        recorded: Any = json.loads(check.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CannotRun(f"{check}: {error}") from error
    try:
        changed = record.changes(recorded, only)
    except (record.NoReportError, ValueError, ImportError) as error:
        raise CannotRun(f"{check}: {error}") from error
    for line in changed or (f"nothing has changed since {check}",):
        console.print(line, style="bold red" if changed else "bold green", highlight=False, markup=False)
    return changed


def _make(folder: Path | None) -> None:
    """Before minutes of work, not after it."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotRun(str(error)) from error
