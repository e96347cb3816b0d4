"""Where hashes and entries lie, and which files a log of a given size has (C2SP tlog-tiles).

Pure: paths are relative, with `/`, to the directory that holds `checkpoint`. A log directory holds
the checkpoint and exactly `files(size)`: the partial tiles of earlier sizes are beginnings of the
present ones, so that whoever serves the log over HTTP cuts them from those
(docs/decisions, "An exact set of files").
"""

import re
from collections.abc import Iterator

import msgspec

WIDTH = 256
HASHES_PER_TILE_BYTES = WIDTH * 32
MAX_LEVEL = 63
CHECKPOINT = "checkpoint"

ENTRIES = -1
"""The "level" of entry bundles, which count as level-0 tiles do."""


class Tile(msgspec.Struct, frozen=True, order=True):
    """A tile, full or partial, or a bundle of entries (`level` is `ENTRIES`)."""

    level: int
    index: int
    width: int = WIDTH
    """How many hashes or entries, 1 to 256."""

    @property
    def path(self) -> str:
        """Its path, such as `tile/0/x001/234.p/17`."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        path = f"tile/{level}/{_index_path(self.index)}"
        return path if self.width == WIDTH else f"{path}.p/{self.width}"

    @property
    def first_entry(self) -> int:
        """Number of the first entry under this tile."""
        height = 1 if self.level == ENTRIES else self.level + 1
        return int(self.index * WIDTH**height)


def _index_path(index: int) -> str:
    *groups, last = (str(index)[max(0, end - 3) : end] for end in _group_ends(len(str(index))))
    return "/".join([*(f"x{group:0>3}" for group in groups), f"{last:0>3}"])


def _group_ends(digits: int) -> range:
    return range(digits - 3 * ((digits - 1) // 3), digits + 1, 3)


def level_width(level: int, size: int) -> int:
    """How many hashes level `level` has in a tree of `size`: those of its full subtrees."""
    return size if level == ENTRIES else size // int(WIDTH**level)


def tile_at(level: int, index: int, size: int) -> Tile | None:
    """The tile as a log of `size` entries has it, or None if it has none there."""
    width = min(WIDTH, level_width(level, size) - index * WIDTH)
    return Tile(level, index, width) if width > 0 and index >= 0 else None


def levels(size: int) -> Iterator[int]:
    """The levels of a log of `size`, entries first, then hashes from the leaves up."""
    level = ENTRIES
    while level_width(level, size):
        yield level
        level += 1


def right_edge(size: int) -> list[Tile]:
    """The partial tiles of a log of `size`: what changes as it grows."""
    edge = (tile_at(level, level_width(level, size) // WIDTH, size) for level in levels(size))
    return [tile for tile in edge if tile is not None]


def files(size: int) -> Iterator[Tile]:
    """Every tile and bundle of a log of `size`."""
    for level in levels(size):
        for index in range((level_width(level, size) + WIDTH - 1) // WIDTH):
            tile = tile_at(level, index, size)
            if tile is not None:
                yield tile


_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)"
    r"/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


def parse_path(path: str) -> Tile | None:
    """The tile that lies at `path`, or None if no tile ever does."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    level = ENTRIES if match["level"] == "entries" else int(match["level"])
    index = int(match["index"].replace("x", "").replace("/", ""))
    width = int(match["width"] or WIDTH)
    if level > MAX_LEVEL or (match["width"] and width >= WIDTH):
        return None
    tile = Tile(level, index, width)
    # `x000/001` would be a second name of tile 1.
    return tile if tile.path == path else None
