"""Who comes when: a recording of arrivals, made once and put through every method. Chance enters here and nowhere else.

A person who waits for the opening presses as soon as it is seen. Reaction times are ex-Gaussian, as experiments find
them (Luce, *Response Times*, 1986): a normal part for nerves and fingers, an exponential one for attention. A bot is
such a person whose press comes `head_start_ns` sooner, and not before the opening. The way to a central stock is
recorded too, so a method is a function of the recording and of the sale's seed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from service.compare.scene import LOBBY_NS, MILLISECOND, OPENS_NS, Scene

REACTION_NS: Final = (200 * MILLISECOND, 20 * MILLISECOND, 80 * MILLISECOND)
"""Mean and standard deviation of the normal part, mean of the exponential one."""
RUSH_NS: Final = 25 * MILLISECOND
"""How long a rush is recorded; its first few milliseconds are more than any stock here."""
EARLY_PART: Final = 0.1
"""Of a spread-out arrival: who is there before the opening."""


class Buyer(NamedTuple):
    """One recorded buyer. Times are true time; what takes a while is in nanoseconds."""

    name: str
    region: int
    """Its place in `scene.REGIONS`."""
    there_ns: int
    """When it comes: before the opening it waits, or enters where there is a lobby."""
    presses_ns: int
    """When it presses where there is no lobby; never before the opening."""
    way_ns: int
    """How long its request takes to a central stock, and the answer back."""
    is_bot: bool


@dataclass(frozen=True, slots=True)
class Recording:
    """The arrivals of one sale, by moment of pressing, and the seed that its tickets are drawn from."""

    scene: Scene
    buyers: Sequence[Buyer]
    seed: bytes


def record(scene: Scene, seed: int, run: int) -> Recording:
    """The `run`-th recording of a scene: the same for the same numbers."""
    named = f"{seed}/{scene.name}/{run}"
    chance = Random(named)
    moments = _rush(scene, chance) if scene.arrival == "rush" else _crowd(scene, chance)
    buyers = [
        Buyer(f"buyer-{number}", region, there_ns, presses_ns, _way_ns(scene, region, chance), is_bot)
        for number, (region, there_ns, presses_ns, is_bot) in enumerate(moments)
    ]
    buyers.sort(key=lambda buyer: buyer.presses_ns)
    return Recording(scene, buyers, hashlib.sha256(named.encode()).digest())


def _way_ns(scene: Scene, region: int, chance: Random) -> int:
    distance_ns = scene.distances_ns[region]
    return max(round(chance.gauss(distance_ns, scene.jitters_ns[region])), distance_ns // 2)


def _rush(scene: Scene, chance: Random) -> list[tuple[int, int, int, bool]]:
    """A Poisson stream in each region."""
    first_ns = OPENS_NS + scene.begins_after_ns
    moments = []
    for region, part in enumerate(scene.demand):
        rate = scene.buyers * part / RUSH_NS
        after_ns = chance.expovariate(rate)
        while after_ns < RUSH_NS:
            came_ns = first_ns + int(after_ns)
            moments.append((region, came_ns, came_ns, False))
            after_ns += chance.expovariate(rate)
    return moments


def _crowd(scene: Scene, chance: Random) -> list[tuple[int, int, int, bool]]:
    moments = []
    for _ in range(scene.buyers):
        region = int(chance.random() >= scene.demand[0])
        bot = chance.random() < scene.bots
        waits = scene.arrival == "stroke" or chance.random() < EARLY_PART
        reaction_ns = _reaction_ns(chance)
        if waits:
            there_ns = OPENS_NS - round(chance.uniform(0.2, 0.9) * LOBBY_NS)
            presses_ns = OPENS_NS + max(reaction_ns - bot * scene.head_start_ns, 0)
        else:
            there_ns = presses_ns = OPENS_NS + round(chance.random() * scene.lasts_ns)
        moments.append((region, there_ns, presses_ns, bot))
    return moments


def _reaction_ns(chance: Random) -> int:
    mean_ns, deviation_ns, attention_ns = REACTION_NS
    return max(round(chance.gauss(mean_ns, deviation_ns) + chance.expovariate(1 / attention_ns)), 0)
