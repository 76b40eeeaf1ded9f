"""Counts of several processes that serve one port, so that whichever answers tells what all of them have done.

Each process has a file in a folder of theirs: some integers, written over as a whole once a second and when asked.
The file is held by a lock for as long as its process lives. A process that is started in place of a dead one takes
over its file and goes on counting from there, so what monitoring adds up never goes backwards; a process that is
killed takes at most a second of counts with it.

Why not the client library's multiprocess mode: it writes to a mapped file at each increment, which would cost a
purchase several times of what it may pay, and its gauges of dead processes stay.
"""

import fcntl
import os
import zlib
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_PROCESSES: Final = 64
_HEADER_WORDS: Final = 1


class SharedCountsError(Exception):
    """The folder cannot be used. The message says which and why."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one process has counted. `is_alive` says whether it still runs."""

    number: int
    is_alive: bool
    counts: list[int]


class SharedCounts:
    """The counts of one process among those of its port.

    Args:
        folder: where they all keep them; made where it is missing.
        layout: the names of the counts in their order: processes of another version do not mix with ours.

    Raises:
        SharedCountsError: the folder cannot be written, or there are too many processes.
    """

    def __init__(self, folder: Path, layout: tuple[str, ...]) -> None:
        self._folder, self._words = folder, len(layout)
        self._version = zlib.crc32("\n".join(layout).encode())
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.number, self._file = self._take_place()
        except OSError as error:
            raise SharedCountsError(f"counts cannot be kept in {folder}: {error.strerror}") from error

    def _take_place(self) -> tuple[int, int]:
        for number in range(MOST_PROCESSES):
            file = os.open(self._folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            return number, file
        raise OSError(0, f"more than {MOST_PROCESSES} processes")

    def found(self) -> list[int] | None:
        """What this file's process had counted before, the predecessor of ours; None where there was none."""
        return self._read(self._file)

    def write(self, counts: list[int]) -> None:
        """Tell the others. One write of the whole, so that nobody reads half of it."""
        os.pwrite(self._file, array("q", [self._version, *counts]).tobytes(), 0)

    def read_all(self) -> list[Told]:
        """What every process has counted, also those that are gone."""
        told = []
        for number in range(MOST_PROCESSES):
            try:
                file = os.open(self._folder / str(number), os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                break
            try:
                counts = self._read(file)
                if counts is not None:
                    told.append(Told(number, number == self.number or _is_held(file), counts))
            finally:
                os.close(file)
        return told

    def close(self) -> None:
        """Let go of the file; what was counted stays there."""
        os.close(self._file)

    def _read(self, file: int) -> list[int] | None:
        words = array("q")
        data = os.pread(file, (_HEADER_WORDS + self._words) * words.itemsize, 0)
        if len(data) < (_HEADER_WORDS + self._words) * words.itemsize:
            return None
        words.frombytes(data)
        return list(words[_HEADER_WORDS:]) if words[0] == self._version else None


def _is_held(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False
