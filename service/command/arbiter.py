"""`firstcome arbiter`: the process that turns the regions' logs into decisions."""

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from model.vocabulary import is_id
from service.command.base import CannotRun, address, host_clock, log_to_standard_error, open_store


def arbiter(
    region: Annotated[list[str], typer.Option(help="NAME=URL of a region's store; once for each region.")],
    page: Annotated[Path, typer.Option(help="Clock page of this host's clockd.")] = Path("/run/clockd/page"),
    store: Annotated[str, typer.Option(help="URL of the arbiter's own store, Redis or Valkey.")] = "",
    data: Annotated[Path | None, typer.Option(help="Folder of an embedded store, instead of --store.")] = None,
    beacon: Annotated[
        list[str] | None,
        typer.Option(
            help="URL of a drand server that tells a public beacon's rounds; once for each. Default: drand's own."
        ),
    ] = None,
    metrics: Annotated[str, typer.Option(help="HOST:PORT to answer monitoring at: /metrics, /healthz, /readyz.")] = "",
    host_clock_spec: Annotated[str, typer.Option("--host-clock", help="real, or simulated:…")] = "real",
    allow_unsafe_store: Annotated[bool, typer.Option(help="Take a store that could lose what it took.")] = False,
) -> None:
    """Decide all sales. A newer arbiter on the same store takes over from an older one, which then ends with status 1.

    Example: firstcome arbiter --store redis://10.9.0.5/0 --region beijing=redis://10.1.0.5/0
    --region shanghai=redis://10.2.0.5/0 --page /run/clockd/page
    """
    import uvloop

    from service.arbiter.beacons import PUBLIC_SERVERS
    from service.arbiter.ledger import FencedError
    from service.arbiter.process import ArbiterSettings
    from service.arbiter.watching import MonitoringPortError, watch_arbiter

    log_to_standard_error()
    regions = region_urls(region)
    watched_at = address(metrics, "--metrics") if metrics else None
    clock = host_clock(host_clock_spec)
    servers = tuple(beacon_url(url) for url in beacon) if beacon else PUBLIC_SERVERS
    with open_store(store, data, "arbiter", allow_unsafe_store) as store_url:
        settings = ArbiterSettings(store_url, regions, page, servers, refuses_unsafe_store=not allow_unsafe_store)
        try:
            uvloop.run(_until_ended(watch_arbiter(settings, clock, watched_at)))
        except FencedError as error:
            typer.echo(f"firstcome: {error}", err=True)
            raise typer.Exit(1) from error
        except (MonitoringPortError, ValueError) as error:
            raise CannotRun(str(error)) from error


def region_urls(pairs: list[str]) -> dict[str, str]:
    """Store URLs by region, of `NAME=URL` flags."""
    regions = {}
    for pair in pairs:
        name, _, url = pair.partition("=")
        if not is_id(name) or not url:
            raise typer.BadParameter(f"{pair!r} is not NAME=URL", param_hint="--region")
        if name in regions:
            raise typer.BadParameter(f"region {name} is given twice", param_hint="--region")
        regions[name] = url
    return regions


def beacon_url(text: str) -> str:
    """The URL of a beacon's server."""
    if not text.startswith(("https://", "http://")):
        raise typer.BadParameter(f"{text!r} is no http or https URL", param_hint="--beacon")
    return text


async def _until_ended(arbiter_run: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    deciding = asyncio.ensure_future(arbiter_run)
    for end_signal in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(end_signal, deciding.cancel)
    try:
        await deciding
    except asyncio.CancelledError:
        return
