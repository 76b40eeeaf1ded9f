"""Which region is a buyer's home. Pure.

The same everywhere, without asking anybody: of all regions the one whose SHA-256 with the buyer's id is the greatest
(rendezvous hashing: Thaler and Ravishankar, *Using name-based mappings to increase hit rates*, 1998). When a region
joins or leaves, only its own buyers get another home.

Home routing is what keeps a buyer to one entry where units are sold at the door: every region knows its own buyers
only. In an ordered sale the arbiter holds that in any case.
"""

import hashlib
from collections.abc import Iterable

from model.vocabulary import BuyerId, RegionName


def home_region(buyer: BuyerId, regions: Iterable[RegionName]) -> RegionName:
    """A buyer's home among regions, in whatever order they come.

    Raises:
        ValueError: there are none.
    """

    def weight(region: RegionName) -> tuple[bytes, RegionName]:
        return hashlib.sha256(f"{region}\n{buyer}".encode()).digest(), region

    return max(regions, key=weight)
