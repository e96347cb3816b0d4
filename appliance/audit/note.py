"""Signed notes: a text and lines of signatures over it (C2SP signed-note).

Parsing trusts nothing and verifies nothing; `Note.verified_by` does. A note's text must not be used
before that returned True for a key that its reader was given beforehand. What was parsed encodes
back to the same bytes: a signature has one spelling.
"""

import base64

import msgspec

from appliance.audit.keys import SIGNATURE_SIZE, KeyKind, Signer, VerifierKey, decode_base64
from appliance.errors import IntegrityError

MAX_SIGNATURES = 64
"""Signed-note demands a limit of at least 16; a box has a handful of witnesses."""
MAX_BYTES = 256 * 1024
_KEY_ID_SIZE = 4
_DASH = "\u2014 "


class Signature(msgspec.Struct, frozen=True):
    """One signature line, not yet checked."""

    name: str
    key_id: bytes
    """4 bytes."""
    signature: bytes

    def __str__(self) -> str:
        encoded = base64.b64encode(self.key_id + self.signature).decode()
        return f"{_DASH}{self.name} {encoded}\n"


class Note(msgspec.Struct, frozen=True):
    """A text that ends in a newline, and its signatures in the order found."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(str(signature) for signature in self.signatures)

    def by(self, key: VerifierKey) -> tuple[Signature, ...]:
        """The lines that claim to be by `key`."""
        return tuple(s for s in self.signatures if (s.name, s.key_id) == (key.name, key.key_id))

    def verified_by(self, key: VerifierKey) -> bool:
        """Whether `key` signed the text. One wrong line under its name and id spoils the note."""
        lines = self.by(key)
        return (
            key.kind is KeyKind.ED25519
            and bool(lines)
            and all(
                len(line.signature) == SIGNATURE_SIZE
                and key.accepts(self.text.encode(), line.signature)
                for line in lines
            )
        )


def sign_note(text: str, signer: Signer) -> Note:
    """Sign `text`, which ends in a newline."""
    key = signer.vkey
    return Note(text, (Signature(key.name, key.key_id, signer.sign(text.encode())),))


def parse_note(data: bytes) -> Note:
    """Read a note. Raises IntegrityError when it is not one, to the byte."""
    if len(data) > MAX_BYTES:
        raise IntegrityError("The note is too large to be one; it was altered or is another file.")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise _broken("it is not UTF-8") from error
    if any(ord(char) < 0x20 and char != "\n" for char in whole):
        raise _broken("it holds control characters")
    body, blank, tail = whole.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise _broken("its signatures are missing or cut off")
    # Not splitlines(): that also splits at U+2028 and others, which a name may not hold anyway.
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise _broken(f"it has more than {MAX_SIGNATURES} signatures")
    return Note(body + "\n", tuple(_parse_signature(line) for line in lines))


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    raw = decode_base64(encoded)
    bad_name = not name or "+" in name or any(char.isspace() for char in name)
    if not line.startswith(_DASH) or not space or bad_name or raw is None or len(raw) < 5:
        raise _broken("a signature line is malformed")
    return Signature(name, raw[:_KEY_ID_SIZE], raw[_KEY_ID_SIZE:])


def _broken(what: str) -> IntegrityError:
    return IntegrityError(f"The signed note cannot be read: {what}.")
