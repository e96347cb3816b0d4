"""Reads a log's files: its checkpoint, entries, hashes, and the proofs made from them.

What is read is not verified against the checkpoint's root (that is `verify`'s work), except that an
entry is compared with its leaf hash. A reader sees the log as its checkpoint had it at `at`; later
growth does not disturb it: a partial tile that was outgrown meanwhile is the beginning of the one
that took its place.
"""

from functools import lru_cache
from pathlib import Path

from appliance.audit import merkle
from appliance.audit.entries import split_bundle
from appliance.audit.merkle import HASH_SIZE
from appliance.audit.tiles import CHECKPOINT, ENTRIES, WIDTH, Tile
from appliance.errors import IntegrityError

_CACHED_TILES = 64
_TRIES = 3


class LogReader:
    """One log directory, as of one size."""

    def __init__(self, directory: Path, size: int) -> None:
        self._directory = directory
        self._size = size
        self._tile = lru_cache(_CACHED_TILES)(self._read_tile)

    @property
    def size(self) -> int:
        """How many entries there are."""
        return self._size

    def entry(self, index: int) -> bytes:
        """Entry number `index`. Raises IntegrityError when it is not what was logged."""
        if not 0 <= index < self._size:
            raise IntegrityError(f"The log has no entry {index}: it ends before {self._size}.")
        bundle, place = divmod(index, WIDTH)
        entries = self.bundle(bundle)
        entry = entries[place] if place < len(entries) else b""
        if merkle.leaf_hash(entry) != self.leaf(index):
            raise IntegrityError(f"Entry {index} is not what was logged: its hash differs.")
        return entry

    def bundle(self, index: int) -> list[bytes]:
        """The entries of bundle `index`."""
        width = min(WIDTH, self._size - index * WIDTH)
        return list(split_bundle(self.read(Tile(ENTRIES, index, width))))[:width]

    def leaf(self, index: int) -> bytes:
        """Leaf hash number `index`."""
        return self._hash(0, index)

    def subtree(self, start: int, end: int) -> bytes:
        """Hash of the leaves [start, end), a subtree as `merkle.SubtreeHash` has it."""
        count = end - start
        if count & (count - 1):
            middle = start + merkle.split(count)
            return merkle.node_hash(self.subtree(start, middle), self.subtree(middle, end))
        # A perfect subtree is a row of 1 to 128 hashes in one tile.
        level = (count.bit_length() - 1) // 8
        first, last = start >> 8 * level, end >> 8 * level
        return merkle.root_hash([self._hash(level, number) for number in range(first, last)])

    def root(self, size: int | None = None) -> bytes:
        """Root of the first `size` entries; of all, if not given."""
        count = self._size if size is None else size
        return self.subtree(0, count) if count else merkle.EMPTY_ROOT

    def inclusion_proof(self, index: int) -> list[bytes]:
        """That entry `index` is in this log, for `root()`."""
        return merkle.prove_inclusion(index, self._size, self.subtree)

    def consistency_proof(self, old_size: int) -> list[bytes]:
        """That the log of `old_size` is the beginning of this one."""
        return merkle.prove_consistency(old_size, self._size, self.subtree)

    def read(self, tile: Tile) -> bytes:
        """A tile's or bundle's bytes; of a partial one, those of a fuller one if it was outgrown.

        Raises IntegrityError when there is none.
        """
        for _ in range(_TRIES):
            for path in self._places(tile):
                try:
                    return (self._directory / path).read_bytes()
                except FileNotFoundError:
                    # On a running box it was outgrown between the listing and now.
                    continue
        raise IntegrityError(f"The log's file {tile.path} is missing.")

    def _places(self, tile: Tile) -> list[str]:
        if tile.width == WIDTH:
            return [tile.path]
        full = Tile(tile.level, tile.index)
        partial = self._directory / f"{full.path}.p"
        names = [path.name for path in partial.iterdir()] if partial.is_dir() else []
        wider = sorted(int(name) for name in names if name.isdecimal() and int(name) > tile.width)
        return [tile.path, *(f"{full.path}.p/{width}" for width in wider), full.path]

    def _read_tile(self, level: int, index: int) -> bytes:
        width = min(WIDTH, self._size // WIDTH**level - index * WIDTH)
        tile = Tile(level, index, width)
        data = self.read(tile)
        if len(data) < width * HASH_SIZE or len(data) % HASH_SIZE:
            raise IntegrityError(f"The log's file {tile.path} does not hold {width} hashes.")
        return data

    def _hash(self, level: int, number: int) -> bytes:
        tile, place = divmod(number, WIDTH)
        return self._tile(level, tile)[place * HASH_SIZE :][:HASH_SIZE]


def read_checkpoint(directory: Path) -> bytes:
    """The bytes of a log directory's checkpoint. Raises IntegrityError when it is missing."""
    try:
        return (directory / CHECKPOINT).read_bytes()
    except FileNotFoundError as error:
        raise IntegrityError(
            f"{directory} holds no file 'checkpoint': it is no log, or the file was removed."
        ) from error
