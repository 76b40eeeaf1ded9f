"""The commands of docs/compare.md and README's comparison: the quick one runs as written, the others are understood."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from service.compare.methods import METHODS
from service.compare.scene import SCENES
from service.compare.tables import SUMMARY_COLUMNS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "compare.md").read_text()
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^\$ (firstcome compare.*)$", TEXT + README, re.MULTILINE)

BLOCKS = re.findall(r"^```[a-z]*\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_quick_comparison_runs_as_written(tmp_path: Path) -> None:
    command = next(command for command in COMMANDS if "--quick" in command)
    program, *words = shlex.split(command)
    ran = subprocess.run(
        [Path(sys.executable).parent / program, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    for method in METHODS.values():
        assert method.title in ran.stdout
    assert json.loads((tmp_path / "compare.json").read_text())["format"] == "firstcome-compare/1"
    assert "<h1>" in (tmp_path / "compare.html").read_text()
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "compare-plots").iterdir())


def test_the_flags_that_are_named_exist() -> None:
    shown = subprocess.run(
        [Path(sys.executable).parent / "firstcome", "compare", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for flag in {flag for command in COMMANDS for flag in re.findall(r"--[a-z]+", command)}:
        assert flag in shown


def test_every_scene_is_told() -> None:
    for scene in SCENES:
        units = f"{scene.stock} |"
        assert any(f"{scene.buyers:,}".replace(",", " ") in line and units in line for line in TEXT.splitlines())


def test_the_readme_shows_every_method_and_how_to_see_it_again() -> None:
    block = next(block for block in BLOCKS if "far region wins" in block)
    for column in SUMMARY_COLUMNS:
        assert column.split("\n")[0] in block
    for method in METHODS.values():
        assert f"│ {method.title} " in block
    assert any("--seed" in command for command in COMMANDS)
