"""Merkle trees: published vectors, the RFC's recursive definition written again, and pymerkle as oracle of roots."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from model import merkle

LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Leaves and roots of certificate-transparency's own tests, for sizes 0 to 8."""

PATHS = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}


def defined_root(lines: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if not lines:
        return sha256().digest()
    if len(lines) == 1:
        return sha256(b"\0" + lines[0]).digest()
    split = 1
    while split * 2 < len(lines):
        split *= 2
    return sha256(b"\1" + defined_root(lines[:split]) + defined_root(lines[split:])).digest()


def defined_path(index: int, lines: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(lines) == 1:
        return []
    split = 1
    while split * 2 < len(lines):
        split *= 2
    if index < split:
        return [*defined_path(index, lines[:split]), defined_root(lines[split:])]
    return [*defined_path(index - split, lines[split:]), defined_root(lines[:split])]


def grown(lines: list[bytes]) -> merkle.CompactTree:
    tree = merkle.CompactTree()
    tree.extend(lines)
    return tree


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    assert grown(LEAVES[:size]).root().hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_published_paths(index: int, size: int) -> None:
    hashes = [merkle.leaf_hash(line) for line in LEAVES[:size]]
    path = merkle.inclusion_path(hashes, index)
    assert [each.hex() for each in path] == PATHS[index, size]
    assert merkle.includes(bytes.fromhex(ROOTS[size]), size, LEAVES[index], index, path)


def test_every_size_up_to_seventy_has_the_oracles_root_and_the_definitions_paths() -> None:
    lines = [bytes([number]) * (number % 5) for number in range(70)]
    oracle = InmemoryTree(algorithm="sha256")
    tree = merkle.CompactTree()
    for size, line in enumerate(lines, start=1):
        oracle.append_entry(line)
        tree.append(merkle.leaf_hash(line))
        some = lines[:size]
        assert tree.size == size
        assert tree.root() == oracle.get_root() == defined_root(some)
        hashes = [merkle.leaf_hash(each) for each in some]
        for index in range(size):
            path = merkle.inclusion_path(hashes, index)
            assert path == defined_path(index, some)
            assert merkle.includes(tree.root(), size, some[index], index, path)


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=40), st.data())
def test_a_path_shows_nothing_else(lines: list[bytes], data: st.DataObject) -> None:
    size = len(lines)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_path([merkle.leaf_hash(line) for line in lines], index)
    root = grown(lines).root()
    assert merkle.includes(root, size, lines[index], index, path)
    assert not merkle.includes(root, size, lines[index] + b"!", index, path)
    assert not merkle.includes(root, size, lines[index], size, path)
    assert not merkle.includes(root, size, lines[index], -1, path)
    assert not merkle.includes(root, size, lines[index], index, [*path, root])
    other = data.draw(st.integers(0, size - 1))
    if lines[other] != lines[index]:
        assert not merkle.includes(root, size, lines[other], other, path)
    if path:
        assert not merkle.includes(root, size, lines[index], index, path[:-1])
        assert not merkle.includes(root, size, lines[index], index, [path[0][:-1], *path[1:]])
        broken = data.draw(st.integers(0, len(path) - 1))
        changed = [*path[:broken], bytes([path[broken][0] ^ 1]) + path[broken][1:], *path[broken + 1 :]]
        assert not merkle.includes(root, size, lines[index], index, changed)


@given(st.lists(st.binary(max_size=3), max_size=60), st.integers(0, 60))
def test_growing_in_pieces_is_growing_at_once(lines: list[bytes], cut: int) -> None:
    tree = grown(lines[:cut])
    twin = tree.copy()
    tree.extend(lines[cut:])
    assert (tree.size, tree.root()) == (len(lines), grown(lines).root())
    assert twin.root() == grown(lines[:cut]).root()


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512, 513, 750, 5 * 256 + 1, 7 * 256])
def test_blocks_are_the_tree_without_its_lower_floors(size: int) -> None:
    lines = [str(number).encode() for number in range(size)]
    blocks = list(merkle.block_roots(lines))
    root = grown(lines).root()
    assert merkle.root_of(blocks) == root
    for index in {0, size // 2, size - 1}:
        block = index // merkle.BLOCK
        inside = [merkle.leaf_hash(line) for line in lines[block * merkle.BLOCK : (block + 1) * merkle.BLOCK]]
        path = merkle.inclusion_path(inside, index % merkle.BLOCK) + merkle.inclusion_path(blocks, block)
        assert merkle.includes(root, size, lines[index], index, path)


def test_there_is_no_path_to_what_is_not_there() -> None:
    for index in (-1, 1):
        with pytest.raises(IndexError):
            merkle.inclusion_path([merkle.leaf_hash(b"only")], index)
