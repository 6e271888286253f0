"""Tiles: 256-wide slices of the tree and of the entries, as files that anybody can fetch and keep (C2SP tlog-tiles).

Names and bytes of each tile, which tiles a tree has, and nothing else: reading and writing files is for the export.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger.tlog.errors import TileError
from ledger.tlog.merkle import HASH_BYTES, TILE_HEIGHT, TILE_WIDTH

MAX_LEVEL = 63
MAX_ENTRY = 0xFFFF
_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)

# Names


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """The path of a hash tile, for example tile/0/x001/x234/067 or tile/1/000.p/17."""
    if not 0 <= level <= MAX_LEVEL:
        raise TileError("tile levels run from 0 to 63", actual=level)
    return f"tile/{level}/{_numbered(index, width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """The path of an entry bundle: the entries whose leaf hashes stand in level 0 tile `index`."""
    return f"tile/entries/{_numbered(index, width)}"


def partial_width(level: int, tree_size: int) -> int:
    """How many hashes the last tile of a level holds beyond its full tiles: 0..255."""
    return (tree_size >> (TILE_HEIGHT * level)) % TILE_WIDTH


def full_tiles(level: int, tree_size: int) -> int:
    """How many full tiles a level has."""
    return tree_size >> (TILE_HEIGHT * (level + 1))


def _numbered(index: int, width: int) -> str:
    if index < 0 or not 1 <= width <= TILE_WIDTH:
        raise TileError("tiles are 1 to 256 wide and counted from 0", actual=(index, width))
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.append(f"x{index % 1000:03d}")
    suffix = "" if width == TILE_WIDTH else f".p/{width}"
    return "/".join(reversed(groups)) + suffix


# Content


def format_tile(hashes: Sequence[bytes]) -> bytes:
    """The bytes of a hash tile: 1 to 256 hashes of 32 bytes, one after another."""
    if not 1 <= len(hashes) <= TILE_WIDTH or any(len(value) != HASH_BYTES for value in hashes):
        raise TileError("a tile holds 1 to 256 hashes of 32 bytes", actual=len(hashes))
    return b"".join(hashes)


def parse_tile(data: bytes, width: int = TILE_WIDTH) -> list[bytes]:
    """The hashes of a tile of exactly this width: a partial tile is never taken for a full one."""
    if len(data) != width * HASH_BYTES:
        raise TileError("the tile has another width", expected=width * HASH_BYTES, actual=len(data))
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def format_entries(entries: Sequence[bytes]) -> bytes:
    """The bytes of an entry bundle: each entry behind its length as 2 bytes, big-endian."""
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise TileError("a bundle holds 1 to 256 entries", actual=len(entries))
    if any(len(entry) > MAX_ENTRY for entry in entries):
        raise TileError("an entry of a bundle is shorter than 65,536 bytes", expected=MAX_ENTRY)
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def parse_entries(data: bytes, width: int = TILE_WIDTH) -> list[bytes]:
    """The entries of a bundle of exactly this width, or TileError when bytes are missing or left over."""
    entries, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        entry = data[at + 2 : at + 2 + length]
        if len(data) - at < 2 or len(entry) != length:
            raise TileError("the bundle is cut off", actual=len(data))
        entries.append(entry)
        at += 2 + length
    if len(entries) != width:
        raise TileError("the bundle has another width", expected=width, actual=len(entries))
    return entries


# Which tiles a tree has


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a tree: its level (None: an entry bundle), its number, and how many hashes or entries it holds."""

    level: int | None
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        if self.level is None:
            return entries_path(self.index, self.width)
        return tile_path(self.level, self.index, self.width)

    @property
    def start(self) -> int:
        """The number of its first hash within the level (of its first entry, for a bundle)."""
        return self.index * TILE_WIDTH


def parse_path(path: str) -> Tile:
    """The tile behind `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`, in the one spelling the format allows."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise TileError("not the path of a tile", actual=path[:200])
    index = int(match["index"].replace("x", "").replace("/", ""))
    level = None if match["level"] == "entries" else int(match["level"])
    tile = Tile(level, index, int(match["width"] or TILE_WIDTH))
    if (level or 0) > MAX_LEVEL or tile.path != path:
        raise TileError("not the path of a tile", actual=path[:200])
    return tile


def is_tile_of(tile: Tile, tree_size: int) -> bool:
    """Whether a tree of this size has this tile: full ones whole, partial ones exactly as wide as the tree ends."""
    level = tile.level or 0
    if tile.width == TILE_WIDTH:
        return tile.index < full_tiles(level, tree_size)
    return tile.index == full_tiles(level, tree_size) and tile.width == partial_width(level, tree_size)


def tiles_of(tree_size: int, since: int = 0) -> Iterator[Tile]:
    """Every tile of a tree, lowest level first, entry bundles before all; since: leave out what a tree of that size
    had in full already.
    """
    for level in (None, *range(MAX_LEVEL + 1)):
        full = full_tiles(level or 0, tree_size)
        partial = partial_width(level or 0, tree_size)
        if not full and not partial:
            return
        yield from (Tile(level, index) for index in range(full_tiles(level or 0, since), full))
        if partial:
            yield Tile(level, full, partial)
