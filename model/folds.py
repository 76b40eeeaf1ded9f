"""The fold of a sale, by its method and its kind. Pure."""

from typing import Final

from model.arbiter import Fold
from model.auction import AuctionFold
from model.deliveries import Deliveries
from model.reservation import ReservationFold
from model.shards import ShardedFold
from model.terms import Kind, Terms

_ORDERED: Final[dict[Kind, type[Fold]]] = {"flash": Fold, "auction": AuctionFold, "reservation": ReservationFold}


def new_fold(terms: Terms, seed: bytes) -> Deliveries:
    """A sale's fold, before its first line."""
    return ShardedFold(terms) if terms.method != "ordered" else _ORDERED[terms.kind](terms, seed)
