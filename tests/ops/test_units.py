"""The systemd units: well formed, hardened, and asking our commands for flags that they have."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import clockd.command
import service.command.main
from tests.ops.test_rules import OPS, run, tool

UNITS = sorted((OPS / "units").glob("*.service"))
BIN = Path(sys.executable).parent
EXPOSED_AT_MOST = 25
"""By `systemd-analyze security`, of 100 (it shows a tenth); a service without any hardening has 96."""


def installed(path: Path, folder: Path) -> Path:
    """The unit as it would be where our programs are in this environment."""
    unit = folder / path.name
    unit.write_text(path.read_text().replace("/opt/firstcome/bin", str(BIN)))
    return unit


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_it_is_well_formed(path: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", str(installed(path, tmp_path))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    ours = [line for line in ran.stderr.splitlines() if path.name in line]
    assert not ours, ran.stderr


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_it_is_hardened(path: Path) -> None:
    run(tool("systemd-analyze"), "security", "--offline=true", f"--threshold={EXPOSED_AT_MOST}", path)
    text = path.read_text()
    assert re.search(r"^User=(clockd|firstcome)$", text, re.MULTILINE)
    assert "NoNewPrivileges=yes" in text


def test_clockd_is_watched_by_the_service_manager() -> None:
    text = (OPS / "units" / "clockd.service").read_text()
    assert "Type=notify" in text
    assert "WatchdogSec=" in text


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_its_command_takes_those_flags(path: Path) -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", path.read_text(), re.MULTILINE)
    program, *words = shlex.split(line)
    app = typer.main.get_command(clockd.command.app if program.endswith("clockd") else service.command.main.app)
    known = {word for option in app.params for word in option.opts}
    verb = next(app.commands[word] for word in words if word in app.commands)
    known |= {word for option in verb.params for word in option.opts}
    assert {word for word in words if word.startswith("--")} <= known
