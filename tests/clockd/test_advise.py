"""What journals advise, on one made by hand whose parts are known, and on a real one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clockd.advise import Piece, advise, pieces, read_journal, weigh
from tests.clockd.conftest import Spawn
from tests.patience import until

SECOND = 1_000_000_000
MS = 1_000_000


def start(at: int, host: str = "here-1") -> dict[str, Any]:
    return {"type": "start", "host": host, "drift_ppb": 0, "wander_ppt_s": 0, "raw_ns": str(at * SECOND)}


def update(at: int, bound_ns: int, rate_bound_ppt: int = 0) -> dict[str, Any]:
    said = {"raw_ns": str(at * SECOND), "utc_minus_raw_ns": "0", "bound_ns": str(bound_ns)}
    return {"type": "update", **said, "rate_ppt": 0, "rate_bound_ppt": rate_bound_ppt, "wander_ppt_s": 0}


HALF_AND_HALF = [start(0), update(10, 1 * MS), update(20, 30 * MS), {"type": "broke", "raw_ns": str(30 * SECOND)},
                 update(35, 1 * MS), update(40, 1 * MS)]  # fmt: skip


def test_time_is_weighed_by_how_long_it_lasted() -> None:
    host = weigh("here-1", list(pieces(HALF_AND_HALF)))
    assert host.covered_ns == 30 * SECOND
    assert host.without_time_part == pytest.approx(5 / 30)
    assert host.refused_part[20 * MS] == pytest.approx(10 / 25)
    assert host.refused_part[50 * MS] == 0
    assert host.warned_part[50 * MS] == pytest.approx(10 / 25)
    assert (host.median_bound_ns, host.worst_bound_ns) == (1 * MS, 30 * MS)


def test_a_bound_grows_until_the_next_update() -> None:
    grown = list(pieces([{**start(0), "drift_ppb": 50_000}, update(0, MS, 50_000_000), update(16, MS, 50_000_000)]))
    assert [piece.lasted_ns for piece in grown] == [SECOND] * 16
    assert grown[0].bound_ns == pytest.approx(1_050_000, abs=2)
    assert grown[-1].bound_ns == pytest.approx(1_800_000, abs=2)


def test_a_dead_daemons_page_holds_for_a_thousand_seconds() -> None:
    found = list(pieces([start(0), update(0, MS), start(1500), update(1501, MS)]))
    assert sum(piece.lasted_ns for piece in found if piece.bound_ns is None) == 501 * SECOND


def test_another_boot_begins_anew() -> None:
    found = list(pieces([start(0), update(5000, MS), update(5010, MS), start(3), update(4, MS), update(6, MS)]))
    assert sum(piece.lasted_ns for piece in found) == 12 * SECOND


def test_the_worst_host_decides() -> None:
    fine, coarse = (weigh(name, [Piece(bound, SECOND)]) for name, bound in (("fine", MS), ("coarse", 9 * MS)))
    assert advise([fine], 0.0).skew_bound_ns == 2 * MS
    found = advise([fine, coarse], 0.0)
    assert (found.skew_bound_ns, found.tie_window_ns, found.intake_grace_ns) == (20 * MS, 40 * MS, 200 * MS)
    assert advise([weigh("lost", [Piece(2 * SECOND, SECOND)])], 0.0).skew_bound_ns is None


def test_older_files_are_read_first(tmp_path: Path) -> None:
    for name, record in (("j", update(2, MS)), ("j.1", update(1, MS)), ("j.2", start(0))):
        (tmp_path / name).write_text(json.dumps(record) + "\n")
    assert [record["raw_ns"] for record in read_journal(tmp_path / "j")] == ["0", str(SECOND), str(2 * SECOND)]


def test_a_real_journal(clockd: Spawn, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    clockd("run", "--local-reference", "--page", str(tmp_path / "page"), "--journal", str(journal), "--host", "here-1")
    until(lambda: journal.exists() and len(journal.read_text().splitlines()) >= 4)

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "clockd", "advise", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    told = ask(str(journal))
    assert told.returncode == 0
    assert "<- recommended" in told.stdout
    found = json.loads(ask(str(journal), "--json").stdout)
    assert found["hosts"][0]["host"] == "here-1"
    assert int(found["tie_window_ns"]) == 2 * int(found["skew_bound_ns"])
    wrong = ask(str(tmp_path / "page"))
    assert wrong.returncode == 2
    assert len(wrong.stderr.splitlines()) == 1
