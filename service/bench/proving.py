"""How long every proof takes: the shipped command, both solvers, and every mutant of what they rest on.

Beside it, in the same round, the mutants left out: what of the time is the proofs themselves.
"""

import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

from service.bench.frame import BenchmarkError, Effort, Found, Reading, Rival, take_turns

ALL: Final = "every obligation and every mutant"
PROOFS: Final = "the obligations alone"
QUICK: Final = ("--only", "order")
WALL: Final = "seconds"
PROCESSOR: Final = "processor time"


def measure(effort: Effort) -> Found:
    """With mutants and without, in turn."""
    only = QUICK if effort.quick else ()
    effort = Effort(min(effort.rounds, 2), effort.seconds, effort.quick, effort.tell)
    rounds = take_turns(
        [Rival(ALL, partial(_prove, *only)), Rival(PROOFS, partial(_prove, *only, "--no-mutants"))], effort
    )
    return Found(
        [
            rounds.figure(ALL, WALL, "≤ 60 on two quiet processors"),
            rounds.figure(ALL, PROCESSOR),
            rounds.figure(PROOFS, WALL),
            rounds.figure(PROOFS, PROCESSOR),
        ],
        [f"z3 and cvc5, {os.cpu_count()} processors; each process of a solver is new"],
    )


def _prove(*flags: str) -> list[Reading]:
    """One run of the shipped command.

    Raises:
        BenchmarkError: it did not prove everything.
    """
    began, before = time.monotonic(), os.times()
    with tempfile.TemporaryDirectory(prefix="firstcome-bench-") as folder:
        told = Path(folder) / "told"
        with told.open("wb") as output:
            command = [sys.executable, "-m", "service.command", "prove", *flags]
            status = subprocess.run(command, stdout=output, stderr=output, check=False).returncode
        if status != 0:
            raise BenchmarkError(f"not everything was proved: {told.read_text(errors='replace')[-200:]}")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return [Reading(WALL, time.monotonic() - began, "s"), Reading(PROCESSOR, used, "s")]
