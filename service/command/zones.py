"""The zone in which a person at this terminal reads times: the one they name with `--tz`, else the terminal's own.

Times are moved here, by this machine's zone database, and not asked of the gateway in a zone: a terminal's zone that
the gateway's host has never heard of is no reason to show nothing. What goes to programs (`--json`, pipes of events)
comes as the gateway said it, in a zone only where one is named.
"""

from collections.abc import Mapping
from typing import Any

from whenever import SYSTEM_TZ, Instant, TimeZoneNotFoundError

from model.stated import instant_ns
from service.command.base import CannotRun
from service.gateway.times import ZoneError, in_zone, zone_name


def readers_zone(tz: str | None) -> tuple[str, str]:
    """The zone that is asked for, or this terminal's own, or UTC where that has no name; and which of these it is.

    Raises:
        CannotRun: there is no such zone.
    """
    if tz is not None:
        return named_zone(tz), "--tz"
    try:
        own = Instant.now().to_tz(SYSTEM_TZ).tz_id
        return zone_name(own or ""), "this terminal's zone; --tz names another"
    except (TimeZoneNotFoundError, ZoneError):
        return "UTC", "this terminal's zone has no name of the IANA database; --tz names one"


def named_zone(tz: str) -> str:
    """A zone that somebody has written, as the database writes it.

    Raises:
        CannotRun: there is no such zone.
    """
    try:
        return zone_name(tz)
    except ZoneError as error:
        raise CannotRun(f"--tz: {error}") from error


def sale_in_zone(shown: Mapping[str, Any], zone: str) -> dict[str, Any]:
    """A sale as a gateway shows it, with its times in a zone. Its terms stay as they were published."""
    told = dict(shown)
    for field in ("opens", "closes", "entries_from"):
        told[field] = in_zone(instant_ns(shown[field]), zone)
    if "awaits" in shown:
        told["awaits"] = {**shown["awaits"], "published": in_zone(instant_ns(shown["awaits"]["published"]), zone)}
    return told


def on_the_wall(time: str) -> str:
    """A time for a column of times that are all in one zone, which stands above them."""
    return time.partition("[")[0].replace("T", " ")
