"""Records as lines: the one form in which entries, decisions and outcomes are stored, hashed, sent and exported. Pure.

Canonical JSON, one record a line: the RFC 8785 form restricted to ASCII keys, strings, booleans and integers below
2⁵³. Nanoseconds are decimal strings, since a double holds epoch nanoseconds only to 256 ns. Reading is as strict as
writing: a line that is not byte for byte what this file would have written is refused, so that what one reader
accepts every reader accepts.

Hash chains: head₀ is 32 zero bytes, headₙ = SHA-256(headₙ₋₁ ‖ line n without its line end), in hex.

A log line is written in two halves around its number, because the number is given out by the store's script.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from model.decided import decision_of, fields_of
from model.vocabulary import (
    ID_FORM,
    Contradiction,
    Decision,
    Entry,
    Head,
    LostReason,
    Outcome,
    Won,
    is_id,
)

FIRST_HEAD: Final[Head] = "00" * 32
LARGEST_INTEGER: Final = 2**53 - 1

_LOG_LINE: Final = re.compile(
    r'\{"bound_ns":"(0|[1-9][0-9]{0,17})","buyer":"('
    + ID_FORM
    + r')","clock":"('
    + ID_FORM
    + r"/(?:0|[1-9][0-9]{0,15}))"
    r'","heard_ns":"(0|[1-9][0-9]{0,18})",(?:"price":([1-9][0-9]{0,14}),)?"request":"('
    + ID_FORM
    + r')","seq":([1-9][0-9]{0,14}),'
    r'"stamp_ns":"(0|[1-9][0-9]{0,18})","type":"request"(?:,"unit":(0|[1-9][0-9]{0,7}))?\}'
)

_WON_LINE: Final = re.compile(
    (
        rf'{{"index":(0|[1-9][0-9]{{0,14}}),"rank":(0|[1-9][0-9]{{0,14}}),"region":"({ID_FORM})","request":"({ID_FORM})",'
        r'"type":"won","unit":(0|[1-9][0-9]{0,14})\}'
    ).encode()
)
"""The line of nearly every decision, where no price is paid; read apart, since every gateway reads all of them."""


def extend(head: Head, line: bytes) -> Head:
    """The hash-chain head after one more line."""
    return hashlib.sha256(bytes.fromhex(head) + line).hexdigest()


def extend_all(head: Head, lines: Iterable[bytes]) -> Head:
    """The hash-chain head after several more lines."""
    sha256, digest = hashlib.sha256, bytes.fromhex(head)
    for line in lines:
        digest = sha256(digest + line).digest()
    return digest.hex()


_encode: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(record: Mapping[str, Any]) -> bytes:
    """A record's canonical line, without a line end.

    Raises:
        ValueError: an integer beyond 2⁵³ − 1, a float, a null, a key that is not ASCII, or text that is not Unicode.
    """
    _check(record)
    try:
        return _encode(record).encode()
    except UnicodeEncodeError as error:
        raise ValueError("text holds a lone surrogate, which no UTF-8 line can") from error


def _check(value: object) -> None:
    match value:
        case bool() | str():
            return
        case int():
            if abs(value) > LARGEST_INTEGER:
                raise ValueError(f"integer {value} does not survive a double: write it as a decimal string")
        case dict():
            for key, inner in value.items():
                if not (isinstance(key, str) and key.isascii()):
                    raise ValueError(f"key {key!r} is not ASCII text")
                _check(inner)
        case list() | tuple():
            for inner in value:
                _check(inner)
        case _:
            raise ValueError(f"{type(value).__name__} {value!r} has no canonical form here")


def parse_canonical(line: bytes) -> dict[str, Any]:
    """The record of a canonical line.

    Raises:
        ValueError: the line is not JSON, not an object, or not in canonical form.
    """
    try:
        record = json.loads(line)
        if not isinstance(record, dict):
            raise ValueError("a record is a JSON object")
        if canonical(record) != line:
            raise ValueError("not in canonical form")
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return record


def log_line_halves(
    request: str, buyer: str, stamp_ns: int, bound_ns: int, clock: str, heard_ns: int, price: int | None = None
) -> tuple[str, str]:
    """An entry's line up to its number, and from after it. The number stands between as a decimal integer."""
    first, second, third, last = log_line_parts(stamp_ns, bound_ns, clock, heard_ns, price)
    return f"{first}{buyer}{second}{request}{third}", last


def log_line_parts(
    stamp_ns: int, bound_ns: int, clock: str, heard_ns: int, price: int | None = None
) -> tuple[str, str, str, str]:
    """What an entry's line has around its buyer, its request and its number, which stand between in this order."""
    bid = "" if price is None else f'"price":{price},'
    return (
        f'{{"bound_ns":"{bound_ns}","buyer":"',
        f'","clock":"{clock}","heard_ns":"{heard_ns}",{bid}"request":"',
        '","seq":',
        f',"stamp_ns":"{stamp_ns}","type":"request"}}',
    )


def log_line(entry: Entry) -> bytes:
    """An entry as the line of its region's log."""
    before, after = log_line_halves(
        entry.request, entry.buyer, entry.stamp_ns, entry.bound_ns, entry.clock, entry.heard_ns, entry.price
    )
    unit = "}" if entry.unit is None else f',"unit":{entry.unit}}}'
    return f"{before}{entry.seq}{after[:-1]}{unit}".encode()


def parse_log_line(line: bytes) -> Entry:
    """The entry of a region log's line. Of other lines: `moves.py`, where units are sold at the door, and `replies.py`.

    Raises:
        ValueError: the line is not a canonical `request` record.
    """
    try:
        found = _LOG_LINE.fullmatch(line.decode("ascii"))
    except UnicodeDecodeError:
        found = None
    if found is None:
        raise ValueError("not a canonical request record")
    bound_ns, buyer, clock, heard_ns, price, request, seq, stamp_ns, unit = found.groups()
    got, bid = None if unit is None else int(unit), None if price is None else int(price)
    return Entry(int(seq), request, buyer, int(stamp_ns), int(bound_ns), clock, int(heard_ns), got, bid)


def decision_line(index: int, decision: Decision) -> bytes:
    """A decision as line `index` of the decision log."""
    if isinstance(decision, Won) and decision.price is None and is_id(decision.request) and is_id(decision.region):
        return (
            f'{{"index":{index},"rank":{decision.rank},"region":"{decision.region}","request":"{decision.request}",'
            f'"type":"won","unit":{decision.unit}}}'
        ).encode()
    return canonical({"index": index, **fields_of(decision)})


def parse_decision_line(index: int, line: bytes) -> Decision:
    """The decision of line `index` of a decision log.

    Raises:
        Contradiction: the line is not canonical, of an unknown type, has foreign fields, or another number.
    """
    won = _WON_LINE.fullmatch(line)
    if won is not None and int(won[1]) == index:
        return Won(won[4].decode(), won[3].decode(), int(won[2]), int(won[5]))
    try:
        fields = parse_canonical(line)
        decision = decision_of(fields)
        if decision_line(index, decision) != line:
            raise ValueError(f"its fields are not those of {fields['type']} record {index}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Contradiction("", f"decision record {index} is well formed ({error})") from error
    return decision


def outcome_line(outcome: Outcome) -> bytes:
    """An outcome as its line of `outcomes.jsonl`; what does not apply is left out."""
    if outcome.state == "lost" and outcome.reason is not None and outcome.of is None and is_id(outcome.request):
        before, after = lost_line_halves(outcome.reason)
        return f"{before}{outcome.request}{after}".encode()
    fields = {
        "request": outcome.request,
        "state": outcome.state,
        "reason": outcome.reason,
        "rank": outcome.rank,
        "unit": outcome.unit,
        "of": outcome.of,
        "price": outcome.price,
    }
    return canonical({name: value for name, value in fields.items() if value is not None})


def lost_line_halves(reason: LostReason) -> tuple[str, str]:
    """The line of an outcome that is lost for this reason, up to its request's id, and from after it."""
    return f'{{"reason":"{reason}","request":"', '","state":"lost"}'
