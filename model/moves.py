"""The other lines of a region's log, where units are sold at the door: shares, grants, and who took them. Pure.

    {"seq":1,"type":"stocked","units":"0-49"}
    {"number":1,"seq":7,"to":"shanghai","type":"granted","units":"40-49"}
    {"donor":"virginia","number":1,"seq":3,"type":"taken","units":"40-49"}
    {"donor":"virginia","number":1,"reason":"altered","seq":4,"type":"refused","units":"40-50"}

The scripts of the stores write them as text; reading is as strict as everywhere (`wire.py`).
"""

from typing import Any, get_args

from model.units import read_units, units_text
from model.vocabulary import Entry, Granted, Line, RefusalReason, Refused, RegionName, Stocked, Taken, is_id
from model.wire import canonical, log_line, parse_canonical, parse_log_line


def line_of(record: Line) -> bytes:
    """A record as the line of its region's log."""
    match record:
        case Entry():
            return log_line(record)
        case Stocked(seq, units):
            return canonical({"seq": seq, "type": "stocked", "units": units_text(units)})
        case Granted(seq, number, to, units):
            return canonical(
                {"number": number, "seq": seq, "to": to, "type": "granted", "units": units_text(units)},
            )
        case Taken(seq, donor, number, units):
            return canonical(
                {"donor": donor, "number": number, "seq": seq, "type": "taken", "units": units_text(units)}
            )
        case Refused(seq, donor, number, units, reason):
            return canonical(
                {
                    "donor": donor,
                    "number": number,
                    "reason": reason,
                    "seq": seq,
                    "type": "refused",
                    "units": units_text(units),
                }
            )


def parse_line(line: bytes) -> Line:
    """The record of a region log's line, of whatever type.

    Raises:
        ValueError: the line is not canonical, of an unknown type, or has foreign fields.
    """
    if b'"type":"request"' in line:
        return parse_log_line(line)
    try:
        record = _read(parse_canonical(line))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its fields are not those of its type ({error!r})") from error
    if line_of(record) != line:
        raise ValueError("its fields are not those of its type")
    return record


def _read(fields: dict[str, Any]) -> Line:
    seq, units = _number(fields["seq"]), read_units(fields["units"])
    match fields["type"]:
        case "stocked":
            return Stocked(seq, units)
        case "granted":
            return Granted(seq, _number(fields["number"]), _name(fields["to"]), units)
        case "taken":
            return Taken(seq, _name(fields["donor"], or_none=True), _number(fields["number"]), units)
        case "refused":
            donor, number = _name(fields["donor"], or_none=True), _number(fields["number"])
            if fields["reason"] not in get_args(RefusalReason):
                raise ValueError(f"{fields['reason']!r:.100} is no reason to refuse a grant")
            return Refused(seq, donor, number, units, fields["reason"])
        case other:
            raise ValueError(f"{other!r} is no type of line")


def _number(value: object) -> int:
    """Lines and grants are numbered from 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{value!r:.100} is not a number from 1")
    return value


def _name(value: object, or_none: bool = False) -> RegionName:
    """A region; "" stands for the arbiter, where it may."""
    if not isinstance(value, str) or not (is_id(value) or (or_none and not value)):
        raise ValueError(f"{value!r:.100} is no name of a region")
    return value
