"""Many simulated worlds: every interval that a reader was given contains true time, without exception.

`CLOCKD_WORLDS=200000 pytest -s tests/clockd/test_worlds.py` for a long run; it prints how many intervals it checked.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clockd.worlds import World

WORLDS = int(os.environ.get("CLOCKD_WORLDS", "150"))
FIRST_SEED = int(os.environ.get("CLOCKD_FIRST_SEED", "0"))


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Path]:
    """A file in memory where there is such a thing: a world writes a page a second."""
    shared = Path("/dev/shm")
    path = (shared if shared.is_dir() else tmp_path) / f"clockd-worlds-{os.getpid()}"
    yield path
    path.unlink(missing_ok=True)


def test_every_interval_in_every_world_contains_true_time(page: Path) -> None:
    given = checked = 0
    happened: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + WORLDS):
        page.unlink(missing_ok=True)
        world = World(seed, page)
        world.run(12)
        assert world.violated == 0, f"world {seed}: {world.violated} intervals without the truth; {world.events}"
        given, checked = given + world.given, checked + world.checked
        happened.update(world.events)
    print(f"{WORLDS} worlds, {given} intervals given, {checked} asked for or published; {dict(happened)}")
    assert given > WORLDS * 15
    assert {"step", "suspend", "restart", "torn", "reboot", "leap"} <= set(happened)


def test_the_worlds_are_hard_enough_to_catch_a_statement_that_is_false(page: Path) -> None:
    violated = 0
    for seed in range(80):
        page.unlink(missing_ok=True)
        world = World(seed, page, wander_times=1000)
        world.run(12)
        violated += world.violated > 0
    assert violated > 5
