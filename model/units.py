"""Numbered units of a stock, as ranges: what a region has left, gives and takes. Pure.

Units are sold from the front and given away from the back, so a share of a million stays a few ranges. The scripts of
the stores do the same on the same text, `0-49,60-61` (`service/store/sell.lua`, `give.lua`).
"""

import re
from collections.abc import Iterable
from typing import Final

from model.vocabulary import Units

_RANGE: Final = r"(?:0|[1-9][0-9]{0,7})-(?:0|[1-9][0-9]{0,7})"
_UNITS: Final = re.compile(rf"{_RANGE}(?:,{_RANGE})*")


def units_text(units: Units) -> str:
    """Units as they are written: `0-49,60-61`; "" for none."""
    return ",".join(f"{first}-{last}" for first, last in units)


def read_units(text: str) -> Units:
    """Units from their text.

    Raises:
        ValueError: it is not what `units_text` writes, or a range ends before it begins.
    """
    if text and _UNITS.fullmatch(text) is None:
        raise ValueError(f"{text!r:.100} is no list of ranges of units")
    ranges = (one.partition("-") for one in text.split(",") if one)
    units = tuple((int(first), int(last)) for first, _, last in ranges)
    if any(last < first for first, last in units):
        raise ValueError(f"{text!r:.100} has a range that ends before it begins")
    return units


def count(units: Units) -> int:
    """How many there are."""
    return sum(last - first + 1 for first, last in units)


def each(units: Units) -> Iterable[int]:
    """Their numbers, one by one."""
    return (unit for first, last in units for unit in range(first, last + 1))


def without_first(units: Units) -> Units:
    """What is left when the first is sold.

    Raises:
        IndexError: there is none.
    """
    first, last = units[0]
    return ((first + 1, last), *units[1:]) if first < last else units[1:]


def split_last(units: Units, wanted: int) -> tuple[Units, Units]:
    """What is left when the last `wanted` are given away, and those; all of them where there are fewer."""
    kept, given = list(units), list[tuple[int, int]]()
    while wanted > 0 and kept:
        first, last = kept.pop()
        if last - first + 1 > wanted:
            kept.append((first, last - wanted))
            first = last - wanted + 1
        given.append((first, last))
        wanted -= last - first + 1
    return tuple(kept), tuple(reversed(given))
