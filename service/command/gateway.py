"""`firstcome gateway`: the gateways of one region on this host."""

import signal
import sys
import threading
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from urllib.parse import urlsplit

import typer

from model.vocabulary import is_id
from service import processes
from service.command.base import (
    CannotRun,
    address,
    by_flags_alone,
    host_clock,
    log_to_standard_error,
    open_store,
    region_name,
)
from service.gateway.tokens import Tokens, TokensError, read_tokens

_RESTART_PAUSE_SECONDS = 0.5
_CANNOT_RUN = 2


class Policy(StrEnum):
    """The routing policies, as flags."""

    SERVE = "serve"
    REDIRECT = "redirect"
    FORWARD = "forward"


def gateway(
    region: Annotated[str, typer.Option(help="This region's name.")],
    arbiter_store: Annotated[str, typer.Option(help="URL of the arbiter's store.")],
    tokens: Annotated[Path, typer.Option(help="File of hashed tokens; see `firstcome token`.")],
    page: Annotated[Path, typer.Option(help="Clock page of this host's clockd.")] = Path("/run/clockd/page"),
    listen: Annotated[str, typer.Option(help="HOST:PORT of the public port.")] = "127.0.0.1:8080",
    store: Annotated[str, typer.Option(help="URL of the region's store, Redis or Valkey.")] = "",
    data: Annotated[Path | None, typer.Option(help="Folder of an embedded store, instead of --store.")] = None,
    count: Annotated[int, typer.Option("--processes", min=1, max=64, help="Processes that share the port.")] = 1,
    counts: Annotated[
        Path | None,
        typer.Option(help="Folder in which the processes of one port keep their counts; --processes makes one."),
    ] = None,
    open_metrics: Annotated[
        bool, typer.Option("--open-metrics", help="/metrics without a token of the scope operate or audit.")
    ] = False,
    webhook: Annotated[str, typer.Option(help="A URL to tell when a process is ready no more, or again; signed.")] = "",
    webhook_secret: Annotated[Path | None, typer.Option(help="The file with its secret: whsec_ and Base64.")] = None,
    routing: Annotated[
        Policy, typer.Option(help="What is done with buyers whose home is another region: serve, redirect or forward.")
    ] = Policy.SERVE,
    peer: Annotated[
        list[str] | None, typer.Option(help="NAME=URL of another region's public port; may be repeated.")
    ] = None,
    home_claim: Annotated[bool, typer.Option("--home-claim", help='Let a purchase\'s body name the "home".')] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Sell by shares to buyers whose home is down: one may get two units.")
    ] = False,
    host_clock_spec: Annotated[str, typer.Option("--host-clock", help="real, or simulated:…")] = "real",
    allow_unsafe_store: Annotated[bool, typer.Option(help="Take a store that could lose what it took.")] = False,
) -> None:
    """Take purchases for one region.

    Example: firstcome gateway --region shanghai --store redis://10.0.0.5/0 --arbiter-store redis://10.9.0.5/0
    --page /run/clockd/page --tokens tokens.toml --listen 0.0.0.0:8080 --processes 2
    """
    import uvloop

    from clockd.webhook import WebhookError, open_webhook
    from service.gateway.api import ALL_READY
    from service.gateway.process import GatewaySettings, run_gateway
    from service.gateway.routing import RoutingSettings
    from service.watching.shared import SharedCountsError

    log_to_standard_error()
    region_name(region)
    host, port = address(listen)
    peers = _read_peers(peer or [], region)
    known = _read_tokens(tokens)
    clock = host_clock(host_clock_spec)
    with open_store(store, data, f"region {region}", allow_unsafe_store) as store_url:
        if count > 1:
            flags = ["--region", region, "--listen", listen, "--store", store_url, "--arbiter-store", arbiter_store]
            flags += ["--tokens", str(tokens), "--page", str(page), "--host-clock", host_clock_spec]
            flags += ["--allow-unsafe-store"] if allow_unsafe_store else []
            flags += ["--routing", routing.value]
            flags += [word for named in peer or [] for word in ("--peer", named)]
            flags += ["--home-claim"] if home_claim else []
            flags += ["--take-over"] if take_over else []
            flags += ["--open-metrics"] if open_metrics else []
            flags += ["--webhook", webhook, "--webhook-secret", str(webhook_secret)] if webhook else []
            with ExitStack() as opened:
                folder = counts or Path(opened.enter_context(TemporaryDirectory(prefix="firstcome-counts-")))
                _supervise([*flags, "--processes", "1", "--counts", str(folder)], count)
            return
        try:
            who = {"region": region, "address": listen}
            tells = open_webhook(webhook, webhook_secret, "gateway.changed", who, ALL_READY)
        except WebhookError as error:
            raise CannotRun(str(error)) from error
        routes = RoutingSettings(routing.value, peers, home_claim, take_over)
        settings = GatewaySettings(
            *(region, host, port, store_url, arbiter_store, page, counts, open_metrics, tells, routes),
            refuses_unsafe_store=not allow_unsafe_store,
        )
        try:
            uvloop.run(run_gateway(settings, known, clock))
        except SharedCountsError as error:
            raise CannotRun(str(error)) from error
        except OSError as error:
            raise CannotRun(f"port {listen} cannot be opened: {error.strerror or error}") from error
        except ValueError as error:
            raise CannotRun(str(error)) from error


def _read_peers(named: list[str], region: str) -> dict[str, str]:
    peers: dict[str, str] = {}
    for text in named:
        name, _, url = text.partition("=")
        parts = urlsplit(url)
        if not is_id(name) or parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise typer.BadParameter(f"{text!r} is not NAME=http://HOST:PORT", param_hint="--peer")
        if name == region or name in peers:
            raise typer.BadParameter(f"{name} is this region, or is given twice", param_hint="--peer")
        peers[name] = url
    return peers


def _read_tokens(path: Path) -> Tokens:
    try:
        return read_tokens(path)
    except TokensError as error:
        raise CannotRun(str(error)) from error


def _supervise(flags: list[str], count: int) -> None:
    """Run `count` gateways on one port, and start anew whichever ends; one that cannot run at all ends them all."""
    ending = threading.Event()
    for end_signal in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end_signal, lambda *_: ending.set())
    command = [sys.executable, "-m", "service.command", "gateway", *flags]
    environment = by_flags_alone()
    children = [processes.start(command, environment) for _ in range(count)]
    try:
        while not ending.wait(_RESTART_PAUSE_SECONDS):
            if any(child.poll() == _CANNOT_RUN for child in children):
                raise CannotRun("a gateway cannot run; see what it said above")
            children = [child if child.poll() is None else processes.start(command, environment) for child in children]
    finally:
        processes.end(children)
