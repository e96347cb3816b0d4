"""Anchors: copies of checkpoints that lie where the box's administrator cannot change them.

Rewriting the log is noticed as far as an anchor reaches. The box remembers, under `audit/anchors/`,
which checkpoint was anchored where; that memory is only for showing what no anchor covers yet, and
proves nothing. What proves is the copy elsewhere.
"""

import os
from pathlib import Path

import msgspec

from appliance.audit.checkpoint import parse_checkpoint
from appliance.audit.clock import format_utc
from appliance.audit.cosignature import cosigned_at
from appliance.audit.entries import decode_entry
from appliance.audit.files import Files, make_directories, store, sync_directory
from appliance.audit.keys import VerifierKey
from appliance.audit.note import Note, parse_note
from appliance.audit.reader import LogReader
from appliance.errors import ConfigurationError, IntegrityError, UnavailableError


class Anchor(msgspec.Struct, frozen=True):
    """One checkpoint that left the box."""

    kind: str
    """`print`, `directory`, `syslog` or `witness`."""
    name: str
    size: int
    time: str
    """When, as in entries."""
    note: str
    """The checkpoint as it left, with a witness's line if it has one."""


class Standing(msgspec.Struct, frozen=True):
    """How much of the log no anchor covers."""

    anchored: int
    """Entries covered by the newest anchor."""
    unanchored: int
    """Entries after those."""
    since: str
    """Time of the first of these; empty if there are none."""
    age_s: float
    """Seconds since then."""

    def exceeds(self, *, entries: int | None, age_s: float | None) -> bool:
        """Whether more is unanchored, or for longer, than is allowed; None allows anything."""
        too_many = entries is not None and self.unanchored > entries
        return too_many or (age_s is not None and self.age_s > age_s)


class Anchors:
    """The box's memory of its anchors, in `directory`."""

    def __init__(self, directory: Path, files: Files | None = None) -> None:
        self._directory = directory
        self._files = files or Files()

    def record(self, kind: str, name: str, note: Note, now_ns: int) -> Anchor:
        """Remember that `note` was anchored; replaces what the same anchor held before.

        Raises UnavailableError if the disk refuses, ConfigurationError for a name that cannot
        name a file.
        """
        if not name.replace("-", "").replace(".", "").replace("/", "").isalnum():
            raise ConfigurationError("An anchor's name may hold letters, digits, '-', '.' and '/'.")
        size = parse_checkpoint(note.text).size
        anchor = Anchor(kind, name, size, format_utc(now_ns), str(note))
        file = f"{kind}-{name.replace('/', '_')}.json"
        try:
            make_directories(self._files, self._directory / "staging")
            data = msgspec.json.encode(anchor)
            store(self._files, self._directory / "staging", self._directory / file, data)
            sync_directory(self._files, self._directory)
        except OSError as error:
            raise UnavailableError(f"The anchor cannot be noted: {error.strerror}.") from error
        return anchor

    def all(self) -> list[Anchor]:
        """Every anchor's newest checkpoint, the largest first; unreadable notes are left out."""
        found = []
        for path in self._directory.glob("*.json") if self._directory.is_dir() else ():
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=Anchor))
            except msgspec.DecodeError:
                # Counting it as no anchor errs on the safe side: more shows as unanchored.
                continue
        return sorted(found, key=lambda anchor: (-anchor.size, anchor.kind, anchor.name))

    def standing(self, reader: LogReader, now_ns: int) -> Standing:
        """What no anchor covers, of the log as `reader` sees it."""
        sizes = [anchor.size for anchor in self.all() if anchor.size <= reader.size]
        anchored = max(sizes, default=0)
        if anchored == reader.size:
            return Standing(anchored, 0, "", 0.0)
        first = decode_entry(reader.entry(anchored))
        age = max(0, now_ns - first.stamp.utc_ns) / 1e9
        return Standing(anchored, reader.size - anchored, first.time, age)


def accept_cosignature(data: bytes, current: Note, reader: LogReader, key: VerifierKey) -> Note:
    """A checkpoint that came back from a witness, checked to be of this log.

    Raises IntegrityError if `key` did not cosign it, or the log never was as it says.
    """
    note = parse_note(data)
    if cosigned_at(note, key) is None:
        raise IntegrityError(f"The checkpoint is not cosigned by the witness {key.name}.")
    theirs, ours = parse_checkpoint(note.text), parse_checkpoint(current.text)
    known = theirs.origin == ours.origin and 0 < theirs.size <= reader.size
    if not known or reader.root(theirs.size) != theirs.root:
        raise IntegrityError(
            "The witness cosigned a checkpoint that this log never had: keep it, it is evidence."
        )
    return note


def push_to_directory(note: Note, directory: Path) -> Path:
    """Put a checkpoint into `directory` (a WORM mount, say) under a name of its own.

    Raises UnavailableError if that fails. A checkpoint that lies there already is left alone.
    """
    checkpoint = parse_checkpoint(note.text)
    slug = "".join(char if char.isalnum() or char in "-." else "_" for char in checkpoint.origin)
    path = directory / f"{slug}-{checkpoint.size:020d}.checkpoint"
    data = str(note).encode()
    try:
        if path.exists() and path.read_bytes() == data:
            return path
        # No rename: on a write-once mount a name, once given, stays.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
        try:
            os.write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(Files(), directory)
    except OSError as error:
        raise UnavailableError(
            f"The checkpoint cannot be pushed to {directory}: {error.strerror}."
        ) from error
    return path
