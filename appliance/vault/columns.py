"""Database columns encrypted per data subject, so that forgetting one key forgets one person.

    content purpose (vault) ──wraps──► a subject's key (one row each) ──encrypts──► its cells

A *cell* is one encrypted column of one row. It opens only under its subject's key and in its own
place: table, column, row and key version are bound into it, so that a cell copied to another row,
column or person does not open there. Destroying a subject's key makes all its cells unreadable.

Subjects are found again by a *blind index*: a keyed digest, the same for the same subject, that
tells nothing without the vault. It hides who someone is, not how often they come.

Cells and keys are Cobblestone-256 messages (`chunked`) behind a line that names format, algorithm
and version. This module keeps no rows: whoever has the tables stores what it returns.
"""

from typing import Final

import msgspec

from appliance.errors import IntegrityError, SealedError
from appliance.vault import chunked, envelope
from appliance.vault.document import context
from appliance.vault.purpose import Purpose
from appliance.vault.secret import Secret
from appliance.vault.vault import Vault

_TAG: Final = "cloister-cell/1"
_INDEX: Final = b"cloister-blind-index/1\x00"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a cell lies."""

    table: str
    column: str
    row: str


class SubjectKey(msgspec.Struct, frozen=True, kw_only=True):
    """A subject's key as it is stored: wrapped by the vault."""

    subject_id: str
    """Random, and no name: the row's own id."""
    version: int
    """Counts the keys that this subject has had."""
    wrapped: bytes


class SubjectCipher:
    """Encrypts and decrypts one subject's cells. `forget` when done."""

    def __init__(self, subject: SubjectKey, key: Secret) -> None:
        self._subject = subject
        self._key: Secret | None = key

    def seal(self, place: Place, content: bytes) -> bytes:
        """Encrypt a cell for its place."""
        message = chunked.encryptor(self._usable().view, self._context(place))
        header = f"{_TAG} {chunked.ALGORITHM} {self._subject.version}\n".encode()
        return header + message.update(content) + message.finalize()

    def open(self, place: Place, cell: bytes) -> bytes:
        """Decrypt a cell in its place.

        Raises `IntegrityError` if it was altered, belongs elsewhere, or is another subject's.
        """
        line, _, message = cell.partition(b"\n")
        if line != f"{_TAG} {chunked.ALGORITHM} {self._subject.version}".encode():
            raise IntegrityError(
                "this cell is none of cloister, or was encrypted under another version of its "
                "subject's key"
            )
        return chunked.open_sealed(self._usable().view, message, self._context(place))

    def forget(self) -> None:
        """Wipe the key from memory."""
        key, self._key = self._key, None
        if key is not None:
            key.wipe()

    def _usable(self) -> Secret:
        if self._key is None:
            raise SealedError("this subject's key was forgotten; open it anew")
        return self._key

    def _context(self, place: Place) -> bytes:
        return context(
            _TAG,
            self._subject.subject_id,
            str(self._subject.version),
            place.table,
            place.column,
            place.row,
        )


class Columns:
    """Makes and opens subjects' keys with the vault's content key."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def new_key(self, subject_id: str, *, version: int = 1) -> SubjectKey:
        """Make a subject's key. Raises `SealedError` if the vault is sealed."""
        key = Secret.random(chunked.KEY_SIZE)
        try:
            return self._wrapped(subject_id, version, bytes(key.view))
        finally:
            key.wipe()

    def cipher(self, subject: SubjectKey) -> SubjectCipher:
        """Open a subject's key.

        Raises `IntegrityError` if it is not this subject's or was altered, `SealedError` if the
        vault is sealed.
        """
        key = self._unwrapped(subject)
        return SubjectCipher(subject, Secret.copied(bytearray(key)))

    def rewrap(self, subject: SubjectKey) -> SubjectKey | None:
        """Wrap a subject's key under the current content key; `None` if it is already."""
        if envelope.version(subject.wrapped) == self._vault.version(Purpose.CONTENT):
            return None
        key = self._unwrapped(subject)
        return self._wrapped(subject.subject_id, subject.version, key)

    def blind_index(self, field: str, value: str, *, version: int | None = None) -> bytes:
        """Return 32 bytes by which to find a value that is stored encrypted.

        `field` keeps the same value in two places from being recognised as the same. A rotation of
        the content key changes every index: compute them anew before the old version goes.
        """
        info = _INDEX + context(field, value)
        return self._vault.derive(Purpose.CONTENT, info, version=version)

    def _wrapped(self, subject_id: str, version: int, key: bytes) -> SubjectKey:
        wrapped = self._vault.wrap(Purpose.CONTENT, _name(subject_id, version), key)
        return SubjectKey(subject_id=subject_id, version=version, wrapped=wrapped)

    def _unwrapped(self, subject: SubjectKey) -> bytes:
        name = _name(subject.subject_id, subject.version)
        return self._vault.unwrap(Purpose.CONTENT, name, subject.wrapped)


def _name(subject_id: str, version: int) -> str:
    return f"subject/{subject_id}/{version}"
