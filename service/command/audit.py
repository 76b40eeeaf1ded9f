"""`firstcome audit`: a finished sale, checked from its bundle alone."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service.command.base import CannotRun


def audit(
    bundle: Annotated[Path, typer.Argument(help="A bundle: a folder, or the same zipped.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report for programs.")] = False,
) -> None:
    """Replay a sale and check every decision, trusting nothing. Exit status 1 where something is not as it must be.

    Example: firstcome audit shoes
    """
    from proofs.audit import NotABundleError, render
    from proofs.audit import audit as audit_bundle

    try:
        report = audit_bundle(bundle)
    except NotABundleError as error:
        raise CannotRun(str(error)) from error
    if as_json:
        typer.echo(json.dumps(report.fields()))
    else:
        render(report, Console())
    if not report.ok:
        raise typer.Exit(1)
