"""What a round says about one log: which lines are new, and whether the log is still the one that was read before."""

import contextlib
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from model.vocabulary import Contradiction, RegionName
from model.wire import FIRST_HEAD, extend_all
from service.arbiter.pipe import Command
from service.arbiter.run import SaleRun
from service.store import keys
from service.store.chunks import ChunkedLines, GapError, lines_in, number_of
from service.store.opening import Store


@dataclass(frozen=True, slots=True)
class LogReading:
    """A question about a sale's log, as it was asked.

    Attributes:
        known: number and text of the last line that was known then; (0, b"") where none was. A chunk ends with it.
        at_most: chunks to be brought, besides the known one.
    """

    run: SaleRun
    known: tuple[int, bytes]
    at_most: int

    def command(self) -> Command:
        """The log's chunks from the last known one on."""
        return ("XRANGE", keys.log(self.run.sale), f"{max(self.known[0], 1)}-0", "+", "COUNT", self.at_most + 1)

    def lines(self, region: RegionName, known_now: tuple[int, bytes], found: Any) -> tuple[list[bytes], bool]:
        """What is behind the line that is the last known one now, and whether that was the log's end.

        The line that was known when this was asked must still be there and the same, and so must the one that an
        earlier round has brought meanwhile.

        Raises:
            Contradiction: it is not, or what is there is no log.
        """
        if is_no_log(found):
            raise Contradiction(region, "its log is a log")
        number, line = self.known
        if number and not found:
            raise Contradiction(region, f"entries that were read are still there ({number})")
        try:
            first, lines = lines_in(found)
        except GapError as error:
            raise Contradiction(region, f"log numbers have no gap ({error})") from error
        except (IndexError, TypeError, ValueError) as error:
            raise Contradiction(region, f"its log holds entries and nothing else ({error!r})") from error
        at_end = len(found) <= self.at_most
        if number:
            before = number - first
            if not 0 <= before < len(lines) or number_of(found[0][0]) != number or lines[before] != line:
                raise Contradiction(region, f"the entry that was read last is still the same ({number})")
        elif lines and first != 1:
            raise Contradiction(region, f"log numbers have no gap (its first is {first})")
        number, line = known_now
        passed_over = number - first + 1 if lines else 0
        if at_end and passed_over > len(lines):
            raise Contradiction(region, f"entries that were read are still there ({number})")
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
    with contextlib.suppress(KeyError, ValueError):
        async for lines in ChunkedLines(store, keys.log(run.sale)).up_to(known.seq):
            head = extend_all(head, lines)
            read += len(lines)
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
