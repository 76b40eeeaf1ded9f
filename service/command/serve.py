"""`firstcome serve`: one region with everything, in one command, for trying calls by hand."""

import signal
import socket
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from service import processes
from service.command.base import CannotRun, address, by_flags_alone, region_name
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
    region_name(region)
    _check_port(listen)
    ending = threading.Event()
    for end_signal in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end_signal, lambda *_: ending.set())
    with ExitStack() as opened:
        try:
            data.mkdir(parents=True, exist_ok=True)
            store = opened.enter_context(EmbeddedStore(data / f"region-{region}"))
            arbiter_store = opened.enter_context(EmbeddedStore(data / "store-arbiter"))
            token = _token(data)
        except (EmbeddedStoreError, OSError) as error:
            raise CannotRun(str(error)) from error
        source = [word for server in time_server or [] for word in ("--server", server)] or ["--local-reference"]
        page = str((data / "clock.page").absolute())
        journal = str((data / "clock.jsonl").absolute())
        ours = [sys.executable, "-m", "service.command"]
        commands = [
            [
                *(sys.executable, "-m", "clockd", "run", *source, "--page", page, "--host", f"{region}-1"),
                *("--journal", journal),
            ],
            [*ours, "arbiter", "--store", arbiter_store.url, "--region", f"{region}={store.url}", "--page", page],
            [
                *(*ours, "gateway", "--region", region, "--listen", listen, "--store", store.url),
                *("--arbiter-store", arbiter_store.url, "--tokens", str(data / "tokens.toml")),
                *("--page", page, "--processes", str(count)),
            ],
            [
                *(
                    *ours,
                    "notary",
                    "--region",
                    region,
                    "--store",
                    store.url,
                    "--key",
                    str(data / f"region-{region}.key"),
                ),
                *("--journal", journal),
            ],
            [
                *(*ours, "notary", "--arbiter", "--store", arbiter_store.url, "--key", str(data / "arbiter.key")),
                *("--region-store", f"{region}={store.url}"),
            ],
        ]
        children = [processes.start(command, by_flags_alone()) for command in commands]
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


def _check_port(listen: str) -> None:
    """Gateways of a region share a port, so two that know nothing of each other would share it without a word."""
    host, port = address(listen)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotRun(f"port {listen} cannot be opened: {error.strerror or error}") from error


def _token(data: Path) -> str:
    """A token with every scope, made anew at each start."""
    token = new_token()
    path = data / "tokens.toml"
    path.touch(mode=0o600)
    path.write_text(token_table(token, "serve", SCOPES))
    return token
