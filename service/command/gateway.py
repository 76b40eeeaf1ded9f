"""`firstcome gateway`: the gateways of one region on this host."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from model.terms import LONGEST_REGION
from model.vocabulary import is_id
from service import processes
from service.command.base import CannotRun, address, host_clock, log_to_standard_error, open_store
from service.gateway.tokens import Tokens, TokensError, read_tokens

_RESTART_PAUSE_SECONDS = 0.5


def gateway(
    region: Annotated[str, typer.Option(help="This region's name.")],
    arbiter_store: Annotated[str, typer.Option(help="URL of the arbiter's store.")],
    tokens: Annotated[Path, typer.Option(help="File of hashed tokens; see `firstcome token`.")],
    page: Annotated[Path, typer.Option(help="Clock page of this host's clockd.")] = Path("/run/clockd/page"),
    listen: Annotated[str, typer.Option(help="HOST:PORT of the public port.")] = "127.0.0.1:8080",
    store: Annotated[str, typer.Option(help="URL of the region's store, Redis or Valkey.")] = "",
    data: Annotated[Path | None, typer.Option(help="Folder of an embedded store, instead of --store.")] = None,
    count: Annotated[int, typer.Option("--processes", min=1, max=64, help="Processes that share the port.")] = 1,
    host_clock_spec: Annotated[str, typer.Option("--host-clock", help="real, or simulated:…")] = "real",
    allow_unsafe_store: Annotated[bool, typer.Option(help="Take a store that could lose what it took.")] = False,
) -> None:
    """Take purchases for one region.

    Example: firstcome gateway --region shanghai --store redis://10.0.0.5/0 --arbiter-store redis://10.9.0.5/0
    --page /run/clockd/page --tokens tokens.toml --listen 0.0.0.0:8080 --processes 2
    """
    import uvloop

    from service.gateway.process import GatewaySettings, run_gateway

    log_to_standard_error()
    if not is_id(region) or len(region) > LONGEST_REGION:
        raise typer.BadParameter(f"{region!r}: use 1 to {LONGEST_REGION} of A-Z a-z 0-9 . _ ~ -", param_hint="--region")
    host, port = address(listen)
    known = _read_tokens(tokens)
    clock = host_clock(host_clock_spec)
    with open_store(store, data, f"region {region}", allow_unsafe_store) as store_url:
        if count > 1:
            _supervise(store_url, count, allow_unsafe_store)
            return
        settings = GatewaySettings(region, host, port, store_url, arbiter_store, page)
        try:
            uvloop.run(run_gateway(settings, known, clock))
        except OSError as error:
            raise CannotRun(f"port {listen} cannot be opened: {error.strerror or error}") from error
        except ValueError as error:
            raise CannotRun(str(error)) from error


def _read_tokens(path: Path) -> Tokens:
    try:
        return read_tokens(path)
    except TokensError as error:
        raise CannotRun(str(error)) from error


def _supervise(store_url: str, count: int, allow_unsafe_store: bool) -> None:
    """Run `count` gateways on one port, and start anew whichever ends."""
    ending = threading.Event()
    for end_signal in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end_signal, lambda *_: ending.set())
    command = [sys.executable, "-m", "service.command", *_without(sys.argv[1:], {"--processes", "--store", "--data"})]
    command += ["--processes", "1", "--store", store_url, *(["--allow-unsafe-store"] if allow_unsafe_store else [])]
    environment = {name: "" for name in ("FIRSTCOME_GATEWAY_DATA", "FIRSTCOME_GATEWAY_PROCESSES") if name in os.environ}
    children = [processes.start(command, environment) for _ in range(count)]
    try:
        while not ending.wait(_RESTART_PAUSE_SECONDS):
            children = [child if child.poll() is None else processes.start(command, environment) for child in children]
    finally:
        processes.end(children)


def _without(words: list[str], flags: set[str]) -> list[str]:
    """Arguments without some flags and their values."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in flags:
            skip = True
        elif word.partition("=")[0] not in flags and word != "--allow-unsafe-store":
            kept.append(word)
    return kept
