"""What the command line shares: option types, configuration from a file, errors of one line.

Flags over environment over a TOML file (`--config`), whose keys are the long flags with underscores:

    server = ["ntp1.example.org", "ntp2.example.org", "ntp3.example.org"]
    max_drift_ppb = 20000
    journal = "/var/lib/clockd/clock.jsonl"
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.exceptions import TyperException

from clockd.host import HostClock, open_host_clock
from clockd.ntp.client import Server

NTP_PORT: Final = 123
CHRONY_PORT: Final = 323
_SERVER: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[\w.-]+))(?::(?P<port>[0-9]{1,5}))?", re.ASCII
)
DEFAULT_PAGE: Final = Path("/run/clockd/page")


class CannotRun(TyperException):
    """Wrong configuration; the message is one line for the operator."""


def refuse_if(wrong: bool, message: str) -> None:
    """Say what is wrong with the configuration.

    Raises:
        CannotRun: it is.
    """
    if wrong:
        raise CannotRun(message)


def parse_server(text: str, port: int = NTP_PORT) -> Server:
    """`HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`; the port is NTP's unless said.

    Raises:
        ValueError: one line that says what is wrong.
    """
    found = _SERVER.fullmatch(text)
    if found is None or not 0 < int(found["port"] or port) < 65536:
        raise ValueError(f"{text!r} is not HOST, HOST:PORT or [IPv6]:PORT")
    return Server(found["six"] or found["host"], int(found["port"] or port))


@dataclass(frozen=True, slots=True)
class Chronyd:
    """Where a chronyd takes commands: a Unix socket's path, or address and port."""

    where: Path | tuple[str, int]


def parse_chrony(text: str) -> Chronyd:
    """A Unix socket's path, or where the command port is.

    Raises:
        ValueError: neither.
    """
    if text.startswith("/"):
        return Chronyd(Path(text))
    found = parse_server(text, CHRONY_PORT)
    return Chronyd((found.host, found.port))


def host_clock_option(spec: str) -> HostClock:
    """For typer."""
    try:
        return open_host_clock(spec)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def server_option(text: str) -> Server:
    """For typer."""
    try:
        return parse_server(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def chrony_option(text: str) -> Chronyd:
    """For typer."""
    try:
        return parse_chrony(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _from_file(context: typer.Context, path: Path | None) -> Path | None:
    """Take a TOML file's values for defaults, before any other option is looked at."""
    if path is None:
        return None
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CannotRun(f"--config {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CannotRun(f"--config {path}: {str(error).splitlines()[0]}") from error
    known = {parameter.name for parameter in context.command.params} - {"config"}
    unknown = sorted(set(values) - known)
    refuse_if(bool(unknown), f"--config {path}: unknown key {', '.join(unknown)}")
    context.default_map = {**(context.default_map or {}), **values}
    return path


Config = Annotated[
    Path | None,
    typer.Option(
        "--config", envvar="CLOCKD_CONFIG", is_eager=True, callback=_from_file, help="A TOML file of these flags."
    ),
]
PagePath = Annotated[Path, typer.Option("--page", envvar="CLOCKD_PAGE", help="The clock page.")]
HostClockSpec = Annotated[
    HostClock,
    typer.Option(
        "--host-clock",
        envvar="CLOCKD_HOST_CLOCK",
        parser=host_clock_option,
        metavar="SPEC",
        help="'real', or 'simulated:offset_ns=…,drift_ppb=…,since_ns=…,fate=…'.",
    ),
]
LocalReferenceFlag = Annotated[
    bool,
    typer.Option(
        "--local-reference",
        envvar="CLOCKD_LOCAL_REFERENCE",
        help="Take this host's own clock for true. For trying things out.",
    ),
]
LocalBound = Annotated[
    int, typer.Option("--local-bound-ns", min=0, envvar="CLOCKD_LOCAL_BOUND_NS", help="… to within this.")
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON; nanoseconds as decimal strings.")]
