"""Attempts to enter a sale, as the scripts `admit` and `sell` take them; and purchases' ids, which carry their number.

What costs a store most is how many words it is given and how many it keeps. So the lines that one call may log come as
a few pieces, each what one chunk of the log will be, with places where the script puts the number; and a purchase is
found again by its id, which ends in its number, so the store keeps no index of them.

Next: `chunks.py`, which finds a line by its number.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from model.vocabulary import BuyerId, Entry, RequestId, SaleId
from model.wire import log_line_parts, parse_log_line
from service.store import keys
from service.store.chunks import CHUNK_LINES, line_at
from service.store.opening import Store

_NUMBER_IN_ID: Final = "\1"
_NUMBER: Final = "\2"
_MARK: Final = "-"
"""Between the random part of a purchase's id and its number. The random part may have it too: the last one counts."""
_LONGEST_NUMBER: Final = 15


class Found(NamedTuple):
    """A purchase in a region's log."""

    line: bytes
    entry: Entry


class Around(NamedTuple):
    """What entries' lines have around buyer and request, with places for the number: behind `request` and in the field
    `seq`. The purchases of a batch share it."""

    before: str
    between: str
    behind: str

    def line(self, request: str, buyer: BuyerId) -> str:
        """An entry's line, without its number."""
        return f"{self.before}{buyer}{self.between}{request}{self.behind}"


def around(stamp_ns: int, bound_ns: int, clock: str, heard_ns: int, price: int | None = None) -> Around:
    """The same for everything that came at one moment, at one price."""
    before, between, third, last = log_line_parts(stamp_ns, bound_ns, clock, heard_ns, price)
    return Around(before, between, f"{_MARK}{_NUMBER_IN_ID}{third}{_NUMBER}{last}")


def words(least_stamp_ns: int, lines: Sequence[str], buyers: Sequence[str]) -> list[str]:
    """The arguments of `admit` and `sell`.

    Args:
        least_stamp_ns: of the lines; 0 where there is none.
        lines: what to log, as `Around.line` makes them.
        buyers: by what an entry is found again: of each line, and behind those of attempts that only look.
    """
    pieces = ["\n".join(lines[start : start + CHUNK_LINES]) for start in range(0, len(lines), CHUNK_LINES)]
    return [str(least_stamp_ns), str(len(lines)), *buyers, *pieces]


def purchase_id(request: str, seq: int) -> RequestId:
    """What a request is called once it has its number."""
    return f"{request}{_MARK}{seq}"


def number_in(purchase: str) -> int | None:
    """The number that a purchase's id ends in; None of what is no such id."""
    _, mark, number = purchase.rpartition(_MARK)
    if not mark or not number.isascii() or not number.isdigit() or len(number) > _LONGEST_NUMBER:
        return None
    return int(number)


def read_purchase(line: bytes | None, purchase: str) -> Found | None:
    """What is found where a purchase's number leads to; None where that is another line, or none."""
    try:
        entry = None if line is None else parse_log_line(line)
    except ValueError:
        return None
    return None if line is None or entry is None or entry.request != purchase else Found(line, entry)


async def find_purchase(store: Store, sale: SaleId, purchase: str) -> Found | None:
    """A purchase by its id; None where the region's log has none of that name.

    Raises:
        redis.exceptions.RedisError, OSError: the store does not answer.
    """
    number = number_in(purchase)
    return None if number is None else read_purchase(await line_at(store, keys.log(sale), number), purchase)
