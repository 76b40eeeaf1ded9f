"""Times as people write and read them: in a zone, with daylight saving and all; RFC 9557.

What counts of a stated time is its instant, which its numeric offset gives (`model/terms.py`); a zone says which clock
on a wall is meant. Where a zone database is, here at the edge, the two are compared when terms are published. A local
hour that the zone skips or has twice, and an offset that is not the zone's, are refused with what to write instead: no
reading of them is guessed. Afterwards only instants count, so a sale stays where it is when a zone's rules change, and
whoever asks for times in a zone gets those instants by the rules of the database that this host has today.

The database is read once in the life of a process: the host's (`PYTHONTZPATH` names another), then the package
`tzdata`. docs/times.md tells all this to merchants.
"""

import difflib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from whenever import Instant, OffsetDateTime, PlainDateTime, ZonedDateTime, available_timezones

from model.stated import instant_ns

_HINT: Final = "write a time as 2026-11-27T20:00:00+08:00[Asia/Shanghai]"
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:(\d\d)(?:\.\d{1,9})?)(Z|[+-][01]\d:[0-5]\d)?(?:\[([^\[\]]*)\])?", re.ASCII
)
_NO_PLACE: Final = frozenset({"Factory"})
"""What a computer has before anybody has said where it stands."""
_TOLD: Final = {"stamp_ns": "stamp", "until_ns": "until"}
"""Instants that answers and decisions carry as numbers, and the fields that people read."""
_TOLD_AS_TEXT: Final = ("known_by",)
_LONGEST_NAME: Final = 64
_UNKNOWN_OFFSETS: Final = frozenset({"Z", "-00:00"})
"""An instant is given in UTC, and nothing is said about the offset of the zone: it agrees with any (RFC 9557, 2)."""


class ZoneError(ValueError):
    """There is no such zone. The message names one that is like it, where there is one."""


@cache
def _zones() -> Mapping[str, str]:
    """Every zone of the database, by its name in lower case."""
    return {name.lower(): name for name in available_timezones() - _NO_PLACE}


def zone_name(text: str) -> str:
    """A zone as the IANA database writes it; letters may be of either case.

    Raises:
        ZoneError: there is none of that name.
    """
    found = _zones().get(text.lower())
    if found is None:
        written = text[:_LONGEST_NAME]
        near = difflib.get_close_matches(written.lower(), _zones(), n=1, cutoff=0.75)
        instead = f"is it {_zones()[near[0]]}?" if near else "write one such as Asia/Shanghai or Europe/Berlin"
        raise ZoneError(f"{written!a} is no zone of the IANA database: {instead}")
    return found


def why_not(text: str) -> str | None:
    """Why a stated time cannot be, and what to write instead; None where it can, or where only its range is wrong,
    which the model's rules tell.

    Args:
        text: an RFC 9557 time with an offset, and a zone in brackets where one is meant.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        head, bracket, rest = text.partition("[")
        in_capitals = head.upper() + bracket + rest
        return f"write T and Z in capitals: {in_capitals}" if _TIME.fullmatch(in_capitals) else _HINT
    local, seconds, offset, zone = found.groups()
    if seconds == "60":
        minute = local[:16]
        return f"names a leap second, which UTC nanoseconds do not number: write {minute}:59, or the minute after it"
    try:
        plain = PlainDateTime.parse_iso(local)
    except ValueError:
        return f"there is no such day or hour as {local}"
    if zone is None:
        return None if offset is not None else f"has no offset from UTC: {_HINT}"
    try:
        zone = zone_name(zone)
    except ZoneError as error:
        return str(error)
    if offset in _UNKNOWN_OFFSETS or not 2001 <= plain.year <= 2255:
        return None
    return _why_not_there(plain, offset, zone)


def _why_not_there(local: PlainDateTime, offset: str | None, zone: str) -> str | None:
    """Why the clocks of a zone do not show a local time, or not with that offset from UTC."""
    first = local.assume_tz(zone, disambiguation="earlier")
    second = local.assume_tz(zone, disambiguation="later")
    if first.to_plain() != local:
        after = first.next_transition()
        assert after is not None, "clocks that skip an hour are changed"
        skipped_from = after.to_fixed_offset(first.offset).to_plain().format_iso()
        return (
            f"is skipped: clocks in {zone} go from {skipped_from} straight to {after.to_plain().format_iso()}, so they "
            f"never show {local.format_iso()}. Write {after.format_iso()}, or a time before the change"
        )
    if first != second:
        instants = [f"{moment.to_instant().format_iso()}[{zone}]" for moment in (first, second)]
        return (
            f"is repeated: clocks in {zone} show {local.format_iso()} twice, at {_offset(first)} and again at "
            f"{_offset(second)}. Write which one in UTC, {instants[0]} or {instants[1]}, or a time that is there once"
        )
    if offset is None:
        return f"has no offset from UTC: write {first.format_iso()}"
    if offset != _offset(first):
        meant = OffsetDateTime.parse_iso(f"{local.format_iso()}{offset}").to_tz(zone).format_iso()
        return (
            f"the offset of {zone} is {_offset(first)} then, not {offset}: write {first.format_iso()}, or {meant} if "
            f"the offset is what was meant"
        )
    return None


def _offset(moment: ZonedDateTime) -> str:
    """As it is written: +08:00."""
    return moment.to_fixed_offset().format_iso()[-6:].replace("Z", "+00:00")


def in_zone(nanoseconds: int, zone: str) -> str:
    """An instant as the clocks of a zone show it, by the database of today: RFC 9557.

    Raises:
        ZoneError: there is no such zone.
    """
    return Instant.from_timestamp(nanoseconds, unit="nanosecond").to_tz(zone_name(zone)).format_iso()


def told_in_zone(fields: Mapping[str, Any], zone: str) -> dict[str, Any]:
    """The fields of an answer or of a decision, its instants readable beside their numbers.

    Raises:
        ZoneError: there is no such zone.
    """
    readable = {name: in_zone(int(fields[number]), zone) for number, name in _TOLD.items() if number in fields}
    rewritten = {name: in_zone(instant_ns(fields[name]), zone) for name in _TOLD_AS_TEXT if name in fields}
    return {**fields, **readable, **rewritten}


def utc(nanoseconds: int) -> str:
    """An instant as RFC 3339 in UTC."""
    return Instant.from_timestamp(nanoseconds, unit="nanosecond").format_iso()
