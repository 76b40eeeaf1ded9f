"""`firstcome prove`: every obligation, by two solvers, on the shipped guards."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from service.command.base import CannotRun


def prove(
    only: Annotated[str | None, typer.Option(help="Obligations whose name holds this.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report for programs.")] = False,
) -> None:
    """Prove what the promises rest on. Exit status 1 where a solver does not agree, does not know, or is missing.

    Example: firstcome prove --only order
    """
    from proofs import report as told
    from proofs.prove import Result
    from proofs.prove import prove as prove_all

    console = Console(stderr=as_json)
    try:
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("proving", total=None)

            def proved(result: Result, done: int, total: int) -> None:
                progress.update(task, description=result.name, completed=done, total=total)

            report = prove_all(only, proved)
    except ValueError as error:
        raise CannotRun(str(error)) from error
    if as_json:
        typer.echo(json.dumps(told.as_dict(report)))
    else:
        console.print(told.table(report))
        for line in told.summary(report):
            console.print(line, style="bold green" if report.ok else "bold red", highlight=False)
    if not report.ok:
        raise typer.Exit(1)
