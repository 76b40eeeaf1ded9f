"""`firstcome top`: the whole system in one terminal, live, from what its processes tell monitoring."""

import json
import sys
import time
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from service.command.base import CannotRun
from service.command.terminal import Terminal
from service.watching.picture import (
    LOOK_FROM,
    TROUBLE_FROM,
    Picture,
    RegionShown,
    Told,
    show_arbiter,
    show_clock,
    show_region,
    show_sales,
)

HERE = "http://127.0.0.1:8080"
_TIMEOUT_SECONDS = 2.0


def top(
    gateway: Annotated[
        list[str] | None, typer.Option(envvar="FIRSTCOME_GATEWAY", help="URL of a gateway; once for each region.")
    ] = None,
    clock: Annotated[list[str] | None, typer.Option(help="URL of a clockd's --metrics; once for each host.")] = None,
    arbiter: Annotated[str, typer.Option(help="URL of the arbiter's --metrics.")] = "",
    token: Annotated[str, typer.Option(envvar="FIRSTCOME_TOKEN", help="A token with the scope operate or audit.")] = "",
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 1.0,
    once: Annotated[
        bool, typer.Option("--once", help="One look, then end: exit status 1 where something is wrong.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One look as JSON.")] = False,
) -> None:
    """Watch regions, clocks and sales. Ends with Ctrl-C.

    Example: firstcome top --gateway http://10.1.0.5:8080 --gateway http://10.2.0.5:8080
    --clock http://10.1.0.5:9101 --arbiter http://10.1.0.5:9102
    """
    import httpx

    gateways = gateway or [HERE]
    for url in (*gateways, *(clock or ()), *([arbiter] if arbiter else ())):
        if not url.startswith(("http://", "https://")):
            raise CannotRun(f"{url!r} is no URL: say http://HOST:PORT")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    console = Terminal(width=None if sys.stdout.isatty() else 150)
    with httpx.Client(headers=headers, timeout=_TIMEOUT_SECONDS) as client:

        def ask(url: str) -> Told:
            try:
                answer = client.get(f"{url.rstrip('/')}/metrics")
            except httpx.HTTPError:
                return Told(None)
            if answer.status_code in {401, 403}:
                raise CannotRun(f"{url} asks for a token with the scope operate or audit: --token")
            return Told(answer.text if answer.status_code == 200 else None)

        def look(before: dict[str, RegionShown], seconds: float) -> Picture:
            told = {url: ask(url) for url in gateways}
            return Picture(
                [show_region(url, each, before.get(url), seconds) for url, each in told.items()],
                [show_clock(url, ask(url)) for url in clock or ()],
                show_sales(told.values()),
                show_arbiter(arbiter, ask(arbiter)) if arbiter else None,
            )

        picture, looked = look({}, 0.0), time.monotonic()
        if once or as_json:
            console.print_json(json.dumps(picture.fields())) if as_json else console.print(draw(picture))
            raise typer.Exit(1 if picture.troubles else 0)
        with Live(draw(picture), console=console, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                now = time.monotonic()
                picture = look({region.gateway: region for region in picture.regions}, now - looked)
                looked = now
                live.update(draw(picture), refresh=True)


def draw(picture: Picture) -> RenderableType:
    """The picture for a terminal."""
    troubles = [Text(f"✗ {trouble}", style="bold red") for trouble in picture.troubles]
    head = troubles or [Text("✓ nothing is wrong", style="green")]
    parts: list[RenderableType] = [*head, Text(""), _regions(picture)]
    if picture.arbiter is not None and picture.arbiter.answers:
        parts += [Text(""), _arbiter(picture)]
    parts += [Text(""), _sales(picture)]
    if picture.clocks:
        parts += [Text(""), _sources(picture)]
    return Group(*parts)


def _table(title: str, *heads: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number == 0 else "right", no_wrap=True)
    return table


def _regions(picture: Picture) -> Table:
    table = _table(
        "Regions", "region", "clock", "bound", "of ε", "heartbeat", "store", "taken", "/s", "refused", "/s", "waiting"
    )
    for region in picture.regions:
        if not region.answers:
            table.add_row(region.name, Text("no answer", style="red"))
            continue
        table.add_row(
            region.name,
            Text(region.clock, style="green" if region.clock == "safe" else "red"),
            _bound(region.bound_seconds),
            _share(region),
            _time(region.heartbeat_age_seconds),
            Text("up", style="green") if region.store_up else Text("down", style="red"),
            f"{region.logged:,.0f}",
            _rate(region.logged_per_second),
            f"{region.refused:,.0f}",
            _rate(region.refused_per_second),
            str(region.waiting),
        )
    return table


def _share(region: RegionShown) -> Text:
    if region.bound_seconds is None or region.least_skew_bound_seconds is None:
        return Text("–")
    share = region.bound_seconds / region.least_skew_bound_seconds
    style = "red" if share > TROUBLE_FROM else "yellow" if share > LOOK_FROM else "green"
    return Text(f"{share:.0%}", style=style)


def _arbiter(picture: Picture) -> Table:
    arbiter = picture.arbiter
    assert arbiter is not None
    table = _table(
        "Arbiter", "token", "waiting buyers", "decisions", *(f"{region} behind" for region in arbiter.lag_seconds)
    )
    lags = [_time(lag) for lag in arbiter.lag_seconds.values()]
    table.add_row(str(arbiter.token), f"{arbiter.waiting:,}", f"{arbiter.decisions:,.0f}", *lags)
    return table


def _sales(picture: Picture) -> Table:
    table = _table("Sales", "sale", "opens", "won", "stock", "ε", "regions")
    for sale in picture.sales:
        opens = sale.opens_in_seconds
        when = "?" if opens is None else f"in {_time(opens)}" if opens > 0 else f"open for {_time(-opens)}"
        table.add_row(
            sale.sale,
            when,
            f"{sale.winners:,}",
            f"{sale.stock:,}",
            _time(sale.skew_bound_seconds),
            ", ".join(sale.regions),
        )
    if not picture.sales:
        table.add_row("none is to come or open")
    return table


def _sources(picture: Picture) -> Table:
    table = _table("Clocks", "host", "state", "bound", "source", "verdict", "off", "±", "round trip", "heard")
    for clock in picture.clocks:
        state = Text(clock.state, style="green" if clock.state == "synchronized" else "red")
        first: list[Any] = [clock.host or clock.address, state, _bound(clock.bound_seconds)]
        for source in clock.sources:
            verdict = Text(source.verdict, style="green" if source.verdict in {"agrees", "echo"} else "yellow")
            table.add_row(
                *first,
                source.source,
                verdict,
                _time(source.off_seconds),
                _time(source.half_width_seconds),
                _time(source.delay_seconds),
                f"{_time(source.age_seconds)} ago" if source.age_seconds is not None else "never",
            )
            first = ["", "", ""]
        if not clock.sources:
            table.add_row(*first)
    return table


def _bound(seconds: float | None) -> str:
    return "–" if seconds is None else f"± {_time(seconds)}"


def _rate(a_second: float | None) -> str:
    return "–" if a_second is None else f"{a_second:,.0f}"


def _time(seconds: float | None) -> str:
    """A duration for people."""
    if seconds is None:
        return "–"
    size = abs(seconds)
    if size >= 3600:
        return f"{seconds / 3600:.1f} h"
    if size >= 60:
        return f"{seconds / 60:.1f} min"
    if size >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1e3:.3g} ms" if size >= 1e-3 else f"{seconds * 1e6:.0f} µs"
