"""The program of docs/client.md runs as written, and so does each recipe: as programs of their own, which know of the
gateway only what its user knows.
"""

import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from proofs.audit import audit

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "client.md").read_text()
DEADLINE_SECONDS = 240.0


def run(script: Path, by_hand: dict[str, str], folder: Path) -> list[str]:
    """What a program prints, line by line; it must end well."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        env=by_hand,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
    return ran.stdout.splitlines()


def test_the_examples_of_the_page_are_a_program(by_hand: dict[str, str], tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) >= 8
    (tmp_path / "page.py").write_text("\n".join(blocks))
    told = run(tmp_path / "page.py", by_hand, tmp_path)
    assert any(line.startswith("sold out, by decision") for line in told)
    assert any(line.startswith("404 unknown_sale") for line in told)
    assert audit(tmp_path / "shoes.zip").findings == ()


def test_the_flash_sale_runs_and_its_bundle_is_sound(by_hand: dict[str, str], tmp_path: Path) -> None:
    told = run(ROOT / "examples" / "flash_sale.py", by_hand, tmp_path)
    assert [line.split(":")[0] for line in told if line.startswith("rank")] == [f"rank {rank}" for rank in range(10)]
    (came,) = [line.split() for line in told if line.endswith("lost: sold_out")]
    (late,) = [line.split() for line in told if line.endswith("pressed when all was gone")]
    assert (int(came[0]), int(came[3]) + int(late[0])) == (10, 290)
    (bundle,) = tmp_path.iterdir()
    assert audit(bundle).findings == ()
    assert "outcomes.jsonl" in ZipFile(bundle).namelist()


def test_the_auction_clears_at_one_price(by_hand: dict[str, str], tmp_path: Path) -> None:
    """ann 85, cem 70 and dan's second 90 win; ben's 60 is the highest that lost."""
    told = run(ROOT / "examples" / "auction.py", by_hand, tmp_path)
    won = {line.split(" ", 1)[0]: line.rpartition(" ")[2] for line in told if "has seat" in line}
    assert won == {"ann": "60.00", "cem": "60.00", "dan": "60.00"}
    assert "ben bid 60.00 EUR: outbid" in told
    assert "dan bid 65.00 EUR: duplicate" in told
    assert any(line.startswith("eve: ") and "4000" in line for line in told)
    assert any(line.startswith("ann: ") and "EUR" in line for line in told)


def test_the_reservation_goes_to_who_pays(by_hand: dict[str, str], tmp_path: Path) -> None:
    told = run(ROOT / "examples" / "reservation.py", by_hand, tmp_path)
    assert told[0].startswith("ada: held until ")
    assert told[1].startswith("bob: waiting, 0 ahead, knows by ")
    assert told[2].startswith("cem: waiting, 1 ahead, knows by ")
    assert told[3].startswith("dan: ")
    assert "ada cannot pay, and gives the table back" in told
    assert "bob has the table: the money is taken" in told
    assert "cem: lost, sold_out" in told
