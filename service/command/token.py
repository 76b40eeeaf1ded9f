"""`firstcome token`: a fresh token, and the table that lets it in."""

from typing import Annotated

import typer

from service.gateway.tokens import SCOPES, new_token, token_table


def token(
    scope: Annotated[list[str], typer.Option(help=f"What its holder may do: {', '.join(SCOPES)}; may be repeated.")],
    name: Annotated[str, typer.Option(help="Who it is for.")] = "unnamed",
) -> None:
    """Make a token. It is printed once, on standard error; the table for the tokens file on standard output.

    Example: firstcome token --name checkout --scope purchase >> tokens.toml
    """
    unknown = [word for word in scope if word not in SCOPES]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(SCOPES)}", param_hint="--scope")
    if not name.isprintable() or '"' in name or "\\" in name:
        raise typer.BadParameter("use printable characters, no quotes", param_hint="--name")
    made = new_token()
    typer.echo(f"token for {name}: {made}", err=True)
    typer.echo(token_table(made, name, scope))
