"""`firstcome serve`: one region with everything, in one command, for trying calls by hand."""

import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from model.vocabulary import is_id
from service import processes
from service.command.base import CannotRun, address
from service.gateway.tokens import SCOPES, new_token, token_table
from service.store.embedded import EmbeddedStore, EmbeddedStoreError

_WATCH_SECONDS = 0.2


def serve(
    data: Annotated[Path, typer.Option(help="Folder for stores, tokens and clock page; survives restarts.")] = Path(
        "firstcome-data"
    ),
    listen: Annotated[str, typer.Option(help="HOST:PORT of the public port.")] = "127.0.0.1:8080",
    region: Annotated[str, typer.Option(help="The region's name.")] = "here",
    count: Annotated[int, typer.Option("--processes", min=1, max=64, help="Gateway processes.")] = 1,
    time_server: Annotated[
        list[str] | None,
        typer.Option(help="HOST[:PORT] of an NTP server; may be repeated. None: this host's own clock."),
    ] = None,
) -> None:
    """One region with store, clock, gateways and arbiter. Ends with Ctrl-C; what was acknowledged is there next time.

    Example: firstcome serve, then in another terminal: firstcome sale publish --opens-in 5 --token $TOKEN
    """
    address(listen)
    if not is_id(region):
        raise typer.BadParameter(f"{region!r} is no region name", param_hint="--region")
    ending = threading.Event()
    for end_signal in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end_signal, lambda *_: ending.set())
    with ExitStack() as opened:
        try:
            data.mkdir(parents=True, exist_ok=True)
            stores = {name: opened.enter_context(EmbeddedStore(data / f"store-{name}")) for name in (region, "arbiter")}
        except (EmbeddedStoreError, OSError) as error:
            raise CannotRun(str(error)) from error
        token = _token(data)
        source = [word for server in time_server or [] for word in ("--server", server)] or ["--local-reference"]
        page = str((data / "clock.page").absolute())
        ours = [sys.executable, "-m", "service.command"]
        children = [
            processes.start([sys.executable, "-m", "clockd", "run", *source, "--page", page, "--host", f"{region}-1"]),
            processes.start(
                [
                    *(*ours, "arbiter", "--store", stores["arbiter"].url),
                    *("--region", f"{region}={stores[region].url}", "--page", page),
                ]
            ),
            processes.start(
                [
                    *(*ours, "gateway", "--region", region, "--listen", listen, "--store", stores[region].url),
                    *("--arbiter-store", stores["arbiter"].url, "--tokens", str(data / "tokens.toml")),
                    *("--page", page, "--processes", str(count)),
                ]
            ),
        ]
        opened.callback(processes.end, children)
        if not time_server:
            typer.echo(
                "THIS HOST'S OWN CLOCK IS TAKEN AS THE TRUTH: give --time-server for a sale that matters.", err=True
            )
        typer.echo(f"region {region} at http://{listen}  (API at http://{listen}/docs)", err=True)
        typer.echo(f"export FIRSTCOME_TOKEN={token}", err=True)
        while not ending.wait(_WATCH_SECONDS):
            for child in children:
                if child.poll() is not None:
                    raise CannotRun(
                        f"one of its processes ended with status {child.returncode}; see what it said above"
                    )


def _token(data: Path) -> str:
    """A token with every scope, made anew at each start."""
    token = new_token()
    path = data / "tokens.toml"
    path.touch(mode=0o600)
    path.write_text(token_table(token, "serve", SCOPES))
    return token
