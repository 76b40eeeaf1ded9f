"""One `firstcome serve`, as README starts it, for every page whose commands and programs are run as written."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.world.ports import free_port
from tests.patience import until

DEADLINE_SECONDS = 60.0


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that it was started in; what it prints is in `serve.log`."""
    folder = tmp_path_factory.mktemp("served")
    address = f"127.0.0.1:{free_port()}"
    (folder / "address").write_text(address)
    environment = {**os.environ, "PATH": path(), "FIRSTCOME_SERVE_LISTEN": address}
    with (folder / "serve.log").open("wb") as log:
        serve = subprocess.Popen(shlex.split("firstcome serve"), cwd=folder, env=environment, stderr=log, stdout=log)
    try:
        _token(folder / "serve.log")
        yield folder
    finally:
        serve.send_signal(signal.SIGINT)
        serve.wait(DEADLINE_SECONDS)


@pytest.fixture
def by_hand(served: Path) -> dict[str, str]:
    """The environment of the other terminal."""
    gateway = f"http://{(served / 'address').read_text()}"
    token = _token(served / "serve.log")
    return {**os.environ, "PATH": path(), "FIRSTCOME_GATEWAY": gateway, "FIRSTCOME_TOKEN": token}


def path() -> str:
    """Where commands are found: ours first."""
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def _token(log: Path) -> str:
    """The token that serve printed, once its gateway listens."""

    def told() -> str | None:
        text = log.read_text(errors="replace")
        found = re.search(r"^export FIRSTCOME_TOKEN=(\S+)$", text, re.MULTILINE)
        return found[1] if found and "gateway listens" in text and "region reached" in text else None

    return str(until(told, DEADLINE_SECONDS, f"a token in {log}"))
