"""Where each 256-wide slice of the tree lives (paths of C2SP tlog-tiles).

Only names so far: writing and reading the files belongs to the export.
"""

from ledger.tlog.errors import TileError
from ledger.tlog.merkle import TILE_HEIGHT, TILE_WIDTH

MAX_LEVEL = 63


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
