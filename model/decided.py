"""A decision's fields, both ways: what its line says, and the record that fields say. Pure.

The line itself, its number and its canonical form are `wire.py`'s.
"""

from collections.abc import Callable
from typing import Any, Final

from model.units import read_units, units_text
from model.vocabulary import (
    BeaconValue,
    Cancelled,
    Closed,
    Complete,
    Confirmed,
    CutOff,
    Decision,
    Expired,
    Fenced,
    Halted,
    Held,
    Listed,
    ListFull,
    RegionSeen,
    Reissued,
    Released,
    Seen,
    SoldOut,
    Won,
)


def fields_of(decision: Decision) -> dict[str, Any]:
    """What a decision says, without its number."""
    match decision:
        case Won() | Listed() | Held() | Confirmed() | Released() | Expired():
            return _of_one_request(decision)
        case Seen(regions, earliest_ns, latest_ns):
            return {
                "type": "seen",
                "regions": {
                    name: {"seq": seen.seq, "head": seen.head, "mark_ns": str(seen.mark_ns)}
                    for name, seen in regions.items()
                },
                "at": {"earliest_ns": str(earliest_ns), "latest_ns": str(latest_ns)},
            }
        case ListFull():
            return {"type": "list_full"}
        case SoldOut():
            return {"type": "sold_out"}
        case CutOff(region, seq, head):
            return {"type": "cut_off", "region": region, "seq": seq, "head": head}
        case Fenced(region, seq, head, reason):
            return {"type": "fenced", "region": region, "seq": seq, "head": head, "reason": reason}
        case Reissued(number, to, units):
            return {"type": "reissued", "number": number, "to": to, "units": units_text(units)}
        case Cancelled(reason):
            return {"type": "cancelled", "reason": reason}
        case Halted(reason):
            return {"type": "halted", "reason": reason}
        case Complete():
            return {"type": "complete"}
        case BeaconValue(number, signature, previous):
            before = {"previous_signature": previous} if previous else {}
            return {"type": "beacon", "round": number, "signature": signature, **before}
        case Closed(reason):
            return {"type": "closed", "reason": reason}


def _of_one_request(decision: Won | Listed | Held | Confirmed | Released | Expired) -> dict[str, Any]:
    match decision:
        case Won(request, region, rank, unit, price):
            pays = {} if price is None else {"price": price}
            return {"type": "won", "request": request, "region": region, "rank": rank, "unit": unit, **pays}
        case Listed(request, region, rank):
            return {"type": "listed", "request": request, "region": region, "rank": rank}
        case Held(request, region, rank, unit, until_ns):
            until = {"until_ns": str(until_ns)}
            return {"type": "held", "request": request, "region": region, "rank": rank, "unit": unit, **until}
        case Confirmed(request):
            return {"type": "confirmed", "request": request}
        case Released(request):
            return {"type": "released", "request": request}
        case Expired(request):
            return {"type": "expired", "request": request}


def _nanoseconds(text: object) -> int:
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and str(int(text)) == text):
        raise ValueError(f"{text!r} is not a decimal string of nanoseconds")
    return int(text)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is not a number from 0")
    return value


def _seen(fields: dict[str, Any]) -> Decision:
    regions = {
        name: RegionSeen(_number(seen["seq"]), _text(seen["head"]), _nanoseconds(seen["mark_ns"]))
        for name, seen in fields["regions"].items()
    }
    return Seen(regions, _nanoseconds(fields["at"]["earliest_ns"]), _nanoseconds(fields["at"]["latest_ns"]))


def _won(fields: dict[str, Any]) -> Decision:
    price = _number(fields["price"]) if "price" in fields else None
    return Won(
        _text(fields["request"]), _text(fields["region"]), _number(fields["rank"]), _number(fields["unit"]), price
    )


def _listed(fields: dict[str, Any]) -> Decision:
    return Listed(_text(fields["request"]), _text(fields["region"]), _number(fields["rank"]))


def _held(fields: dict[str, Any]) -> Decision:
    request, region = _text(fields["request"]), _text(fields["region"])
    return Held(request, region, _number(fields["rank"]), _number(fields["unit"]), _nanoseconds(fields["until_ns"]))


def _cut_off(fields: dict[str, Any]) -> Decision:
    return CutOff(_text(fields["region"]), _number(fields["seq"]), _text(fields["head"]))


def _beacon(fields: dict[str, Any]) -> Decision:
    return BeaconValue(
        _number(fields["round"]), _text(fields["signature"]), _text(fields.get("previous_signature", ""))
    )


def _fenced(fields: dict[str, Any]) -> Decision:
    return Fenced(_text(fields["region"]), _number(fields["seq"]), _text(fields["head"]), _text(fields["reason"]))


def _reissued(fields: dict[str, Any]) -> Decision:
    return Reissued(_number(fields["number"]), _text(fields["to"]), read_units(_text(fields["units"])))


_PARSERS: Final[dict[str, Callable[[dict[str, Any]], Decision]]] = {
    "seen": _seen,
    "won": _won,
    "listed": _listed,
    "held": _held,
    "list_full": lambda fields: ListFull(),  # noqa: ARG005
    "confirmed": lambda fields: Confirmed(_text(fields["request"])),
    "released": lambda fields: Released(_text(fields["request"])),
    "expired": lambda fields: Expired(_text(fields["request"])),
    "sold_out": lambda fields: SoldOut(),  # noqa: ARG005
    "cut_off": _cut_off,
    "fenced": _fenced,
    "reissued": _reissued,
    "cancelled": lambda fields: Cancelled(_text(fields["reason"])),
    "halted": lambda fields: Halted(_text(fields["reason"])),
    "complete": lambda fields: Complete(),  # noqa: ARG005
    "beacon": _beacon,
    "closed": lambda fields: Closed(fields["reason"]),
}


def decision_of(fields: dict[str, Any]) -> Decision:
    """The decision that fields say. Whether they are all of its fields, and no others, is for the caller to compare.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: they say none.
    """
    return _PARSERS[fields["type"]](fields)
