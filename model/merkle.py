"""Merkle trees over the lines of a log: one hash for a whole log, and a short path that shows a line to be in it. Pure.

RFC 6962, section 2.1, with SHA-256: a leaf is SHA-256(0x00 ‖ line), a node SHA-256(0x01 ‖ left ‖ right), and a list of
n > 1 leaves is split after the largest power of two below n. A line is taken without its line end. The empty tree's
root is SHA-256 of nothing.

A log grows at one end only, so what is needed to go on is small: the roots of the perfect subtrees that its size
splits into, one for each bit that is set (`CompactTree`). An entry costs its leaf's hash and, on average, one node's.

The split has a property that saves a log's owner from keeping every leaf. Cut a log into blocks of `BLOCK` lines, a
power of two: the tree over the blocks' roots, the last one perhaps of fewer lines, is the tree over the lines with its
lower floors taken off. So a path is the path inside the line's block followed by the path of that block among the
blocks, and all that must be at hand is the blocks' roots and the lines of one block or two.

Signed heads of such trees: `note.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256().digest()
BLOCK: Final = 256
"""Lines in a block. A path takes the lines of two blocks, and the roots of all: four thousand of a million lines."""


def leaf_hash(line: bytes) -> bytes:
    """The hash of one line."""
    return sha256(b"\0" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbouring subtrees."""
    return sha256(b"\1" + left + right).digest()


class CompactTree:
    """A tree that only grows, kept as the roots of its perfect subtrees, the largest first."""

    __slots__ = ("_peaks", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._peaks: list[bytes] = []

    @property
    def size(self) -> int:
        """How many leaves it has."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """One more leaf, by its hash."""
        size = self._size
        while size & 1:
            leaf = sha256(b"\1" + self._peaks.pop() + leaf).digest()
            size >>= 1
        self._peaks.append(leaf)
        self._size += 1

    def extend(self, lines: Iterable[bytes]) -> None:
        """More leaves, by their lines."""
        peaks, size = self._peaks, self._size
        for line in lines:
            leaf = sha256(b"\0" + line).digest()
            carries = size
            while carries & 1:
                leaf = sha256(b"\1" + peaks.pop() + leaf).digest()
                carries >>= 1
            peaks.append(leaf)
            size += 1
        self._size = size

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        if not self._peaks:
            return EMPTY_ROOT
        peaks = reversed(self._peaks)
        root = next(peaks)
        for peak in peaks:
            root = node_hash(peak, root)
        return root

    def copy(self) -> "CompactTree":
        """The same tree, to grow another way."""
        twin = CompactTree()
        twin._size, twin._peaks = self._size, self._peaks.copy()
        return twin


def root_of(hashes: Iterable[bytes]) -> bytes:
    """The root of a tree, from the hashes of its leaves or of its blocks."""
    tree = CompactTree()
    for each in hashes:
        tree.append(each)
    return tree.root()


def block_roots(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The root of every block of a log; the last block may have fewer lines."""
    tree = CompactTree()
    for line in lines:
        tree.append(leaf_hash(line))
        if tree.size == BLOCK:
            yield tree.root()
            tree = CompactTree()
    if tree.size:
        yield tree.root()


def inclusion_path(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The path from a leaf, or from a block, to the root: the sibling of each node on the way, the lowest first.

    Args:
        hashes: of all leaves, or of all blocks.
        index: which of them, from 0.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(hashes):
        raise IndexError(f"no leaf {index} in a tree of {len(hashes)}")
    path = []
    first, end = 0, len(hashes)
    while end - first > 1:
        middle = first + (1 << ((end - first - 1).bit_length() - 1))
        if index < middle:
            path.append(root_of(hashes[middle:end]))
            end = middle
        else:
            path.append(root_of(hashes[first:middle]))
            first = middle
    path.reverse()
    return path


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to, or None where no path of this length belongs to such a leaf.

    Args:
        leaf: the leaf's hash.
        index: which leaf of `size`, from 0.
        path: as `inclusion_path` gives it. (RFC 9162, section 2.1.3.2.)
    """
    if not 0 <= index < size:
        return None
    root = leaf
    last = size - 1
    for sibling in path:
        if last == 0 or len(sibling) != HASH_BYTES:
            return None
        if index & 1 or index == last:
            root = node_hash(sibling, root)
            while not index & 1 and index:
                index >>= 1
                last >>= 1
        else:
            root = node_hash(root, sibling)
        index >>= 1
        last >>= 1
    return root if last == 0 else None


def includes(root: bytes, size: int, line: bytes, index: int, path: Sequence[bytes]) -> bool:
    """Whether a line is the one with this index in the log of `size` lines that has this root."""
    return root_from_path(leaf_hash(line), index, size, path) == root
