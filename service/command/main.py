"""The verbs of `firstcome`, put together. Flags over environment (FIRSTCOME_…) over a TOML file (--config).

In the environment and in the file a setting has the name of its flag, whatever the code behind it calls it.
"""

import signal
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from service.command.arbiter import arbiter
from service.command.audit import audit
from service.command.base import CannotRun
from service.command.bench import bench
from service.command.compare import compare
from service.command.demo import demo
from service.command.export import export
from service.command.gateway import gateway
from service.command.key import key
from service.command.notary import notary
from service.command.notifier import notifier
from service.command.prove import prove
from service.command.sale import sale
from service.command.serve import serve
from service.command.store import store
from service.command.token import token
from service.command.top import top
from service.command.webhook import webhook

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
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
    context.default_map = _defaults(context.command, tables, str(config))


def _flags(command: Any) -> dict[str, Any]:
    """A command's options by flag, without the hyphens in front."""
    return {
        word.removeprefix("--"): option for option in command.params for word in option.opts if word.startswith("--")
    }


def _defaults(command: Any, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A table of the configuration as the parser wants it: a verb has a table, a flag a value."""
    verbs = getattr(command, "commands", {})
    flags = {} if verbs else _flags(command)
    defaults = {}
    for name, value in table.items():
        if name in verbs and isinstance(value, dict):
            defaults[name] = _defaults(verbs[name], value, f"{where}: [{name}]")
        elif name in flags:
            defaults[flags[name].name] = value
        else:
            known = ", ".join(f"[{verb}]" for verb in verbs) or ", ".join(flags)
            raise CannotRun(f"configuration {where}: {name!r} is none of {known}")
    return defaults


def _name_environment(command: Any, prefix: str) -> None:
    """Every flag can be set by FIRSTCOME_<VERB>_<FLAG>, and its help says so."""
    for flag, option in _flags(command).items():
        if option.envvar is None and flag != "help":
            option.envvar = f"{prefix}_{flag}".upper().replace("-", "_")
    for name, verb in getattr(command, "commands", {}).items():
        _name_environment(verb, f"{prefix}_{name}")


for verb in (
    demo,
    serve,
    gateway,
    arbiter,
    store,
    notary,
    notifier,
    export,
    audit,
    prove,
    compare,
    bench,
    top,
    token,
    key,
):
    app.command()(verb)
app.add_typer(sale, name="sale")
app.add_typer(webhook, name="webhook")


def main() -> None:
    """The console script: what cannot run is one line and exit status 2; to be ended is to be interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    command = typer.main.get_command(app)
    _name_environment(command, "FIRSTCOME")
    try:
        status = command(standalone_mode=False)
    except TyperException as error:
        sys.stderr.write(f"firstcome: {error.format_message()}\n")
        status = 2
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
