"""Sales at the door under hostile schedules: never more than the stock, nothing on its way for ever. On both servers.

`FIRSTCOME_SCHEDULES=30000 pytest -s tests/service/store/test_hostile.py` runs so many on each, in minutes, and says
what was reached.
"""

import os
from collections import Counter

import pytest
import redis
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.service.store.hostile import STATES, Schedule, play

TOGETHER = 32
"""Schedules that run side by side."""
SCHEDULES = int(os.environ.get("FIRSTCOME_SCHEDULES", "320"))


@pytest.mark.timeout(120 + SCHEDULES)
def test_never_more_than_the_stock_and_nothing_stuck(client: redis.Redis) -> None:
    reached: Counter[str] = Counter()
    played = Counter[str]()

    @settings(max_examples=max(1, SCHEDULES // TOGETHER), deadline=None, phases=[Phase.generate])
    @given(st.lists(st.binary(min_size=60, max_size=160), min_size=TOGETHER, max_size=TOGETHER))
    def run(rows: list[bytes]) -> None:
        client.flushall()
        play(client, [Schedule(f"s{number}", row, reached) for number, row in enumerate(rows)])
        played["schedules"] += len(rows)

    run()
    print(
        f"{played['schedules']} schedules:", ", ".join(f"{state} {times}" for state, times in sorted(reached.items()))
    )
    missing = STATES - {state for state, times in reached.items() if times}
    if missing:
        pytest.fail(f"never reached: {', '.join(sorted(missing))}")
