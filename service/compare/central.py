"""One stock in one place, in virtual time: whose request gets there first has a unit. The naive baseline.

Nothing is lost and nobody is told later than a round trip; but who is farther away has to have pressed earlier, by the
difference of the ways, to be there at the same moment.
"""

from service.compare.recording import Recording
from service.compare.sold import Sold


def central(recording: Recording) -> Sold:
    """Sell a recording from one stock at the centre."""
    buyers, stock = recording.buyers, recording.scene.stock
    reached_ns = [buyer.presses_ns + buyer.way_ns for buyer in buyers]
    winners = sorted(range(len(buyers)), key=reached_ns.__getitem__)[:stock]
    return Sold(
        came_ns=[buyer.presses_ns for buyer in buyers],
        winners=winners,
        told_ns=[reached + buyer.way_ns for reached, buyer in zip(reached_ns, buyers, strict=True)],
        unsold=stock - len(winners),
    )
