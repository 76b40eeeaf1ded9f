"""Many lines of a region's log at once, column by column. Pure.

The law of a line is `wire.parse_log_line`; this file reads the same lines some four times faster, with one search
for the fields of all of them. Whatever is not well formed and numbered without gaps is not read here: the caller then
asks the law, line by line, and hears which line is wrong and why. So nothing is decided here, and
`tests/model/test_columns.py` holds that both readings agree.

Next: `arbiter.py`, which delivers columns, and `outcomes.py`, which answers for them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from model.vocabulary import ID_FORM, BuyerId, RegionName, RequestId

LINES_AT_ONCE: Final = 2_048
"""Lines that are worth reading together; more save nothing and take room."""

_ID: Final = ID_FORM + "+"
_LINE: Final = re.compile(
    r'^\{"bound_ns":"(0|[1-9][0-9]{0,17}+)","buyer":"(' + _ID + r')","clock":"' + _ID + r"/(?:0|[1-9][0-9]{0,15}+)"
    r'","heard_ns":"(?:0|[1-9][0-9]{0,18}+)","request":"(' + _ID + r')","seq":([1-9][0-9]{0,14}+),'
    r'"stamp_ns":"(0|[1-9][0-9]{0,18}+)","type":"request"\}\n',
    re.MULTILINE,
)
"""A line as the law has it. What is not wanted of it is no group, since a group is an object; no repetition gives back
what it took (`+`), since what follows a field is never in it. Both halve the time."""


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
    text = b"\n".join(lines) + b"\n"
    if not text.isascii() or text.count(b"\n") != len(lines):
        return None
    found = _LINE.findall(text.decode())
    if not found or len(found) != len(lines):
        return None
    bounds, buyers, requests, seqs, stamps = zip(*found, strict=True)
    if list(map(int, seqs)) != list(range(first_seq, first_seq + len(lines))):
        return None
    bounds_ns = list(map(int, bounds))
    return Columns(first_seq, requests, buyers, list(map(int, stamps)), min(bounds_ns), max(bounds_ns))


_IDS: Final = re.compile(
    r'"buyer":"([^"]*+)","clock":"[^"]*+","heard_ns":"[^"]*+",(?:"price":[0-9]++,)?"request":"([^"]*+)"'
)


def read_ids(lines: Sequence[bytes]) -> tuple[Sequence[RequestId], Sequence[BuyerId]]:
    """Requests and buyers of lines that are known to be well formed: their chain's head says that they are the ones
    that the arbiter has delivered. Half the work of `read_columns`.

    Raises:
        ValueError: they are not even lines of entries.
    """
    found = _IDS.findall(b"\n".join(lines).decode("ascii"))
    if len(found) != len(lines):
        raise ValueError("lines of a log hold one entry each")
    if not found:
        return [], []
    buyers, requests = zip(*found, strict=True)
    return requests, buyers


def are_named_after(region: RegionName, requests: Sequence[RequestId]) -> bool:
    """Whether every id is `<region>.<random>`, with no dot in what is random."""
    joined = "\n" + "\n".join(requests) + "\n"
    return (
        joined.count(f"\n{region}.") == len(requests)
        and joined.count(".") == len(requests) * (region.count(".") + 1)
        and ".\n" not in joined
    )
