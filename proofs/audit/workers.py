"""Parts of an audit that do not hang on each other, side by side: each in a forked child, which sends its result back.

A child sees everything that was established so far, since a fork has all of its parent's memory, and changes nothing of
it; what it returns is all that comes back. Hashes of names agree between children, since they share the parent's seed.
Nothing is gained where there is one processor or little to read; and two processes cannot read one zip, whose place in
the file they would share. Then the parts are done one after the other, right here, with the same results.
"""

import os
import pickle
import select
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from proofs.audit.case import Case

WORTH_BYTES: Final = 1 << 26
"""To be read at least, or forking takes longer than it saves."""
MOST_WORKERS: Final = 4
"""More say little: there are as many parts as regions, and one to replay the decisions."""
_PIECE_BYTES: Final = 1 << 20

Part = TypeVar("Part")


def side_by_side(case: Case, parts: Sequence[Callable[[], Part]]) -> list[Part]:
    """What every part returns, in their order. The longest should come first."""
    workers = min(_processors(), MOST_WORKERS, len(parts))
    if (
        workers < 2
        or not case.bundle.may_be_shared
        or sum(map(case.bundle.size_bytes, case.bundle.names)) < WORTH_BYTES
    ):
        return [part() for part in parts]
    results: dict[int, Part] = {}
    waiting, running = list(enumerate(parts)), dict[int, tuple[int, int, bytearray]]()
    while waiting or running:
        while waiting and len(running) < workers:
            at, part = waiting.pop(0)
            child, pipe = _fork(part)
            running[pipe] = at, child, bytearray()
        for pipe in select.select(list(running), [], [])[0]:
            at, child, sent = running[pipe]
            piece = os.read(pipe, _PIECE_BYTES)
            sent += piece
            if not piece:
                os.close(pipe)
                del running[pipe]
                status = os.waitpid(child, 0)[1]
                # A child that was ended from outside, for its memory perhaps, is made up for here.
                results[at] = pickle.loads(sent) if status == 0 else parts[at]()
    return [results[at] for at in range(len(parts))]


def _fork(part: Callable[[], Any]) -> tuple[int, int]:
    """A child that does a part; its process id and where its result comes out."""
    out, into = os.pipe()
    child = os.fork()
    if child:
        os.close(into)
        return child, out
    status = 1
    try:
        os.close(out)
        with os.fdopen(into, "wb") as pipe:
            pickle.dump(part(), pipe, protocol=pickle.HIGHEST_PROTOCOL)
        status = 0
    finally:
        os._exit(status)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "fork") else 1
