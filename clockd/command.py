"""The command line: `clockd run | serve | status | sources | check | advise`.

Flags over environment (CLOCKD_…) over a TOML file: `options.py`. What is told: `report.py`. Exit status 0 good, 1 found
something wrong, 2 could not run with one line that says why; `check` is a monitoring plugin and has that world's 0, 1,
2, 3.
"""

import asyncio
import errno
import json
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.exceptions import TyperException

from clockd.advising import advise_command
from clockd.chrony import Chrony
from clockd.clockbound import ClockBound
from clockd.daemon import NORMAL, Asks, Settings, run
from clockd.host import ReceiveTimes
from clockd.local import LocalReference
from clockd.log import to_standard_error
from clockd.metrics import MetricsPortError
from clockd.ntp.client import Client, Server
from clockd.options import (
    DEFAULT_PAGE,
    AsJson,
    CannotRun,
    Chronyd,
    Config,
    HostClockSpec,
    LocalBound,
    LocalReferenceFlag,
    PagePath,
    chrony_option,
    refuse_if,
    server_option,
)
from clockd.page import HOST_BYTES, VALID_FOR_NS, PageError, Writer
from clockd.polling import MOST_SECONDS
from clockd.ptp import Ptp
from clockd.reader import Reader
from clockd.report import Verdict, describe, judge_health, plot, read_sources, screen, source_lines
from clockd.server import LocalTruth, PageTruth, bind, serve
from clockd.webhook import WebhookError, open_webhook
from model.clock import PPB
from model.track import Oscillator
from model.vocabulary import is_id

POLITE_POLL_SECONDS: Final = 16  # reference: never ask a server of others more often
MOST_SOURCES: Final = 9  # every choice of those that may be honest is looked at: 126 of nine
LEAST_VALID_SECONDS: Final = 3  # a publication that comes a second late is no dead daemon
PLOTTED: Final = 60
CAREFUL_ATTEMPTS: Final = 16  # some questions a minute may take their time: 10 µs for half a microsecond of the bound

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="An offset and a bound for this host's clock that are true, or none at all.",
)


@app.command("run")
def run_command(
    server: Annotated[
        list[Server] | None,
        typer.Option(
            "--server",
            envvar="CLOCKD_SERVER",
            parser=server_option,
            metavar="HOST[:PORT]",
            help="An NTP server; repeat.",
        ),
    ] = None,
    chrony: Annotated[
        list[Chronyd] | None,
        typer.Option(
            "--chrony",
            envvar="CLOCKD_CHRONY",
            parser=chrony_option,
            metavar="SOCKET|HOST[:PORT]",
            help="A chronyd.",
        ),
    ] = None,
    clockbound: Annotated[
        list[Path] | None, typer.Option(envvar="CLOCKD_CLOCKBOUND", help="A ClockBound segment of this host.")
    ] = None,
    ptp: Annotated[Path | None, typer.Option(envvar="CLOCKD_PTP", help="A running ptp4l's management socket.")] = None,
    ptp_clock: Annotated[
        Path | None,
        typer.Option(envvar="CLOCKD_PTP_CLOCK", help="The network card's clock that it measures with (untested)."),
    ] = None,
    ptp_accuracy_ns: Annotated[
        int | None,
        typer.Option(envvar="CLOCKD_PTP_ACCURACY_NS", min=0, help="Its grandmaster's, where that does not say."),
    ] = None,
    page: PagePath = DEFAULT_PAGE,
    host: Annotated[str, typer.Option(envvar="CLOCKD_HOST", help="This host's name in logs and bundles.")] = "",
    poll_seconds: Annotated[
        int, typer.Option(envvar="CLOCKD_POLL_SECONDS", min=1, max=MOST_SECONDS, help="Ask a source no more often.")
    ] = POLITE_POLL_SECONDS,
    max_poll_seconds: Annotated[
        int | None,
        typer.Option(envvar="CLOCKD_MAX_POLL_SECONDS", min=1, max=MOST_SECONDS, help="Ask it no less often."),
    ] = None,
    allow_fast_polling: Annotated[
        bool,
        typer.Option(
            "--allow-fast-polling",
            envvar="CLOCKD_ALLOW_FAST_POLLING",
            help="Poll more often than every 16 s: your own servers only.",
        ),
    ] = False,
    max_drift_ppb: Annotated[
        int,
        typer.Option(
            envvar="CLOCKD_MAX_DRIFT_PPB",
            min=0,
            max=10_000_000,
            help="How much this host's oscillator may be off; crystals are made to some 50 ppm.",
        ),
    ] = 50_000,
    max_wander_ppt_s: Annotated[
        int,
        typer.Option(
            envvar="CLOCKD_MAX_WANDER_PPT_S",
            min=0,
            max=2**32 - 1,
            help="How fast that may change, in parts per trillion a second; the default is a crystal of 0.2 ppm/K"
            " that warms by 3 K a minute (docs/clock-page.md).",
        ),
    ] = 10_000,
    valid_seconds: Annotated[
        int,
        typer.Option(
            envvar="CLOCKD_VALID_SECONDS",
            min=LEAST_VALID_SECONDS,
            max=VALID_FOR_NS // PPB,
            help="How long the page may be believed after its last publication: if this daemon dies, readers have no"
            " time from then on. Until then their bound grows.",
        ),
    ] = VALID_FOR_NS // PPB,
    journal: Annotated[
        Path | None, typer.Option(envvar="CLOCKD_JOURNAL", help="Where every update is recorded, with its evidence.")
    ] = None,
    journal_bytes: Annotated[
        int, typer.Option(envvar="CLOCKD_JOURNAL_BYTES", min=10_000, help="Of each of the journal's four files.")
    ] = 16_000_000,
    metrics: Annotated[
        Server | None,
        typer.Option(
            envvar="CLOCKD_METRICS",
            parser=server_option,
            metavar="HOST:PORT",
            help="Answer monitoring there (/metrics, Prometheus' text format).",
        ),
    ] = None,
    webhook: Annotated[
        str, typer.Option(envvar="CLOCKD_WEBHOOK", help="A URL to tell of changes of state, signed.")
    ] = "",
    webhook_secret: Annotated[
        Path | None, typer.Option(envvar="CLOCKD_WEBHOOK_SECRET", help="The file with its secret: whsec_ and Base64.")
    ] = None,
    trust_local_servers: Annotated[
        bool,
        typer.Option(
            "--trust-local-servers",
            envvar="CLOCKD_TRUST_LOCAL_SERVERS",
            help="Take a chronyd that has no source but its own clock, too.",
        ),
    ] = False,
    refuse_local_servers: Annotated[
        bool,
        typer.Option(
            "--refuse-local-servers",
            envvar="CLOCKD_REFUSE_LOCAL_SERVERS",
            help="Refuse NTP servers that have no source but their own clock.",
        ),
    ] = False,
    host_clock: HostClockSpec = "real",  # type: ignore[assignment]  # typer runs the parser on defaults too
    local_reference: LocalReferenceFlag = False,
    local_bound_ns: LocalBound = 1000,
    config: Config = None,  # noqa: ARG001 (its callback has taken its values over)
) -> None:
    """Track this host's clock against several sources and publish the page.

    Example: clockd run --server ntp1.example.org --server ntp2.example.org --server ntp3.example.org
    """
    name = host or socket.gethostname()
    receive_times = ReceiveTimes(host_clock, CAREFUL_ATTEMPTS, bracket_ns=0)
    asks: list[Asks] = [
        *(
            Client(each, host_clock, receive_times, max_drift_ppb, trusts_local=not refuse_local_servers)
            for each in server or ()
        ),
        *(Chrony(each.where, host_clock, trusts_local=trust_local_servers) for each in chrony or ()),
    ]
    for segment in clockbound or ():
        refuse_if(segment.resolve() == page.resolve(), "--clockbound: that is our own page; it cannot vouch for itself")
        asks.append(ClockBound(segment, host_clock))
    refuse_if(ptp is None and ptp_clock is not None, "--ptp-clock says nothing without --ptp")
    refuse_if(ptp is None and ptp_accuracy_ns is not None, "--ptp-accuracy-ns says nothing without --ptp")
    if ptp is not None:
        try:
            asks.append(Ptp(ptp, host_clock, max_drift_ppb, ptp_accuracy_ns, ptp_clock))
        except OSError as error:
            raise CannotRun(f"--ptp-clock {ptp_clock}: {error.strerror}") from error
    refuse_if(not asks and not local_reference, "no source: give --server HOST[:PORT], or state --local-reference")
    refuse_if(bool(asks) and local_reference, "--local-reference and other sources exclude each other")
    refuse_if(
        len({each.name for each in asks}) < len(asks),
        "a source is named twice: it would count as two that agree with each other",
    )
    refuse_if(len(asks) > MOST_SOURCES, f"at most {MOST_SOURCES} sources")
    refuse_if(
        poll_seconds < POLITE_POLL_SECONDS and not allow_fast_polling,
        f"--poll-seconds {poll_seconds} is under {POLITE_POLL_SECONDS}: with your own servers, --allow-fast-polling",
    )
    refuse_if(
        not is_id(name),
        f"--host {name!r}: a log line needs 1 to {HOST_BYTES} of A-Z a-z 0-9 . _ ~ - (this machine's name by default)",
    )
    if local_reference:
        asks.append(LocalReference(host_clock, local_bound_ns))
    try:
        tells = open_webhook(webhook, webhook_secret, "clock.changed", {"host": name}, NORMAL)
    except WebhookError as error:
        raise CannotRun(str(error)) from error
    settings = Settings(
        page=page,
        host_name=name,
        host=host_clock,
        poll_seconds=1 if local_reference else poll_seconds,
        most_poll_seconds=1 if local_reference else _most_poll(poll_seconds, max_poll_seconds),
        oscillator=Oscillator(max_drift_ppb, max_wander_ppt_s),
        valid_for_ns=valid_seconds * PPB,
        local_reference=local_reference,
        journal=journal,
        journal_bytes=journal_bytes,
        metrics=None if metrics is None else (metrics.host, metrics.port),
        webhook=tells,
    )
    refuse_if(journal is not None and journal.resolve() == page.resolve(), "--journal: that is the page")
    if journal is not None:
        _refuse_unwritable(journal)
    writer = _open_writer(page)
    to_standard_error()
    try:
        asyncio.run(run(settings, asks, receive_times, writer))
    except MetricsPortError as error:
        raise CannotRun(f"--metrics {metrics}: {error}") from error
    finally:
        writer.close()


@app.command("serve")
def serve_command(
    listen: Annotated[
        Server, typer.Option(envvar="CLOCKD_LISTEN", parser=server_option, metavar="HOST:PORT", help="Where to answer.")
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
    refuse_if((page is None) != local_reference, "give either --page or --local-reference")
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
    watch: Annotated[bool, typer.Option("--watch", help="Every second, with the bound of the last minute.")] = False,
) -> None:
    """What the clock is worth, the parts of its bound, and its sources. Exit status 1 when there is no safe time.

    Example: clockd status --page /run/clockd/page --json
    """
    reader = Reader(page, host_clock)
    recent: deque[int | None] = deque(maxlen=PLOTTED)
    while True:
        report, sources = describe(reader.read(), host_clock), read_sources(page)
        bound_ns = report["bound_ns"]
        recent.append(None if bound_ns is None else int(bound_ns))
        if as_json:
            typer.echo(json.dumps({**report, "by_source": sources}))
        elif watch:
            typer.echo(f"\x1b[2J\x1b[H{screen(report, sources)}\n\n  bound  {plot(recent)}")
        else:
            typer.echo(screen(report, sources))
        if not watch:
            raise typer.Exit(1 if bound_ns is None else 0)
        time.sleep(1)


@app.command("sources")
def sources_command(page: PagePath = DEFAULT_PAGE, as_json: AsJson = False) -> None:
    """What each source says, with a verdict. Exit status 1 when one of them does not agree.

    Example: clockd sources --page /run/clockd/page --json
    """
    found = read_sources(page)
    refuse_if(not found, f"no clockd has said anything about the sources of {page}")
    typer.echo(json.dumps(found) if as_json else "\n".join(source_lines(found)))
    good = all(str(each["verdict"]).startswith(("agrees", "echo")) for each in found)
    raise typer.Exit(0 if good else 1)


@app.command()
def check(
    page: PagePath = DEFAULT_PAGE,
    host_clock: HostClockSpec = "real",  # type: ignore[assignment]  # typer runs the parser on defaults too
    warn_bound_ns: Annotated[
        int, typer.Option(min=1, envvar="CLOCKD_WARN_BOUND_NS", help="Warn above this bound.")
    ] = 10_000_000,
    critical_bound_ns: Annotated[
        int, typer.Option(min=1, envvar="CLOCKD_CRITICAL_BOUND_NS", help="Critical above this bound.")
    ] = 50_000_000,
    as_json: AsJson = False,
) -> None:
    """A monitoring plugin: one line, exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

    Example: clockd check --warn-bound-ns 5000000 --critical-bound-ns 25000000
    """
    reading = Reader(page, host_clock).read()
    verdict, why = judge_health(reading, host_clock.raw_ns(), warn_bound_ns, critical_bound_ns)
    typer.echo(json.dumps({"verdict": verdict.name, "why": why}) if as_json else f"CLOCK {verdict.name} - {why}")
    raise typer.Exit(verdict)


app.command("advise")(advise_command)


def main() -> None:
    """The console script: a wrong configuration is one line and exit status 2 (`check`: 3, as monitors have it)."""
    try:
        status = app(standalone_mode=False)
    except TyperException as error:
        if sys.argv[1:2] == ["check"]:  # to a monitor 2 is critical, and this is only a mistake
            typer.echo(f"CLOCK {Verdict.UNKNOWN.name} - {error.format_message()}")
            sys.exit(Verdict.UNKNOWN)
        sys.stderr.write(f"clockd: {error.format_message()}\n")
        status = 2
    except KeyboardInterrupt:
        status = 0
    sys.exit(status)


def _most_poll(poll_seconds: int, max_poll_seconds: int | None) -> int:
    """Politely long unless said otherwise; who polls his own servers fast wants just that."""
    if max_poll_seconds is None:
        return poll_seconds if poll_seconds < POLITE_POLL_SECONDS else MOST_SECONDS
    refuse_if(max_poll_seconds < poll_seconds, "--max-poll-seconds is less than --poll-seconds")
    return max_poll_seconds


def _refuse_unwritable(journal: Path) -> None:
    """A full disk is no reason not to start: the journal goes on by itself when there is room."""
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        journal.open("ab").close()
    except OSError as error:
        refuse_if(error.errno != errno.ENOSPC, f"--journal {journal}: {error.strerror}")


def _open_writer(page: Path) -> Writer:
    try:
        return Writer(page)
    except PageError as error:
        raise CannotRun(str(error)) from error
