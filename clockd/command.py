"""The command line: `clockd run | serve | status | check`.

Flags over environment (CLOCKD_…). Exit status 0 good, 1 found something wrong, 2 could not run with one line that says
why; `check` is a monitoring plugin and has that world's 0, 1, 2, 3.
"""

import asyncio
import json
import socket
import sys
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.exceptions import TyperException

from clockd.daemon import Asks, Settings, run
from clockd.host import HostClock, ReceiveTimes, open_host_clock
from clockd.local import LocalReference
from clockd.log import to_standard_error
from clockd.ntp.client import Client, Server
from clockd.page import HOST_BYTES, PageError, Writer
from clockd.polling import MOST_SECONDS
from clockd.reader import Reader, Reading
from clockd.server import LocalTruth, PageTruth, bind, serve
from clockd.states import State
from model.track import Oscillator

NTP_PORT: Final = 123
POLITE_POLL_SECONDS: Final = 16  # reference: never ask a server of others more often
SILENT_AFTER_NS: Final = 10_000_000_000  # the daemon publishes every second
DEFAULT_PAGE: Final = Path("/run/clockd/page")

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="An offset and a bound for this host's clock that are true, or none at all.",
)


class CannotRun(TyperException):
    """Wrong configuration; the message is one line for the operator."""


class Verdict(IntEnum):
    """What a monitoring plugin exits with."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def parse_server(text: str) -> Server:
    """`HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`; the port is 123 unless said.

    Raises:
        ValueError: one line that says what is wrong.
    """
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(NTP_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not HOST or HOST:PORT")
    return Server(host, int(port))


def _host_clock(spec: str) -> HostClock:
    try:
        return open_host_clock(spec)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _server(text: str) -> Server:
    try:
        return parse_server(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


PagePath = Annotated[Path, typer.Option("--page", envvar="CLOCKD_PAGE", help="The clock page.")]
HostClockSpec = Annotated[
    HostClock,
    typer.Option(
        "--host-clock",
        envvar="CLOCKD_HOST_CLOCK",
        parser=_host_clock,
        metavar="SPEC",
        help="'real', or 'simulated:offset_ns=…,drift_ppb=…,since_ns=…'.",
    ),
]
LocalReferenceFlag = Annotated[
    bool, typer.Option("--local-reference", help="Take this host's own clock for true. For trying things out.")
]
LocalBound = Annotated[
    int, typer.Option("--local-bound-ns", min=0, envvar="CLOCKD_LOCAL_BOUND_NS", help="… to within this.")
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON; nanoseconds as decimal strings.")]


@app.command("run")
def run_command(
    server: Annotated[
        list[Server] | None,
        typer.Option(envvar="CLOCKD_SERVER", parser=_server, metavar="HOST[:PORT]", help="An NTP server; repeat."),
    ] = None,
    page: PagePath = DEFAULT_PAGE,
    host: Annotated[str, typer.Option(envvar="CLOCKD_HOST", help="This host's name in logs and bundles.")] = "",
    poll_seconds: Annotated[int, typer.Option(envvar="CLOCKD_POLL_SECONDS", min=1, max=1024)] = 16,
    allow_fast_polling: Annotated[
        bool, typer.Option("--allow-fast-polling", help="Poll more often than every 16 s: your own servers only.")
    ] = False,
    max_drift_ppb: Annotated[
        int,
        typer.Option(
            envvar="CLOCKD_MAX_DRIFT_PPB", min=0, max=10_000_000, help="How much this host's oscillator may be off."
        ),
    ] = 50_000,
    max_wander_ppt_s: Annotated[
        int,
        typer.Option(
            envvar="CLOCKD_MAX_WANDER_PPT_S",
            min=0,
            max=2**32 - 1,
            help="How fast that may change, in parts per trillion a second.",
        ),
    ] = 10_000,
    max_poll_seconds: Annotated[
        int | None, typer.Option(envvar="CLOCKD_MAX_POLL_SECONDS", min=1, max=MOST_SECONDS)
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(envvar="CLOCKD_JOURNAL", help="Where every update is recorded, with its evidence.")
    ] = None,
    journal_bytes: Annotated[
        int, typer.Option(envvar="CLOCKD_JOURNAL_BYTES", min=10_000, help="Of each of the journal's four files.")
    ] = 16_000_000,
    trust_local_servers: Annotated[
        bool,
        typer.Option("--trust-local-servers", help="Take servers that have no source but their own clock, too."),
    ] = False,
    host_clock: HostClockSpec = "real",  # type: ignore[assignment]  # typer runs the parser on defaults too
    local_reference: LocalReferenceFlag = False,
    local_bound_ns: LocalBound = 1000,
) -> None:
    """Track this host's clock against several servers and publish the page.

    Example: clockd run --server ntp1.example.org --server ntp2.example.org --server ntp3.example.org
    """
    servers = tuple(server or ())
    name = host or socket.gethostname()
    _refuse_if(not servers and not local_reference, "no source: give --server HOST[:PORT], or state --local-reference")
    _refuse_if(bool(servers) and local_reference, "--local-reference and --server exclude each other")
    _refuse_if(
        len(set(servers)) < len(servers), "a server is named twice: it would count as two that agree with each other"
    )
    _refuse_if(
        poll_seconds < POLITE_POLL_SECONDS and not allow_fast_polling,
        f"--poll-seconds {poll_seconds} is under {POLITE_POLL_SECONDS}: with your own servers, --allow-fast-polling",
    )
    _refuse_if(len(name.encode()) > HOST_BYTES, f"--host: at most {HOST_BYTES} bytes")
    writer = _open_writer(page)
    oscillator = Oscillator(max_drift_ppb, max_wander_ppt_s)
    settings = Settings(
        page=page,
        host_name=name,
        host=host_clock,
        poll_seconds=1 if local_reference else poll_seconds,
        most_poll_seconds=1 if local_reference else _most_poll(poll_seconds, max_poll_seconds),
        oscillator=oscillator,
        local_reference=local_reference,
        journal=journal,
        journal_bytes=journal_bytes,
    )
    to_standard_error()
    receive_times = ReceiveTimes(host_clock)
    asks: list[Asks] = [
        Client(each, host_clock, receive_times, max_drift_ppb, trusts_local=trust_local_servers) for each in servers
    ]
    if local_reference:
        asks.append(LocalReference(host_clock, local_bound_ns))
    asyncio.run(run(settings, asks, receive_times, writer))
    writer.close()


@app.command("serve")
def serve_command(
    listen: Annotated[
        Server, typer.Option(envvar="CLOCKD_LISTEN", parser=_server, metavar="HOST:PORT", help="Where to answer.")
    ],
    page: Annotated[
        Path | None, typer.Option("--page", envvar="CLOCKD_PAGE", help="The clock page to answer from.")
    ] = None,
    host_clock: HostClockSpec = "real",  # type: ignore[assignment]  # typer runs the parser on defaults too
    local_reference: LocalReferenceFlag = False,
    local_bound_ns: LocalBound = 1000,
) -> None:
    """Answer NTP from this host's corrected clock.

    Example: clockd serve --listen 127.0.0.1:11123 --page /run/clockd/page
    """
    _refuse_if((page is None) != local_reference, "give either --page or --local-reference")
    receive_times = ReceiveTimes(host_clock)
    truth = (
        LocalTruth(host_clock, local_bound_ns)
        if page is None
        else PageTruth(host_clock, Reader(page, host_clock), receive_times)
    )
    try:
        bound = bind(listen)
    except OSError as error:
        raise CannotRun(f"cannot listen on {listen}: {error.strerror}") from error
    to_standard_error()
    with bound:
        asyncio.run(serve(bound, truth, receive_times))


@app.command()
def status(
    page: PagePath = DEFAULT_PAGE,
    host_clock: HostClockSpec = "real",  # type: ignore[assignment]  # typer runs the parser on defaults too
    as_json: AsJson = False,
) -> None:
    """What the page says. Exit status 1 when there is no safe time.

    Example: clockd status --page /run/clockd/page --json
    """
    reading = Reader(page, host_clock).read()
    report = describe(reading, host_clock)
    if as_json:
        typer.echo(json.dumps(report))
    else:
        width = max(map(len, report))
        for name, value in report.items():
            typer.echo(f"{name:{width}}  {value}")
    raise typer.Exit(1 if report["bound_ns"] is None else 0)


@app.command()
def check(
    page: PagePath = DEFAULT_PAGE,
    host_clock: HostClockSpec = "real",  # type: ignore[assignment]  # typer runs the parser on defaults too
    warn_bound_ns: Annotated[int, typer.Option(min=1, help="Warn above this bound.")] = 10_000_000,
    critical_bound_ns: Annotated[int, typer.Option(min=1, help="Critical above this bound.")] = 50_000_000,
) -> None:
    """A monitoring plugin: one line, exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

    Example: clockd check --warn-bound-ns 5000000 --critical-bound-ns 25000000
    """
    reading = Reader(page, host_clock).read()
    verdict, why = judge_health(reading, host_clock.raw_ns(), warn_bound_ns, critical_bound_ns)
    typer.echo(f"CLOCK {verdict.name} - {why}")
    raise typer.Exit(verdict)


def describe(reading: Reading, host: HostClock) -> dict[str, str | int | bool | None]:
    """A reading as a report; nanoseconds as decimal strings, None where there is no safe time."""
    raw_ns = host.raw_ns()
    stamp = reading.stamp(raw_ns)
    realtime_ns = host.realtime_ns()
    return {
        "state": str(reading.state),
        "reason": reading.reason or None,
        "host": reading.host,
        "update": reading.update,
        "utc_minus_realtime_ns": str(stamp.utc_ns - realtime_ns) if stamp else None,
        "bound_ns": str(stamp.bound_ns) if stamp else None,
        "bound_at_update_ns": str(reading.bound_ns),
        "update_age_ns": str(raw_ns - reading.as_of_raw_ns) if stamp else None,
        "published_ago_ns": str(raw_ns - reading.published_raw_ns) if stamp else None,
        "max_drift_ppb": reading.drift_ppb,
        "sources": reading.sources,
        "agreeing": reading.agreeing,
        "stratum": reading.stratum,
        "local_reference": reading.local_reference,
    }


def judge_health(reading: Reading, raw_ns: int, warn_bound_ns: int, critical_bound_ns: int) -> tuple[Verdict, str]:
    """What a monitor should be told."""
    stamp = reading.stamp(raw_ns)
    if stamp is None:
        unknown = reading.reason in {"missing", "foreign", "version", "unwritten"}
        return Verdict.UNKNOWN if unknown else Verdict.CRITICAL, f"no safe time: {reading.reason or 'void'}"
    text = f"{reading.state}, bound {stamp.bound_ns} ns, {reading.agreeing} of {reading.sources} sources agree"
    if stamp.bound_ns > critical_bound_ns:
        return Verdict.CRITICAL, f"{text}; above {critical_bound_ns} ns"
    if stamp.bound_ns > warn_bound_ns:
        return Verdict.WARNING, f"{text}; above {warn_bound_ns} ns"
    if raw_ns - reading.published_raw_ns > SILENT_AFTER_NS:
        return Verdict.WARNING, f"{text}; clockd has not published for {raw_ns - reading.published_raw_ns} ns"
    if reading.local_reference:
        return Verdict.WARNING, f"{text}; a stated local reference, not UTC"
    return (Verdict.OK if reading.state is State.SYNCHRONIZED else Verdict.WARNING), text


def main() -> None:
    """The console script: a wrong configuration is one line and exit status 2."""
    try:
        status = app(standalone_mode=False)
    except TyperException as error:
        sys.stderr.write(f"clockd: {error.format_message()}\n")
        status = 2
    sys.exit(status)


def _most_poll(poll_seconds: int, max_poll_seconds: int | None) -> int:
    """Politely long unless said otherwise; who polls his own servers fast wants just that."""
    if max_poll_seconds is None:
        return poll_seconds if poll_seconds < POLITE_POLL_SECONDS else MOST_SECONDS
    _refuse_if(max_poll_seconds < poll_seconds, "--max-poll-seconds is less than --poll-seconds")
    return max_poll_seconds


def _refuse_if(wrong: bool, message: str) -> None:
    if wrong:
        raise CannotRun(message)


def _open_writer(page: Path) -> Writer:
    try:
        return Writer(page)
    except PageError as error:
        raise CannotRun(str(error)) from error
