"""`firstcome sale`: publish, list, show, cancel, fence, beacon, buy, confirm, release, watch; over a gateway's HTTP."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from service.command.base import CannotRun
from service.command.calling import HERE, AsJson, Gateway, Token
from service.command.calling import bearer as _bearer
from service.command.calling import call as _call
from service.command.calling import refuse as _refuse
from service.command.terminal import Terminal

sale = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Publish sales, look at them, take part.")

Zone = Annotated[str | None, typer.Option(help="An IANA zone to give times in; by default this terminal's own.")]


@sale.command()
def publish(
    token: Token,
    terms: Annotated[Path | None, typer.Argument(help="TOML or JSON file of terms.")] = None,
    opens_in: Annotated[float | None, typer.Option(help="Open this many seconds from now, for trying.")] = None,
    lasts: Annotated[float, typer.Option(help="With --opens-in: close this many seconds after opening.")] = 60.0,
    title: Annotated[str, typer.Option(help="With --opens-in.")] = "A sale to try",
    stock: Annotated[int, typer.Option(help="With --opens-in.")] = 10,
    region: Annotated[list[str] | None, typer.Option(help="With --opens-in: a region; may be repeated.")] = None,
    skew_bound_ms: Annotated[int, typer.Option(help="With --opens-in: ε in milliseconds.")] = 50,
    method: Annotated[str, typer.Option(help="With --opens-in: ordered, sharded or central.")] = "ordered",
    quota: Annotated[
        list[str] | None,
        typer.Option(metavar="REGION=UNITS", help="With --method sharded: a region's share; alike if not said."),
    ] = None,
    central_region: Annotated[str, typer.Option(help="With --method central: who has the stock.")] = "",
    rebalance: Annotated[bool, typer.Option(help="With --method sharded: move units to where they sell.")] = True,
    kind: Annotated[str, typer.Option(help="With --opens-in: flash, auction or reservation.")] = "flash",
    currency: Annotated[str, typer.Option(help="With --kind auction: its ISO 4217 code.")] = "EUR",
    reserve_price: Annotated[int, typer.Option(help="With --kind auction: the least bid, in minor units.")] = 1,
    pricing: Annotated[str, typer.Option(help="With --kind auction: first_price or uniform.")] = "first_price",
    hold: Annotated[float, typer.Option(help="With --kind reservation: seconds to confirm a unit in.")] = 60.0,
    waiting_list: Annotated[
        int | None,
        typer.Option(help="With --kind reservation: how many may wait for a unit; ten for each if not said."),
    ] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="Repeat with the same key to be sure.")] = None,
    gateway: Gateway = HERE,
    as_json: AsJson = False,
) -> None:
    """Publish a sale from a file of terms, or one to try that opens in some seconds.

    Example: firstcome sale publish terms.toml --token $TOKEN
    """
    if (terms is None) == (opens_in is None):
        raise CannotRun("name a file of terms, or say --opens-in SECONDS")
    if terms is not None:
        stated = _read(terms)
    else:
        stated = _to_try(opens_in or 0, lasts, title, stock, region, skew_bound_ms)
        stated |= _by_method(method, stock, stated["regions"], quota, central_region, rebalance)
        stated |= {"kind": kind}
        if kind == "auction":
            stated |= {"currency": currency, "reserve_price": reserve_price, "pricing": pricing}
        if kind == "reservation":
            stated["hold_ns"] = str(int(hold * 1_000_000_000))
            stated |= {} if waiting_list is None else {"waiting_list": waiting_list}
    headers = {} if idempotency_key is None else {"idempotency-key": idempotency_key}
    answer = _call("POST", gateway, "/v1/sales", token, body=stated, headers=headers)
    typer.echo(
        json.dumps(answer)
        if as_json
        else f"{answer['id']}\nopens {answer['opens']}\nseed commitment {answer['seed_commitment']}"
    )


@sale.command("list")
def list_sales(
    token: Token,
    gateway: Gateway = HERE,
    tz: Zone = None,
    as_json: AsJson = False,
) -> None:
    """List the sales of a region. With --json the answer is as it came, or in the zone of --tz.

    Example: firstcome sale list --token $TOKEN --tz Europe/Berlin
    """
    from service.command.zones import on_the_wall, readers_zone, sale_in_zone

    zone, whose = readers_zone(tz)
    answer = _call("GET", gateway, "/v1/sales", token)
    in_zone = [sale_in_zone(shown, zone) for shown in answer["sales"]]
    if as_json:
        typer.echo(json.dumps(answer if tz is None else {**answer, "sales": in_zone}))
        return
    table = Table("sale", "title", "state", "stock", "won", "opens", caption=f"times in {zone} ({whose})")
    for shown in in_zone:
        stated = shown["terms"]
        table.add_row(
            shown["id"],
            stated["title"],
            shown["state"],
            str(stated["stock"]),
            str(shown.get("winners", "-")),
            on_the_wall(shown["opens"]),
        )
    Terminal().print(table)


@sale.command()
def show(
    sale_id: Annotated[str, typer.Argument(metavar="SALE")],
    token: Token,
    gateway: Gateway = HERE,
    tz: Zone = None,
) -> None:
    """Show a sale's terms, as they were published, and its state, with times in the zone of the reader.

    Example: firstcome sale show 5c0e… --tz Asia/Shanghai --token $TOKEN
    """
    from service.command.zones import readers_zone, sale_in_zone

    zone, _ = readers_zone(tz)
    answer = _call("GET", gateway, f"/v1/sales/{sale_id}", token)
    typer.echo(json.dumps(sale_in_zone(answer, zone), indent=2, ensure_ascii=False))


@sale.command()
def cancel(
    sale_id: Annotated[str, typer.Argument(metavar="SALE")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded and public.")],
    token: Token,
    gateway: Gateway = HERE,
) -> None:
    """Stop a sale. Units won before stay won.

    Example: firstcome sale cancel 5c0e… --reason "wrong price" --token $TOKEN
    """
    _call("POST", gateway, f"/v1/sales/{sale_id}/cancel", token, body={"reason": reason})
    typer.echo(f"sale {sale_id} is cancelled")


@sale.command()
def fence(
    sale_id: Annotated[str, typer.Argument(metavar="SALE")],
    region: Annotated[str, typer.Argument(metavar="REGION")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded and public.")],
    token: Token,
    gateway: Gateway = HERE,
) -> None:
    """Take a region out of a sale for good, where units are sold at the door. What it has left is sold elsewhere.

    Example: firstcome sale fence 5c0e… shanghai --reason "data centre lost" --token $TOKEN
    """
    _call("POST", gateway, f"/v1/sales/{sale_id}/fence", token, body={"region": region, "reason": reason})
    typer.echo(f"region {region} is out of sale {sale_id}")


@sale.command()
def beacon(
    sale_id: Annotated[str, typer.Argument(metavar="SALE")],
    token: Token,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The round as a drand server tells it, in JSON; - is standard input."),
    ] = None,
    signature: Annotated[str, typer.Option(help="Instead of a file: the round's signature, in hex.")] = "",
    previous_signature: Annotated[str, typer.Option(help="With --signature, for chained beacons.")] = "",
    gateway: Gateway = HERE,
) -> None:
    """Bring the value of the public beacon's round that a sale waits for, where the arbiter cannot fetch it.

    Example: curl https://api.drand.sh/52db9b…/public/7654321 | firstcome sale beacon 5c0e… - --token $TOKEN
    """
    if (file is None) == (not signature):
        raise CannotRun("name a file of the round (- for standard input), or say --signature HEX")
    told = {"signature": signature, "previous_signature": previous_signature} if file is None else _round(file)
    _call("POST", gateway, f"/v1/sales/{sale_id}/beacon", token, body=told)
    typer.echo(f"sale {sale_id} has its beacon's value; the draw follows")


@sale.command()
def buy(
    sale_id: Annotated[str, typer.Argument(metavar="SALE")],
    buyer: Annotated[str, typer.Argument(help="The buyer's pseudonym.")],
    token: Token,
    wait: Annotated[int, typer.Option(min=0, max=60, help="Seconds to wait for the outcome.")] = 10,
    price: Annotated[int | None, typer.Option(help="In an auction: the bid, in minor units.")] = None,
    gateway: Gateway = HERE,
) -> None:
    """Enter a sale for a buyer; in an auction, bid.

    Example: firstcome sale buy 5c0e… ada --token $TOKEN
    """
    headers = {"prefer": f"wait={wait}"} if wait else {}
    body = {"buyer": buyer} | ({} if price is None else {"price": price})
    answer = _call("POST", gateway, f"/v1/sales/{sale_id}/purchases", token, body=body, headers=headers)
    typer.echo(json.dumps(answer, indent=2))


@sale.command()
def confirm(
    sale_id: Annotated[str, typer.Argument(metavar="SALE")],
    purchase: Annotated[str, typer.Argument(help="The purchase's id.")],
    buyer: Annotated[str, typer.Argument(help="The buyer's pseudonym.")],
    token: Token,
    wait: Annotated[int, typer.Option(min=0, max=60, help="Seconds to wait for the decision.")] = 10,
    gateway: Gateway = HERE,
) -> None:
    """Confirm that a reserved unit is wanted.

    Example: firstcome sale confirm 5c0e… here.6bT… ada --token $TOKEN
    """
    headers = {"prefer": f"wait={wait}"} if wait else {}
    path = f"/v1/sales/{sale_id}/purchases/{purchase}/confirm"
    typer.echo(json.dumps(_call("POST", gateway, path, token, body={"buyer": buyer}, headers=headers), indent=2))


@sale.command()
def release(
    sale_id: Annotated[str, typer.Argument(metavar="SALE")],
    purchase: Annotated[str, typer.Argument(help="The purchase's id.")],
    buyer: Annotated[str, typer.Argument(help="The buyer's pseudonym.")],
    token: Token,
    wait: Annotated[int, typer.Option(min=0, max=60, help="Seconds to wait for the decision.")] = 10,
    gateway: Gateway = HERE,
) -> None:
    """Give a reserved unit back; it goes to the next in line.

    Example: firstcome sale release 5c0e… here.6bT… ada --token $TOKEN
    """
    headers = {"prefer": f"wait={wait}"} if wait else {}
    path = f"/v1/sales/{sale_id}/purchases/{purchase}"
    typer.echo(json.dumps(_call("DELETE", gateway, path, token, headers=headers, query={"buyer": buyer}), indent=2))


@sale.command()
def watch(
    sale_id: Annotated[str, typer.Argument(metavar="SALE")],
    token: Token,
    gateway: Gateway = HERE,
    after: Annotated[int, typer.Option(help="Resume behind this event.")] = -1,
    tz: Annotated[
        str | None, typer.Option(help="Give times in this IANA zone, beside the numbers of the record.")
    ] = None,
) -> None:
    """Print decisions as they are made, one a line, until the sale is over. Without --tz a line is as it is recorded.

    Example: firstcome sale watch 5c0e… --token $TOKEN
    """
    import httpx

    from service.command.zones import named_zone
    from service.gateway.times import told_in_zone

    zone = None if tz is None else named_zone(tz)

    headers = {"authorization": _bearer(token)} | ({"last-event-id": str(after)} if after >= 0 else {})
    url = f"{gateway.rstrip('/')}/v1/sales/{sale_id}/events"
    try:
        with httpx.stream("GET", url, headers=headers, timeout=None) as answer:
            if answer.status_code == 204:  # there is no event behind that one, and none follows
                return
            if answer.status_code != 200:
                answer.read()
                _refuse(answer)
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    decision = line.removeprefix("data: ")
                    typer.echo(decision if zone is None else json.dumps(told_in_zone(json.loads(decision), zone)))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CannotRun(f"gateway {gateway} cannot be reached: {error}") from error


def _round(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(sys.stdin.read() if str(path) == "-" else path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise CannotRun(f"round {path}: {error}") from error
    if not isinstance(told, dict):
        raise CannotRun(f"round {path}: holds a JSON object, with signature")
    return told


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
        stated = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise CannotRun(f"terms {path}: {error}") from error
    if not isinstance(stated, dict):
        raise CannotRun(f"terms {path}: hold a table of terms")
    return stated


def _to_try(
    opens_in: float, lasts: float, title: str, stock: int, regions: list[str] | None, skew_bound_ms: int
) -> dict[str, Any]:
    from whenever import Instant, TimeDelta

    try:
        opens = (Instant.now() + TimeDelta(seconds=opens_in)).round("millisecond")
        closes = opens + TimeDelta(seconds=lasts)
    except ValueError as error:
        raise CannotRun(f"--opens-in and --lasts are seconds from now that a calendar has: {error}") from error
    return {
        "title": title,
        "stock": stock,
        "opens": opens.format_iso(),
        "closes": closes.format_iso(),
        "regions": regions or ["here"],
        "skew_bound_ns": str(skew_bound_ms * 1_000_000),
    }


def _by_method(
    method: str, stock: int, regions: list[str], quotas: list[str] | None, central_region: str, rebalance: bool
) -> dict[str, Any]:
    """The terms that a method has of its own."""
    if method == "central":
        return {"method": method, **({"central_region": central_region} if central_region else {})}
    if method != "sharded":
        return {"method": method}
    shares = {name: stock // len(regions) + (place < stock % len(regions)) for place, name in enumerate(regions)}
    if quotas:
        try:
            shares = {name: int(units) for name, _, units in (one.rpartition("=") for one in quotas)}
        except ValueError as error:
            raise CannotRun(f"say a share as --quota REGION=UNITS: {error}") from error
    return {"method": method, "quotas": shares, "rebalance": rebalance}
