"""What does it cost to check a finished sale? The shipped command on bundles of a million signed requests.

Twice: of a sale that was decided as entries came, and of a lobby, where all of them wait at once and the replay has to
know every one. Beside it, in the same round, the floor: the hash chain alone, which no audit can avoid, in a bare loop.
The command runs as an operator would run it, on as many processors as there are.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

from service.bench.frame import BenchmarkError, Effort, Found, Reading, Rival, take_turns

REQUESTS: Final = 999_999
QUICK_REQUESTS: Final = 9_999
WALL: Final = "seconds"
SPEED: Final = "requests audited"
PROCESSOR: Final = "processor time a request"
PEAK: Final = "peak memory of the largest process"
FLOOR: Final = "the hash chain alone"
_CHAINED: Final = 200_000


def measure(effort: Effort) -> Found:
    """Both sales in turn, and the floor."""
    requests = QUICK_REQUESTS if effort.quick else REQUESTS
    effort = Effort(min(effort.rounds, 3), effort.seconds, effort.quick, effort.tell)
    names = {False: f"{requests:,} requests as they come", True: f"{requests:,} requests that wait in a lobby"}
    with tempfile.TemporaryDirectory(prefix="firstcome-bench-") as folder:
        bundles = {lobby: Path(folder) / ("lobby" if lobby else "open") for lobby in names}
        for lobby, bundle in bundles.items():
            effort.tell(f"making the bundle of {names[lobby]}")
            # In a process of its own: the kernel reckons what a child's parent held to the child's peak.
            made = [sys.executable, "-m", "service.bench.bundle_stage", str(bundle), str(requests), bundle.name]
            subprocess.run(made, check=True)
        rivals = [Rival(names[lobby], partial(_audit, bundle, requests)) for lobby, bundle in bundles.items()]
        rounds = take_turns([*rivals, Rival(FLOOR, _chain)], effort)
    goals = {(False, WALL): "≤ 20 on two quiet processors", (False, PEAK): "≤ 500", (True, PEAK): "≤ 500"}
    figures = [
        rounds.figure(name, what, goals.get((lobby, what), ""))
        for lobby, name in names.items()
        for what in (WALL, SPEED, PROCESSOR, PEAK)
    ]
    figures.append(rounds.figure(FLOOR, PROCESSOR))
    figures += [
        rounds.ratio(f"{name} against the hash chain alone", (name, PROCESSOR), (FLOOR, PROCESSOR))
        for name in names.values()
    ]
    return Found(
        figures,
        [
            f"three regions, twelve hosts with a clock journal each, stock a hundredth; {os.cpu_count()} processors",
            "processor time is of all processes together; logs, journals and the replay are read side by side",
        ],
    )


def _audit(bundle: Path, requests: int) -> list[Reading]:
    """One audit of a bundle, by the shipped command.

    Raises:
        BenchmarkError: it found something wrong.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as told:
        command = [sys.executable, "-m", "service.command", "audit", str(bundle), "--json"]
        child = subprocess.Popen(command, stdout=told)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        told.seek(0)
        if child.returncode != 0 or json.load(told)["requests"] != requests:
            raise BenchmarkError("the audit of a sound bundle failed")
    used = usage.ru_utime + usage.ru_stime
    return [
        Reading(WALL, wall, "s"),
        Reading(SPEED, requests / wall, "requests/s"),
        Reading(PROCESSOR, used / requests * 1e6, "µs"),
        Reading(PEAK, usage.ru_maxrss / 1024, "MiB"),
    ]


def _chain() -> list[Reading]:
    line, digest, sha256 = b"x" * 205, bytes(32), hashlib.sha256
    began = time.process_time()
    for _ in range(_CHAINED):
        digest = sha256(digest + line).digest()
    return [Reading(PROCESSOR, (time.process_time() - began) / _CHAINED * 1e6, "µs")]
