"""`firstcome webhook`: have outcomes posted to a URL, rotate its secrets, see what was given up, send it again."""

import json
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from service.command.base import CannotRun
from service.command.calling import HERE, AsJson, Gateway, Token, call
from service.command.terminal import Terminal
from service.notify.webhooks import EVENTS

webhook = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Have outcomes posted to a URL of yours.")

Name = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id, as `firstcome webhook list` has it.")]


@webhook.command()
def add(
    url: Annotated[str, typer.Argument(help="Where to; https, or http.")],
    token: Token,
    event: Annotated[list[str] | None, typer.Option(help="Only this event; may be repeated. Default: all.")] = None,
    note: Annotated[str, typer.Option(help="For whoever reads the list.")] = "",
    gateway: Gateway = HERE,
    as_json: AsJson = False,
) -> None:
    """Make a webhook. Its secret is shown once.

    Example: firstcome webhook add https://shop.example/firstcome --token $TOKEN
    """
    body: dict[str, Any] = {"url": url, **({"events": event} if event else {})}
    answer = call("POST", gateway, "/v1/webhooks", token, body=body | ({"note": note} if note else {}))
    typer.echo(json.dumps(answer) if as_json else f"{answer['id']}\nsecret {answer['secret']}")


@webhook.command("list")
def list_webhooks(token: Token, gateway: Gateway = HERE, as_json: AsJson = False) -> None:
    """List your webhooks; with the scope operate, everybody's.

    Example: firstcome webhook list --token $TOKEN
    """
    answer = call("GET", gateway, "/v1/webhooks", token)
    if as_json:
        typer.echo(json.dumps(answer))
        return
    table = Table(Column("webhook", no_wrap=True), "merchant", Column("url", overflow="fold"), "events")
    for shown in answer["webhooks"]:
        events = "all" if len(shown["events"]) == len(EVENTS) else ", ".join(shown["events"])
        table.add_row(shown["id"], shown["merchant"], shown["url"], events)
    Terminal().print(table)


@webhook.command()
def remove(name: Name, token: Token, gateway: Gateway = HERE) -> None:
    """Delete a webhook, and its dead letters.

    Example: firstcome webhook remove wh_5c0e… --token $TOKEN
    """
    call("DELETE", gateway, f"/v1/webhooks/{name}", token)
    typer.echo(f"webhook {name} is deleted")


@webhook.command()
def rotate(
    name: Name,
    token: Token,
    overlap: Annotated[
        int | None, typer.Option(help="Seconds for which the secrets before go on signing; default a day.")
    ] = None,
    gateway: Gateway = HERE,
    as_json: AsJson = False,
) -> None:
    """Make a new secret, which is shown once. The ones before it go on signing beside it for the overlap.

    Example: firstcome webhook rotate wh_5c0e… --token $TOKEN
    """
    body = {} if overlap is None else {"overlap_seconds": overlap}
    answer = call("POST", gateway, f"/v1/webhooks/{name}/rotate", token, body=body)
    typer.echo(json.dumps(answer) if as_json else f"secret {answer['secret']}")


@webhook.command("dead-letters")
def list_dead_letters(name: Name, token: Token, gateway: Gateway = HERE, as_json: AsJson = False) -> None:
    """List the messages that were given up.

    Example: firstcome webhook dead-letters wh_5c0e… --token $TOKEN
    """
    answer = call("GET", gateway, f"/v1/webhooks/{name}/dead-letters", token)
    if as_json:
        typer.echo(json.dumps(answer))
        return
    table = Table(Column("message", no_wrap=True), "event", "attempts", Column("last", overflow="fold"), "reason")
    for letter in answer["dead_letters"]:
        reason = letter["reason"] + (" (being sent again)" if letter["replaying"] else "")
        name = f"{letter['sale']}/{letter['number']}"
        table.add_row(name, letter["event"], str(letter["attempts"]), letter["last"], reason)
    Terminal().print(table)


@webhook.command()
def replay(
    name: Name,
    token: Token,
    message: Annotated[
        list[str] | None, typer.Option(metavar="SALE/NUMBER", help="Only this one; may be repeated.")
    ] = None,
    gateway: Gateway = HERE,
) -> None:
    """Have dead letters sent again, all of them unless some are named.

    Example: firstcome webhook replay wh_5c0e… --token $TOKEN
    """
    try:
        named = [
            {"sale": sale, "number": int(number)} for sale, _, number in (one.partition("/") for one in message or ())
        ]
    except ValueError as error:
        raise CannotRun(f"say a message as --message SALE/NUMBER: {error}") from error
    answer = call("POST", gateway, f"/v1/webhooks/{name}/replay", token, body={"messages": named} if named else {})
    typer.echo(f"{answer['replaying']} messages will be sent again")
