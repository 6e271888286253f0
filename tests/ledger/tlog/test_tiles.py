"""Paths of tiles, as C2SP tlog-tiles prescribes them."""

import pytest

from ledger.tlog.errors import TileError
from ledger.tlog.tiles import (
    Tile,
    entries_path,
    format_entries,
    format_tile,
    full_tiles,
    is_tile_of,
    parse_entries,
    parse_path,
    parse_tile,
    partial_width,
    tile_path,
    tiles_of,
)


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


HASHES = [bytes([number]) * 32 for number in range(256)]


def test_tiles_of_the_specification_example_are_listed():
    tiles = list(tiles_of(70_000))
    by_level = {level: [t for t in tiles if t.level == level] for level in (None, 0, 1, 2, 3)}
    assert len(by_level[0]) == len(by_level[None]) == 274
    assert [t.path for t in by_level[1]] == ["tile/1/000", "tile/1/001.p/17"]
    assert [t.path for t in by_level[2]] == ["tile/2/000.p/1"]
    assert by_level[3] == []


def test_a_tree_of_256_has_one_full_tile_and_a_partial_one_above():
    assert [t.path for t in tiles_of(256)] == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000])
def test_listed_tiles_are_those_the_tree_has(size):
    for tile in tiles_of(size):
        assert is_tile_of(tile, size)
        assert parse_path(tile.path) == tile


@pytest.mark.parametrize(("since", "until"), [(0, 300), (100, 300), (256, 70_000), (65_536, 65_792)])
def test_what_grew_is_listed_alone(since, until):
    old = {t for t in tiles_of(since) if t.width == 256}
    assert set(tiles_of(until, since)) == set(tiles_of(until)) - old


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000", "tile/64/000", "tile/0/x000/000", "tile/0/001/000",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000.p", "tile/-1/000",
        "tile/entry/000", "tile/0/x001", "tile/0/x001/x000", "/tile/0/000", "tile/0/000/", "tile/0/000\n",
    ],
)  # fmt: skip
def test_other_spellings_are_no_tiles(path):
    with pytest.raises(TileError):
        parse_path(path)


@pytest.mark.parametrize("width", [1, 2, 255, 256])
def test_hash_tiles_round_trip(width):
    assert parse_tile(format_tile(HASHES[:width]), width) == HASHES[:width]


def test_a_partial_tile_is_never_taken_for_a_full_one():
    with pytest.raises(TileError):
        parse_tile(format_tile(HASHES[:255]))
    with pytest.raises(TileError):
        parse_entries(format_entries([b"{}"] * 255))
    assert not is_tile_of(Tile(0, 0), 255)
    assert not is_tile_of(Tile(0, 0, 255), 256)


def test_entry_bundles_are_length_prefixed():
    assert format_entries([b"ab", b""]) == b"\0\2ab\0\0"
    assert parse_entries(b"\0\2ab\0\0", 2) == [b"ab", b""]


@pytest.mark.parametrize("cut", range(1, 11))
def test_a_bundle_cut_anywhere_is_refused(cut):
    data = format_entries([b"entry", b"two"])
    with pytest.raises(TileError):
        parse_entries(data[:-cut], 2)


@pytest.mark.parametrize("entries", [[], [b""] * 257, [bytes(65_536)]])
def test_impossible_bundles_are_refused(entries):
    with pytest.raises(TileError):
        format_entries(entries)


@pytest.mark.parametrize("hashes", [[], HASHES + HASHES[:1], [b"short"]])
def test_impossible_tiles_are_not_written(hashes):
    with pytest.raises(TileError):
        format_tile(hashes)
