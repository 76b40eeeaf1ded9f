"""Child processes that never outlive their parent, also when the parent is killed.

Linux sends a child a signal of its choice when the thread that forked it ends (`PR_SET_PDEATHSIG`), so children are
started from a thread that lives as long as the process. A parent that was killed after the fork and before the child
had asked for the signal is seen by its being gone: then the child ends by itself.
"""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

_PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None, use_errno=True)

END_TIMEOUT_SECONDS: Final = 5.0


def _die_with(parent: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def start(
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    output: IO[Any] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child that ends when this process does.

    Args:
        environment: added to this process's own.
        output: where its standard output and error go; None: where ours go.
    """
    return subprocess.Popen(
        [str(word) for word in command],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        preexec_fn=partial(_die_with, os.getpid()),  # noqa: PLW1509  (system calls, no locks: safe after a fork)
        start_new_session=True,
    )


def end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask children to end, and kill those that do not."""
    for child in children:
        if child.poll() is None:
            child.terminate()
            child.send_signal(signal.SIGCONT)
    for child in children:
        try:
            child.wait(END_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
