r"""The journal: where an entry is durable first, in the order of the log, before tiles hold it.

`append` returns when its entries are durable: one write and one `fdatasync` for all of them.
Segments are files named by the number of their first entry. When checkpoints cover a segment and
it is not the one being written, `remove_covered` takes it away; there is always one segment, so
that a journal that is gone is noticed, and so is a log put back to before its newest segment.

Format (version 1): a segment is a header, then batches.

    header = "cloister/journal/v1\n" ‖ u64 first entry ‖ mac
    batch  = u32 bytes of payload ‖ u32 entries ‖ mac ‖ payload
    payload = entries as in a tlog-tiles bundle (u16 length, bytes)

Numbers are big-endian. A mac is keyed BLAKE2b (32 bytes) over the mac before it and the rest of its
own batch, so that a batch cannot be altered, taken out or moved without the log's key. Cutting off
whole batches at the end of the newest segment looks like a crash, and no local file can tell it
from one: the checkpoint bounds that to the entries of the last second.

A later segment overrules what an earlier one holds from the later's first entry on: that is how a
batch of which the system did not say whether it is durable is dropped.
"""

import hmac
import struct
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import msgspec

from appliance.audit.entries import split_bundle
from appliance.audit.files import Files, store, sync_directory, write_all
from appliance.errors import IntegrityError

_MAGIC = b"cloister/journal/v1\n"
_START = struct.Struct(">Q")
_LENGTHS = struct.Struct(">II")
_MAC_BYTES = 32
_HEADER_BYTES = len(_MAGIC) + _START.size + _MAC_BYTES
_BATCH_BYTES = _LENGTHS.size + _MAC_BYTES
SEGMENT_BYTES = 4 * 1024 * 1024
"""A segment that has grown to this is followed by a new one at the next batch."""


class Batch(msgspec.Struct, frozen=True):
    """Entries that were made durable together."""

    first: int
    entries: tuple[bytes, ...]


class Journal:
    """The journal being written. One thread calls `append`, `restart` and `close`."""

    def __init__(self, files: Files, directory: Path, staging: Path, key: bytes) -> None:
        self._files = files
        self._directory = directory
        self._staging = staging
        self._key = key
        self._descriptor = -1
        self._mac = b""
        self._bytes = 0
        self._next = 0

    def restart(self, first: int) -> None:
        """Begin a new segment at entry `first`. Raises OSError; then call again, not `append`."""
        self.close()
        header = _MAGIC + _START.pack(first)
        mac = _mac(self._key, b"", header)
        path = self._directory / segment_name(first)
        store(self._files, self._staging, path, header + mac)
        sync_directory(self._files, self._directory)
        self._descriptor = self._files.open_append(path)
        self._mac, self._bytes, self._next = mac, _HEADER_BYTES, first

    def append(self, payload: bytes, count: int) -> None:
        """Make `count` entries durable, framed as in a bundle.

        Raises OSError when they may not be; then nothing but `restart` may follow.
        """
        if self._bytes >= SEGMENT_BYTES:
            self.restart(self._next)
        lengths = _LENGTHS.pack(len(payload), count)
        mac = _mac(self._key, self._mac, lengths + payload)
        batch = b"".join((lengths, mac, payload))
        write_all(self._files, self._descriptor, batch)
        self._files.datasync(self._descriptor)
        self._mac = mac
        self._bytes += len(batch)
        self._next += count

    def remove_covered(self, size: int) -> None:
        """Remove the segments before the newest that holds nothing from entry `size` on."""
        starts = segment_starts(self._directory)
        covered = [start for start in starts[:-1] if starts[starts.index(start) + 1] <= size]
        for start in covered:
            self._files.remove(self._directory / segment_name(start))
        if covered:
            sync_directory(self._files, self._directory)

    def close(self) -> None:
        """Close the segment; what was appended stays durable."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            self._files.close(descriptor)


class Replay:
    """What a journal holds, read from the disk. Read `batches()` to its end, then the rest.

    Without a key the macs are not checked, which is enough to compare, not to believe.
    """

    def __init__(self, directory: Path, key: bytes | None) -> None:
        self.directory = directory
        self._key = key
        self.end = 0
        """Number of the entry after the last one."""
        self.torn = b""
        """The unfinished write at the end, of which nobody was told that it succeeded."""

    def batches(self) -> Iterator[Batch]:
        """The batches in order, without gap or overlap.

        Raises IntegrityError for whatever a crash does not explain.
        """
        names = sorted(path.name for path in self.directory.iterdir())
        starts = segment_starts(self.directory)
        if not starts:
            raise IntegrityError("The journal is gone.")
        if names != [segment_name(start) for start in starts]:
            raise IntegrityError("The journal's directory holds files that are not the journal's.")
        self.end = starts[0]
        for start, limit in zip(starts, [*starts[1:], None], strict=True):
            if start != self.end:
                raise IntegrityError(f"The journal lacks the entries {self.end} to {start - 1}.")
            yield from self._segment(start, limit)

    def _segment(self, start: int, limit: int | None) -> Iterator[Batch]:
        name = segment_name(start)
        data = (self.directory / name).read_bytes()
        header, mac = data[: len(_MAGIC) + _START.size], data[:_HEADER_BYTES][-_MAC_BYTES:]
        if header != _MAGIC + _START.pack(start) or not self._authentic(mac, b"", header):
            raise IntegrityError(f"The journal's segment {name} does not begin as it was written.")
        place = _HEADER_BYTES
        while place < len(data) and (limit is None or self.end < limit):
            head = data[place : place + _BATCH_BYTES]
            length = _LENGTHS.unpack_from(head)[0] if len(head) == _BATCH_BYTES else len(data)
            payload = data[place + _BATCH_BYTES : place + _BATCH_BYTES + length]
            if len(payload) < length:
                # Only the newest write can be unfinished, and only by missing its end.
                if limit is None:
                    self.torn = data[place:]
                break
            lengths, claimed = head[: _LENGTHS.size], head[_LENGTHS.size :]
            if not self._authentic(claimed, mac, lengths + payload):
                raise IntegrityError(
                    f"The journal's segment {name} was altered at or after entry {self.end}."
                )
            mac = claimed
            place += _BATCH_BYTES + length
            entries = tuple(split_bundle(payload))
            kept = entries if limit is None else entries[: limit - self.end]
            yield Batch(self.end, kept)
            self.end += len(kept)

    def _authentic(self, claimed: bytes, before: bytes, message: bytes) -> bool:
        if self._key is None:
            return True
        return hmac.compare_digest(claimed, _mac(self._key, before, message))


def segment_name(first: int) -> str:
    """File name of the segment that begins with entry `first`."""
    return f"{first:020d}"


def segment_starts(directory: Path) -> list[int]:
    """The first entries of the segments in a journal's directory, in order."""
    names = (path.name for path in directory.iterdir())
    return sorted(int(name) for name in names if len(name) == 20 and name.isdecimal())


def _mac(key: bytes, before: bytes, message: bytes) -> bytes:
    return blake2b(before + message, key=key, digest_size=_MAC_BYTES).digest()


def frame_batch(entries: Sequence[bytes]) -> bytes:
    """Entries as a batch's payload."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
