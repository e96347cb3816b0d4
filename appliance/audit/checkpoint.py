"""Checkpoints: a log's size and root hash as a note's text (C2SP tlog-checkpoint).

A log must never sign two checkpoints of which neither tree is the beginning of the other; whoever
calls `sign_note` with a checkpoint's text answers for that.
"""

import base64

import msgspec

from appliance.audit.keys import VerifierKey, decode_base64
from appliance.audit.merkle import HASH_SIZE
from appliance.audit.note import Note, parse_note
from appliance.errors import IntegrityError

MAX_SIZE = 2**63 - 1


class Checkpoint(msgspec.Struct, frozen=True):
    """What a log commits to. `str()` is the note's text."""

    origin: str
    size: int
    root: bytes
    """32 bytes: RFC 6962 root of the first `size` entries."""
    extensions: tuple[str, ...] = ()
    """Opaque further lines. The house writes none and ignores those of others."""

    def __str__(self) -> str:
        root = base64.b64encode(self.root).decode()
        return "".join(
            f"{line}\n" for line in (self.origin, str(self.size), root, *self.extensions)
        )


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a note's text as a checkpoint. Raises IntegrityError when it is not one, to the byte."""
    if not text.endswith("\n"):
        raise IntegrityError("The checkpoint cannot be read: its last line is cut off.")
    origin, *rest = text[:-1].split("\n")
    if len(rest) < 2 or not all((origin, *rest)):
        raise IntegrityError("The checkpoint cannot be read: it lacks lines or has empty ones.")
    digits, encoded, *extensions = rest
    root = decode_base64(encoded)
    if not (digits.isascii() and digits.isdigit()) or (digits[0] == "0" and digits != "0"):
        raise IntegrityError("The checkpoint cannot be read: its size is not a decimal number.")
    if len(digits) > 19 or int(digits) > MAX_SIZE:
        raise IntegrityError("The checkpoint cannot be read: its size is impossibly large.")
    if root is None or len(root) != HASH_SIZE:
        raise IntegrityError("The checkpoint cannot be read: its root is not a SHA-256 hash.")
    return Checkpoint(origin, int(digits), root, tuple(extensions))


def open_checkpoint(data: bytes, key: VerifierKey) -> Checkpoint:
    """Read a checkpoint that `key` must have signed, for the log of the key's own name.

    Raises IntegrityError saying which of the two is not so.
    """
    return verified_checkpoint(parse_note(data), key)


def verified_checkpoint(note: Note, key: VerifierKey) -> Checkpoint:
    """The checkpoint in `note`, which `key` must have signed. Raises IntegrityError."""
    if not note.verified_by(key):
        raise IntegrityError(
            f"The checkpoint is not signed by {key.name} (key {key.key_id.hex()}): it was altered, "
            "or another log or key made it."
        )
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != key.name:
        raise IntegrityError(f"The checkpoint is of the log {checkpoint.origin}, not {key.name}.")
    return checkpoint
