"""`clockd advise`: from the journals of the past to the ε, W and grace of the next sale's terms. What follows from a
journal is said in `advise.py`; here is what is asked, and how it is told.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from clockd.advise import CANDIDATES_NS, Advice, JournalError, advise, pieces, read_journal, weigh
from clockd.options import AsJson, CannotRun, refuse_if
from clockd.report import people_time
from model.clock import PPB


def advise_command(
    journal: Annotated[
        list[Path], typer.Argument(help="Journals of the hosts that will stamp; also their older files.")
    ],
    refuse_at_most: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            envvar="CLOCKD_REFUSE_AT_MOST",
            help="The part of the time in which refusals are acceptable.",
        ),
    ] = 0.001,
    as_json: AsJson = False,
) -> None:
    """Which ε, W and grace the clocks of the past allow: what each ε would have refused. Exit status 1: none would do.

    Example: clockd advise /var/lib/clockd/clock.jsonl --refuse-at-most 0.0001
    """
    hosts = []
    for path in journal:
        try:
            records = list(read_journal(path))
            host = next((str(record["host"]) for record in reversed(records) if "host" in record), path.name)
            hosts.append(weigh(host, list(pieces(records))))
        except JournalError as error:
            raise CannotRun(str(error)) from error
        except (KeyError, ValueError) as error:
            raise CannotRun(f"{path} is no journal of clockd: {error}") from error
    refuse_if(
        any(host.worst_bound_ns is None for host in hosts), "a journal holds no time with a bound: run clockd longer"
    )
    found = advise(hosts, refuse_at_most)
    typer.echo(json.dumps(found.fields()) if as_json else "\n".join(advice_lines(found)))
    raise typer.Exit(0 if found.skew_bound_ns is not None else 1)


def advice_lines(found: Advice) -> list[str]:
    """What journals advise, for people."""
    lines = []
    for host in found.hosts:
        hours, median = host.covered_ns / PPB / 3600, people_time(host.median_bound_ns)
        lines += [
            f"{host.host}: {hours:.1f} h, bound {median} at the median, {people_time(host.worst_bound_ns)} at worst,"
            f" no time at all for {host.without_time_part:.3%}"
        ]
    lines += ["", "  ε           refused     above half of ε (warned)"]
    for skew_ns in CANDIDATES_NS:
        refused = max(host.refused_part[skew_ns] for host in found.hosts)
        warned = max(host.warned_part[skew_ns] for host in found.hosts)
        mark = "  <- recommended" if skew_ns == found.skew_bound_ns else ""
        lines.append(f"  {people_time(skew_ns):10}  {refused:<10.4%}  {warned:.4%}{mark}")
    if found.skew_bound_ns is None:
        return [*lines, "", f"no ε up to 1 s refuses in at most {found.refuse_at_most:.3%} of the time: nearer sources"]
    return [
        *lines,
        "",
        f"skew_bound_ns = {found.skew_bound_ns}, tie_window_ns = {found.tie_window_ns} (the least, 2ε),"
        f" intake_grace_ns = {found.intake_grace_ns}",
    ]
