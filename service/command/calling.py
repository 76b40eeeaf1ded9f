"""Calls to a gateway, as the verbs make them: which gateway, with which token, and what is said when it refuses."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.command.base import CannotRun

if TYPE_CHECKING:
    import httpx

Gateway = Annotated[str, typer.Option(envvar="FIRSTCOME_GATEWAY", help="URL of a gateway.")]
Token = Annotated[str, typer.Option(envvar="FIRSTCOME_TOKEN", help="A token with the scope that the call needs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as it came.")]
HERE = "http://127.0.0.1:8080"
_TIMEOUT_SECONDS = 30.0


def call(
    method: str,
    gateway: str,
    path: str,
    token: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
) -> Any:
    """One call; a problem document becomes one line and exit status 1."""
    import httpx

    try:
        answer = httpx.request(
            method,
            gateway.rstrip("/") + path,
            json=body,
            params=query,
            headers={"authorization": bearer(token), **(headers or {})},
            timeout=_TIMEOUT_SECONDS + 60,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CannotRun(f"gateway {gateway} cannot be reached: {error}") from error
    if answer.is_error:
        refuse(answer)
    try:
        return answer.json()
    except ValueError as error:
        raise CannotRun(f"{gateway} is no gateway: it answered {answer.status_code} without JSON") from error


def bearer(token: str) -> str:
    """An Authorization header's value."""
    if not token.isascii() or not token.isprintable():
        raise CannotRun("a token is of ASCII letters, digits, - and _, as `firstcome token` prints it")
    return f"Bearer {token}"


def refuse(answer: "httpx.Response") -> None:
    """What a gateway has refused: one line, and exit status 1."""
    try:
        problem = answer.json()
        said = f"{problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        said = f"the gateway answered {answer.status_code}"
    typer.echo(f"firstcome: {said}", err=True)
    raise typer.Exit(1)
