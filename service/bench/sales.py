"""What many sales cost a gateway: buyers of 1, 10 and 100 sales at once, and of a sale whose lobby is open.

With more sales a turn of the loop makes more and smaller calls to the store, one a sale. In a lobby everybody has the
same place, but each entry is stamped and logged like any other.
"""

from typing import Final

from service.bench.frame import Effort, Found, Line, Plot, Reading, Rival, take_turns
from service.bench.load import GENERATOR, Asked, all_taken
from service.bench.stage import stage

NUMBERS: Final = (1, 10, 100)
LOBBY: Final = "one sale, in its lobby"
RATE: Final = "requests/s"


def measure(effort: Effort) -> Found:
    """Buyers of one sale, of more, and of one in its lobby, in turn."""
    numbers = NUMBERS[:-1] if effort.quick else NUMBERS
    with stage() as ours:
        sales = [ours.publish() for _ in range(numbers[-1])]
        lobby = ours.publish(lobby=7200)
        ours.end_arbiter()

        def load(of: list[str]) -> list[Reading]:
            paths = ",".join(f"/v1/sales/{sale}/purchases" for sale in of)
            return all_taken(Asked(ours.port, paths, ours.token), effort.seconds).readings()

        rivals = [Rival(_name(number), lambda number=number: load(sales[:number])) for number in numbers]  # type: ignore[misc]
        rounds = take_turns([*rivals, Rival(LOBBY, lambda: load([lobby]))], effort)
    figures = [
        *rounds.figures(),
        *(
            rounds.ratio(f"{_name(number)} against one", (_name(number), RATE), (_name(1), RATE))
            for number in numbers[1:]
        ),
        rounds.ratio("a lobby against an open sale", (LOBBY, RATE), (_name(1), RATE)),
    ]
    rates = [rounds.figure(_name(number), RATE).median for number in numbers]
    plot = Plot(
        "sales-at-once",
        "Purchases a second on one gateway process",
        "sales at once",
        "purchases/s",
        [Line("64 connections", numbers, rates)],
        logarithmic_x=True,
    )
    return Found(figures, [GENERATOR], [plot])


def _name(number: int) -> str:
    return "buyers of one sale" if number == 1 else f"buyers of {number} sales"
