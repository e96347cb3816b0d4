"""The right edge of a growing tree: all that is needed to append to it and to know its root.

Holds at most 255 hashes per tile level, whatever the size of the log. Appending yields each tile
that became full; `edge()` gives the partial ones. Whoever writes tiles stores what comes out;
whoever verifies compares it with what is stored.
"""

from collections.abc import Iterable, Iterator

from appliance.audit.merkle import EMPTY_ROOT, HASH_SIZE, node_hash, root_hash
from appliance.audit.tiles import WIDTH, Tile, right_edge
from appliance.errors import IntegrityError


class Frontier:
    """Starts empty; see `restore` to go on from stored tiles."""

    def __init__(self) -> None:
        self._size = 0
        self._levels: list[list[bytes]] = []

    @classmethod
    def restore(cls, size: int, edge: dict[Tile, bytes]) -> "Frontier":
        """Go on from the partial tiles of a log of `size`, as `edge()` gave them.

        Raises IntegrityError if a tile is missing or has the wrong length. Whether their hashes are
        right is shown by `root()`.
        """
        frontier = cls()
        frontier._size = size
        for tile in right_edge(size):
            if tile.level < 0:
                continue
            data = edge.get(tile)
            if data is None or len(data) != tile.width * HASH_SIZE:
                raise IntegrityError(f"{tile.path} is missing or does not hold {tile.width} hashes")
            while len(frontier._levels) <= tile.level:
                frontier._levels.append([])
            frontier._levels[tile.level] = split_hashes(data)
        return frontier

    @property
    def size(self) -> int:
        """How many leaves were appended."""
        return self._size

    def extend(self, leaves: Iterable[bytes]) -> Iterator[tuple[Tile, bytes]]:
        """Append leaf hashes; yields each hash tile that became full, lower levels first.

        The leaves are appended as the iterator is read: read it to its end.
        """
        if not self._levels:
            self._levels.append([])
        for leaf in leaves:
            level = self._levels[0]
            level.append(leaf)
            self._size += 1
            if len(level) == WIDTH:
                yield from self._carry()

    def _carry(self) -> Iterator[tuple[Tile, bytes]]:
        number = 0
        while len(full := self._levels[number]) == WIDTH:
            index = self._size // WIDTH ** (number + 1) - 1
            yield Tile(number, index), b"".join(full)
            self._levels[number] = []
            number += 1
            if number == len(self._levels):
                self._levels.append([])
            self._levels[number].append(root_hash(full))

    def edge(self) -> list[tuple[Tile, bytes]]:
        """The partial hash tiles, lowest level first."""
        return [
            (Tile(number, self._size // WIDTH ** (number + 1), len(hashes)), b"".join(hashes))
            for number, hashes in enumerate(self._levels)
            if hashes
        ]

    def root(self) -> bytes:
        """Root of all leaves so far.

        A partial tile is a row of perfect subtrees, the rest of the tree to its right is lower
        than any of them: so RFC 6962's split always cuts off the leftmost largest power of two.
        """
        right: bytes | None = None
        for hashes in self._levels:
            # From the lowest level up: what is lower stands further right.
            for perfect in reversed(_perfect_rows(hashes)):
                right = perfect if right is None else node_hash(perfect, right)
        return EMPTY_ROOT if right is None else right


def _perfect_rows(hashes: list[bytes]) -> list[bytes]:
    """Roots of the perfect subtrees that a row of hashes makes up, largest (leftmost) first."""
    roots, start = [], 0
    for bit in reversed(range(8)):
        if len(hashes) >> bit & 1:
            roots.append(root_hash(hashes[start : start + (1 << bit)]))
            start += 1 << bit
    return roots


def split_hashes(tile: bytes) -> list[bytes]:
    """The hashes in a tile's bytes."""
    return [tile[start : start + HASH_SIZE] for start in range(0, len(tile), HASH_SIZE)]
