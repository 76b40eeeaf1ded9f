"""Code that may not end is given so much of this process's own time, and no more. A busy machine does not matter.

A mutant can loop for ever, in any function: then it says so by an exception, like any other that falls over.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SHORTEST_S = 0.001


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises TimeoutError inside when `seconds` of computing have passed. Limits may lie within each other.

    Only in the main thread: that is where Python has signals.
    """

    def overdue(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError("does not end")

    began = time.process_time()
    handler = signal.signal(signal.SIGVTALRM, overdue)
    left, _ = signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_VIRTUAL, max(left - (time.process_time() - began), SHORTEST_S))
