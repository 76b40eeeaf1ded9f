"""Many lines of a region's log at once, column by column. Pure.

The law of a line is `wire.parse_log_line`; this file reads the same lines some three times faster, by asking each
question of a whole column instead of a field: one search finds the fields of all lines, and joined columns are checked
by functions that run in C. Whatever is not plainly well formed and numbered without gaps is not read here at all: the
caller then asks the law, line by line, and hears which line is wrong and why. So nothing is decided here, and
`tests/model/test_columns.py` holds that both readings agree.

Next: `arbiter.py`, which delivers columns, and `outcomes.py`, which answers for them.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from model.vocabulary import ID_FORM, LONGEST_ID, BuyerId, RegionName, RequestId

LINES_AT_ONCE: Final = 2_048
"""Lines that are worth reading together; more save nothing and take room."""

_FIELDS: Final = re.compile(
    rb'\{"bound_ns":"([^"]*)","buyer":"([^"]*)","clock":"([^"]*)","heard_ns":"([^"]*)",'
    rb'"request":"([^"]*)","seq":([^,]*),"stamp_ns":"([^"]*)","type":"request"\}\n'
)
_BETWEEN_BYTES: Final = len(
    b'{"bound_ns":"","buyer":"","clock":"","heard_ns":"","request":"","seq":,"stamp_ns":"","type":"request"}\n'
)
_ID_BYTES: Final = bytes(byte for byte in range(128) if re.fullmatch(ID_FORM, chr(byte)))
_ZERO: Final = ord("0")
_CLOCK: Final = re.compile((ID_FORM + r"/(?:0|[1-9][0-9]{0,15})").encode())


@dataclass(frozen=True, slots=True)
class Columns:
    """Entries with consecutive numbers from `first_seq` on, as `wire.parse_log_line` reads them."""

    first_seq: int
    requests: Sequence[RequestId]
    buyers: Sequence[BuyerId]
    stamps_ns: Sequence[int]
    least_bound_ns: int
    greatest_bound_ns: int


def read_columns(lines: Sequence[bytes], first_seq: int) -> Columns | None:
    """Consecutive lines of a log, of which the first must have the number `first_seq`.

    Returns: None where there are none, or some line is not canonical or has another number; the law tells which.
    """
    found = _FIELDS.findall(b"\n".join(lines) + b"\n")
    if not lines or len(found) != len(lines):
        return None
    bounds, buyers, clocks, heard, requests, seqs, stamps = zip(*found, strict=True)
    joined = [b"".join(column) for column in (bounds, buyers, clocks, heard, requests, seqs, stamps)]
    whole_bytes = sum(map(len, lines)) + len(lines)
    if sum(map(len, joined)) + _BETWEEN_BYTES * len(lines) != whole_bytes:
        return None
    well_formed = (
        _are_numbers(bounds, joined[0], digits=18)
        and _are_ids(buyers, joined[1])
        and all(map(_CLOCK.fullmatch, set(clocks)))
        and _are_numbers(set(heard), joined[3], digits=19)
        and _are_ids(requests, joined[4])
        and _are_numbers(seqs, joined[5], digits=15)
        and _are_numbers(stamps, joined[6], digits=19)
    )
    if not well_formed or list(map(int, seqs)) != list(range(first_seq, first_seq + len(lines))):
        return None
    bounds_ns = list(map(int, bounds))
    return Columns(
        first_seq=first_seq,
        requests=b"\n".join(requests).decode().split("\n"),
        buyers=b"\n".join(buyers).decode().split("\n"),
        stamps_ns=list(map(int, stamps)),
        least_bound_ns=min(bounds_ns),
        greatest_bound_ns=max(bounds_ns),
    )


_IDS: Final = re.compile(rb'"buyer":"([^"]*)","clock":"[^"]*","heard_ns":"[^"]*","request":"([^"]*)"')


def read_ids(lines: Sequence[bytes]) -> tuple[Sequence[RequestId], Sequence[BuyerId]]:
    """Requests and buyers of lines that are known to be well formed: their chain's head says that they are the ones
    that the arbiter has delivered. Half the work of `read_columns`.

    Raises:
        ValueError: they are not even lines of entries.
    """
    found = _IDS.findall(b"\n".join(lines))
    if len(found) != len(lines):
        raise ValueError("lines of a log hold one entry each")
    if not found:
        return [], []
    buyers, requests = zip(*found, strict=True)
    return b"\n".join(requests).decode().split("\n"), b"\n".join(buyers).decode().split("\n")


def _are_ids(column: Collection[bytes], joined: bytes) -> bool:
    """Whether every field has the form of an id."""
    return not joined.translate(None, _ID_BYTES) and b"" not in column and max(map(len, column)) <= LONGEST_ID


def _are_numbers(column: Collection[bytes], joined: bytes, digits: int) -> bool:
    """Whether every field is a decimal integer from 0, without leading zeros, of at most so many digits."""
    if not joined.isdigit() or max(map(len, column)) > digits:
        return False
    least = min(column)
    return least >= b"1" or (least != b"" and all(field[0] != _ZERO or field == b"0" for field in column))


def are_named_after(region: RegionName, requests: Sequence[RequestId]) -> bool:
    """Whether every id is `<region>.<random>`, with no dot in what is random."""
    joined = "\n" + "\n".join(requests) + "\n"
    return (
        joined.count(f"\n{region}.") == len(requests)
        and joined.count(".") == len(requests) * (region.count(".") + 1)
        and ".\n" not in joined
    )
