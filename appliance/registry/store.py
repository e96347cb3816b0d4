"""The encrypted store of model weights. Files only; what they are lies in the catalogue.

    DIR/<file id>/weights.cob    the weights: one Cobblestone-256 message under the file's own key
    DIR/<file id>/key            that key, wrapped for this file and its digest

Nothing under DIR tells what a model is: ids are random, and times and sizes are all that shows.

How the digest is bound: the file's key opens only under the name `FILE ID/SHA-256/SIZE`, and that
was sealed by the vault after the digest of what was encrypted had been computed. So a version whose
digest in the catalogue is D either loads the very bytes that D was computed from, or does not
load; loading need not compute the digest again (SHA-256 would take longer than decrypting).
Rotation of the models key rewraps `key` and leaves the weights alone.

A crash while putting leaves a folder without `key`; `sweep` removes it.
"""

import os
import shutil
from pathlib import Path
from typing import BinaryIO, Final

from appliance.errors import IntegrityError, UnavailableError
from appliance.registry.version import StoredFile
from appliance.vault import envelope
from appliance.vault.chunked import KEY_SIZE
from appliance.vault.document import context
from appliance.vault.durable import make_directory, sync_directory, write_file
from appliance.vault.files import encrypt_file
from appliance.vault.memfd import decrypt_to_memfd
from appliance.vault.purpose import Purpose
from appliance.vault.vault import Vault

_WEIGHTS: Final = "weights.cob"
_KEY: Final = "key"


class ModelStore:
    """The store in one directory. Its methods block; call them off the event loop."""

    def __init__(self, directory: Path, vault: Vault) -> None:
        self._directory = directory
        self._vault = vault

    def put(self, source: Path | BinaryIO) -> StoredFile:
        """Encrypt a file into the store, durably, and return its digest and where it lies.

        What `source` is was checked by the caller: the digest returned is that of the bytes that
        went in, so compare it with the one that was approved, and `remove` if it differs.
        Raises `UnavailableError` if the disk is full or fails; `SealedError` if sealed.
        """
        if isinstance(source, Path):
            with source.open("rb") as opened:
                return self.put(opened)
        file_id = os.urandom(16).hex()
        folder = self._directory / file_id
        key = os.urandom(KEY_SIZE)
        try:
            make_directory(self._directory)
            make_directory(folder)
            written = encrypt_file(source, folder / _WEIGHTS, key, _context(file_id))
            stored = StoredFile(file_id=file_id, digest=written.sha256.hex(), size=written.size)
            wrapped = self._vault.wrap(Purpose.MODELS, _name(stored), key)
            write_file(folder / _KEY, wrapped, replace=False)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise UnavailableError(
                f"the model could not be written to the store: {error.strerror}"
            ) from None
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return stored

    def open_weights(self, stored: StoredFile) -> int:
        """Decrypt weights into a sealed memfd and return its descriptor, which the caller closes.

        Raises `IntegrityError` if anything of the file is not as it was put, `UnavailableError`
        if memory is short or the file is not there, `SealedError` if sealed.
        """
        folder = self._directory / stored.file_id
        try:
            key = self._vault.unwrap(Purpose.MODELS, _name(stored), (folder / _KEY).read_bytes())
            return decrypt_to_memfd(
                folder / _WEIGHTS, key, _context(stored.file_id), name="weights"
            )
        except IntegrityError as error:
            raise IntegrityError(
                f"the stored model {stored.digest[:12]} cannot be used: {error}. Import it again"
            ) from None
        except OSError as error:
            raise UnavailableError(
                f"the stored model {stored.digest[:12]} cannot be read: {error.strerror}"
            ) from None

    def remove(self, stored: StoredFile) -> None:
        """Delete a file; its key goes first, so that what remains after a crash opens no more."""
        folder = self._directory / stored.file_id
        (folder / _KEY).unlink(missing_ok=True)
        if folder.exists():
            sync_directory(folder)
            shutil.rmtree(folder)
            sync_directory(self._directory)

    def rewrap(self, stored: StoredFile) -> bool:
        """Wrap a file's key under the current models key; return whether it was not already.

        The weights stay as they are. Durable and whole at any moment: after a crash the file
        opens by one key or the other, and doing it again is harmless.
        Raises as `open_weights` does.
        """
        path = self._directory / stored.file_id / _KEY
        try:
            wrapped = path.read_bytes()
            if envelope.version(wrapped) == self._vault.version(Purpose.MODELS):
                return False
            key = self._vault.unwrap(Purpose.MODELS, _name(stored), wrapped)
            again = self._vault.wrap(Purpose.MODELS, _name(stored), key)
            write_file(path, again, replace=True)
        except OSError as error:
            raise UnavailableError(
                f"the key of the stored model {stored.digest[:12]} cannot be renewed: "
                f"{error.strerror}"
            ) from None
        return True

    def sweep(self) -> int:
        """Delete what interrupted puts left behind; return how many. Run before any put."""
        if not self._directory.exists():
            return 0
        broken = [folder for folder in self._directory.iterdir() if not (folder / _KEY).exists()]
        for folder in broken:
            shutil.rmtree(folder)
        return len(broken)


def _context(file_id: str) -> bytes:
    return context("cloister-model-weights/1", file_id)


def _name(stored: StoredFile) -> str:
    return f"{stored.file_id}/{stored.digest}/{stored.size}"
