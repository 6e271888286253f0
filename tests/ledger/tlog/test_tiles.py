"""Paths of tiles, as C2SP tlog-tiles prescribes them."""

import pytest

from ledger.tlog.errors import TileError
from ledger.tlog.tiles import entries_path, full_tiles, partial_width, tile_path


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 1_234_067, 256, "tile/0/x001/x234/067"),
        (1, 0, 17, "tile/1/000.p/17"),
        (0, 1000, 1, "tile/0/x001/000.p/1"),
        (63, 999, 255, "tile/63/999.p/255"),
    ],
)
def test_tile_paths(level, index, width, path):
    assert tile_path(level, index, width) == path


def test_entry_bundles_have_their_own_folder():
    assert entries_path(1_234_067) == "tile/entries/x001/x234/067"
    assert entries_path(273, 112) == "tile/entries/273.p/112"


def test_the_tree_of_70000_has_the_tiles_of_the_specification():
    assert [(full_tiles(level, 70_000), partial_width(level, 70_000)) for level in range(3)] == [
        (273, 112),
        (1, 17),
        (0, 1),
    ]


@pytest.mark.parametrize(
    ("level", "index", "width"), [(-1, 0, 256), (64, 0, 256), (0, -1, 256), (0, 0, 0), (0, 0, 257)]
)
def test_impossible_tiles_are_refused(level, index, width):
    with pytest.raises(TileError):
        tile_path(level, index, width)
