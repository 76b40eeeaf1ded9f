"""The methods that are compared, and what is to be known of each before any figure.

Central and sharded sales can have no lobby: whoever enters has a unit at once, so terms refuse one. Sorting by
timestamps cannot be bought: no terms may have W = 0, for no clock is right. It is here to show what the clocks' errors
do where nothing guards against them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from service.compare.central import central
from service.compare.doors import Sharded
from service.compare.ordered import Ordered
from service.compare.sold import Method


@dataclass(frozen=True, slots=True)
class Compared:
    """One method: how it is called, how it sells, and what it is good and bad for in a merchant's words."""

    title: str
    sell: Method
    """In virtual time."""
    how: str
    buys: str
    costs: str
    fields: Mapping[str, object] | None
    """What its terms state on real processes; None where it exists in simulation only."""
    has_lobby: bool = False


CENTRAL: Final = "central"
SHARDED: Final = "sharded"
REBALANCED: Final = "rebalanced"
TIMESTAMPS: Final = "timestamps"
TIMESTAMPS_LOBBY: Final = "timestamps-lobby"
LOTTERY: Final = "lottery"
LOTTERY_LOBBY: Final = "lottery-lobby"

METHODS: Final[Mapping[str, Compared]] = MappingProxyType(
    {
        CENTRAL: Compared(
            "central",
            central,
            "All units are in one data centre. Whoever's request gets there first has one.",
            "It is simple, it sells everything, and everybody knows after one round trip.",
            "Who lives near the data centre wins, whoever pressed first.",
            {"method": "central"},
        ),
        SHARDED: Compared(
            "sharded",
            Sharded(rebalances=False),
            "Each region has its part of the units from the start and sells them at its own door.",
            "Everybody knows at once, and distance does not matter.",
            "The parts are a guess. Where the guess is wrong, buyers of one region find nothing while another keeps "
            "units that nobody asks for.",
            {"method": "sharded", "rebalance": False},
        ),
        REBALANCED: Compared(
            "rebalancing",
            Sharded(rebalances=True),
            "The same, and while the sale runs unsold units move to where they are asked for.",
            "Everybody who gets a unit knows at once, and what can be sold is.",
            "Nobody orders buyers of different regions, and where everything sells out within a second, units come "
            "late to where they are asked for.",
            {"method": "sharded"},
        ),
        TIMESTAMPS: Compared(
            "timestamps",
            Ordered(tie_window_ns=0),
            "Every region stamps arrivals with its clock, and the earliest stamps win. In simulation only.",
            "Distance does not matter.",
            "Whoever's clock is early wins, and nobody can see that it was the clock.",
            None,
        ),
        TIMESTAMPS_LOBBY: Compared(
            "timestamps + lobby",
            Ordered(has_lobby=True, tie_window_ns=0),
            "The same; who enters a lobby before the opening counts as having come at the opening.",
            "Nobody needs to be fast who is there in time.",
            "After the opening, the clock decides as before.",
            None,
            has_lobby=True,
        ),
        LOTTERY: Compared(
            "window lottery",
            Ordered(),
            "Every region stamps arrivals with a watched clock. Where stamps are too close for the clocks to tell, a "
            "lottery decides that was committed to beforehand.",
            "Distance does not matter, nobody is overtaken by somebody who certainly came later, and anybody can check "
            "the whole sale afterwards.",
            "Buyers are told a fraction of a second later, and a bot that is faster than the window is wide stays "
            "ahead.",
            {},
        ),
        LOTTERY_LOBBY: Compared(
            "lottery + lobby",
            Ordered(has_lobby=True),
            "The same; who enters a lobby before the opening counts as having come at the opening.",
            "Of all who are there in time nobody has any advantage: not by distance, not by a clock, not by a bot.",
            "Buyers have to be there in time, and who presses fast at the opening has no merit in it.",
            {},
            has_lobby=True,
        ),
    }
)  # fmt: skip
