"""Cosignatures: a witness states when it saw a log to be consistent (C2SP tlog-cosignature).

Ed25519 alone, signature type 0x04. The signed message is `cosignature/v1`, the time, and the
checkpoint's text; its first line keeps it from passing for a checkpoint.
"""

import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.audit.keys import SEED_SIZE, SIGNATURE_SIZE, KeyKind, VerifierKey, check_name
from appliance.audit.note import Note, Signature
from appliance.errors import ConfigurationError

_TIMESTAMP = struct.Struct(">Q")


def _message(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


class Cosigner:
    """A witness's key. It must sign nothing else: the message does not hold the witness's name."""

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != SEED_SIZE:
            raise ConfigurationError("A witness's key must be 32 bytes.")
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._private.public_key().public_bytes_raw()
        self.vkey = VerifierKey(check_name(name), public, KeyKind.COSIGNATURE)

    def cosign(self, note: Note, timestamp: int) -> Note:
        """`note` with this cosigner's line for `timestamp`, seconds since 1970, at its end.

        An earlier line of its own is replaced.
        """
        mine = self.vkey
        others = tuple(line for line in note.signatures if line not in note.by(mine))
        signature = self._private.sign(_message(note.text, timestamp))
        line = Signature(mine.name, mine.key_id, _TIMESTAMP.pack(timestamp) + signature)
        return Note(note.text, (*others, line))


def cosigned_at(note: Note, key: VerifierKey) -> int | None:
    """When the witness of `key` cosigned `note`, in seconds since 1970; None if it did not."""
    lines = note.by(key)
    if key.kind is not KeyKind.COSIGNATURE or len(lines) != 1:
        return None
    raw = lines[0].signature
    if len(raw) != _TIMESTAMP.size + SIGNATURE_SIZE:
        return None
    (timestamp,) = _TIMESTAMP.unpack_from(raw)
    if timestamp >= 1 << 63 or not key.accepts(
        _message(note.text, timestamp), raw[_TIMESTAMP.size :]
    ):
        return None
    return int(timestamp)
