"""Leaf and node hashes, roots, inclusion and consistency proofs (RFC 6962 section 2.1, SHA-256).

Proofs are made from stored hashes of every eighth level (the levels of C2SP tlog-tiles), fetched by a function the
caller passes in, one aligned slice of at most 256 hashes at a time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from ledger.tlog.errors import FrontierError, ProofLength, ProofOldRoot, ProofRange, ProofRoot, TileError

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 256
EMPTY_ROOT = sha256(b"").digest()

# read(tile_level, start, stop): hashes start..stop-1 of a tile level; level 0 holds leaf hashes, level 1 the roots of
# complete subtrees of 256 leaves, level 2 of 65,536, ...
ReadHashes = Callable[[int, int, int], Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class TileNode:
    """A finished subtree of 256**tile_level leaves: hash number `index` of its tile level."""

    tile_level: int
    index: int
    hash: bytes


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256 of 0x00 and the bytes of an entry."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and two 32-byte hashes."""
    return sha256(b"\1" + left + right).digest()


def root_from_leaves(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root hash over these leaf hashes, level by level; EMPTY_ROOT for none."""
    level = list(leaf_hashes)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [sha256(b"\1" + left + right).digest() for left, right in pairs]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


class Frontier:
    """The right edge of a growing tree: the roots of its complete subtrees, largest first.

    32 bytes per set bit of the size, so a tree of a million leaves continues from at most 640 bytes.
    """

    __slots__ = ("_roots", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._roots: list[bytes] = []

    @property
    def size(self) -> int:
        return self._size

    def append(self, leaf: bytes) -> list[TileNode]:
        """Add a leaf hash; return the nodes at tile levels 1, 2, ... that this leaf completed (mostly none)."""
        completed: list[TileNode] = []
        roots = self._roots
        rest = self._size
        height = 0
        while rest & 1:
            leaf = sha256(b"\1" + roots.pop() + leaf).digest()
            rest >>= 1
            height += 1
            if height % TILE_HEIGHT == 0:
                completed.append(TileNode(height // TILE_HEIGHT, rest, leaf))
        roots.append(leaf)
        self._size += 1
        return completed

    def root(self) -> bytes:
        """The root hash at the present size."""
        if not self._roots:
            return EMPTY_ROOT
        return _fold_right(self._roots)

    def copy(self) -> "Frontier":
        """An independent frontier of the same tree."""
        twin = Frontier()
        twin._size = self._size
        twin._roots = self._roots.copy()
        return twin

    def to_bytes(self) -> bytes:
        """The subtree roots, largest first, 32 bytes each."""
        return b"".join(self._roots)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        """The frontier of a tree of this size, or FrontierError when size and bytes cannot belong together."""
        if size < 0 or len(data) != size.bit_count() * HASH_BYTES:
            raise FrontierError(
                f"a tree of {size} leaves has another frontier length",
                expected=max(size, 0).bit_count() * HASH_BYTES,
                actual=len(data),
            )
        frontier = cls()
        frontier._size = size
        frontier._roots = [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
        return frontier


def _fold_right(roots: Sequence[bytes]) -> bytes:
    """Join the roots of subtrees of falling size, as RFC 6962 splits a tree."""
    result = roots[-1]
    for root in reversed(roots[:-1]):
        result = node_hash(root, result)
    return result


# Making proofs


def inclusion_proof(index: int, tree_size: int, read: ReadHashes) -> list[bytes]:
    """The hashes from the leaf's sibling up to the root's child (at most 40 for any tree of ours).

    Source: RFC 6962 section 2.1.1. Reads at most two slices per tile level.
    """
    if not 0 <= index < tree_size:
        raise ProofRange(f"no leaf {index} in a tree of {tree_size}", expected=tree_size, actual=index)
    low, high = 0, tree_size
    siblings: list[tuple[int, int]] = []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            siblings.append((middle, high))
            high = middle
        else:
            siblings.append((low, middle))
            low = middle
    tiles = _Tiles(tree_size, read)
    return [tiles.range_root(low, high) for low, high in reversed(siblings)]


def consistency_proof(old_size: int, new_size: int, read: ReadHashes) -> list[bytes]:
    """The hashes that show the tree of old_size to be a prefix of the tree of new_size.

    Source: RFC 6962 section 2.1.2. Empty when the sizes are equal or the old tree is empty.
    """
    if not 0 <= old_size <= new_size:
        raise ProofRange(f"a tree of {old_size} leaves is no prefix of one of {new_size}")
    if old_size in (0, new_size):
        return []
    low, high = 0, new_size
    ranges: list[tuple[int, int]] = []
    while old_size != high:
        middle = low + _split(high - low)
        if old_size <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    if low:  # the old tree ends inside: its last subtree is not yet known to the verifier
        ranges.append((low, high))
    tiles = _Tiles(new_size, read)
    return [tiles.range_root(low, high) for low, high in reversed(ranges)]


def root_from_tiles(tree_size: int, read: ReadHashes) -> bytes:
    """The root of the first tree_size leaves, from stored hashes; how a signer checks that it extends its last head."""
    return _Tiles(tree_size, read).range_root(0, tree_size) if tree_size else EMPTY_ROOT


def _split(count: int) -> int:
    """The largest power of two below count."""
    return 1 << ((count - 1).bit_length() - 1)


class _Tiles:
    """Hashes of one tree, fetched tile by tile, each tile once."""

    def __init__(self, tree_size: int, read: ReadHashes) -> None:
        self._tree_size = tree_size
        self._read = read
        self._cache: dict[tuple[int, int], Sequence[bytes]] = {}

    def range_root(self, low: int, high: int) -> bytes:
        """The hash over leaves low..high-1, where low is a multiple of the largest power of two in the range."""
        roots: list[bytes] = []
        while low < high:
            height = (high - low).bit_length() - 1
            roots.append(self._subtree_root(height, low >> height))
            low += 1 << height
        return _fold_right(roots)

    def _subtree_root(self, height: int, index: int) -> bytes:
        """The root of the complete subtree number `index` among those of 2**height leaves."""
        tile_level, inner = divmod(height, TILE_HEIGHT)
        width = 1 << inner
        start = index * width
        tile, offset = divmod(start, TILE_WIDTH)
        return root_from_leaves(self._tile(tile_level, tile)[offset : offset + width])

    def _tile(self, tile_level: int, tile: int) -> Sequence[bytes]:
        key = (tile_level, tile)
        if key not in self._cache:
            start = tile * TILE_WIDTH
            stop = min(start + TILE_WIDTH, self._tree_size >> (TILE_HEIGHT * tile_level))
            hashes = self._read(tile_level, start, stop)
            if len(hashes) != stop - start:
                raise TileError(
                    f"tile level {tile_level} lacks hashes between {start} and {stop}",
                    expected=stop - start,
                    actual=len(hashes),
                )
            self._cache[key] = hashes
        return self._cache[key]


# Checking proofs


def verify_inclusion(leaf_hash: bytes, index: int, tree_size: int, path: Sequence[bytes], root_hash: bytes) -> None:
    """Show that a leaf belongs to a tree, or raise ProofError naming the first value that disagrees.

    All hashes are 32 bytes; path runs from the leaf's sibling upwards; 0 <= index < tree_size.
    Source: RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < tree_size:
        raise ProofRange(f"no leaf {index} in a tree of {tree_size}", expected=tree_size, actual=index)
    node, last, result = index, tree_size - 1, leaf_hash
    for step, sibling in enumerate(path):
        if last == 0:
            raise ProofLength("the path is too long", expected=step, actual=len(path))
        if node & 1 or node == last:
            result = sha256(b"\1" + sibling + result).digest()
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            result = sha256(b"\1" + result + sibling).digest()
        node >>= 1
        last >>= 1
    if last != 0:
        raise ProofLength("the path is too short", actual=len(path))
    if result != root_hash:
        raise ProofRoot("the path leads to another root", expected=root_hash.hex(), actual=result.hex())


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Show that the old tree is a prefix of the new one, or raise ProofError naming the first value that disagrees.

    Source: RFC 9162 section 2.1.4.2; for an empty old tree the proof is empty and its root is EMPTY_ROOT.
    """
    if not 0 <= old_size <= new_size:
        raise ProofRange(f"a tree of {old_size} leaves is no prefix of one of {new_size}")
    if old_size in (0, new_size):
        _verify_trivial(old_size, old_root, new_size, new_root, proof)
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:  # the old root is itself a node of the new tree
        path.insert(0, old_root)
    if not path:
        raise ProofLength("the proof is too short", actual=0)
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofLength("the proof is too long", actual=len(proof))
        if node & 1 or node == last:
            old = sha256(b"\1" + sibling + old).digest()
            new = sha256(b"\1" + sibling + new).digest()
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new = sha256(b"\1" + new + sibling).digest()
        node >>= 1
        last >>= 1
    if last != 0:
        raise ProofLength("the proof is too short", actual=len(proof))
    if old != old_root:
        raise ProofOldRoot("the proof rebuilds another old root", expected=old_root.hex(), actual=old.hex())
    if new != new_root:
        raise ProofRoot("the proof leads to another new root", expected=new_root.hex(), actual=new.hex())


def _verify_trivial(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    if proof:
        raise ProofLength("nothing needs proving between these sizes", expected=0, actual=len(proof))
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise ProofOldRoot("not the root of an empty tree", expected=EMPTY_ROOT.hex(), actual=old_root.hex())
    if new_size == 0 and new_root != EMPTY_ROOT:
        raise ProofRoot("not the root of an empty tree", expected=EMPTY_ROOT.hex(), actual=new_root.hex())
    if old_size == new_size and old_root != new_root:
        raise ProofRoot("one size, two roots", expected=old_root.hex(), actual=new_root.hex())
