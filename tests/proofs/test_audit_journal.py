"""Clock journals: what the daemon wrote is computed again to the nanosecond, and what somebody else wrote is found."""

from pathlib import Path

import pytest

from proofs.audit.journal import read_journal
from tests.proofs.journals import JournalledWorld, line_of

UTC_NS = 1_795_809_600_000_000_000


@pytest.mark.parametrize("seed", range(60))
def test_whatever_befell_a_host_its_journal_comes_out_again(tmp_path: Path, seed: int) -> None:
    world = JournalledWorld(seed, tmp_path / "page", wander_times=1 + 20 * (seed % 3 == 0))
    world.run(60)
    said = list(read_journal("clocks/h.jsonl", "h", map(line_of, world.journal)))
    assert all(each.is_recomputed for each in said)
    assert len(said) == sum(record["type"] != "start" for record in world.journal)
