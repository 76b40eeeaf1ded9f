"""A verb whose reader goes away."""

import subprocess
import sys

from service.command.terminal import CUT_SHORT


def test_who_stops_reading_hears_no_verdict_and_no_stack_trace() -> None:
    printing = "from service.command.terminal import Terminal\nfor _ in range(10_000):\n    Terminal().print('sound')"
    with subprocess.Popen([sys.executable, "-c", printing], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == b"sound\n"
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == CUT_SHORT
