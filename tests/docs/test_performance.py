"""The commands of docs/performance.md run as written, and every benchmark that they name is there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from service.bench.catalogue import BENCHMARKS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "performance.md").read_text()
COMMANDS = re.findall(r"^\$ (.*)$", TEXT, re.MULTILINE)


def test_the_commands_name_what_there_is() -> None:
    assert "make bench" in COMMANDS
    assert re.search(r"^bench:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    names = {benchmark.name for benchmark in BENCHMARKS}
    named = {name for command in COMMANDS for name in re.findall(r"--only (\S+)", command)}
    assert named
    assert named <= names


def test_files_that_are_named_exist() -> None:
    for path in re.findall(r"`(service/[a-z_/]+\.py)`", TEXT):
        assert (ROOT / path).exists(), path


def test_a_quick_benchmark_runs_as_written(tmp_path: Path) -> None:
    command = next(command for command in COMMANDS if command.endswith("--quick"))
    program, *words = shlex.split(command)
    ran = subprocess.run(
        [Path(sys.executable).parent / program, *words, "--json", "figures.json", "--plots", "plots"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Python 3." in ran.stdout
    (found,) = json.loads((tmp_path / "figures.json").read_text())["benchmarks"].values()
    assert all(shown["low"] <= shown["median"] <= shown["high"] for shown in found["figures"])
    assert (tmp_path / "plots").is_dir()
