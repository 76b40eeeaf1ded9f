"""Children do not outlive their parent, whenever that is killed."""

import subprocess
import sys
from pathlib import Path

from tests.patience import until
from tests.service.processes import processes_with

PARENT = """
import os, subprocess, time
from service import processes

def dawdle():
    os.write(1, b"forked\\n")
    time.sleep(0.3)

os.register_at_fork(after_in_child=dawdle)
processes.start(["tail", "-f", "{folder}/nothing"], output=subprocess.DEVNULL)
"""


def test_a_child_whose_parent_is_killed_before_it_has_asked_to_be_told_ends(tmp_path: Path) -> None:
    """It is made slow between the two, or that would take a millisecond and seldom be met."""
    (tmp_path / "nothing").touch()
    words = [sys.executable, "-c", PARENT.format(folder=tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"forked\n"
        parent.kill()
    until(lambda: not processes_with(str(tmp_path)))
