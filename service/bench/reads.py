"""Pages that are read while a sale runs: the sale, the list of sales, the clock, the status of a purchase.

They are FastAPI's, on connections that were handed over; what the framework costs when it answers nothing stands
beside them.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from service.bench.frame import Effort, Found, Reading, Rival, take_turns
from service.bench.load import GENERATOR, Asked, all_taken
from service.bench.purchase import NOTHING
from service.bench.stage import plain_store, rival_server, stage

SALE: Final = "a sale"
STATUS: Final = "the status of a purchase"
RATE: Final = "requests/s"


def measure(effort: Effort) -> Found:
    """Each page in turn."""
    with ExitStack() as opened:
        ours = opened.enter_context(stage())
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="firstcome-bench-")))
        nothing, _ = opened.enter_context(
            rival_server(opened.enter_context(plain_store(folder / "store", durable=False)))
        )
        sale = ours.publish()
        _, entry = ours.call("POST", f"/v1/sales/{sale}/purchases", {"buyer": "somebody"})
        ours.end_arbiter()

        def read(path: str) -> list[Reading]:
            asked = Asked(ours.port, path, ours.token, method="GET", purchases=0)
            return all_taken(asked, effort.seconds).readings()

        rounds = take_turns(
            [
                Rival(SALE, lambda: read(f"/v1/sales/{sale}")),
                Rival("the list of sales", lambda: read("/v1/sales")),
                Rival("the clock", lambda: read("/v1/clock")),
                Rival(STATUS, lambda: read(f"/v1/sales/{sale}/purchases/{entry['id']}")),
                Rival(
                    NOTHING,
                    lambda: all_taken(Asked(nothing, "/nothing", purchases=0), effort.seconds).readings(),
                ),
            ],
            effort,
        )
    return Found(
        [
            *rounds.figures(),
            rounds.ratio("a sale's page against FastAPI answering nothing", (SALE, RATE), (NOTHING, RATE)),
            rounds.ratio("a purchase's status against FastAPI answering nothing", (STATUS, RATE), (NOTHING, RATE)),
        ],
        [GENERATOR],
    )
