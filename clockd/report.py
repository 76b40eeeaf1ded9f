"""What is told about a clock: status with the parts of its bound, sources with verdicts, a monitor's line. Pure.

The page says what the time is worth; a second file beside it, `<page>.sources.json`, says who said what. It is written
for people by the daemon, and nothing depends on it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Final

from clockd.host import HostClock
from clockd.keeper import Source
from clockd.reader import Reading
from clockd.states import State
from model.clock import PPB, growth_ns, rate_growth_ns
from model.track import extent

SILENT_AFTER_NS: Final = 10_000_000_000  # the daemon publishes every second
BARS: Final = "▁▂▃▄▅▆▇█"
Report = dict[str, str | int | bool | None]


class Verdict(IntEnum):
    """What a monitoring plugin exits with."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def describe(reading: Reading, host: HostClock) -> Report:
    """A reading as a report; nanoseconds as decimal strings, None where there is no safe time.

    The bound is `bound_at_update_ns` (what the exchanges leave open), and since then `rate_part_ns` (the rate is known
    to `rate_bound_ppb` only) and `wander_part_ns` (and may have changed), or what drift alone allows if that is less.
    """
    raw_ns = host.raw_ns()
    stamp = reading.stamp(raw_ns)
    realtime_ns = host.realtime_ns()
    age_ns = abs(raw_ns - reading.as_of_raw_ns)
    rate_ns = rate_growth_ns(age_ns, reading.rate_bound_ppt, 0)
    wander_ns = rate_growth_ns(age_ns, reading.rate_bound_ppt, reading.wander_ppt_s) - rate_ns
    return {
        "state": str(reading.state),
        "reason": reading.reason or None,
        "why": str(reading.why) or None,
        "host": reading.host,
        "update": reading.update,
        "utc_minus_realtime_ns": str(stamp.utc_ns - realtime_ns) if stamp else None,
        "bound_ns": str(stamp.bound_ns) if stamp else None,
        "bound_at_update_ns": str(reading.bound_ns),
        "rate_part_ns": str(rate_ns) if stamp else None,
        "wander_part_ns": str(wander_ns) if stamp else None,
        "by_drift_alone_ns": str(reading.bound_ns + growth_ns(age_ns, reading.drift_ppb)) if stamp else None,
        "update_age_ns": str(raw_ns - reading.as_of_raw_ns) if stamp else None,
        "published_ago_ns": str(raw_ns - reading.published_raw_ns) if stamp else None,
        "rate_ppb": f"{reading.rate_ppt / 1000:.3f}",
        "rate_bound_ppb": f"{reading.rate_bound_ppt / 1000:.3f}",
        "max_drift_ppb": reading.drift_ppb,
        "max_wander_ppt_s": reading.wander_ppt_s,
        "sources": reading.sources,
        "agreeing": reading.agreeing,
        "stratum": reading.stratum,
        "local_reference": reading.local_reference,
    }


def judge_health(reading: Reading, raw_ns: int, warn_bound_ns: int, critical_bound_ns: int) -> tuple[Verdict, str]:
    """What a monitor should be told."""
    stamp = reading.stamp(raw_ns)
    if stamp is None:
        unknown = reading.reason in {"missing", "unreadable", "foreign", "version", "unwritten"}
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
    if reading.why:
        text += f"; {reading.why}"
    return (Verdict.OK if reading.state is State.SYNCHRONIZED else Verdict.WARNING), text


def sources_path(page: Path) -> Path:
    """Where the daemon of a page says what its sources say."""
    return page.with_name(page.name + ".sources.json")


def describe_sources(sources: Iterable[Source], believed_middle_ns: int | None, raw_ns: int) -> list[Report]:
    """A line for each source."""
    return [_describe_source(source, believed_middle_ns, raw_ns) for source in sources]


def _describe_source(source: Source, believed_middle_ns: int | None, raw_ns: int) -> Report:
    line: Report = {
        "source": source.name,
        "verdict": source.verdict,
        "reach": f"{source.reach:08b}",
        "poll_seconds": source.poll.interval_seconds,
        "rejected": ", ".join(f"{reason} {count}" for reason, count in source.rejected.items()) or None,
    }
    if source.voice is None:
        return line
    newest, known = source.voice.newest, extent(source.voice.track)
    middle_ns = (known.earliest_ns + known.latest_ns) // 2
    return line | {
        "address": newest.address[0],
        "heard_ago_ns": str(raw_ns - newest.received_raw_ns),
        "off_ns": str(middle_ns - believed_middle_ns) if believed_middle_ns is not None else None,
        "half_width_ns": str((known.latest_ns - known.earliest_ns + 1) // 2),
        "round_trip_ns": str(newest.received_raw_ns - newest.sent_raw_ns),
        "root_distance_ns": str(newest.distance_ns),
        "stratum": newest.stratum,
        "reference_id": f"{newest.reference_id:08x}",
        "leap": newest.leap,
        "exchanges": source.voice.exchanges,
        "began_anew": str(source.voice.broken) if source.voice.broken else None,
    }


def read_sources(page: Path) -> list[Report]:
    """What the daemon wrote; nothing where it did not."""
    try:
        found = json.loads(sources_path(page).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


def people_time(nanoseconds: str | int | None) -> str:
    """A duration for people."""
    if nanoseconds is None:
        return "–"
    value = int(nanoseconds)
    for unit, size in (("s", PPB), ("ms", 10**6), ("µs", 1000)):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}" if abs(value) < 1000 * size else f"{value / size:.0f} {unit}"
    return f"{value} ns"


def screen(report: Mapping[str, str | int | bool | None], sources: Sequence[Report]) -> str:
    """One screen for people: the clock, the parts of its bound, its sources."""
    lines = [f"{report['host'] or '?'}: {report['state']}" + _because(report)]
    if report["bound_ns"] is not None:
        parts = f"exchanges {people_time(_text(report['bound_at_update_ns']))}"
        parts += f" + rate {people_time(_text(report['rate_part_ns']))}"
        parts += f" + wander {people_time(_text(report['wander_part_ns']))}"
        lines += [
            f"  UTC − this host's clock  {people_time(_text(report['utc_minus_realtime_ns']))}"
            f" ± {people_time(_text(report['bound_ns']))}  ({parts})",
            f"  rate {report['rate_ppb']} ± {report['rate_bound_ppb']} ppb, stated: drift {report['max_drift_ppb']}"
            f" ppb, wander {report['max_wander_ppt_s']} ppt/s",
            f"  update {report['update']}, {report['agreeing']} of {report['sources']} sources agree,"
            f" stratum {report['stratum']}" + (", a stated local reference" if report["local_reference"] else ""),
        ]
    return "\n".join([*lines, *([""] if sources else []), *source_lines(sources)])


def source_lines(sources: Sequence[Report]) -> list[str]:
    """A table of the sources."""
    if not sources:
        return []
    heads = (
        "source",
        "verdict",
        "off",
        "± its own",
        "round trip",
        "root dist.",
        "stratum",
        "poll",
        "reach",
        "heard ago",
    )
    rows = [heads] + [
        (
            str(each["source"]),
            str(each["verdict"]),
            people_time(_text(each.get("off_ns"))),
            people_time(_text(each.get("half_width_ns"))),
            people_time(_text(each.get("round_trip_ns"))),
            people_time(_text(each.get("root_distance_ns"))),
            str(each.get("stratum", "–")),
            f"{each['poll_seconds']} s",
            str(each["reach"]),
            people_time(_text(each.get("heard_ago_ns"))),
        )
        for each in sources
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    return [
        "  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def plot(bounds_ns: Sequence[int | None]) -> str:
    """Bounds over time as bars, the highest for the largest; a dot where there was no time."""
    most = max((bound for bound in bounds_ns if bound is not None), default=1) or 1
    return "".join("·" if bound is None else BARS[(len(BARS) - 1) * bound // most] for bound in bounds_ns)


def _because(report: Mapping[str, str | int | bool | None]) -> str:
    why = report["reason"] or report["why"]
    return f" ({why})" if why else ""


def _text(value: str | int | bool | None) -> str | None:
    return None if value is None else str(value)
