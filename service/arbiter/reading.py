"""What a round says about one log: which lines are new, and whether the log is still the one that was read before."""

from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from model.vocabulary import Contradiction, RegionName
from model.wire import FIRST_HEAD, extend_all
from service.arbiter.pipe import Command
from service.arbiter.run import SaleRun
from service.store import keys
from service.store.opening import Store
from service.store.streams import LINES_AT_ONCE, raw_entries, read_range


@dataclass(frozen=True, slots=True)
class LogReading:
    """A question about a sale's log, as it was asked.

    Attributes:
        known: number and line of the last entry that was known then; (0, b"") where none was.
        at_most: entries to be brought, besides the known one.
    """

    run: SaleRun
    known: tuple[int, bytes]
    at_most: int

    def commands(self) -> list[Command]:
        """The log's length, and its entries from the last known one on."""
        key, first = keys.log(self.run.sale), max(self.known[0], 1)
        return [("XLEN", key), ("XRANGE", key, f"{first}-0", "+", "COUNT", self.at_most + 1)]

    def lines(
        self, region: RegionName, known_now: tuple[int, bytes], length: Any, found: Any
    ) -> tuple[list[bytes], bool]:
        """What is behind the entry that is the last known one now, and whether that was the log's end.

        The entry that was known when this was asked must still be there and the same, and so must the one that an
        earlier round has brought meanwhile.

        Raises:
            Contradiction: it is not, or what is there is no log.
        """
        if is_no_log(length) or is_no_log(found):
            raise Contradiction(region, "its log is a log")
        number, line = self.known
        if length < number:
            raise Contradiction(region, f"entries that were read are still there ({number}, now {length})")
        try:
            first, lines = raw_entries(found)
        except (IndexError, TypeError, ValueError) as error:
            raise Contradiction(region, f"its log holds entries and nothing else ({error!r})") from error
        if number and (not lines or (first, lines[0]) != (number, line)):
            raise Contradiction(region, f"the entry that was read last is still the same ({number})")
        at_end = len(lines) <= self.at_most
        number, line = known_now
        passed_over = number - max(self.known[0], 1) + 1
        if at_end and passed_over > len(lines):
            raise Contradiction(region, f"entries that were read are still there ({number}, now {length})")
        if 0 < passed_over <= len(lines) and lines[passed_over - 1] != line:
            raise Contradiction(region, f"the entry that was read last is still the same ({number})")
        return lines[passed_over:], at_end


def is_no_log(answer: Any) -> bool:
    """Whether the server says that something else lies where a log should."""
    return isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE")


async def check_log(store: Store, region: RegionName, run: SaleRun) -> None:
    """Whether a region's log is still the one that was delivered; halts the sale where it is not.

    Raises:
        redis.exceptions.RedisError: the store does not answer.
    """
    known = run.fold.delivered(region)
    head, read = FIRST_HEAD, 0
    while read < known.seq:
        found = await read_range(store, keys.log(run.sale), read + 1, known.seq, LINES_AT_ONCE)
        head = extend_all(head, (entry.line for entry in found))
        read += len(found)
        if not found:
            break
    if (read, head) != (known.seq, known.head):
        run.halt(Contradiction(region, f"its log is still the one that was read ({known.seq} entries)"))


def mark_ns(region: RegionName, mark: bytes | None) -> int:
    """A region's mark as the store has it; 0 where there is none yet.

    Raises:
        Contradiction: it is no mark.
    """
    if mark is None:
        return 0
    if not mark.isdigit() or len(mark) > 19:
        raise Contradiction(region, f"its mark is nanoseconds ({mark!r})")
    return int(mark)
