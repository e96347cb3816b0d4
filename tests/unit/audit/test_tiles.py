"""Tile paths and file sets, against the numbers in C2SP tlog-tiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.audit.tiles import ENTRIES, Tile, files, parse_path, right_edge, tile_at


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 999), "tile/0/999"),
        (Tile(0, 1000), "tile/0/x001/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(5, 1234067, 8), "tile/5/x001/x234/067.p/8"),
        (Tile(ENTRIES, 12, 255), "tile/entries/012.p/255"),
        (Tile(63, 0, 1), "tile/63/000.p/1"),
    ],
)
def test_a_tile_has_one_path_and_the_path_one_tile(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "checkpoint",
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/0001",
        "tile/entries/x1/000",
        "tile/0/000\n",
        "tile/0/\u0660\u0660\u0660",
        "../tile/0/000",
    ],
)
def test_what_is_no_tiles_path_is_none(path: str) -> None:
    assert parse_path(path) is None


def test_the_specifications_tree_of_70000_has_the_specifications_tiles() -> None:
    tiles = list(files(70_000))
    hashes = [tile for tile in tiles if tile.level >= 0]
    assert sum(tile.level == 0 and tile.width == 256 for tile in hashes) == 273
    assert [tile for tile in hashes if tile.width < 256] == [
        Tile(0, 273, 112),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert len(hashes) == 273 + 1 + 3


def test_a_tree_of_256_has_a_full_tile_and_a_partial_one_above() -> None:
    assert set(files(256)) == {Tile(ENTRIES, 0), Tile(0, 0), Tile(1, 0, 1)}
    assert list(files(0)) == []


@given(size=st.integers(0, 3_000_000), level=st.integers(ENTRIES, 4), index=st.integers(0, 20_000))
def test_the_tile_at_a_place_covers_entries_that_exist(size: int, level: int, index: int) -> None:
    tile = tile_at(level, index, size)
    if tile is not None:
        assert parse_path(tile.path) == tile
        assert tile.first_entry < size
        assert tile.width == 256 or tile in right_edge(size)
