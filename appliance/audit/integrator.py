"""Turns durable entries into tiles and a signed checkpoint.

`add` takes entries that the journal holds; `publish` makes the log's files hold them too, in this
order: announce (see `publication`), write tiles and bundles, replace the checkpoint, remove
outgrown partial tiles, end the announcement. Each step is durable before the next. Whatever fails
on the way, calling `publish` again does the rest: every step can be done twice.

Not safe for two threads at once; the log holds a lock around it.
"""

import errno
from collections.abc import Iterable, Sequence
from itertools import islice

from appliance.audit.checkpoint import Checkpoint
from appliance.audit.files import Files, make_directories, store, store_all, sync_directory
from appliance.audit.frontier import Frontier
from appliance.audit.journal import frame_batch
from appliance.audit.keys import Signer
from appliance.audit.layout import Layout
from appliance.audit.note import Note, sign_note
from appliance.audit.publication import FILE, Publication, outgrown
from appliance.audit.tiles import CHECKPOINT, ENTRIES, WIDTH, Tile, right_edge

_AT_ONCE = 64
"""Files open together while tiles are written."""


class Integrator:
    """Writes `log/`. `frontier`, `bundle` (the partial entry bundle) and `note` are as stored."""

    def __init__(
        self,
        files: Files,
        layout: Layout,
        signer: Signer,
        frontier: Frontier,
        bundle: bytes,
        note: Note,
    ) -> None:
        self._files = files
        self._layout = layout
        self._signers = [(0, signer)]
        self._frontier = frontier
        self._bundle = bytearray(bundle)
        self._full: dict[Tile, bytes] = {}
        self._published = frontier.size
        self._note = note
        self._stale: list[Tile] = []
        self._announced = False
        self._attempted = frontier.size

    @property
    def size(self) -> int:
        """Entries taken in."""
        return self._frontier.size

    @property
    def published(self) -> int:
        """Entries that the checkpoint on disk covers."""
        return self._published

    @property
    def note(self) -> Note:
        """The checkpoint on disk, as signed."""
        return self._note

    @property
    def root(self) -> bytes:
        """Root of the entries taken in."""
        return self._frontier.root()

    def change_signer(self, first: int, signer: Signer) -> None:
        """Sign checkpoints of more than `first` entries with `signer`."""
        self._signers = [pair for pair in self._signers if pair[0] < first or pair[0] == 0]
        self._signers.append((first, signer))

    def add(self, entries: Sequence[bytes], leaves: Sequence[bytes]) -> None:
        """Take in entries that are durable in the journal, with their leaf hashes."""
        start = 0
        while start < len(entries):
            place = self._frontier.size % WIDTH
            end = min(len(entries), start + WIDTH - place)
            self._bundle += frame_batch(entries[start:end])
            self._full.update(self._frontier.extend(leaves[start:end]))
            if place + end - start == WIDTH:
                bundle = Tile(ENTRIES, self._frontier.size // WIDTH - 1)
                self._full[bundle] = bytes(self._bundle)
                self._bundle.clear()
            start = end

    def resume(self, publication: Publication, target: int) -> None:
        """Take over what an earlier process announced and did not end, to a log of `target`."""
        self._announced = True
        self._attempted = target
        if target == self._published:
            self._stale = outgrown(publication.old_size, target)

    def abandon(self, tiles: Iterable[Tile]) -> None:
        """Remove these at the next `publish`: they were announced, and their entries are lost."""
        self._attempted = self.size
        self._stale.extend(tiles)

    def publish(self) -> bool:
        """Make the checkpoint on disk cover all entries taken in; whether there was anything to do.

        Raises OSError, and then has to be called again.
        """
        if self.size == self._published and not self._announced:
            return False
        # What an attempt left behind goes before the next is announced, as long as the old
        # announcement accounts for it.
        self._stale += outgrown(self._attempted, self.size)
        self._sweep()
        if self.size > self._published:
            self._advance()
            self._sweep()
        self._files.remove(self._layout.root / FILE)
        sync_directory(self._files, self._layout.root)
        self._announced = False
        return True

    def _advance(self) -> None:
        signer = next(s for first, s in reversed(self._signers) if first < self.size)
        checkpoint = Checkpoint(signer.vkey.name, self.size, self._frontier.root())
        note = sign_note(str(checkpoint), signer)
        layout, staging = self._layout, self._layout.staging
        announcement = str(Publication(self._published, note)).encode()
        store(self._files, staging, layout.root / FILE, announcement)
        sync_directory(self._files, layout.root)
        self._announced = True
        self._attempted = self.size

        edge = dict(self._frontier.edge())
        if self._bundle:
            width = self.size % WIDTH
            edge[Tile(ENTRIES, self.size // WIDTH, width)] = bytes(self._bundle)
        self._write({**self._full, **edge})
        self._full.clear()

        store(self._files, staging, layout.log / CHECKPOINT, str(note).encode())
        sync_directory(self._files, layout.log)
        self._stale += outgrown(self._published, self.size)
        self._published, self._note = self.size, note

    def _write(self, tiles: dict[Tile, bytes]) -> None:
        contents = {self._layout.log / tile.path: data for tile, data in tiles.items()}
        touched = {path.parent for path in contents}
        for directory in touched:
            make_directories(self._files, directory)
        pairs = iter(contents.items())
        while chunk := dict(islice(pairs, _AT_ONCE)):
            store_all(self._files, self._layout.staging, chunk)
        for directory in touched:
            sync_directory(self._files, directory)

    def _sweep(self) -> None:
        kept = {*right_edge(self._published), *right_edge(self.size)}
        touched = set()
        for tile in self._stale:
            path = self._layout.log / tile.path
            if tile in kept or not path.parent.is_dir():
                continue
            self._files.remove(path)
            try:
                self._files.remove_directory(path.parent)
                touched.add(path.parent.parent)
            except OSError as error:
                # The partial tile of the present size lies in the same directory.
                if error.errno != errno.ENOTEMPTY:
                    raise
                touched.add(path.parent)
        for directory in touched:
            if directory.is_dir():
                sync_directory(self._files, directory)
        self._stale.clear()
