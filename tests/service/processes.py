"""Which processes run, by what they were started with; and a program whose output is read while it runs."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.patience import until


def is_running(pid: int) -> bool:
    """Whether a process has not ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_with(word: str) -> set[int]:
    """Processes that have a word in their command line, such as a folder that only they use."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes() and is_running(int(path.parent.name)):
                found.add(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class Program:
    """`firstcome` with some words, its output in a file. Use as a context manager."""

    def __init__(self, folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> None:
        self.output = folder / f"output-{len(list(folder.glob('output-*')))}"
        self._words = words
        self._environment = {**os.environ, **(environment or {})}

    def __enter__(self) -> Self:
        with self.output.open("wb") as output:
            command = [sys.executable, "-m", "service.command", *self._words]
            self._child = subprocess.Popen(command, stdout=output, stderr=output, env=self._environment)
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(20)
            finally:
                self._child.kill()
                self._child.wait()

    @property
    def pid(self) -> int:
        return self._child.pid

    def said(self) -> str:
        """All it has said so far."""
        return self.output.read_text()

    def line_with(self, word: str) -> str:
        """The first line that has a word; waits for it."""
        return str(until(lambda: next((line for line in self.said().splitlines() if word in line), "")))

    def end(self, how: signal.Signals) -> int:
        """Send a signal; returns the exit status."""
        self._child.send_signal(how)
        return self._child.wait(20)

    def status(self) -> int:
        """The exit status of a program that ends by itself."""
        return self._child.wait(60)
