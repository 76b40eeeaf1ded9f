"""The commands in the documentation run as written: README's session by hand, and every make target that is named."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.conftest import DEADLINE_SECONDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def commands(block: str) -> list[str]:
    """The commands of a console block."""
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


BLOCKS = [commands(block) for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)]


def test_a_sale_by_hand_goes_as_the_readme_says(by_hand: dict[str, str], served: Path) -> None:
    assert any("firstcome serve" in block for block in BLOCKS), "the fixture starts what README says"
    block = next(block for block in BLOCKS if any("sale publish" in command for command in block))
    script = "\n".join(
        [f"{command} && echo 'status 0' || echo 'status 1'" if "bob" in command else command for command in block]
    )
    ran = subprocess.run(
        ["bash", "-euc", script],
        cwd=served,
        env=by_hand,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"state": "won"' in ran.stdout
    assert "Sold out" in ran.stderr
    assert "status 1" in ran.stdout
    assert '"type":"closed"' in ran.stdout
    assert "Every check holds" in ran.stdout


def test_every_make_target_that_is_named_exists() -> None:
    documents = [path.read_text() for path in (*ROOT.glob("*.md"), *ROOT.glob("*/README.md"))]
    named = {target for document in documents for target in re.findall(r"(?:`|\$ )make ([a-z]+)", document)}
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "setup", "proofs", "test"} <= named
    assert named <= known


@pytest.mark.parametrize("document", sorted(path.name for path in ROOT.glob("*.md")))
def test_links_between_documents_lead_somewhere(document: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / document).read_text()):
        assert (ROOT / target).exists(), f"{document} links to {target}"
