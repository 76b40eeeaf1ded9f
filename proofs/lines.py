"""A process of ours that is asked one line of JSON at a time. Decides nothing.

It is ended when it outlives its time and when whoever asks is done or interrupted; it ends by itself when its standard
input does. So nothing outlives `firstcome prove`. An interrupt at the terminal is for the one who asks, who ends it.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from threading import Timer
from types import TracebackType
from typing import Any, Self


class LineProcess:
    """Started when first asked, and again after it died."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def exchange(self, question: dict[str, Any], within_s: float) -> dict[str, Any] | None:
        """Its reply; None when it died or had to be ended."""
        process = self._process = self._process or self._start()
        overdue = Timer(within_s, process.kill)
        overdue.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            reply = process.stdout.readline()
        except (BrokenPipeError, ValueError):
            reply = ""
        finally:
            overdue.cancel()
        if not reply:
            self.end()
            return None
        said: dict[str, Any] = json.loads(reply)
        return said

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def interrupt(self) -> None:
        """From another thread: whoever waits for a reply gets none."""
        process = self._process
        if process is not None:
            process.kill()

    def end(self) -> None:
        """End it now; the next question starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def answer_lines(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """The other side: answer what comes on standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()
