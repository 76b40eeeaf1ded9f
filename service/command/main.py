"""The verbs of `firstcome`, put together. Flags over environment (FIRSTCOME_…) over a TOML file (--config)."""

import sys
import tomllib
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from service.command.arbiter import arbiter
from service.command.audit import audit
from service.command.base import CannotRun
from service.command.demo import demo
from service.command.export import export
from service.command.gateway import gateway
from service.command.prove import prove
from service.command.sale import sale
from service.command.serve import serve
from service.command.token import token

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"auto_envvar_prefix": "FIRSTCOME"},
    help="Fair flash sales across regions: first come, first served, as far as the clocks can tell.",
)


@app.callback()
def configure(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help='TOML file of defaults: a table a verb, a key a flag (listen = "…").')
    ] = None,
) -> None:
    """Settings come from flags, else from FIRSTCOME_<VERB>_<FLAG>, else from the file."""
    if config is None:
        return
    try:
        tables = tomllib.loads(config.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CannotRun(f"configuration {config}: {error}") from error
    context.default_map = {
        verb: {name.replace("-", "_"): value for name, value in table.items()}
        for verb, table in tables.items()
        if isinstance(table, dict)
    }


for verb in (demo, serve, gateway, arbiter, export, audit, prove, token):
    app.command()(verb)
app.add_typer(sale, name="sale")


def main() -> None:
    """The console script: what cannot run is one line and exit status 2."""
    try:
        status = app(standalone_mode=False)
    except TyperException as error:
        sys.stderr.write(f"firstcome: {error.format_message()}\n")
        status = 2
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
