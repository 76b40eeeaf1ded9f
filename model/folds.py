"""The fold of a sale, by its method. Pure."""

from model.arbiter import Fold
from model.deliveries import Deliveries
from model.shards import ShardedFold
from model.terms import Terms


def new_fold(terms: Terms, seed: bytes) -> Deliveries:
    """A sale's fold, before its first line."""
    return Fold(terms, seed) if terms.method == "ordered" else ShardedFold(terms)
