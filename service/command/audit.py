"""`firstcome audit`: a finished sale checked from its bundle alone, or one purchase from its receipt."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from service.command.base import CannotRun, progress
from service.command.terminal import Terminal


def audit(
    bundle: Annotated[Path | None, typer.Argument(help="A bundle: a folder, or the same zipped.")] = None,
    receipt: Annotated[Path | None, typer.Option(help="A buyer's receipt; with a bundle, against it.")] = None,
    witness: Annotated[
        str | None, typer.Option(metavar="VKEY", help="Every checkpoint must be cosigned by this witness's key.")
    ] = None,
    travel_ns: Annotated[
        int | None, typer.Option(min=0, help="What an entry may take to the arbiter before that is worth an alarm.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as one page with plots.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report for programs.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Tell the receipt's story in plain words.")] = False,
    tz: Annotated[str, typer.Option(help="Time zone of the story.")] = "UTC",
) -> None:
    """Replay a sale and check every decision, trusting nothing. Exit status 1 where something is not as it must be.

    Example: firstcome audit shoes --html shoes.html
    Example: firstcome audit --receipt receipt.json --explain --tz Asia/Shanghai
    """
    from model.note import NoteError
    from proofs.audit import NotABundleError, Report, Wishes, render
    from proofs.audit import audit as audit_bundle
    from proofs.audit.case import TRAVEL_NS
    from proofs.audit.page import page
    from proofs.audit.receipt import NotAReceiptError, audit_receipt
    from proofs.signatures import parse_witness_key

    if bundle is None and receipt is None:
        raise CannotRun("name a bundle, or a receipt with --receipt FILE")
    if explain and receipt is None:
        raise CannotRun("--explain tells the story of a receipt: name one with --receipt FILE")
    console = Terminal()
    try:
        key = None if witness is None else parse_witness_key(witness)
    except NoteError as error:
        raise CannotRun(f"--witness: {error}") from error
    report: Report | None = None
    good = True
    try:
        if bundle is not None:
            with progress(shown=not as_json) as watch:
                report = audit_bundle(bundle, Wishes(TRAVEL_NS if travel_ns is None else travel_ns, key, watch))
            good = report.ok
        told = None if receipt is None else audit_receipt(receipt, bundle, key, report)
    except (NotABundleError, NotAReceiptError) as error:
        raise CannotRun(str(error)) from error
    if html is not None and report is not None:
        try:
            html.write_text(page(report), encoding="utf-8")
        except OSError as error:
            raise CannotRun(f"--html {html}: {error.strerror}") from error
    if as_json:
        typer.echo(json.dumps(_fields(report, told)))
    else:
        if report is not None:
            render(report, console)
        if told is not None:
            _render_receipt(told, console, tz if explain else None)
    if not good or (told is not None and not told.ok):
        raise typer.Exit(1)


def _render_receipt(told: Any, console: Terminal, zone: str | None) -> None:
    from proofs.audit.story import render_receipt

    try:
        render_receipt(told, console, zone)
    except ValueError as error:
        raise CannotRun(f"--tz: {error}") from error


def _fields(report: Any, told: Any) -> dict[str, Any]:
    """The report of a bundle as it always was; a receipt's beside it, or alone."""
    fields: dict[str, Any] = {} if report is None else report.fields()
    if told is None:
        return fields
    return told.fields() if report is None else {**fields, "receipt": told.fields()}
