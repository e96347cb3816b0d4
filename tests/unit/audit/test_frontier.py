"""The frontier gives the same roots and tiles as the whole tree."""

import pytest

from appliance.audit.frontier import Frontier, split_hashes
from appliance.audit.merkle import leaf_hash, root_hash
from appliance.audit.tiles import Tile, files
from appliance.errors import IntegrityError

SIZES = [0, 1, 2, 255, 256, 257, 511, 512, 700, 65535, 65536, 65537, 65536 + 256 * 3 + 5]
LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(max(SIZES))]


def _full_tiles(frontier: Frontier, leaves: list[bytes]) -> dict[Tile, bytes]:
    return dict(frontier.extend(leaves))


@pytest.mark.parametrize("size", SIZES)
def test_root_equals_that_of_the_whole_tree(size: int) -> None:
    frontier = Frontier()
    _full_tiles(frontier, LEAVES[:size])
    assert frontier.size == size
    assert frontier.root() == root_hash(LEAVES[:size])


@pytest.mark.parametrize("size", SIZES)
def test_tiles_are_exactly_those_of_the_layout_and_hold_the_right_hashes(size: int) -> None:
    frontier = Frontier()
    tiles = _full_tiles(frontier, LEAVES[:size])
    tiles.update(frontier.edge())
    assert set(tiles) == {tile for tile in files(size) if tile.level >= 0}
    for tile, data in tiles.items():
        span = 256**tile.level
        for place, value in enumerate(split_hashes(data)):
            start = (tile.index * 256 + place) * span
            assert value == root_hash(LEAVES[start : start + span])
            if tile.level and place > 2:
                break


@pytest.mark.parametrize("size", SIZES)
def test_a_restored_frontier_goes_on_as_if_it_never_stopped(size: int) -> None:
    first = Frontier()
    _full_tiles(first, LEAVES[:size])
    again = Frontier.restore(size, dict(first.edge()))
    assert again.root() == first.root()
    more = [leaf_hash(b"more%d" % number) for number in range(300)]
    assert _full_tiles(again, more) == _full_tiles(first, more)
    assert again.root() == first.root()


def test_a_missing_or_cut_edge_tile_is_refused() -> None:
    frontier = Frontier()
    _full_tiles(frontier, LEAVES[:700])
    edge = dict(frontier.edge())
    for tile in edge:
        with pytest.raises(IntegrityError, match="missing"):
            Frontier.restore(700, {other: data for other, data in edge.items() if other != tile})
        with pytest.raises(IntegrityError, match="missing"):
            Frontier.restore(700, {**edge, tile: edge[tile][:-1]})
