"""A beacon's round as it is told: by drand's servers to the arbiter, by a person to a gateway, by that to the arbiter.

Who is told believes nothing of it before its chain's signature was verified: see `beacons.py`.
"""

from typing import Final

import msgspec

from model.beacon import Round
from model.vocabulary import BeaconValue

LONGEST_ANSWER_BYTES: Final = 16_384


class Told(msgspec.Struct, frozen=True):
    """A round as drand's servers tell it, and as a person passes it on; what it says besides is not read."""

    signature: str
    round: int = 0
    """0 where it is not said: then the one that the terms name."""
    previous_signature: str = ""

    def value(self, named: Round) -> BeaconValue:
        """The value, in the form that it is recorded in. Unchained schemes sign nothing before the round."""
        return BeaconValue(self.round or named.number, self.signature, self.previous_signature)
