"""Times as people read them: in a zone, with daylight saving and all; RFC 9557.

`model/terms.py` reads the numeric offset of a time. Here, where a zone database is, the offset is checked against the
zone: a local hour that the zone skips or has twice is an error that says so, never a guess.
"""

from whenever import Instant, OffsetDateTime, TimeZoneNotFoundError, ZonedDateTime

_HINT = "write a time as 2026-11-27T20:00:00+08:00[Asia/Shanghai]"


def check_zone(text: str) -> str | None:
    """Why a stated time cannot be, or None where it can.

    Args:
        text: an RFC 9557 time with an offset, and a zone in brackets where one is meant.
    """
    try:
        if "[" in text:
            ZonedDateTime.parse_iso(text)
        else:
            OffsetDateTime.parse_iso(text)
    except TimeZoneNotFoundError:
        return f"{text.partition('[')[2].rstrip(']')} is no zone of the IANA database"
    except ValueError as error:
        if "offset" in str(error).lower():
            return (
                f"that offset is not what the zone has then: check daylight saving, skipped and repeated hours ({text})"
            )
        return _HINT
    return None


def in_zone(text: str, zone: str) -> str:
    """A stated time in another zone.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        moment: ZonedDateTime | OffsetDateTime
        moment = ZonedDateTime.parse_iso(text) if "[" in text else OffsetDateTime.parse_iso(text)
        return moment.to_tz(zone).format_iso()
    except (TimeZoneNotFoundError, ValueError) as error:
        raise ValueError(f"{zone} is no zone of the IANA database, such as Asia/Shanghai") from error


def utc(nanoseconds: int) -> str:
    """An instant as RFC 3339 in UTC."""
    return Instant.from_timestamp(nanoseconds, unit="nanosecond").format_iso()
