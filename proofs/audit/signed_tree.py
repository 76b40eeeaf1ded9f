"""A log's Merkle tree as it is streamed, with what root and head were where a checkpoint was signed."""

from collections.abc import Sequence

from model import wire
from model.merkle import CompactTree
from model.note import Checkpoint
from model.vocabulary import Head


class SignedTree:
    """A log's Merkle tree as it is streamed, and what root and head were at the size of its checkpoint."""

    def __init__(self, checkpoint: Checkpoint | None) -> None:
        self._tree = CompactTree()
        self._size = -1 if checkpoint is None else checkpoint.size
        self.at_checkpoint: tuple[bytes, Head] | None = None
        self._look(wire.FIRST_HEAD)

    def extend(self, lines: Sequence[bytes], head: Head) -> None:
        """More lines, after those with this head."""
        left = self._size - self._tree.size
        if 0 < left <= len(lines):
            self._tree.extend(lines[:left])
            self._look(wire.extend_all(head, lines[:left]))
            self._tree.extend(lines[left:])
        else:
            self._tree.extend(lines)

    def _look(self, head: Head) -> None:
        if self._tree.size == self._size:
            self.at_checkpoint = self._tree.root(), head

    def root(self) -> bytes:
        """The root of all lines."""
        return self._tree.root()
