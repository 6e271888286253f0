"""Reading a whole log again: each entry against the one before it, the tree grown piece by piece, roots at any size.

Stdlib only. `check_entry` is the plain reference for one entry; whoever reads millions may check faster, and falls
back to it for every entry that the fast way does not settle.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from ledger.tlog.entry import parse_entry
from ledger.tlog.errors import AuditOrder
from ledger.tlog.merkle import EMPTY_ROOT, TILE_HEIGHT, TILE_WIDTH, TileNode, node_hash, root_from_leaves

PIECE = 65_536  # leaves hashed level by level at a time; a complete subtree

Peaks = tuple[tuple[int, bytes], ...]


def check_entry(body: bytes, seq: int, prev: bytes, origin: str, earlier_ts: str) -> str:
    """Show that these bytes are entry `seq` of the log `origin` after the leaf hash `prev`, no earlier than
    `earlier_ts`; return its ts. Raises EntryError, JsonError or AuditOrder naming the field that disagrees.
    """
    entry = parse_entry(body)
    for field, expected, actual in (
        ("seq", seq, entry.seq),
        ("log", origin, entry.log),
        ("prev", prev.hex(), entry.prev.hex()),
    ):
        if actual != expected:
            raise AuditOrder(f"{field} is {actual}, expected {expected}", expected=expected, actual=actual)
    if entry.ts < earlier_ts:
        raise AuditOrder(f"ts is {entry.ts}, the entry before has {earlier_ts}", expected=earlier_ts, actual=entry.ts)
    return entry.ts


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of leaves, hashed: enough to continue a tree, not the leaves themselves.

    tiles are the roots of its complete tiles; peaks the complete subtrees that make it up, largest first, as
    (height, root); cuts the same for the first n leaves of the piece, by n.
    """

    count: int
    tiles: tuple[bytes, ...]
    peaks: Peaks
    cuts: Mapping[int, Peaks]


def hash_piece(leaves: Sequence[bytes], cuts: Iterable[int] = ()) -> Piece:
    """Hash up to PIECE leaf hashes level by level. cuts: numbers of leaves at which roots will be asked for."""
    if not 1 <= len(leaves) <= PIECE:
        raise ValueError(f"a piece has 1 to {PIECE} leaves")
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        pairs = iter(levels[-1])
        levels.append([sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)])
    tiles = levels[TILE_HEIGHT] if len(levels) > TILE_HEIGHT else []
    return Piece(
        len(leaves), tuple(tiles), _peaks(levels, len(leaves)), {cut: _peaks(levels, cut) for cut in set(cuts)}
    )


def _peaks(levels: Sequence[Sequence[bytes]], count: int) -> Peaks:
    peaks, at = [], 0
    for height in range(count.bit_length() - 1, -1, -1):
        if count >> height & 1:
            peaks.append((height, levels[height][at >> height]))
            at += 1 << height
    return tuple(peaks)


class TreeWalk:
    """A tree that grows by pieces and knows its root at every cut of the last one.

    Every piece but the last has exactly PIECE leaves. Memory: the right edge of the tree, and one piece.
    """

    __slots__ = ("_before", "_edge", "_piece", "_start", "_waiting", "size")

    def __init__(self) -> None:
        self.size = 0
        self._start = 0  # where the last piece begins
        self._before: Peaks = ()  # the tree up to there
        self._edge: Peaks = ()  # the tree with it
        self._piece: Piece | None = None
        self._waiting: dict[int, list[bytes]] = {}  # hashes of each tile level whose tile is not complete yet

    def add(self, piece: Piece) -> list[TileNode]:
        """Grow by a piece; return the nodes of tile levels 1, 2, ... that became complete."""
        if self.size % PIECE:
            raise ValueError("a piece after one that was not full")
        self._start, self._before, self._piece = self.size, self._edge, piece
        self._edge = _join(self._edge, piece.peaks)
        self.size += piece.count
        nodes: list[TileNode] = []
        for number, tile in enumerate(piece.tiles, start=self._start >> TILE_HEIGHT):
            self._complete(TileNode(1, number, tile), nodes)
        return nodes

    def root_at(self, size: int) -> bytes:
        """The root of the first `size` leaves, for the present size, the start of the last piece and its cuts."""
        if size == self.size:
            return _fold(self._edge)
        if size == self._start or self._piece is None:
            return _fold(self._before)
        return _fold(_join(self._before, self._piece.cuts[size - self._start]))

    def root(self) -> bytes:
        return self.root_at(self.size)

    def frontier(self) -> bytes:
        """The roots of the complete subtrees, largest first, as the head of a log stores them."""
        return b"".join(root for _height, root in self._edge)

    def _complete(self, node: TileNode, nodes: list[TileNode]) -> None:
        nodes.append(node)
        row = self._waiting.setdefault(node.tile_level, [])
        row.append(node.hash)
        if len(row) == TILE_WIDTH:
            self._waiting[node.tile_level] = []
            above = TileNode(node.tile_level + 1, node.index >> TILE_HEIGHT, root_from_leaves(row))
            self._complete(above, nodes)


def _join(edge: Peaks, peaks: Peaks) -> Peaks:
    """The right edge of a tree with further complete subtrees, equal neighbours merged."""
    joined = list(edge)
    for height, root in peaks:
        while joined and joined[-1][0] == height:
            root = node_hash(joined.pop()[1], root)
            height += 1
        joined.append((height, root))
    return tuple(joined)


def _fold(edge: Peaks) -> bytes:
    if not edge:
        return EMPTY_ROOT
    result = edge[-1][1]
    for _height, root in reversed(edge[:-1]):
        result = node_hash(root, result)
    return result
