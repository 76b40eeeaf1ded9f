"""The commands in the documentation run as written: README's session by hand, and every make target that is named."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DEADLINE_SECONDS = 60.0


def commands(block: str) -> list[str]:
    """The commands of a console block."""
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


BLOCKS = [commands(block) for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)]


@pytest.fixture
def by_hand(tmp_path: Path) -> Iterator[dict[str, str]]:
    """`firstcome serve` as README starts it, and the environment of the other terminal."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "FIRSTCOME_SERVE_LISTEN": address,
        "FIRSTCOME_GATEWAY": f"http://{address}",
    }
    serve = next(command for block in BLOCKS for command in block if command == "firstcome serve")
    with (tmp_path / "serve.log").open("wb") as log:
        served = subprocess.Popen(shlex.split(serve), cwd=tmp_path, env=environment, stderr=log, stdout=log)
    try:
        yield {**environment, "FIRSTCOME_TOKEN": _token(tmp_path / "serve.log")}
    finally:
        served.send_signal(signal.SIGINT)
        served.wait(DEADLINE_SECONDS)


def _token(log: Path) -> str:
    """The token that serve printed, once its gateway listens."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        text = log.read_text(errors="replace")
        found = re.search(r"^export FIRSTCOME_TOKEN=(\S+)$", text, re.MULTILINE)
        if found and "gateway listens" in text and "region reached" in text:
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text(errors="replace"))


def test_a_sale_by_hand_goes_as_the_readme_says(by_hand: dict[str, str], tmp_path: Path) -> None:
    block = next(block for block in BLOCKS if any("sale publish" in command for command in block))
    script = "\n".join(
        [f"{command} && echo 'status 0' || echo 'status 1'" if "bob" in command else command for command in block]
    )
    ran = subprocess.run(
        ["bash", "-euc", script],
        cwd=tmp_path,
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
