"""The box's signature over a backup: a C2SP signed note by the key that signed its log then."""

from pathlib import Path
from typing import Final

from appliance.audit.entries import decode_entry
from appliance.audit.epochs import Epochs
from appliance.audit.events import KeyEpochStarted
from appliance.audit.keys import VerifierKey
from appliance.audit.note import parse_note
from appliance.audit.reader import LogReader
from appliance.audit.tiles import WIDTH
from appliance.errors import IntegrityError
from appliance.vault.archive import Archive

_FORMAT: Final = "cloister-backup/1"


def seal_text(archive_id: str, digest: bytes) -> str:
    """Return what the box signs: format, id, and the SHA-256 of all that precedes the note."""
    return f"{_FORMAT}\n{archive_id}\n{digest.hex()}\n"


def check_seal(archive: Archive, vkey: VerifierKey) -> bytes:
    """Verify the box's signature over an archive; return the digest that it is for.

    Raises `IntegrityError` if the holder of that key did not sign exactly this.
    """
    digest = archive.digest()
    note = parse_note(archive.seal)
    if note.text != seal_text(archive.header.id, digest) or not note.verified_by(vkey):
        raise IntegrityError(
            f"this backup was not signed by the box {vkey.name}, or was altered since"
        )
    return digest


def current_key(log: Path, size: int, first: VerifierKey) -> VerifierKey:
    """Return the key that signs a verified log of `size` entries, following its changes of keys."""
    epochs, reader = Epochs(first), LogReader(log, size)
    for index in range(-(-size // WIDTH)):
        for place, data in enumerate(reader.bundle(index)):
            entry = decode_entry(data)
            if entry.action == KeyEpochStarted.action:
                epochs.follow(entry, index * WIDTH + place, None)
    return epochs.current
