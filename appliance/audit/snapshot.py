"""A log directory at one moment, even while the box goes on writing it.

Full tiles never change, so only what does is taken at once: the checkpoint, the partial tiles that
belong to it, and what was being published. Bytes are as found; nothing is verified here.
"""

import os
import time
from pathlib import Path

import msgspec

from appliance.audit.checkpoint import Checkpoint, parse_checkpoint
from appliance.audit.note import Note, parse_note
from appliance.audit.publication import FILE, Publication, parse_publication
from appliance.audit.reader import read_checkpoint
from appliance.audit.tiles import CHECKPOINT, Tile, right_edge, tile_at
from appliance.audit.tiles import parse_path as parse_tile_path
from appliance.errors import IntegrityError

_TRIES = 100
_PAUSE = 0.05
"""Seconds between tries; a publication takes a few."""


class Snapshot(msgspec.Struct, frozen=True):
    """What changes in a log directory, at one moment."""

    directory: Path
    note: Note
    checkpoint: Checkpoint
    edge: dict[Tile, bytes]
    """Partial tiles; one that is missing is not in it."""

    def read(self, tile: Tile) -> bytes | None:
        """A tile's bytes, None if it is missing."""
        if tile in self.edge:
            return self.edge[tile]
        try:
            return (self.directory / tile.path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None


def take_snapshot(directory: Path) -> Snapshot:
    """Read what changes. Raises IntegrityError if the checkpoint is missing or is none."""
    data = read_checkpoint(directory)
    for _ in range(_TRIES):
        note = parse_note(data)
        checkpoint = parse_checkpoint(note.text)
        edge = {}
        for tile in right_edge(checkpoint.size):
            path = directory / tile.path
            if path.is_file():
                edge[tile] = path.read_bytes()
        again = read_checkpoint(directory)
        if again == data:
            return Snapshot(directory, note, checkpoint, edge)
        data = again
    raise IntegrityError("The log grows faster than it can be read; stop the service and verify.")


def find_strays(directory: Path, size: int) -> list[str]:
    """Files under `directory` that a log of `size` entries does not have, sorted.

    On a log that is being written, files that come and go with a publication are none.
    """
    for _ in range(_TRIES):
        strays = [path for path in _walk(directory) if not _belongs(path, size)]
        if not strays:
            return []
        sizes = _sizes_in_transit(directory)
        after = [path for path in strays if not any(_belongs(path, other) for other in sizes)]
        remaining = [path for path in after if os.path.lexists(directory / path)]
        if not remaining or max(sizes, default=size) <= size:
            return sorted(remaining)
        time.sleep(_PAUSE)
    return sorted(remaining)


def _walk(directory: Path) -> list[str]:
    found: list[str] = []
    waiting = [directory]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.is_dir() and not path.is_symlink():
                waiting.append(path)
            else:
                found.append(path.relative_to(directory).as_posix())
    return found


def _belongs(path: str, size: int) -> bool:
    tile = parse_tile_path(path)
    if tile is None:
        return path == CHECKPOINT
    return tile_at(tile.level, tile.index, size) == tile


def _sizes_in_transit(directory: Path) -> list[int]:
    sizes = [parse_checkpoint(parse_note(read_checkpoint(directory)).text).size]
    publication = read_publication(directory)
    if publication is not None:
        target = parse_checkpoint(publication.note.text).size
        sizes += [publication.old_size, target]
    return sizes


def read_publication(directory: Path) -> Publication | None:
    """What is being published into this log directory, by the file beside it."""
    try:
        return parse_publication((directory.parent / FILE).read_bytes())
    except FileNotFoundError:
        return None
