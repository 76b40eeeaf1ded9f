"""A host's clock journal, on its way to the bundle: the lines that tell what a sale's stamps rest on.

A stamp names an update of its host's clock (`<host>/<update>`), and clockd's journal has each update with the raw
timestamps behind it. The journal is a file on the host; a bundle is made where the arbiter is. So the notary of each
host hands in its journal's lines, byte for byte, to the region's store while a sale runs: from the moment when the
region raises a mark for it until it is over. What goes ahead of them is the daemon's `start` record and the lines from
just before, since the first stamps rest on those; they begin with a `state`, from which an auditor can compute on.

It is bounded three times: by the sale's time, by what clockd writes (an update a poll), and by `MOST_LINES`.
"""

import json
import os
from collections import deque
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import structlog
from redis.exceptions import RedisError

from model.vocabulary import SaleId, is_id
from service.store import keys
from service.store.lane import Call, Lane
from service.store.opening import Store

_log = structlog.get_logger()

LINES_BEFORE: Final = 1_024
"""Lines from before a sale that are handed in with it; an update is believed for minutes at most."""
MOST_LINES: Final = 200_000
"""For one sale and host: more than two days of updates, one a second."""
PUSHED_AT_ONCE: Final = 500
LONGEST_LINE_BYTES: Final = 262_144


class JournalFile:
    """Follows a journal through its rotations; whole lines only."""

    def __init__(self, path: Path) -> None:
        self.host = ""
        """Whose journal it is; "" while no `start` record was seen."""
        self.begun = b""
        """The `start` record of the daemon that wrote the first of the recent lines; "" where that is not known."""
        self.recent: deque[tuple[int, bytes]] = deque(maxlen=LINES_BEFORE)
        """The newest lines, each with a running number."""
        self.count = 0
        self._path = path
        self._file: IO[bytes] | None = None
        self._half = b""

    def read_on(self) -> None:
        """Read what was written since; a journal that is not there is read when it comes."""
        if self._file is None:
            self._read_older()
            self._open()
        while self._file is not None:
            self._take(self._file.read())
            if not self._was_rotated():
                return
            self._take(self._file.read())
            self._file.close()
            self._open()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def after(self, number: int) -> list[tuple[int, bytes]]:
        """The recent lines with a larger running number."""
        newer = min(self.count - number, len(self.recent))
        return list(islice(self.recent, len(self.recent) - newer, None)) if newer > 0 else []

    def _open(self) -> None:
        self._half = b""
        try:
            self._file = self._path.open("rb")
        except OSError:
            self._file = None

    def _was_rotated(self) -> bool:
        assert self._file is not None
        try:
            now, ours = self._path.stat(), os.fstat(self._file.fileno())
        except OSError:
            return False
        return (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino)

    def _read_older(self) -> None:
        """The file before the current one may have the `start` record and the lines just before."""
        try:
            self._take(self._path.with_name(self._path.name + ".1").read_bytes())
        except OSError:
            return
        self._half = b""

    def _take(self, data: bytes) -> None:
        *lines, self._half = (self._half + data).split(b"\n")
        for line in lines:
            if len(line) > LONGEST_LINE_BYTES:
                continue
            self.count += 1
            if len(self.recent) == LINES_BEFORE and _is(self.recent[0][1], "start"):
                self.begun = self.recent[0][1]
            self.recent.append((self.count, line))
            if _is(line, "start"):
                self._note_host(line)

    def _note_host(self, line: bytes) -> None:
        try:
            host = json.loads(line)["host"]
        except (ValueError, KeyError, TypeError):
            return
        if isinstance(host, str) and is_id(host):
            self.host = host


class Piece(NamedTuple):
    """Some lines for a sale, each with its running number in the journal, and the number that the first gets."""

    key: str
    first: int
    lines: list[tuple[int, bytes]]

    def call(self) -> Call:
        """The script call that hands them in. Repeats do nothing."""
        return "push", [self.key], [str(self.first), *(word for _, line in self.lines for word in (line, b""))]


class JournalDelivery:
    """One host's journal lines of one sale, in its region's store."""

    def __init__(self, store: Store, sale: SaleId, journal: JournalFile) -> None:
        self._store = store
        self._sale = sale
        self._journal = journal
        self._handed_in = -1
        """How many lines the store has; −1 while that is not known."""
        self._last = 0
        """The running number of the last line that was handed in."""
        self._full = False

    async def next_piece(self) -> Piece | None:
        """What the journal has grown by, or the first of it; None where the store has all.

        Raises:
            redis.exceptions.RedisError: the store does not answer.
        """
        if not self._journal.host or self._full:
            return None
        key = keys.journal(self._sale, self._journal.host)
        lines = await self._first(key) if self._handed_in < 0 else self._journal.after(self._last)
        return Piece(key, self._handed_in + 1, lines[:PUSHED_AT_ONCE]) if lines else None

    def note_kept(self, piece: Piece, count: int) -> bool:
        """A piece was handed in; the store has so many lines now. Returns whether there is any use in going on."""
        if count != piece.first + len(piece.lines) - 1:
            self._handed_in = -1  # another notary of this host is at work: see how far it came, next time
            return False
        self._handed_in, self._last = count, piece.lines[-1][0]
        if self._handed_in > MOST_LINES:
            self._full = True
            _log.error("clock journal of a sale is too long: the rest is not kept", sale=self._sale, lines=MOST_LINES)
        return True

    async def _first(self, key: str) -> list[tuple[int, bytes]]:
        """What to hand in first: all that is at hand, or what follows the lines that are there already. Nothing, and
        asked again, where these are ahead of us: another notary of this host has read on."""
        store: Any = self._store
        await store.sadd(keys.journals(self._sale), self._journal.host)
        newest = await store.xrevrange(key, count=LINES_BEFORE)
        there = [fields[keys.LINE] for _, fields in reversed(newest)]
        lines = list(self._journal.recent)
        length = int(newest[0][0].partition(b"-")[0]) if newest else 0
        if there:
            known = handed_in(there, [line for _, line in lines])
            if known is None:
                return []
            self._handed_in = length
            self._last = lines[known - 1][0] if known else 0
            return lines[known:]
        self._handed_in = 0
        return from_a_beginning(self._journal.begun, lines)


async def hand_in(lane: Lane, deliveries: Sequence[JournalDelivery]) -> None:
    """Hand in what the journal has grown by, for all sales together: the store syncs once for what travels together.

    Raises:
        redis.exceptions.RedisError, OSError: the store does not answer, or has something else in a journal's place.
    """
    while deliveries:
        pieces = [(delivery, piece) for delivery in deliveries if (piece := await delivery.next_piece()) is not None]
        replies = await lane.call([piece.call() for _, piece in pieces]) if pieces else []
        deliveries = []
        for (delivery, piece), reply in zip(pieces, replies, strict=True):
            if isinstance(reply, RedisError):
                raise reply
            if delivery.note_kept(piece, int(reply)):
                deliveries.append(delivery)


def from_a_beginning(begun: bytes, lines: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The lines from which an auditor can compute on: from a `start` on, or from a `state` with its daemon's `start`
    ahead of it.

    Args:
        begun: the `start` of the daemon that wrote the first line; b"" where that is not known.
    """
    starts = [at for at, (_, line) in enumerate(lines) if _is(line, "start")]
    if not begun:
        return lines[starts[0] :] if starts else lines
    states = [at for at, (_, line) in enumerate(lines) if _is(line, "state") and at < min(starts, default=len(lines))]
    return lines if starts[:1] == [0] else [(0, begun), *lines[states[0] if states else 0 :]]


def _is(line: bytes, kind: str) -> bool:
    """Whether a line of a journal is a record of this type."""
    return f'"type":"{kind}"'.encode() in line


def handed_in(there: Sequence[bytes], ours: Sequence[bytes]) -> int | None:
    """How many of our lines a store has, of whose newest lines we see some; None where it has lines that we have not
    read yet.

    Two lines may be equal, so it is runs of them that are laid upon each other: what is there ends with our first n.
    A `start` record, which is put ahead of an excerpt, follows nothing. Where no run fits, all of ours is new: the
    notary was away for longer than it remembers.
    """
    for known in range(len(ours), 0, -1):
        if all(one == other for one, other in zip(reversed(there), reversed(ours[:known]), strict=False)):
            return known
        if b'"type":"start"' in there[0] and list(there[1:]) == list(ours[max(0, known - len(there) + 1) : known]):
            return known
    is_ahead = len(ours) > 0 and ours[-1] in there
    return None if is_ahead else 0
