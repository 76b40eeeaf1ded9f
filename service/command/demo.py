"""`firstcome demo`: three regions with skewed clocks, a real sale, and its audit."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from service.command.base import CannotRun
from service.command.terminal import Terminal


def demo(
    buyers: Annotated[int, typer.Option(min=1, max=100_000, help="How many press.")] = 3_000,
    seed: Annotated[int, typer.Option(help="Of the buyers' moments and regions.")] = 1,
    bundle: Annotated[Path | None, typer.Option(help="Keep the bundle in this new folder.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Sell ten pairs of shoes across three regions with skewed clocks, on this machine, and audit the sale.

    Example: firstcome demo --bundle shoes --json figures.json
    """
    from proofs.audit import audit, render
    from service.demo.receipt import tell_receipt
    from service.demo.story import run_demo
    from service.demo.view import tell
    from service.export import ExportError
    from service.store.embedded import EmbeddedStoreError
    from service.world.world import WorldError

    if bundle is not None and bundle.exists():
        raise CannotRun(f"{bundle} is there already: name a new folder")
    console = Terminal()
    with tempfile.TemporaryDirectory(prefix="firstcome-bundle-") as temporary:
        folder = bundle or Path(temporary) / "bundle"
        try:
            told = run_demo(buyers, seed, folder, console)
        except (WorldError, ExportError, EmbeddedStoreError) as error:
            raise CannotRun(str(error)) from error
        tell(told.figures, console)
        report = audit(folder)
        render(report, console)
        if told.receipt is not None:
            tell_receipt(told.receipt, console)
    if as_json is not None:
        as_json.write_text(json.dumps({**told.figures.fields(), "audit": report.fields()}, indent=2) + "\n")
    if bundle is not None:
        console.print(f"Check it yourself: firstcome audit {bundle}")
    if not report.ok:
        raise typer.Exit(1)
