"""Stamped arrivals in one order, in virtual time: the window lottery as it is sold, or with a window of its own.

The draws are `model.lottery.WindowLottery`'s, with tickets drawn from the recording's seed for the sale that the
scene's terms are. A draw is final once every region's mark is past *earliest waiting place + W* and the arbiter has
heard of it: when the slowest clock has come so far, an intake grace and that region's distance later. The outcome then
travels to the winner's region. Nothing here takes time but clocks and distance: what the processes themselves need is
measured by `real.py`.

With W = 0 and clocks that are never right this is a plain sort by timestamps. No terms may say so (W ≥ 2ε), therefore
the window is an argument; it exists in simulation only.
"""

from dataclasses import dataclass

from model.guards import place_ns
from model.lottery import WindowLottery, ticket_drawer
from service.compare.recording import Recording
from service.compare.scene import OPENS_NS, Scene
from service.compare.sold import Sold


@dataclass(frozen=True, slots=True)
class Ordered:
    """The method; `tie_window_ns` is what the scene says where it is None."""

    has_lobby: bool = False
    tie_window_ns: int | None = None

    def __call__(self, recording: Recording) -> Sold:
        """Sell a recording in one order."""
        scene, buyers = recording.scene, recording.buyers
        ticket_of = ticket_drawer(recording.seed, scene.terms(recording.seed, self.has_lobby).sale())
        window_ns = scene.tie_window_ns if self.tie_window_ns is None else self.tie_window_ns
        off_ns = scene.clocks_off_ns
        pressed_ns = [buyer.there_ns if self.has_lobby else buyer.presses_ns for buyer in buyers]
        places_ns = [
            place_ns(pressed + off_ns[buyer.region], OPENS_NS)
            for pressed, buyer in zip(pressed_ns, buyers, strict=True)
        ]
        lottery = WindowLottery[int](window_ns, lambda at: ticket_of(buyers[at].name), scene.stock)
        lottery.offer_all(places_ns, range(len(buyers)))
        everyone_ns = max(places_ns, default=0)
        came_ns = [max(pressed, OPENS_NS) for pressed in pressed_ns]
        told_ns = [0] * len(buyers)
        winners: list[int] = []
        decided_ns = OPENS_NS
        while len(winners) < scene.stock and (earliest_ns := lottery.earliest_place_ns()) is not None:
            drawn = lottery.draw(everyone_ns + 1, everyone_ns)
            assert drawn is not None
            decided_ns = _heard_ns(scene, earliest_ns + window_ns)
            told_ns[drawn] = decided_ns + scene.distances_ns[buyers[drawn].region]
            winners.append(drawn)
        for at, buyer in enumerate(buyers):
            told_ns[at] = told_ns[at] or max(came_ns[at], decided_ns + scene.distances_ns[buyer.region])
        return Sold(came_ns, winners, told_ns, scene.stock - len(winners))


def _heard_ns(scene: Scene, past_ns: int) -> int:
    """When the arbiter knows that no stamp up to `past_ns` will follow from anywhere: a mark is a clock less the
    grace.
    """
    return max(
        past_ns + scene.intake_grace_ns - off_ns + distance_ns
        for off_ns, distance_ns in zip(scene.clocks_off_ns, scene.distances_ns, strict=True)
    )
