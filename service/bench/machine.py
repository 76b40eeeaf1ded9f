"""On what something was measured: a figure without its machine and its commit says nothing."""

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and with what a benchmark ran."""

    commit: str
    processor: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    load_before: float
    """Processes that wanted a core just before, on average over a minute: a quiet machine says less than 0.5."""


def this_machine() -> Machine:
    """This machine, and the commit that is checked out; "unknown" for what cannot be told."""
    return Machine(
        commit=_commit(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        load_before=round(os.getloadavg()[0], 2),
    )


def _commit() -> str:
    """The commit, with a + where the tree has changes."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--abbrev=12", "--dirty=+"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return " ".join(value.split())
    return platform.machine() or "unknown"
