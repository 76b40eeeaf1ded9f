"""A process of ours that is asked one line of JSON at a time. Decides nothing.

It is ended when it outlives its time and when whoever asks is done or interrupted; it ends by itself when its standard
input does. So nothing outlives `firstcome prove`. An interrupt at the terminal is for the one who asks, who ends it.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from threading import Timer
from types import TracebackType
from typing import Any, NoReturn, Protocol, Self, TextIO, TypeAlias

Answering: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""What a process makes of a question."""


class Running(Protocol):
    """What is needed of a process that runs; `subprocess.Popen` has it."""

    @property
    def stdin(self) -> Any: ...

    @property
    def stdout(self) -> Any: ...

    def kill(self) -> None:
        """End it now; nothing where it has ended."""

    def communicate(self) -> object:
        """Wait for its end."""


class LineProcess:
    """Started when first asked, if not before, and again after it died."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._process: Running | None = None

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

    def begin(self) -> None:
        """Start it now, not when it is first asked."""
        self._process = self._process or self._start()

    def _start(self) -> Running:
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


class CopiedProcess(LineProcess):
    """A copy of this process as it is when the copy begins: it knows all that was built here, and builds
    nothing anew. Nobody else's work is to be under way here meanwhile: a copy has only the thread that made it."""

    def __init__(self, answer: Answering) -> None:
        super().__init__([])
        self._answer = answer

    def _start(self) -> Running:
        return _Copy(self._answer)


class _Copy:
    """A process forked from this one, with a pipe each way."""

    def __init__(self, answer: Answering) -> None:
        asked, asking = os.pipe()
        answered, answering = os.pipe()
        self._ended = False
        self._number = os.fork()
        if self._number == 0:
            _be_a_copy(answer, (asking, answered), os.fdopen(asked), os.fdopen(answering, "w"))
        os.close(asked)
        os.close(answering)
        self.stdin, self.stdout = os.fdopen(asking, "w"), os.fdopen(answered)

    def kill(self) -> None:
        if not self._ended:
            os.kill(self._number, signal.SIGKILL)

    def communicate(self) -> None:
        os.waitpid(self._number, 0)
        self._ended = True
        self.stdout.close()
        with suppress(BrokenPipeError):  # what it was asked last did not all reach it
            self.stdin.close()


def _be_a_copy(answer: Answering, others: tuple[int, ...], questions: TextIO, answers: TextIO) -> NoReturn:
    """Whatever happens, a copy never goes on with what the original was doing."""
    status = 1
    try:
        gc.freeze()  # what was built is neither looked through nor copied
        for end in others:
            os.close(end)
        answer_lines(answer, questions, answers)
        status = 0
    except BaseException:  # noqa: BLE001  (told, and then it ends as any process does)
        traceback.print_exc()
    finally:
        os._exit(status)


def answer_lines(answer: Answering, questions: TextIO = sys.stdin, answers: TextIO = sys.stdout) -> None:
    """The other side: answer what comes, on standard input or elsewhere, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in questions:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()
